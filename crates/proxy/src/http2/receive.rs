//! What a client's frames do.

use super::{
    flood,
    frame::{self, Code, Head},
    request::{Read, Section},
    session::{Block, FULL, Greeting, STREAMS, Session, Stage},
    window::INITIAL_WINDOW,
};

impl Session {
    /// Reads the frames that are there as a whole, until the turn is over or too much is on its way to the client:
    /// how many bytes they were.
    ///
    /// # Errors
    /// When the connection has to end.
    pub fn read(&mut self, bytes: &[u8]) -> Result<usize, Code> {
        let mut at = 0;
        if self.greeting == Greeting::Preface {
            let here = bytes.len().min(frame::PREFACE.len());
            if bytes[..here] != frame::PREFACE[..here] {
                return Err(Code::Protocol);
            }
            if here < frame::PREFACE.len() {
                return Ok(0);
            }
            self.greeting = Greeting::Settings;
            at = here;
        }
        let mut block_begun = false;
        self.backlog = false;
        while let Some(head) = Head::read(&bytes[at..]) {
            if head.length > frame::LONGEST {
                return Err(Code::FrameSize);
            }
            let from = at + frame::HEAD;
            let Some(payload) = bytes.get(from..from + head.length) else {
                block_begun = matches!(head.kind, frame::HEADERS | frame::CONTINUATION);
                self.partial(head, bytes.len() - from);
                break;
            };
            if self.turn.is_spent() || self.on_their_way() >= FULL {
                self.backlog = true;
                break;
            }
            self.frame(head, payload)?;
            if self.account.flood.is_flood() {
                tracing::debug!("an HTTP/2 client floods its connection");
                return Err(Code::EnhanceYourCalm);
            }
            at = from + head.length;
        }
        let in_block = block_begun || self.block.is_some();
        self.account.block = in_block.then(|| self.account.block.unwrap_or(self.now));
        Ok(at)
    }

    /// A frame whose end has not come. A body whose bytes arrive has not stalled.
    fn partial(&mut self, head: Head, arrived: usize) {
        let now = self.now;
        if head.kind == frame::DATA
            && arrived > 0
            && let Some(number) = self.find(head.stream)
            && let Some(inlet) = &self.stream(number).inlet
        {
            inlet.touch(now);
        }
    }

    fn frame(&mut self, head: Head, payload: &[u8]) -> Result<(), Code> {
        if let Some(block) = &self.block
            && (head.kind != frame::CONTINUATION || head.stream != block.stream)
        {
            return Err(Code::Protocol);
        }
        if self.greeting == Greeting::Settings {
            if head.kind != frame::SETTINGS || head.has(frame::ACK) {
                return Err(Code::Protocol);
            }
            self.greeting = Greeting::Done;
        }
        match head.kind {
            frame::DATA => return self.data(head, payload),
            frame::HEADERS => return self.headers(head, payload),
            _ => self.turn.spend(flood::control_frame(payload.len())),
        }
        if head.kind == frame::RST_STREAM {
            return self.reset_by_client(head, payload);
        }
        self.account.flood.on_overhead(flood::control_frame(payload.len()));
        match head.kind {
            frame::CONTINUATION => self.continuation(head, payload),
            frame::SETTINGS => self.settings(head, payload),
            frame::PING => self.ping(head, payload),
            frame::WINDOW_UPDATE => self.window_update(head, payload),
            frame::GOAWAY if head.stream != 0 => Err(Code::Protocol),
            frame::GOAWAY if payload.len() < 8 => Err(Code::FrameSize),
            frame::GOAWAY => {
                self.going = true;
                Ok(())
            }
            frame::PRIORITY if head.stream == 0 => Err(Code::Protocol),
            frame::PRIORITY if payload.len() != 5 => Err(Code::FrameSize),
            frame::PUSH_PROMISE => Err(Code::Protocol),
            _ => Ok(()),
        }
    }

