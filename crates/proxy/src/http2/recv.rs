//! Handles received frames.

use super::{
    connection::{
        ConnState, Handshake, HeaderBlock, Http2Connection, MAX_CONCURRENT_STREAMS, WRITE_HARD_LIMIT_BYTES,
    },
    flood,
    frame::{self, FrameHeader, Reason},
    request::{FieldSection, ParsedRequestHead},
    window::INITIAL_WINDOW,
};

impl Http2Connection {
    /// Handles the complete frames in `bytes`, until the turn's budget or the send buffer is exhausted.
    /// Returns the number of bytes consumed.
    ///
    /// # Errors
    /// If the connection has to be closed.
    pub fn recv(&mut self, bytes: &[u8]) -> Result<usize, Reason> {
        let mut at = 0;
        if self.handshake == Handshake::Preface {
            let available = bytes.len().min(frame::PREFACE.len());
            if bytes[..available] != frame::PREFACE[..available] {
                return Err(Reason::Protocol);
            }
            if available < frame::PREFACE.len() {
                return Ok(0);
            }
            self.handshake = Handshake::Settings;
            at = available;
        }
        let mut block_started = false;
        self.backlog = false;
        while let Some(head) = FrameHeader::parse(&bytes[at..]) {
            if head.length > frame::MAX_FRAME_SIZE {
                return Err(Reason::FrameSize);
            }
            let start = at + frame::FRAME_HEADER_BYTES;
            let Some(payload) = bytes.get(start..start + head.length) else {
                block_started = matches!(head.kind, frame::HEADERS | frame::CONTINUATION);
                self.recv_partial_frame(head, bytes.len() - start);
                break;
            };
            if self.turn.is_spent() || self.buffered_bytes() >= WRITE_HARD_LIMIT_BYTES {
                self.backlog = true;
                break;
            }
            self.recv_frame(head, payload)?;
            if self.stats.flood.is_flood() {
                tracing::debug!("an HTTP/2 client floods its connection");
                return Err(Reason::EnhanceYourCalm);
            }
            at = start + head.length;
        }
        let in_block = block_started || self.header_block.is_some();
        self.stats.headers_open_since = in_block.then(|| self.stats.headers_open_since.unwrap_or(self.now));
        Ok(at)
    }

    /// Handles the start of a DATA frame: a body whose bytes arrive has not stalled.
    fn recv_partial_frame(&mut self, head: FrameHeader, arrived: usize) {
        let now = self.now;
        if head.kind == frame::DATA
            && arrived > 0
            && let Some(slot) = self.find(head.stream)
            && let Some(body_tx) = &self.stream(slot).body_tx
        {
            body_tx.on_partial_frame(now);
        }
    }

    fn recv_frame(&mut self, head: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        if let Some(block) = &self.header_block
            && (head.kind != frame::CONTINUATION || head.stream != block.stream)
        {
            return Err(Reason::Protocol);
        }
        if self.handshake == Handshake::Settings {
            if head.kind != frame::SETTINGS || head.has_flag(frame::ACK) {
                return Err(Reason::Protocol);
            }
            self.handshake = Handshake::Complete;
        }
        match head.kind {
            frame::DATA => return self.recv_data(head, payload),
            frame::HEADERS => return self.recv_headers(head, payload),
            _ => self.turn.spend(flood::control_frame(payload.len())),
        }
        if head.kind == frame::RST_STREAM {
            return self.recv_reset(head, payload);
        }
        self.stats.flood.on_overhead(flood::control_frame(payload.len()));
        match head.kind {
            frame::CONTINUATION => self.recv_continuation(head, payload),
            frame::SETTINGS => self.recv_settings(head, payload),
            frame::PING => self.recv_ping(head, payload),
            frame::WINDOW_UPDATE => self.recv_window_update(head, payload),
            frame::GOAWAY if head.stream != 0 => Err(Reason::Protocol),
            frame::GOAWAY if payload.len() < 8 => Err(Reason::FrameSize),
            frame::GOAWAY => {
                self.peer_is_leaving = true;
                Ok(())
            }
            frame::PRIORITY if head.stream == 0 => Err(Reason::Protocol),
            frame::PRIORITY if payload.len() != 5 => Err(Reason::FrameSize),
            frame::PUSH_PROMISE => Err(Reason::Protocol),
            _ => Ok(()),
        }
    }

