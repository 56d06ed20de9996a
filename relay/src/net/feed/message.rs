//! Frames to messages: fragments joined, within a bound.

use fastwebsockets::{Frame, OpCode};

use super::DropReason;

/// What a data frame completed.
pub(super) enum Joined<'a> {
    /// More is to come.
    Part,
    Text(&'a [u8]),
    Dropped(DropReason),
    /// A continuation of nothing, or a message inside another one (RFC 6455 section 5.4).
    Violation,
}

/// What becomes of the message whose fragments are coming.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    Joining,
    /// Already counted; the rest is skipped up to its end.
    Skipping,
}

pub(super) struct Joiner {
    bytes_max: usize,
    state: State,
    text: Vec<u8>,
}

impl Joiner {
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, state: State::Between, text: Vec::new() }
    }

    /// Takes a text, binary or continuation frame. The caller has fastwebsockets' word that an unfragmented text is
    /// UTF-8; a joined one is checked here, since a character may span fragments.
    pub fn push<'a>(&'a mut self, frame: &'a Frame<'_>) -> Joined<'a> {
        let is_start = frame.opcode != OpCode::Continuation;
        if is_start != (self.state == State::Between) {
            return Joined::Violation;
        }
        if is_start {
            let reason = match frame.opcode {
                OpCode::Binary => Some(DropReason::Binary),
                _ if frame.payload.len() > self.bytes_max => Some(DropReason::TooBig),
                _ => None,
            };
            if let Some(reason) = reason {
                self.state = if frame.fin { State::Between } else { State::Skipping };
                return Joined::Dropped(reason);
            }
            if frame.fin {
                return Joined::Text(&frame.payload);
            }
            self.text.clear();
            self.state = State::Joining;
        }
        self.extend(frame)
    }

    fn extend(&mut self, frame: &Frame<'_>) -> Joined<'_> {
        let was_skipping = self.state == State::Skipping;
        let is_too_big = !was_skipping && self.text.len() + frame.payload.len() > self.bytes_max;
        self.state = match frame.fin {
            true => State::Between,
            false if is_too_big || was_skipping => State::Skipping,
            false => State::Joining,
        };
        if is_too_big {
            // What it took is not kept: it is rare, and there is one of these per connection.
            self.text = Vec::new();
            return Joined::Dropped(DropReason::TooBig);
        }
        if was_skipping {
            return Joined::Part;
        }
        self.text.extend_from_slice(&frame.payload);
        if !frame.fin {
            return Joined::Part;
        }
        match simdutf8::basic::from_utf8(&self.text) {
            Ok(_) => Joined::Text(&self.text),
            Err(_) => Joined::Dropped(DropReason::NotUtf8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frames: &[(bool, OpCode, &[u8])], expected: &[&str]) {
        let mut joiner = Joiner::new(8);
        let found = frames.iter().map(|&(fin, opcode, payload)| {
            let frame = Frame::new(fin, opcode, None, payload.into());
            match joiner.push(&frame) {
                Joined::Part => "part".to_owned(),
                Joined::Text(text) => String::from_utf8_lossy(text).into_owned(),
                Joined::Dropped(reason) => format!("{reason:?}"),
                Joined::Violation => "violation".to_owned(),
            }
        });
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn fragments_are_joined_within_the_bound() {
        use OpCode::{Binary, Continuation, Text};
        check(&[(true, Text, b"12345678")], &["12345678"]);
        check(&[(true, Text, b"123456789"), (true, Text, b"ok")], &["TooBig", "ok"]);
        check(
            &[(false, Text, b"123"), (false, Continuation, b""), (true, Continuation, b"45")],
            &["part", "part", "12345"],
        );
        let over = [
            (false, Text, &b"1234"[..]),
            (false, Continuation, b"56789"),
            (true, Continuation, b"0"),
            (true, Text, b"ok"),
        ];
        check(&over, &["part", "TooBig", "part", "ok"]);
        check(
            &[(true, Binary, b"1"), (false, Binary, b"1"), (true, Continuation, b"2")],
            &["Binary", "Binary", "part"],
        );
        check(&[(false, Text, b"\xc3"), (true, Continuation, b"\xa9")], &["part", "é"]);
        check(&[(false, Text, b"\xc3"), (true, Continuation, b"a"), (true, Text, b"ok")], &["part", "NotUtf8", "ok"]);
        check(&[(true, Continuation, b"a")], &["violation"]);
        check(&[(false, Text, b"a"), (true, Text, b"b")], &["part", "violation"]);
    }
}