    fn data(&mut self, head: Head, payload: &[u8]) -> Result<(), Code> {
        self.turn.spend(flood::data_frame(head.length));
        let data = head.unpadded(payload).ok_or(Code::Protocol)?;
        let credit = self.receive_window.receive(head.length).map_err(|_| Code::FlowControl)?;
        if let Some(increment) = credit {
            frame::put_numbers(&mut self.out, frame::WINDOW_UPDATE, 0, [increment]);
        }
        let Some(number) = self.find(head.stream) else {
            self.stray(head.stream, Code::StreamClosed)?;
            self.stray_data(head.stream, head.length);
            return Ok(());
        };
        let ends = head.has(frame::END_STREAM);
        let stream = self.stream(number);
        if !stream.receives {
            return self.fault(head.stream, Code::StreamClosed);
        }
        let received = stream.receive_window.receive(head.length);
        let left = stream.left.map(|left| left.checked_sub(data.len() as u64));
        let fault = match left {
            _ if received.is_err() => Some(Code::FlowControl),
            Some(None) => Some(Code::Protocol),
            Some(Some(left)) if ends && left > 0 => Some(Code::Protocol),
            _ => None,
        };
        if let Some(code) = fault {
            return self.fault(head.stream, code);
        }
        stream.left = left.flatten();
        let wanted = match &stream.inlet {
            Some(inlet) if !data.is_empty() => inlet.push(data),
            _ => false,
        };
        if ends {
            stream.receives = false;
            if let Some(inlet) = &stream.inlet {
                inlet.end(None);
            }
        }
        // Padding, and what no caller waits for, has been consumed already.
        let consumed = head.length - if wanted { data.len() } else { 0 };
        self.settle(number, consumed);
        if !data.is_empty() {
            self.account.flood.on_payload(data.len());
        } else if !ends {
            self.account.flood.on_overhead(flood::control_frame(head.length));
        }
        Ok(())
    }

    fn headers(&mut self, head: Head, payload: &[u8]) -> Result<(), Code> {
        if head.stream.is_multiple_of(2) {
            return Err(Code::Protocol);
        }
        let block = head.unpadded(payload).ok_or(Code::Protocol)?;
        self.account.flood.on_headers();
        let ends = head.has(frame::END_STREAM);
        if head.has(frame::END_HEADERS) {
            return self.section(head.stream, ends, block);
        }
        self.block = Some(Block { stream: head.stream, ends, bytes: block.to_vec() });
        Ok(())
    }

    fn continuation(&mut self, head: Head, payload: &[u8]) -> Result<(), Code> {
        let Some(block) = &mut self.block else { return Err(Code::Protocol) };
        // A list that is too long is refused when it has been read: the tables have to agree. But not any.
        if block.bytes.len() + payload.len() > 2 * self.list + frame::LONGEST {
            return Err(Code::EnhanceYourCalm);
        }
        block.bytes.extend_from_slice(payload);
        if head.has(frame::END_HEADERS)
            && let Some(block) = self.block.take()
        {
            return self.section(block.stream, block.ends, &block.bytes);
        }
        Ok(())
    }

    /// A whole header block: a request's head, or what follows its body.
    fn section(&mut self, id: u32, ends: bool, block: &[u8]) -> Result<(), Code> {
        let number = self.find(id);
        let mut section = match number {
            Some(_) => Section::trailers(self.list),
            None => Section::head(self.list),
        };
        let mut fields = 0;
        let read = self.decoder.decode(block, |field, size| {
            fields += 1;
            section.add(field, size);
        });
        self.turn.spend(flood::field_block(block.len(), fields));
        read.map_err(|_| Code::Compression)?;
        if !self.fields(number, id, ends, section)? {
            self.account.flood.on_wasted_block(block.len(), fields);
        }
        Ok(())
    }

