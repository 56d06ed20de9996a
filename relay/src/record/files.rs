//! The files of one recorder: their names, and how much of the disk they take together.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::moment;

pub const EXTENSION: &str = "rec";

/// Files begun in one second, at most.
const SAME_SECOND_MAX: u32 = 1000;

/// How a file is made: a test makes one that is always full.
pub type Create = Box<dyn FnMut(&Path) -> io::Result<File> + Send>;

/// The finished files of one name in one directory, oldest first.
pub struct Files {
    directory: PathBuf,
    name: String,
    finished: VecDeque<(PathBuf, u64)>,
    finished_bytes: u64,
    create: Create,
}

impl Files {
    /// Makes the directory if need be, and looks for files from before.
    pub fn open(directory: &Path, name: &str) -> io::Result<Files> {
        fs::create_dir_all(directory)?;
        let mut finished = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|file| is_own(file, name)) {
                finished.push((entry.path(), entry.metadata()?.len()));
            }
        }
        // Their names have the time they were begun.
        finished.sort();
        let finished_bytes = finished.iter().map(|(_, bytes)| bytes).sum();
        let create = Box::new(|path: &Path| File::create_new(path));
        Ok(Files { directory: directory.into(), name: name.into(), finished: finished.into(), finished_bytes, create })
    }

    #[cfg(test)]
    pub fn set_create(&mut self, create: Create) {
        self.create = create;
    }

    /// A new file that begins now. One that is there already is never touched.
    pub fn create(&mut self, now_ns: u64) -> io::Result<(PathBuf, File)> {
        for number in 0..SAME_SECOND_MAX {
            let file = format!("{}-{}-{number:03}.{EXTENSION}", self.name, moment::compact(now_ns));
            let path = self.directory.join(file);
            match (self.create)(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "a thousand files begun in one second"))
    }

    pub fn finish(&mut self, path: PathBuf, bytes: u64) {
        self.finished.push_back((path, bytes));
        self.finished_bytes += bytes;
    }

    pub fn bytes(&self) -> u64 {
        self.finished_bytes
    }

    /// Deletes the oldest until the finished files have at most this much. Returns how many, and why one could not be.
    pub fn shrink_to(&mut self, bytes_max: u64) -> (u64, Option<io::Error>) {
        let mut deleted = 0;
        while self.finished_bytes > bytes_max {
            let Some((path, bytes)) = self.finished.front() else { break };
            match fs::remove_file(path) {
                // Somebody else's deleting serves as well.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return (deleted, Some(error)),
                _ => {}
            }
            self.finished_bytes -= bytes;
            self.finished.pop_front();
            deleted += 1;
        }
        (deleted, None)
    }
}

/// `name-20261120T165301Z-000.rec`
fn is_own(file: &str, name: &str) -> bool {
    let rest = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    let Some(rest) = rest.and_then(|rest| rest.strip_suffix(EXTENSION)) else { return false };
    let shape = b"00000000T000000Z-000.";
    let fits = |(byte, like): (u8, u8)| if like == b'0' { byte.is_ascii_digit() } else { byte == like };
    rest.len() == shape.len() && rest.bytes().zip(shape.iter().copied()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_files_are_counted_and_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let own = ["a-20261120T165301Z-000.rec", "a-20261120T165301Z-001.rec", "a-20261121T000000Z-000.rec"];
        let others =
            ["a-b-20261120T165301Z-000.rec", "a-20261120T165301Z-000.rec.bak", "a.rec", "b-20261120T165301Z-000.rec"];
        for name in own.iter().chain(&others) {
            fs::write(path(name), [0; 10]).unwrap();
        }
        let mut files = Files::open(directory.path(), "a").unwrap();
        assert_eq!(files.bytes(), 30);
        assert_eq!(files.shrink_to(15).0, 2);
        assert_eq!(files.bytes(), 10);
        assert!(!path(own[0]).exists() && !path(own[1]).exists() && path(own[2]).exists(), "the oldest go first");
        assert!(others.iter().all(|name| path(name).exists()));
        assert_eq!(files.shrink_to(0).0, 1);
        assert_eq!(files.shrink_to(0).0, 0);
    }

    #[test]
    fn a_file_that_is_there_is_never_touched() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = Files::open(&directory.path().join("new/deep"), "a").unwrap();
        let (first, _) = files.create(0).unwrap();
        let (second, _) = files.create(0).unwrap();
        assert!(first.ends_with("a-19700101T000000Z-000.rec") && second.ends_with("a-19700101T000000Z-001.rec"));
    }
}