    fn recv_data(&mut self, head: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        self.turn.spend(flood::data_frame(head.length));
        let data = head.strip_padding(payload).ok_or(Reason::Protocol)?;
        let credit = self.recv_window.receive(head.length).map_err(|_| Reason::FlowControl)?;
        if let Some(increment) = credit {
            frame::write_u32_frame(&mut self.out, frame::WINDOW_UPDATE, 0, [increment]);
        }
        let Some(slot) = self.find(head.stream) else {
            self.frame_on_closed_stream(head.stream, Reason::StreamClosed)?;
            self.data_on_closed_stream(head.stream, head.length);
            return Ok(());
        };
        let end_stream = head.has_flag(frame::END_STREAM);
        let stream = self.stream(slot);
        if !stream.recv_open {
            return self.stream_error(head.stream, Reason::StreamClosed);
        }
        let received = stream.recv_window.receive(head.length);
        let remaining = stream.recv_remaining.map(|remaining| remaining.checked_sub(data.len() as u64));
        let error = match remaining {
            _ if received.is_err() => Some(Reason::FlowControl),
            Some(None) => Some(Reason::Protocol),
            Some(Some(remaining)) if end_stream && remaining > 0 => Some(Reason::Protocol),
            _ => None,
        };
        if let Some(code) = error {
            return self.stream_error(head.stream, code);
        }
        stream.recv_remaining = remaining.flatten();
        let is_buffered = match &stream.body_tx {
            Some(body_tx) if !data.is_empty() => body_tx.push(data),
            _ => false,
        };
        if end_stream {
            stream.recv_open = false;
            if let Some(body_tx) = &stream.body_tx {
                body_tx.end(None);
            }
        }
        // Padding, and what no reader takes, counts as consumed.
        let consumed = head.length - if is_buffered { data.len() } else { 0 };
        self.release_capacity(slot, consumed);
        if !data.is_empty() {
            self.stats.flood.on_payload(data.len());
        } else if !end_stream {
            self.stats.flood.on_overhead(flood::control_frame(head.length));
        }
        Ok(())
    }

    fn recv_headers(&mut self, head: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        if head.stream.is_multiple_of(2) {
            return Err(Reason::Protocol);
        }
        let block = head.strip_padding(payload).ok_or(Reason::Protocol)?;
        self.stats.flood.on_headers();
        let end_stream = head.has_flag(frame::END_STREAM);
        if head.has_flag(frame::END_HEADERS) {
            return self.recv_header_block(head.stream, end_stream, block);
        }
        self.header_block = Some(HeaderBlock { stream: head.stream, end_stream, bytes: block.to_vec() });
        Ok(())
    }

    fn recv_continuation(&mut self, head: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        let Some(block) = &mut self.header_block else { return Err(Reason::Protocol) };
        // A list that is too long has to be decoded, since it changes the dynamic table, and is rejected
        // then; but not one of any length.
        if block.bytes.len() + payload.len() > 2 * self.max_header_list_size + frame::MAX_FRAME_SIZE {
            return Err(Reason::EnhanceYourCalm);
        }
        block.bytes.extend_from_slice(payload);
        if head.has_flag(frame::END_HEADERS)
            && let Some(block) = self.header_block.take()
        {
            return self.recv_header_block(block.stream, block.end_stream, &block.bytes);
        }
        Ok(())
    }

    /// Handles a complete field block: a request's head, or trailers.
    fn recv_header_block(&mut self, id: u32, end_stream: bool, block: &[u8]) -> Result<(), Reason> {
        let slot = self.find(id);
        let mut section = match slot {
            Some(_) => FieldSection::trailers(self.max_header_list_size),
            None => FieldSection::head(self.max_header_list_size),
        };
        let mut fields = 0;
        let read = self.decoder.decode(block, |field, size| {
            fields += 1;
            section.add(field, size);
        });
        self.turn.spend(flood::field_block(block.len(), fields));
        read.map_err(|_| Reason::Compression)?;
        if !self.recv_header_section(slot, id, end_stream, section, block.len())? {
            self.stats.flood.on_wasted_block(block.len(), fields);
        }
        Ok(())
    }

    /// Handles a decoded field section; whether it was of use.
    fn recv_header_section(
        &mut self,
        slot: Option<usize>,
        id: u32,
        end_stream: bool,
        section: FieldSection,
        bytes: usize,
    ) -> Result<bool, Reason> {
        if let Some(slot) = slot {
            return self.recv_trailers(slot, id, end_stream, section);
        }
        if id <= self.last_stream_id {
            return self.frame_on_closed_stream(id, Reason::StreamClosed).map(|()| false);
        }
        if self.state == ConnState::Draining {
            // GOAWAY has already excluded this stream.
            return Ok(false);
        }
        self.last_stream_id = id;
        if self.open_count == MAX_CONCURRENT_STREAMS {
            // The client may not have received SETTINGS_MAX_CONCURRENT_STREAMS, so that this is no stream
            // error.
            self.reset(id, Reason::RefusedStream, INITIAL_WINDOW);
            return Ok(false);
        }
        match section.into_head() {
            ParsedRequestHead::Malformed => {
                self.record_refused_head(400, "bad_request", bytes);
                self.stream_error(id, Reason::Protocol).map(|()| false)
            }
            ParsedRequestHead::Head(_, Some(length)) if end_stream && length > 0 => {
                self.record_refused_head(400, "bad_request", bytes);
                self.stream_error(id, Reason::Protocol).map(|()| false)
            }
            ParsedRequestHead::Head(head, length) => {
                self.open_stream(id, *head, length, end_stream, bytes);
                Ok(true)
            }
            ParsedRequestHead::TooLong => {
                self.record_refused_head(431, "headers_too_long", bytes);
                self.respond_head_too_large(id);
                if !end_stream {
                    self.reset(id, Reason::NoError, INITIAL_WINDOW);
                }
                Ok(false)
            }
        }
    }

