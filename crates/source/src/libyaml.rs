//! libyaml's events behind a safe face: the only unsafe code of this layer.
//!
//! `libyaml-rs` is the C library turned into Rust, function by function, so that it keeps the C interface:
//! raw pointers, and events the caller frees. [`Events`] owns one parser and at most one event. It knows
//! nothing of types, anchors' meaning or documents: that is `yaml.rs`.
#![allow(unsafe_code)]

use std::{ffi::CStr, marker::PhantomData, mem::MaybeUninit};

use libyaml_rs as sys;

/// What happened. Text is borrowed from the parser until its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'e> {
    DocumentStart,
    DocumentEnd,
    Alias { anchor: &'e str },
    Scalar { anchor: Option<&'e str>, tag: Option<&'e str>, value: &'e str, style: Style },
    SequenceStart { anchor: Option<&'e str>, flow: bool },
    SequenceEnd,
    MappingStart { anchor: Option<&'e str>, flow: bool },
    MappingEnd,
    StreamEnd,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    /// After `|` or `>`.
    Block,
}

/// One event and its place, in bytes from the start of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event<'e> {
    pub kind: Kind<'e>,
    pub start: usize,
    pub end: usize,
}

/// Why the parser gave up, in libyaml's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub message: String,
    pub at: usize,
    /// What it was doing, and the byte at which that began.
    pub context: Option<(String, usize)>,
}

/// Whoever tells the events of a text.
pub(super) trait Steps {
    /// The next event; [`Kind::StreamEnd`] again and again once the text is used up.
    ///
    /// # Errors
    /// The text is not YAML. There is no going on after that.
    fn step(&mut self) -> Result<Event<'_>, Problem>;
}

/// The events of one text.
pub(super) struct Events<'t> {
    /// From a box, initialised, and ours alone. A bare pointer, since libyaml keeps a copy of it inside the parser
    /// and uses both.
    parser: *mut sys::yaml_parser_t,
    /// The last event; `Some` means initialised by libyaml and not yet freed.
    event: Option<sys::yaml_event_t>,
    /// The parser reads from the text by pointer.
    text: PhantomData<&'t str>,
}

impl<'t> Events<'t> {
    /// A parser at the start of `text`, which must not start with a byte order mark.
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

    /// The event held, with its text borrowed from it.
    fn current(&self) -> Event<'_> {
        let Some(event) = &self.event else { return Event { kind: Kind::StreamEnd, start: 0, end: 0 } };
        // SAFETY: `type_` says which member of the union libyaml wrote. Anchors and tags are null or C
        // strings; a scalar's value is `length` bytes. They live until `free`, which takes `&mut self`, so
        // they outlive the borrow that the result carries.
        let kind = unsafe {
            match event.type_ {
                sys::YAML_DOCUMENT_START_EVENT => Kind::DocumentStart,
                sys::YAML_DOCUMENT_END_EVENT => Kind::DocumentEnd,
                sys::YAML_ALIAS_EVENT => {
                    Kind::Alias { anchor: c_text(event.data.alias.anchor).unwrap_or_default() }
                }
                sys::YAML_SCALAR_EVENT => {
                    let scalar = &event.data.scalar;
                    let bytes = std::slice::from_raw_parts(scalar.value, scalar.length as usize);
                    Kind::Scalar {
                        anchor: c_text(scalar.anchor),
                        tag: c_text(scalar.tag),
                        // UTF-8 went in, and libyaml cuts by whole characters; checked anyway.
                        value: std::str::from_utf8(bytes).unwrap_or_default(),
                        style: match scalar.style {
                            sys::YAML_PLAIN_SCALAR_STYLE => Style::Plain,
                            sys::YAML_LITERAL_SCALAR_STYLE | sys::YAML_FOLDED_SCALAR_STYLE => Style::Block,
                            _ => Style::Quoted,
                        },
                    }
                }
                sys::YAML_SEQUENCE_START_EVENT => Kind::SequenceStart {
                    anchor: c_text(event.data.sequence_start.anchor),
                    flow: event.data.sequence_start.style == sys::YAML_FLOW_SEQUENCE_STYLE,
                },
                sys::YAML_SEQUENCE_END_EVENT => Kind::SequenceEnd,
                sys::YAML_MAPPING_START_EVENT => Kind::MappingStart {
                    anchor: c_text(event.data.mapping_start.anchor),
                    flow: event.data.mapping_start.style == sys::YAML_FLOW_MAPPING_STYLE,
                },
                sys::YAML_MAPPING_END_EVENT => Kind::MappingEnd,
                _ => Kind::StreamEnd,
            }
        };
        Event { kind, start: event.start_mark.index as usize, end: event.end_mark.index as usize }
    }

    /// The parser's complaint after a failed step.
    fn problem(&self) -> Problem {
        // SAFETY: the parser was initialised in `new`; its messages are null or static C strings.
        unsafe {
            let parser = &*self.parser;
            let text = |pointer: *const u8| c_text(pointer).map(str::to_owned);
            let reader = parser.error == sys::YAML_READER_ERROR;
            Problem {
                message: text(parser.problem.cast()).unwrap_or_else(|| "not YAML".to_owned()),
                at: if reader { parser.problem_offset } else { parser.problem_mark.index } as usize,
                context: text(parser.context.cast()).map(|c| (c, parser.context_mark.index as usize)),
            }
        }
    }

    /// Frees the event held, if any.
    fn free(&mut self) {
        if let Some(mut event) = self.event.take() {
            // SAFETY: libyaml made the event, and `take` sees to it that it is freed once.
            unsafe { sys::yaml_event_delete(&mut event) };
        }
    }
}

