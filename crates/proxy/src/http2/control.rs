//! What a client's control frames do: RST_STREAM, SETTINGS, PING and WINDOW_UPDATE.

use std::mem;

use super::{
    frame::{self, Code, Head, setting},
    session::{FAREWELL, Session, Stage},
};

impl Session {
    pub(super) fn reset_by_client(&mut self, head: Head, payload: &[u8]) -> Result<(), Code> {
        self.account.flood.on_reset();
        if payload.len() != 4 {
            return Err(Code::FrameSize);
        }
        if head.stream == 0 || self.is_idle(head.stream) {
            return Err(Code::Protocol);
        }
        if let Some(number) = self.find(head.stream) {
            self.close(number);
        }
        Ok(())
    }

    pub(super) fn settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Code> {
        if head.stream != 0 {
            return Err(Code::Protocol);
        }
        let (settings, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() || head.has(frame::ACK) && !payload.is_empty() {
            return Err(Code::FrameSize);
        }
        if head.has(frame::ACK) {
            return Ok(());
        }
        let mut initial_window = None;
        for &[a, b, c, d, e, f] in settings {
            let value = u32::from_be_bytes([c, d, e, f]);
            match u16::from_be_bytes([a, b]) {
                setting::HEADER_TABLE_SIZE => self.encoder.resize(value as usize),
                setting::ENABLE_PUSH if value > 1 => return Err(Code::Protocol),
                setting::INITIAL_WINDOW_SIZE if i64::from(value) > frame::WINDOW => {
                    return Err(Code::FlowControl);
                }
                setting::INITIAL_WINDOW_SIZE => initial_window = Some(value.into()),
                setting::MAX_FRAME_SIZE => {
                    if !(1 << 14..1 << 24).contains(&value) {
                        return Err(Code::Protocol);
                    }
                    self.longest = frame::LONGEST.min(value as usize);
                }
                _ => {}
            }
        }
        // Once for a frame: it concerns all streams, and a frame may hold 2,730 settings.
        if let Some(window) = initial_window {
            self.first_window(window)?;
        }
        frame::put(&mut self.out, 0, frame::SETTINGS, frame::ACK, 0);
        Ok(())
    }

    /// The window of all streams, those that are open included.
    fn first_window(&mut self, window: i64) -> Result<(), Code> {
        let more = window - mem::replace(&mut self.first_window, window);
        for (number, stream) in self.streams.iter_mut().enumerate() {
            if let Some(stream) = stream {
                stream.window += more;
                if stream.window > frame::WINDOW {
                    return Err(Code::FlowControl);
                }
                self.ready |= 1 << number;
            }
        }
        Ok(())
    }

    pub(super) fn ping(&mut self, head: Head, payload: &[u8]) -> Result<(), Code> {
        if head.stream != 0 {
            return Err(Code::Protocol);
        }
        let payload = payload.try_into().map_err(|_| Code::FrameSize)?;
        if !head.has(frame::ACK) {
            frame::put_ping(&mut self.out, frame::ACK, payload);
        } else if payload == FAREWELL && self.stage == Stage::Leaving {
            self.stage = Stage::Last;
            self.goaway(self.last, Code::NoError);
        }
        Ok(())
    }

    pub(super) fn window_update(&mut self, head: Head, payload: &[u8]) -> Result<(), Code> {
        let more =
            i64::from(u32::from_be_bytes(payload.try_into().map_err(|_| Code::FrameSize)?) & 0x7fff_ffff);
        if head.stream == 0 {
            self.window += more;
            if more == 0 {
                return Err(Code::Protocol);
            }
            if self.window > frame::WINDOW {
                return Err(Code::FlowControl);
            }
            self.ready |= mem::take(&mut self.for_window);
            return Ok(());
        }
        let Some(number) = self.find(head.stream) else {
            return if self.is_idle(head.stream) { Err(Code::Protocol) } else { Ok(()) };
        };
        let stream = self.stream(number);
        stream.window += more;
        if more == 0 {
            return self.fault(head.stream, Code::Protocol);
        }
        if stream.window > frame::WINDOW {
            return self.fault(head.stream, Code::FlowControl);
        }
        self.ready |= 1 << number;
        Ok(())
    }
}
