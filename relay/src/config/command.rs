//! `relay key`: what is said about a key that was just made, or typed in. `relay record --list`: which files.

use std::path::PathBuf;

use crate::access::key::{KEY_CHARS_GOOD, Key, KeyError};

/// What to do with keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyCommand {
    New {
        account: String,
    },
    /// Of the line on the standard input.
    Hash,
}

/// Which recordings to look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListCommand {
    pub files: Vec<PathBuf>,
    pub json: bool,
}

/// What goes to the standard output, for programs and for pasting, and what to the standard error, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub out: String,
    pub err: String,
}

impl Said {
    /// A new key on the first line, then the lines for the file. The account's name is a label, which needs no escape.
    pub fn of_new_key(account: &str, random: [u8; 32]) -> Said {
        let key = Key::new(random);
        let out = format!("{}\n\n[[account]]\nname = \"{account}\"\nkeys = [\"{}\"]", key.text(), key.digest());
        let err = "The first line is the key: give it to the client, it is not shown again. The rest goes into the \
                   configuration; for an account that is there already, add the digest to its keys.";
        Said { out, err: err.to_owned() }
    }

    /// The digest of a typed key, whose line may have its end.
    pub fn of_digest(line: &str) -> Result<Said, KeyError> {
        let key = Key::parse(line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line)))?;
        let err = match key.text().len() {
            chars if chars < KEY_CHARS_GOOD => format!(
                "warning: a key of {chars} characters can be found by trying; use {KEY_CHARS_GOOD} random ones, or \
                 `relay key new`"
            ),
            _ => String::new(),
        };
        Ok(Said { out: key.digest().to_string(), err })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_comes_with_its_lines() {
        let said = Said::of_new_key("alice", [7; 32]);
        let (key, lines) = said.out.split_once("\n\n").unwrap();
        let digest = Key::parse(key).unwrap().digest();
        assert_eq!(lines, format!("[[account]]\nname = \"alice\"\nkeys = [\"{digest}\"]"));
        assert!(!lines.contains(key) && !said.err.contains(key), "the key is not where it would be pasted");
    }

    #[test]
    fn a_typed_key_is_hashed_without_the_end_of_its_line() {
        let key = Key::new([7; 32]);
        let expected = Ok(Said { out: key.digest().to_string(), err: String::new() });
        for end in ["", "\n", "\r\n"] {
            assert_eq!(Said::of_digest(&format!("{}{end}", key.text())), expected, "{end:?}");
        }
        assert_eq!(Said::of_digest("\n"), Err(KeyError::Empty));
        assert_eq!(Said::of_digest("a b\n"), Err(KeyError::Character));
        assert_eq!(Said::of_digest("a\nb\n"), Err(KeyError::Character));
        assert!(Said::of_digest("short").unwrap().err.contains("5 characters"));
    }
}