impl Steps for Events<'_> {
    fn step(&mut self) -> Result<Event<'_>, Problem> {
        loop {
            self.free();
            let mut event = MaybeUninit::<sys::yaml_event_t>::uninit();
            // SAFETY: the parser was initialised in `new` and is used through `&mut self` only; `event` is
            // memory of the right kind, which `parse` zeroes before anything else, so that it is
            // initialised whatever the outcome. On failure it holds nothing to free.
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
        // SAFETY: initialised in `new`, deleted here only; the memory came from a box of this very type, whose
        // content needs no drop of its own.
        unsafe {
            sys::yaml_parser_delete(self.parser);
            drop(Box::from_raw(self.parser.cast::<MaybeUninit<sys::yaml_parser_t>>()));
        }
    }
}

/// The text of a C string; `None` for null and for what is not UTF-8 (a tag may hold any escaped byte).
///
/// # Safety
/// `pointer` is null or points to bytes that end with a zero and live for `'a`.
unsafe fn c_text<'a>(pointer: *const u8) -> Option<&'a str> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(pointer.cast()) }.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<String>, Problem> {
        let mut events = Events::new(text);
        let mut seen = Vec::new();
        loop {
            let event = events.step()?;
            seen.push(format!("{}-{} {:?}", event.start, event.end, event.kind));
            if event.kind == Kind::StreamEnd {
                return Ok(seen);
            }
        }
    }

    #[test]
    fn events_carry_text_and_places_in_bytes() {
        let seen = all("é0: &x [1, 'b']\nc: *x\n").unwrap();
        assert!(seen.iter().any(|e| e.starts_with("0-3 Scalar") && e.contains("\"é0\"")), "{seen:#?}");
        assert!(seen.iter().any(|e| e.starts_with("12-15 Scalar") && e.contains("Quoted")), "{seen:#?}");
        assert!(seen.iter().any(|e| e.contains("Alias { anchor: \"x\" }")), "{seen:#?}");
    }

    #[test]
    fn a_broken_text_ends_in_one_problem_with_its_place() {
        let problem = all("a: [1\nb: 2\n").unwrap_err();
        assert_eq!(problem.at, 7);
        assert!(problem.context.is_some());
        assert_eq!(all("a: \u{1}").unwrap_err().at, 3);
    }

    #[test]
    fn steps_after_the_end_stay_at_the_end() {
        let mut events = Events::new("a");
        for _ in 0..4 {
            events.step().unwrap();
        }
        assert_eq!(events.step().unwrap().kind, Kind::StreamEnd);
        assert_eq!(events.step().unwrap().kind, Kind::StreamEnd);
    }

    #[test]
    fn an_events_value_dropped_halfway_frees_what_it_holds() {
        let mut events = Events::new("- &a !!str x\n- [");
        for _ in 0..3 {
            events.step().unwrap();
        }
    }
}
