//! UTF-8 that arrives in pieces.

/// The text goes on with bytes no character can have.
#[derive(Debug, PartialEq, Eq)]
pub struct NotUtf8;

/// A text so far. What was checked once is never checked again.
#[derive(Debug, Default)]
pub struct Text {
    whole: String,
    /// The start of a character that a later piece may complete.
    open: [u8; 4],
    open_len: usize,
}

impl Text {
    /// Bytes so far, those of an open character included.
    pub fn len(&self) -> usize {
        self.whole.len() + self.open_len
    }

    /// Fails at the first byte that makes the text impossible, however it goes on.
    pub fn append(&mut self, piece: &[u8]) -> Result<(), NotUtf8> {
        let piece = self.close_character(piece)?;
        let error = match simdutf8::compat::from_utf8(piece) {
            Ok(text) => {
                self.whole.push_str(text);
                return Ok(());
            }
            Err(error) => error,
        };
        if error.error_len().is_some() {
            return Err(NotUtf8);
        }
        let (valid, open) = piece.split_at(error.valid_up_to());
        self.whole.push_str(simdutf8::basic::from_utf8(valid).map_err(|_| NotUtf8)?);
        self.open[..open.len()].copy_from_slice(open);
        self.open_len = open.len();
        Ok(())
    }

    /// The text, if it does not end inside a character.
    pub fn end(&self) -> Result<&str, NotUtf8> {
        if self.open_len > 0 {
            return Err(NotUtf8);
        }
        Ok(&self.whole)
    }

    /// Takes what the open character still lacks, and returns the rest of the piece.
    fn close_character<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], NotUtf8> {
        let mut rest = piece;
        while let Some((byte, after)) = rest.split_first()
            && self.open_len > 0
        {
            rest = after;
            self.open[self.open_len] = *byte;
            self.open_len += 1;
            match std::str::from_utf8(&self.open[..self.open_len]) {
                Ok(character) => {
                    self.whole.push_str(character);
                    self.open_len = 0;
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(NotUtf8),
            }
        }
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the pieces; the text if it is whole, `Err` with the number of the piece that failed.
    fn check(pieces: &[&[u8]], expected: Result<Option<&str>, usize>) {
        let mut text = Text::default();
        for (index, piece) in pieces.iter().enumerate() {
            if text.append(piece).is_err() {
                assert_eq!(Err(index), expected, "{pieces:x?}");
                return;
            }
        }
        assert_eq!(text.len(), pieces.iter().map(|piece| piece.len()).sum::<usize>());
        assert_eq!(Ok(text.end().ok()), expected, "{pieces:x?}");
    }

    #[test]
    fn a_character_may_come_in_pieces() {
        check(&[], Ok(Some("")));
        check(&["κόσ".as_bytes(), "με".as_bytes()], Ok(Some("κόσμε")));
        check(&[b"a\xf0", b"\x9f", b"", b"\x98", b"\x80b"], Ok(Some("a😀b")));
        check(&[b"a\xe5\xb8", b"\x81\xe5", b"\xb8\x81"], Ok(Some("a币币")));
        check(&[b"a\xf0\x9f\x98"], Ok(None));
    }

    #[test]
    fn a_text_fails_at_its_first_impossible_byte() {
        check(&[b"a\xf4", b"\x90"], Err(1)); // Beyond U+10FFFF, known at the second byte.
        check(&[b"a\xed", b"\xa0"], Err(1)); // A surrogate.
        check(&[b"ab", b"a\xc0"], Err(1)); // Overlong.
        check(&[b"a\x80"], Err(0));
        check(&[b"a\xce", b"a"], Err(1));
    }
}
