//! What is in a recording: the answer of `relay record --list`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use super::dialect::Decoders;
use super::format::{Cursor, Header, Kind, Record};
use super::moment;
use super::source::{Condition, Source, SourceError};
use crate::limits::RECORD_STREAMS_LISTED_MAX;
use crate::venue::adapter::Said;
use crate::wire::json::write_string;

/// One file.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub header: Header,
    pub condition: Condition,
    pub file_bytes: u64,
    pub blocks: u64,
    /// Blocks whose checksum is wrong.
    pub damaged: u64,
    /// Of the first and the last record.
    pub span_ns: Option<(u64, u64)>,
    /// By the upstream's place in the header.
    pub upstreams: Vec<Tally>,
    pub missed: u64,
    /// Messages by the stream they are of.
    pub streams: BTreeMap<(u32, String), Amount>,
    /// Those of streams beyond what is listed one by one.
    pub other_streams: Amount,
}

/// What one upstream brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub frames: Amount,
    pub connects: u64,
    pub losses: u64,
    /// Messages that are data of no stream: answers, or what could not be read.
    pub without_stream: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub count: u64,
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes as u64;
    }
}

impl Summary {
    /// Reads all of a file.
    pub fn of(path: &Path) -> Result<Summary, SourceError> {
        let file = File::open(path)?;
        let file_bytes = file.metadata()?.len();
        let mut source = Source::open(file)?;
        let header = source.header.clone();
        let mut decoders = Decoders::new(&header.upstreams);
        let mut summary = Summary {
            upstreams: vec![Tally::default(); header.upstreams.len()],
            condition: source.condition,
            header,
            file_bytes,
            ..Summary::default()
        };
        for entry in source.entries.clone() {
            summary.blocks += 1;
            let Some((head, raw)) = source.block(&entry)? else {
                summary.damaged += 1;
                continue;
            };
            let mut cursor = Cursor::new(head.first_ns);
            while let Some(record) = cursor.next(&raw) {
                summary.add(&record, &mut decoders);
            }
        }
        Ok(summary)
    }

    fn add(&mut self, record: &Record<'_>, decoders: &mut Decoders) {
        let Record { at_ns, upstream, connection, kind, body } = *record;
        let (first, last) = self.span_ns.unwrap_or((at_ns, at_ns));
        self.span_ns = Some((first.min(at_ns), last.max(at_ns)));
        decoders.note(upstream, connection, kind, body);
        if kind == Kind::Missed {
            self.missed += std::str::from_utf8(body).ok().and_then(|count| count.parse().ok()).unwrap_or(0);
            return;
        }
        let Some(tally) = self.upstreams.get_mut(upstream as usize) else { return };
        match kind {
            Kind::Connected => tally.connects += 1,
            Kind::Lost => tally.losses += 1,
            Kind::Asked | Kind::Ended | Kind::Missed | Kind::Standing => {}
            Kind::Frame => {
                tally.frames.add(body.len());
                let (streams, others) = (&mut self.streams, &mut self.other_streams);
                let mut has_stream = false;
                decoders.decode(upstream, connection, body, at_ns / 1_000_000, &mut |said| {
                    let Said::Data { stream, payload } = said else { return };
                    has_stream = true;
                    let key = (upstream, stream.to_owned());
                    match streams.len() < RECORD_STREAMS_LISTED_MAX || streams.contains_key(&key) {
                        true => streams.entry(key).or_default().add(payload.len()),
                        false => others.add(payload.len()),
                    }
                });
                tally.without_stream += u64::from(!has_stream);
            }
        }
    }