    fn recv_trailers(
        &mut self,
        slot: usize,
        id: u32,
        end_stream: bool,
        section: FieldSection,
    ) -> Result<bool, Reason> {
        let stream = self.stream(slot);
        if !stream.recv_open {
            return self.stream_error(id, Reason::StreamClosed).map(|()| false);
        }
        let is_complete = stream.recv_remaining.is_none_or(|remaining| remaining == 0);
        match section.into_trailers() {
            Some(trailers) if end_stream && is_complete => {
                stream.recv_open = false;
                if let Some(body_tx) = &stream.body_tx {
                    body_tx.end((!trailers.is_empty()).then_some(trailers));
                }
                Ok(true)
            }
            _ => self.stream_error(id, Reason::Protocol).map(|()| false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{flood::TurnBudget, handle_request, harness::loopback_context},
        *,
    };
    use model::State;
    use runtime::{self, Gateway, Options};
    use store::Stores;

    /// A connection to a gateway without routes.
    fn connection() -> Http2Connection {
        let (options, stores) = (Options::default(), Stores::default());
        let (snapshot, _) = runtime::compile(Arc::new(State::default()), &options, &stores, None);
        Http2Connection::new(loopback_context(&Gateway::new(options, stores, snapshot)), handle_request)
    }

    /// Reproducible pseudo-random numbers (xorshift).
    struct Xorshift(u64);

    impl Xorshift {
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % end
        }

        /// Appends a frame that is often valid, and often not.
        fn write_frame(&mut self, out: &mut Vec<u8>) {
            const BLOCKS: [&[u8]; 5] = [
                &[0x82, 0x86, 0x84, 0x01, 1, b'a'],
                &[0x83, 0x86, 0x84, 0x41, 1, b'a', 0x0f, 0x0d, 1, b'5'],
                &[0x82, 0x87, 0x84, 0xbe, 0x40, 1, b'b', 1, b'c'],
                &[0x40, 1, b'x', 1, b'y'],
                &[0x82],
            ];
            let kind = self.below(11) as u8;
            let block = BLOCKS[self.below(5) as usize];
            let payload: Vec<u8> = match kind {
                frame::HEADERS | frame::CONTINUATION => block.to_vec(),
                frame::SETTINGS => [0, self.below(8) as u8, 0, 0, self.below(256) as u8, 9].to_vec(),
                frame::PING => vec![7; 8],
                frame::RST_STREAM | frame::WINDOW_UPDATE => vec![0, 0, self.below(3) as u8, 1],
                frame::PRIORITY => vec![0; 5],
                _ => vec![b'.'; self.below(40) as usize],
            };
            let flags = [0, 1, 4, 5, 5, 5, 8, 0x20, 0xff][self.below(9) as usize];
            let length = if self.below(20) == 0 {
                self.below(payload.len() as u64 + 1) as usize
            } else {
                payload.len()
            };
            let stream =
                if matches!(kind, frame::SETTINGS | frame::PING) { 0 } else { self.below(12) as u32 };
            frame::write_header(out, length, kind, flags, stream);
            out.extend_from_slice(&payload[..length]);
        }
    }

    /// The frames in the send buffer, by type and stream.
    fn written(connection: &mut Http2Connection) -> Vec<(u8, u32)> {
        let (mut rest, mut frames) = (&connection.out[..], Vec::new());
        while let Some(head) = FrameHeader::parse(rest) {
            frames.push((head.kind, head.stream));
            rest = &rest[frame::FRAME_HEADER_BYTES + head.length..];
        }
        assert!(rest.is_empty(), "frames are written whole");
        connection.out.clear();
        frames
    }

    /// A connection that has received the preface and these frames, and the number of bytes consumed.
    fn connection_after(frames: &[u8]) -> (Http2Connection, usize) {
        let mut connection = connection();
        let handshake = [frame::PREFACE, &[0, 0, 0, frame::SETTINGS, 0, 0, 0, 0, 0]].concat();
        connection.recv(&handshake).expect("a preface");
        let taken = connection.recv(frames).expect("valid frames");
        (connection, taken)
    }

    fn request(flags: u8, id: u32) -> Vec<u8> {
        let mut out = Vec::new();
        frame::write_header(&mut out, 6, frame::HEADERS, flags, id);
        out.extend_from_slice(&[0x83, 0x86, 0x84, 0x01, 1, b'a']);
        out
    }

    #[tokio::test]
    async fn a_turn_reads_a_bounded_number_of_frames() {
        const DATA: [u8; 10] = [0, 0, 1, frame::DATA, 0, 0, 0, 0, 1, b'x'];
        let head = request(frame::END_HEADERS, 1);
        let frames = [&head[..], &DATA.repeat(30_000)].concat();
        let (mut connection, mut taken) = connection_after(&frames);
        assert!(connection.backlog && taken < frames.len() / 2, "{taken} bytes in one turn");
        assert_eq!(connection.recv(&frames[taken..]), Ok(0), "the turn is over");
        for turns in 1.. {
            connection.turn = TurnBudget::default();
            taken += connection.recv(&frames[taken..]).expect("data");
            if !connection.backlog {
                assert!((2..10).contains(&turns) && taken == frames.len());
                break;
            }
        }
    }

    #[tokio::test]
    async fn a_client_that_reads_no_responses_is_not_read_from() {
        let ping = [&[0, 0, 8, frame::PING, 0, 0, 0, 0, 0][..], &[7; 8]].concat();
        let (mut connection, _) = connection_after(&request(frame::END_HEADERS | frame::END_STREAM, 1));
        connection.out.resize(WRITE_HARD_LIMIT_BYTES - 100, 0);
        let taken = connection.recv(&ping.repeat(1000)).expect("pings");
        assert!(connection.backlog && !connection.can_read() && taken < 10 * ping.len());
        assert!(connection.buffered_bytes() < WRITE_HARD_LIMIT_BYTES + 100);
    }

    #[tokio::test]
    async fn a_turn_polls_a_bounded_number_of_streams() {
        let end_stream = frame::END_HEADERS | frame::END_STREAM;
        let frames: Vec<u8> = (0..128).flat_map(|at| request(end_stream, 2 * at + 1)).collect();
        let (mut connection, taken) = connection_after(&frames);
        assert_eq!((taken, connection.open_count), (frames.len(), 128));
        connection.turn = TurnBudget::default();
        connection.turn.spend(9_000);
        connection.poll_streams();
        assert!(
            (100..128).contains(&connection.open_count),
            "{} wait for the next turn",
            connection.open_count
        );
        connection.turn = TurnBudget::default();
        connection.poll_streams();
        assert_eq!(connection.open_count, 0);
    }

    #[tokio::test]
    async fn the_last_initial_window_setting_of_a_frame_applies() {
        let setting = |value: u8| [0, 4, 0, 0, 0, value];
        let settings = [setting(9), setting(200), setting(7)].concat();
        let mut frames = request(frame::END_HEADERS, 1);
        frame::write_header(&mut frames, settings.len(), frame::SETTINGS, 0, 0);
        frames.extend_from_slice(&settings);
        let (mut connection, _) = connection_after(&frames);
        assert_eq!((connection.initial_send_window, connection.stream(0).send_window), (7, 7));
    }

    #[tokio::test]
    async fn invariants_hold_for_any_frames() {
        let (mut ended, mut responded) = (0, 0);
        for seed in 1..2000 {
            let (mut connection, mut rng) = (connection(), Xorshift(seed * 0x9e37_79b9));
            let mut bytes = [frame::PREFACE, &[0, 0, 0, frame::SETTINGS, 0, 0, 0, 0, 0]].concat();
            for _ in 0..30 {
                if rng.below(4) > 0 {
                    frame::write_header(
                        &mut bytes,
                        6,
                        frame::HEADERS,
                        5,
                        connection.last_stream_id + 1 + connection.last_stream_id % 2,
                    );
                    bytes.extend_from_slice(&[0x82, 0x86, 0x84, 0x01, 1, b'a']);
                } else {
                    rng.write_frame(&mut bytes);
                }
                // Sometimes cut short.
                let available = bytes.len() - rng.below(4) as usize;
                match connection.recv(&bytes[..available]) {
                    Ok(taken) => drop(bytes.drain(..taken)),
                    Err(code) => {
                        connection.fail(code);
                        ended += 1;
                        break;
                    }
                }
                connection.turn = TurnBudget::default();
                connection.poll_streams();
                connection.check();
                responded +=
                    written(&mut connection).iter().filter(|(kind, _)| *kind == frame::HEADERS).count();
            }
            connection.fail(Reason::NoError);
            assert_eq!(
                (connection.open_count, written(&mut connection).last()),
                (0, Some(&(frame::GOAWAY, 0)))
            );
        }
        assert!(ended > 1000 && responded > 2000, "{ended} ended, {responded} responses");
    }
}