    /// A field section that was decoded: whether it is of use.
    fn fields(&mut self, number: Option<usize>, id: u32, ends: bool, section: Section) -> Result<bool, Code> {
        if let Some(number) = number {
            return self.trailers(number, id, ends, section);
        }
        if id <= self.last {
            return self.stray(id, Code::StreamClosed).map(|()| false);
        }
        if self.stage == Stage::Last {
            // The client will find out that it came too late.
            return Ok(false);
        }
        self.last = id;
        if self.open == STREAMS {
            // The client may not know yet how many streams it may open, so this is no stream error.
            self.reset(id, Code::RefusedStream, INITIAL_WINDOW);
            return Ok(false);
        }
        match section.into_head() {
            Read::Malformed => self.fault(id, Code::Protocol).map(|()| false),
            Read::Head(_, Some(length)) if ends && length > 0 => {
                self.fault(id, Code::Protocol).map(|()| false)
            }
            Read::Head(head, length) => {
                self.begin(id, *head, length, ends);
                Ok(true)
            }
            Read::TooLong => {
                self.too_long(id);
                if !ends {
                    self.reset(id, Code::NoError, INITIAL_WINDOW);
                }
                Ok(false)
            }
        }
    }

    fn trailers(&mut self, number: usize, id: u32, ends: bool, section: Section) -> Result<bool, Code> {
        let stream = self.stream(number);
        if !stream.receives {
            return self.fault(id, Code::StreamClosed).map(|()| false);
        }
        let whole = stream.left.is_none_or(|left| left == 0);
        match section.into_trailers() {
            Some(trailers) if ends && whole => {
                stream.receives = false;
                if let Some(inlet) = &stream.inlet {
                    inlet.end((!trailers.is_empty()).then_some(trailers));
                }
                Ok(true)
            }
            _ => self.fault(id, Code::Protocol).map(|()| false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{flood::TurnBudget, probe::link, respond},
        *,
    };
    use model::State;
    use runtime::{self, Gateway, Options};
    use store::Stores;

    /// A connection to a gateway without routes.
    fn session() -> Session {
        let (options, stores) = (Options::default(), Stores::default());
        let (snapshot, _) = runtime::compile(Arc::new(State::default()), &options, &stores, None);
        Session::new(link(&Gateway::new(options, stores, snapshot)), respond)
    }

    /// Numbers that look random and are the same each time (xorshift).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % end
        }

        /// A frame that is often right, and often not.
        fn frame(&mut self, out: &mut Vec<u8>) {
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
            frame::put(out, length, kind, flags, stream);
            out.extend_from_slice(&payload[..length]);
        }
    }

    /// Frames that were written, by kind and stream.
    fn written(session: &mut Session) -> Vec<(u8, u32)> {
        let (mut rest, mut frames) = (&session.out[..], Vec::new());
        while let Some(head) = Head::read(rest) {
            frames.push((head.kind, head.stream));
            rest = &rest[frame::HEAD + head.length..];
        }
        assert!(rest.is_empty(), "frames are written whole");
        session.out.clear();
        frames
    }

    /// A connection that has taken in these frames behind the preface, and how many bytes it took.
    fn after(frames: &[u8]) -> (Session, usize) {
        let mut session = session();
        let greeting = [frame::PREFACE, &[0, 0, 0, frame::SETTINGS, 0, 0, 0, 0, 0]].concat();
        session.read(&greeting).expect("a greeting");
        let taken = session.read(frames).expect("frames that keep to the rules");
        (session, taken)
    }

    fn request(flags: u8, id: u32) -> Vec<u8> {
        let mut out = Vec::new();
        frame::put(&mut out, 6, frame::HEADERS, flags, id);
        out.extend_from_slice(&[0x83, 0x86, 0x84, 0x01, 1, b'a']);
        out
    }

