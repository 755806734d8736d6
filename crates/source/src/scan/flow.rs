//! Flow collections: `[a, b]` and `{a: b}`.

use super::{Collection, EventTag, MAX_SIMPLE_KEY_BYTES, Outcome, Scanner, State, Unsupported};

impl Scanner<'_> {
    pub(super) fn flow_start(&mut self) -> EventTag {
        let map = self.byte(self.at) == Some(b'{');
        self.at += 1;
        self.at_line_start = false;
        let (level, next, tag) = match map {
            true => (Collection::FlowMap, State::FlowKey, EventTag::MappingStart { flow: true }),
            false => (Collection::FlowSeq, State::FlowItem, EventTag::SequenceStart { flow: true }),
        };
        self.open.push(level);
        self.state = next;
        self.emit(tag, self.at - 1, self.at)
    }

    /// Consumes a comma.
    pub(super) fn flow_next(&mut self, state: State) -> Outcome<EventTag> {
        self.at += 1;
        self.at_line_start = false;
        self.state = state;
        self.advance()
    }

    pub(super) fn end_flow(&mut self, tag: EventTag) -> EventTag {
        self.open.pop();
        self.at += 1;
        self.at_line_start = false;
        self.state = State::After;
        self.emit(tag, self.at - 1, self.at)
    }

    pub(super) fn flow_node(&mut self) -> Outcome<EventTag> {
        match self.skip()? {
            Some(b'[' | b'{') => Ok(self.flow_start()),
            Some(b'*') => self.alias(),
            _ => {
                let text = self.read_scalar()?;
                self.at_line_start = false;
                self.state = State::After;
                Ok(self.emit_scalar(text))
            }
        }
    }

    pub(super) fn flow_key(&mut self) -> Outcome<EventTag> {
        let key = self.read_scalar()?;
        self.at = self.skip_spaces_from(self.at);
        if self.byte(self.at) != Some(b':') || key.is_multiline || self.at - key.start > MAX_SIMPLE_KEY_BYTES
        {
            return Err(Unsupported);
        }
        self.at += 1;
        self.at_line_start = false;
        self.state = State::FlowValue;
        Ok(self.emit_scalar(key))
    }
}
