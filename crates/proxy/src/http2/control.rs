//! Handles control frames: RST_STREAM, SETTINGS, PING and WINDOW_UPDATE (RFC 9113 section 6).

use std::mem;

use super::{
    connection::{ConnState, GOAWAY_PING_PAYLOAD, Http2Connection},
    frame::{self, FrameHeader, Reason, setting},
};

impl Http2Connection {
    pub(super) fn recv_reset(&mut self, head: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        self.stats.flood.on_reset();
        if payload.len() != 4 {
            return Err(Reason::FrameSize);
        }
        if head.stream == 0 || self.is_idle(head.stream) {
            return Err(Reason::Protocol);
        }
        if let Some(slot) = self.find(head.stream) {
            self.remove_stream(slot);
        }
        Ok(())
    }

    pub(super) fn recv_settings(&mut self, head: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        if head.stream != 0 {
            return Err(Reason::Protocol);
        }
        let (settings, trailing) = payload.as_chunks::<6>();
        if !trailing.is_empty() || head.has_flag(frame::ACK) && !payload.is_empty() {
            return Err(Reason::FrameSize);
        }
        if head.has_flag(frame::ACK) {
            return Ok(());
        }
        let mut initial_window = None;
        for &[a, b, c, d, e, f] in settings {
            let value = u32::from_be_bytes([c, d, e, f]);
            match u16::from_be_bytes([a, b]) {
                setting::HEADER_TABLE_SIZE => self.encoder.set_max_table_size(value as usize),
                setting::ENABLE_PUSH if value > 1 => return Err(Reason::Protocol),
                setting::INITIAL_WINDOW_SIZE if i64::from(value) > frame::MAX_WINDOW_SIZE => {
                    return Err(Reason::FlowControl);
                }
                setting::INITIAL_WINDOW_SIZE => initial_window = Some(value.into()),
                setting::MAX_FRAME_SIZE => {
                    if !(1 << 14..1 << 24).contains(&value) {
                        return Err(Reason::Protocol);
                    }
                    self.max_frame_size = frame::MAX_FRAME_SIZE.min(value as usize);
                }
                _ => {}
            }
        }
        // Applied once per frame: it affects all streams, and a frame may contain 2,730 settings.
        if let Some(window) = initial_window {
            self.update_initial_window(window)?;
        }
        frame::write_header(&mut self.out, 0, frame::SETTINGS, frame::ACK, 0);
        Ok(())
    }

    /// Changes the initial window, and with it the windows of open streams (RFC 9113 section 6.9.2).
    fn update_initial_window(&mut self, window: i64) -> Result<(), Reason> {
        let increment = window - mem::replace(&mut self.initial_send_window, window);
        for (slot, stream) in self.streams.iter_mut().enumerate() {
            if let Some(stream) = stream {
                stream.send_window += increment;
                if stream.send_window > frame::MAX_WINDOW_SIZE {
                    return Err(Reason::FlowControl);
                }
                self.ready |= 1 << slot;
            }
        }
        Ok(())
    }

    pub(super) fn recv_ping(&mut self, head: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        if head.stream != 0 {
            return Err(Reason::Protocol);
        }
        let payload = payload.try_into().map_err(|_| Reason::FrameSize)?;
        if !head.has_flag(frame::ACK) {
            frame::write_ping(&mut self.out, frame::ACK, payload);
        } else if payload == GOAWAY_PING_PAYLOAD && self.state == ConnState::GoAwayAnnounced {
            self.state = ConnState::Draining;
            self.send_goaway(self.last_stream_id, Reason::NoError);
        }
        Ok(())
    }

    pub(super) fn recv_window_update(&mut self, head: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        let increment =
            i64::from(u32::from_be_bytes(payload.try_into().map_err(|_| Reason::FrameSize)?) & 0x7fff_ffff);
        if head.stream == 0 {
            self.send_window += increment;
            if increment == 0 {
                return Err(Reason::Protocol);
            }
            if self.send_window > frame::MAX_WINDOW_SIZE {
                return Err(Reason::FlowControl);
            }
            self.ready |= mem::take(&mut self.waiting_for_window);
            return Ok(());
        }
        let Some(slot) = self.find(head.stream) else {
            return if self.is_idle(head.stream) { Err(Reason::Protocol) } else { Ok(()) };
        };
        let stream = self.stream(slot);
        stream.send_window += increment;
        if increment == 0 {
            return self.stream_error(head.stream, Reason::Protocol);
        }
        if stream.send_window > frame::MAX_WINDOW_SIZE {
            return self.stream_error(head.stream, Reason::FlowControl);
        }
        self.ready |= 1 << slot;
        Ok(())
    }
}