    #[tokio::test]
    async fn a_turn_takes_a_bounded_number_of_frames_and_the_next_one_the_rest() {
        const DATA: [u8; 10] = [0, 0, 1, frame::DATA, 0, 0, 0, 0, 1, b'x'];
        let begun = request(frame::END_HEADERS, 1);
        let frames = [&begun[..], &DATA.repeat(30_000)].concat();
        let (mut session, mut taken) = after(&frames);
        assert!(session.backlog && taken < frames.len() / 2, "{taken} bytes in one turn");
        assert_eq!(session.read(&frames[taken..]), Ok(0), "the turn is over");
        for turns in 1.. {
            session.turn = TurnBudget::default();
            taken += session.read(&frames[taken..]).expect("data");
            if !session.backlog {
                assert!((2..10).contains(&turns) && taken == frames.len());
                break;
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_read_from_a_client_that_does_not_take_its_answers() {
        let ping = [&[0, 0, 8, frame::PING, 0, 0, 0, 0, 0][..], &[7; 8]].concat();
        let (mut session, _) = after(&request(frame::END_HEADERS | frame::END_STREAM, 1));
        session.out.resize(FULL - 100, 0);
        let taken = session.read(&ping.repeat(1000)).expect("pings");
        assert!(session.backlog && !session.reads() && taken < 10 * ping.len());
        assert!(session.on_their_way() < FULL + 100);
    }

    #[tokio::test]
    async fn a_turn_runs_a_bounded_number_of_streams_and_the_next_one_the_rest() {
        let ends = frame::END_HEADERS | frame::END_STREAM;
        let frames: Vec<u8> = (0..128).flat_map(|at| request(ends, 2 * at + 1)).collect();
        let (mut session, taken) = after(&frames);
        assert_eq!((taken, session.open), (frames.len(), 128));
        session.turn = TurnBudget::default();
        session.turn.spend(9_000);
        session.run();
        assert!((100..128).contains(&session.open), "{} wait for the next turn", session.open);
        session.turn = TurnBudget::default();
        session.run();
        assert_eq!(session.open, 0);
    }

    #[tokio::test]
    async fn the_last_of_many_initial_windows_counts() {
        let setting = |value: u8| [0, 4, 0, 0, 0, value];
        let settings = [setting(9), setting(200), setting(7)].concat();
        let mut frames = request(frame::END_HEADERS, 1);
        frame::put(&mut frames, settings.len(), frame::SETTINGS, 0, 0);
        frames.extend_from_slice(&settings);
        let (mut session, _) = after(&frames);
        assert_eq!((session.first_window, session.stream(0).window), (7, 7));
    }

    #[tokio::test]
    async fn whatever_comes_a_connection_keeps_its_books() {
        let (mut ended, mut answered) = (0, 0);
        for seed in 1..2000 {
            let (mut session, mut numbers) = (session(), Numbers(seed * 0x9e37_79b9));
            let mut bytes = [frame::PREFACE, &[0, 0, 0, frame::SETTINGS, 0, 0, 0, 0, 0]].concat();
            for _ in 0..30 {
                if numbers.below(4) > 0 {
                    frame::put(&mut bytes, 6, frame::HEADERS, 5, session.last + 1 + session.last % 2);
                    bytes.extend_from_slice(&[0x82, 0x86, 0x84, 0x01, 1, b'a']);
                } else {
                    numbers.frame(&mut bytes);
                }
                // Not always whole.
                let here = bytes.len() - numbers.below(4) as usize;
                match session.read(&bytes[..here]) {
                    Ok(taken) => drop(bytes.drain(..taken)),
                    Err(code) => {
                        session.fail(code);
                        ended += 1;
                        break;
                    }
                }
                session.turn = TurnBudget::default();
                session.run();
                session.check();
                answered += written(&mut session).iter().filter(|(kind, _)| *kind == frame::HEADERS).count();
            }
            session.fail(Code::NoError);
            assert_eq!((session.open, written(&mut session).last()), (0, Some(&(frame::GOAWAY, 0))));
        }
        assert!(ended > 1000 && answered > 2000, "{ended} ended, {answered} answers");
    }
}