    pub fn text(&self, path: &Path) -> String {
        let mut out = String::new();
        let span = self.span_ns.map_or("nothing recorded".to_owned(), |(first, last)| {
            let seconds = (last - first) / 1_000_000_000;
            let (minutes, seconds) = (seconds / 60, seconds % 60);
            format!("{} to {}, {minutes}m{seconds:02}s", moment::show(first), moment::show(last))
        });
        line(&mut out, format_args!("{}", path.display()));
        line(&mut out, format_args!("  {span}"));
        line(&mut out, format_args!("  {} bytes in {} blocks, {}", self.file_bytes, self.blocks, self.state()));
        if self.missed > 0 {
            line(&mut out, format_args!("  {} messages are missing: the disk was too slow or full", self.missed));
        }
        for (at, (origin, tally)) in self.header.upstreams.iter().zip(&self.upstreams).enumerate() {
            let Tally { frames: Amount { count, bytes }, connects, losses, without_stream } = tally;
            line(&mut out, format_args!("  {} ({}, {})", origin.name, origin.kind, origin.url));
            line(
                &mut out,
                format_args!(
                    "    {count} messages, {bytes} bytes, {connects} connects, {losses} losses, {without_stream} of no stream"
                ),
            );
            for ((_, stream), Amount { count, bytes }) in
                self.streams.range((at as u32, String::new())..(at as u32 + 1, String::new()))
            {
                line(&mut out, format_args!("    {count:>10} {bytes:>14}  {stream}"));
            }
        }
        if self.other_streams.count > 0 {
            let Amount { count, bytes } = self.other_streams;
            line(&mut out, format_args!("    {count:>10} {bytes:>14}  of further streams"));
        }
        out
    }

    fn state(&self) -> String {
        let Condition { is_complete, torn_bytes, lost_bytes } = self.condition;
        let mut state = match (is_complete, torn_bytes) {
            (true, _) => "complete".to_owned(),
            (false, 0) => "without an index: cut short, or still written".to_owned(),
            (false, torn) => {
                format!("without an index: cut short, or still written; {torn} bytes at the end are no whole block")
            }
        };
        if self.damaged > 0 {
            let _ = write!(state, "; {} blocks are damaged", self.damaged);
        }
        if lost_bytes > 0 {
            let _ = write!(state, "; {lost_bytes} bytes are no block");
        }
        state
    }

    /// One object on one line.
    pub fn json(&self, path: &Path) -> String {
        let (first, last) = self.span_ns.map_or((String::from("null"), String::from("null")), |(first, last)| {
            (quoted(&moment::show(first)), quoted(&moment::show(last)))
        });
        let Condition { is_complete, torn_bytes, lost_bytes } = self.condition;
        let upstream = |(at, (origin, tally)): (usize, (&super::format::Origin, &Tally))| {
            let range = self.streams.range((at as u32, String::new())..(at as u32 + 1, String::new()));
            let streams = range.map(|((_, stream), amount)| {
                format!(r#"{{"stream":{},"messages":{},"bytes":{}}}"#, quoted(stream), amount.count, amount.bytes)
            });
            let streams = streams.collect::<Vec<_>>().join(",");
            let (name, kind, url) = (quoted(&origin.name), quoted(&origin.kind), quoted(&origin.url));
            let Tally { frames: Amount { count, bytes }, connects, losses, without_stream } = tally;
            format!(
                r#"{{"name":{name},"kind":{kind},"url":{url},"messages":{count},"bytes":{bytes},"connects":{connects},"losses":{losses},"without_stream":{without_stream},"streams":[{streams}]}}"#
            )
        };
        let upstreams = self.header.upstreams.iter().zip(&self.upstreams).enumerate().map(upstream);
        format!(
            r#"{{"file":{},"created":{},"first":{first},"last":{last},"file_bytes":{},"blocks":{},"complete":{is_complete},"torn_bytes":{torn_bytes},"lost_bytes":{lost_bytes},"damaged_blocks":{},"missed":{},"upstreams":[{}],"other_streams":{{"messages":{},"bytes":{}}}}}"#,
            quoted(&path.to_string_lossy()),
            quoted(&moment::show(self.header.created_ns)),
            self.file_bytes,
            self.blocks,
            self.damaged,
            self.missed,
            upstreams.collect::<Vec<_>>().join(","),
            self.other_streams.count,
            self.other_streams.bytes,
        )
    }
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    write_string(text, &mut out);
    String::from_utf8(out).expect("a string of text is text")
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes any text");
}
