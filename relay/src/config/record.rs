//! `[record]`: whether what venues send is written to files, and how much of it.

use std::path::PathBuf;
use std::time::Duration;

use super::given::{Given, Place};
use super::problem::{Problems, Reason};
use super::section::Section;
use super::settings::SectionName;
use super::upstream::{Source, Upstream, file, label};
use super::value::{duration, parsed, size, switch};
use crate::access::pattern::Pattern;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub directory: PathBuf,
    /// The start of the files' names.
    pub name: String,
    pub file_bytes: u64,
    pub file_age: Duration,
    pub disk_bytes_max: u64,
    /// Names of upstreams; all that come from a venue unless given.
    pub upstreams: Vec<String>,
    /// Empty: every stream.
    pub streams: Vec<Pattern>,
    pub sync: bool,
}

/// Whether this configuration has to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    IfAsked,
    /// For `relay record`, which does nothing else.
    Always,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// `None`: nothing is recorded.
pub(super) fn read(given: Vec<Given>, upstreams: &[Upstream], need: Need, problems: &mut Problems) -> Option<Record> {
    let is_asked = need == Need::Always || !given.is_empty();
    let mut section = Section::new(SectionName::Record, Place::File, given, problems);
    if is_asked {
        section.missing("directory", "where recordings are written; `relay record` takes --directory as well");
    }
    let directory = section.value("directory", None, |value| file(value).map(Some));
    let name = section.value("name", "relay".to_owned(), parsed(label));
    let file_bytes = section.value("file_bytes", 256 * MIB, size(MIB..=64 * GIB));
    let file_age = section.value("file_age", HOUR, duration(SECOND..=24 * HOUR));
    let disk_bytes_max = section.value("disk_bytes_max", 10 * GIB, size(2 * MIB..=1024 * TIB));
    let wanted = section.list("upstreams", parsed(label));
    let streams = section.list("streams", parsed(pattern));
    let sync = section.value("sync", false, switch);

    if disk_bytes_max < 2 * file_bytes {
        let text = "disk_bytes_max must be at least twice file_bytes: the file that is written and one before it";
        section.conflict("disk_bytes_max", &["file_bytes"], Reason::conflict(text));
    }
    if streams.as_ref().is_some_and(Vec::is_empty) {
        section.conflict("streams", &[], Reason::must(r#"at least one pattern; ["*"] is every stream"#));
    }
    let recordable: Vec<&Upstream> = upstreams.iter().filter(|upstream| is_recordable(&upstream.source)).collect();
    for name in wanted.iter().flatten() {
        let reason = match upstreams.iter().find(|upstream| upstream.name == *name) {
            None => format!("there is no upstream {name:?}"),
            Some(upstream) if !is_recordable(&upstream.source) => {
                format!("upstream {name:?} is of kind {:?}, which is not recorded", upstream.kind())
            }
            Some(_) => continue,
        };
        section.conflict("upstreams", &[], Reason::conflict(reason));
    }
    let upstreams: Vec<String> = match wanted {
        Some(wanted) if wanted.is_empty() => {
            section.conflict("upstreams", &[], Reason::must("at least one upstream; leave it out to record all"));
            Vec::new()
        }
        Some(wanted) => wanted,
        None => recordable.iter().map(|upstream| upstream.name.clone()).collect(),
    };
    if need == Need::Always {
        let recorded = || recordable.iter().filter(|upstream| upstreams.contains(&upstream.name));
        let text = match recorded().count() {
            0 => Some("nothing to record: no upstream is a venue (the built-in one repeats itself with its seed)"),
            _ if recorded().all(|upstream| upstream.always.is_empty()) => {
                Some("nothing to record: no upstream has streams in `always`, and there are no clients to want any")
            }
            _ => None,
        };
        if let Some(text) = text {
            problems.at(Place::File, "", Reason::conflict(text));
        }
    }
    let directory = directory?;
    let streams = streams.unwrap_or_default();
    Some(Record { directory, name, file_bytes, file_age, disk_bytes_max, upstreams, streams, sync })
}

/// The built-in venue says the same again with the same seed, a replay comes from a recording, and answers to polls are
/// no messages.
fn is_recordable(source: &Source) -> bool {
    !matches!(source, Source::Sim { .. } | Source::Rest(_) | Source::Replay { .. })
}

fn pattern(text: &str) -> Result<Pattern, Reason> {
    Pattern::parse(text).map_err(|error| Reason::must(error.to_string()))
}
