//! Safe wrapper of libyaml's event parser; the only unsafe code of this crate.
//!
//! `libyaml-rs` is a function-by-function translation of the C library and keeps its interface: raw pointers, and
//! events that the caller frees. [`Events`] owns one parser and at most one event. Scalar types, anchors and
//! documents are handled in `yaml.rs`.
#![allow(unsafe_code)]

use std::{ffi::CStr, marker::PhantomData, mem::MaybeUninit};

use libyaml_rs as sys;

/// Event type and content. Strings are borrowed from the parser until the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind<'e> {
    DocumentStart,
    DocumentEnd,
    Alias { anchor: &'e str },
    Scalar { anchor: Option<&'e str>, tag: Option<&'e str>, value: &'e str, style: ScalarStyle },
    SequenceStart { anchor: Option<&'e str>, flow: bool },
    SequenceEnd,
    MappingStart { anchor: Option<&'e str>, flow: bool },
    MappingEnd,
    StreamEnd,
}

/// Presentation style of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScalarStyle {
    Plain,
    Quoted,
    /// Literal (`|`) or folded (`>`).
    Block,
}

/// Event with its byte range in the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event<'e> {
    pub kind: EventKind<'e>,
    pub start: usize,
    pub end: usize,
}

/// Parse error as reported by libyaml.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct YamlError {
    pub message: String,
    pub at: usize,
    /// What the parser was doing, and the offset at which that started.
    pub context: Option<(String, usize)>,
}

/// Producer of YAML events.
pub(super) trait EventSource {
    /// Returns the next event; [`EventKind::StreamEnd`] repeatedly after the end of the text.
    ///
    /// # Errors
    /// If the text is not valid YAML. The source must not be used after an error.
    fn next_event(&mut self) -> Result<Event<'_>, YamlError>;
}

/// libyaml's event source for one text.
pub(super) struct Events<'t> {
    /// Heap-allocated, initialised and exclusively owned. A raw pointer instead of a `Box`, because libyaml stores
    /// a copy of it inside the parser and uses both.
    parser: *mut sys::yaml_parser_t,
    /// The current event; `Some` means initialised by libyaml and not yet freed.
    event: Option<sys::yaml_event_t>,
    /// libyaml reads the text through a raw pointer.
    text: PhantomData<&'t str>,
}

impl<'t> Events<'t> {
    /// Creates a parser at the start of `text`, which must not start with a byte order mark.
    pub(super) fn new(text: &'t str) -> Self {
        let parser = Box::into_raw(Box::new(MaybeUninit::<sys::yaml_parser_t>::uninit())).cast();
        // SAFETY: `parser` points to writable memory of the right size and alignment; `initialize` fills all
        // of it (it zeroes first; allocation failure aborts, so it cannot fail). The memory stays where it
        // is until `drop`, so the pointer libyaml keeps stays good. The text outlives `self` (`'t`), is not
        // written to, and its pointer is never null.
        unsafe {
            let _ = sys::yaml_parser_initialize(parser);
            sys::yaml_parser_set_encoding(parser, sys::YAML_UTF8_ENCODING);
            sys::yaml_parser_set_input_string(parser, text.as_ptr(), text.len() as u64);
        }
        Events { parser, event: None, text: PhantomData }
    }

    /// Returns the current event, borrowing its strings.
    fn current(&self) -> Event<'_> {
        let Some(event) = &self.event else { return Event { kind: EventKind::StreamEnd, start: 0, end: 0 } };
        // SAFETY: `type_` determines which member of the union libyaml wrote. Anchors and tags are null or C
        // strings; a scalar's value is `length` bytes. They live until `free`, which takes `&mut self`, so they
        // outlive the borrow of the result.
        let kind = unsafe {
            match event.type_ {
                sys::YAML_DOCUMENT_START_EVENT => EventKind::DocumentStart,
                sys::YAML_DOCUMENT_END_EVENT => EventKind::DocumentEnd,
                sys::YAML_ALIAS_EVENT => {
                    EventKind::Alias { anchor: c_text(event.data.alias.anchor).unwrap_or_default() }
                }
                sys::YAML_SCALAR_EVENT => {
                    let scalar = &event.data.scalar;
                    let bytes = std::slice::from_raw_parts(scalar.value, scalar.length as usize);
                    EventKind::Scalar {
                        anchor: c_text(scalar.anchor),
                        tag: c_text(scalar.tag),
                        // The input is UTF-8 and libyaml splits at character boundaries; checked nonetheless.
                        value: std::str::from_utf8(bytes).unwrap_or_default(),
                        style: match scalar.style {
                            sys::YAML_PLAIN_SCALAR_STYLE => ScalarStyle::Plain,
                            sys::YAML_LITERAL_SCALAR_STYLE | sys::YAML_FOLDED_SCALAR_STYLE => {
                                ScalarStyle::Block
                            }
                            _ => ScalarStyle::Quoted,
                        },
                    }
                }
                sys::YAML_SEQUENCE_START_EVENT => EventKind::SequenceStart {
                    anchor: c_text(event.data.sequence_start.anchor),
                    flow: event.data.sequence_start.style == sys::YAML_FLOW_SEQUENCE_STYLE,
                },
                sys::YAML_SEQUENCE_END_EVENT => EventKind::SequenceEnd,
                sys::YAML_MAPPING_START_EVENT => EventKind::MappingStart {
                    anchor: c_text(event.data.mapping_start.anchor),
                    flow: event.data.mapping_start.style == sys::YAML_FLOW_MAPPING_STYLE,
                },
                sys::YAML_MAPPING_END_EVENT => EventKind::MappingEnd,
                _ => EventKind::StreamEnd,
            }
        };
        Event { kind, start: event.start_mark.index as usize, end: event.end_mark.index as usize }
    }

    /// Returns the parser's error after a failed call.
    fn problem(&self) -> YamlError {
        // SAFETY: the parser was initialised in `new`; its messages are null or static C strings.
        unsafe {
            let parser = &*self.parser;
            let text = |pointer: *const u8| c_text(pointer).map(str::to_owned);
            let reader = parser.error == sys::YAML_READER_ERROR;
            YamlError {
                message: text(parser.problem.cast()).unwrap_or_else(|| "not YAML".to_owned()),
                at: if reader { parser.problem_offset } else { parser.problem_mark.index } as usize,
                context: text(parser.context.cast()).map(|c| (c, parser.context_mark.index as usize)),
            }
        }
    }

    /// Frees the current event, if any.
    fn free(&mut self) {
        if let Some(mut event) = self.event.take() {
            // SAFETY: libyaml initialised the event, and `take` ensures that it is freed once.
            unsafe { sys::yaml_event_delete(&mut event) };
        }
    }
}

impl EventSource for Events<'_> {
    fn next_event(&mut self) -> Result<Event<'_>, YamlError> {
        loop {
            self.free();
            let mut event = MaybeUninit::<sys::yaml_event_t>::uninit();
            // SAFETY: the parser was initialised in `new` and is used through `&mut self` only; `event` has the
            // right layout, and `parse` zeroes it before anything else, so it is initialised in either case. On
            // failure it owns nothing.
            let event = unsafe {
                if sys::yaml_parser_parse(self.parser, event.as_mut_ptr()).fail {
                    return Err(self.problem());
                }
                event.assume_init()
            };
            if self.event.insert(event).type_ != sys::YAML_STREAM_START_EVENT {
                break;
            }
        }
        Ok(self.current())
    }
}

impl Drop for Events<'_> {
    fn drop(&mut self) {
        self.free();
        // SAFETY: initialised in `new`, deleted only here; the memory came from a box of this type, whose content
        // needs no drop.
        unsafe {
            sys::yaml_parser_delete(self.parser);
            drop(Box::from_raw(self.parser.cast::<MaybeUninit<sys::yaml_parser_t>>()));
        }
    }
}

/// Borrows a C string; `None` for null and for invalid UTF-8 (a tag may contain any escaped byte).
///
/// # Safety
/// `pointer` is null or points to bytes that end with a zero and live for `'a`.
unsafe fn c_text<'a>(pointer: *const u8) -> Option<&'a str> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: guaranteed by the caller.
    unsafe { CStr::from_ptr(pointer.cast()) }.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<String>, YamlError> {
        let mut events = Events::new(text);
        let mut seen = Vec::new();
        loop {
            let event = events.next_event()?;
            seen.push(format!("{}-{} {:?}", event.start, event.end, event.kind));
            if event.kind == EventKind::StreamEnd {
                return Ok(seen);
            }
        }
    }

    #[test]
    fn events_have_content_and_byte_ranges() {
        let seen = all("é0: &x [1, 'b']\nc: *x\n").unwrap();
        assert!(seen.iter().any(|e| e.starts_with("0-3 Scalar") && e.contains("\"é0\"")), "{seen:#?}");
        assert!(seen.iter().any(|e| e.starts_with("12-15 Scalar") && e.contains("Quoted")), "{seen:#?}");
        assert!(seen.iter().any(|e| e.contains("Alias { anchor: \"x\" }")), "{seen:#?}");
    }

    #[test]
    fn an_invalid_text_ends_in_one_error_with_its_position() {
        let problem = all("a: [1\nb: 2\n").unwrap_err();
        assert_eq!(problem.at, 7);
        assert!(problem.context.is_some());
        assert_eq!(all("a: \u{1}").unwrap_err().at, 3);
    }

    #[test]
    fn further_events_after_the_end_are_stream_end() {
        let mut events = Events::new("a");
        for _ in 0..4 {
            events.next_event().unwrap();
        }
        assert_eq!(events.next_event().unwrap().kind, EventKind::StreamEnd);
        assert_eq!(events.next_event().unwrap().kind, EventKind::StreamEnd);
    }

    #[test]
    fn a_partially_read_event_source_frees_its_memory() {
        let mut events = Events::new("- &a !!str x\n- [");
        for _ in 0..3 {
            events.next_event().unwrap();
        }
    }
}
