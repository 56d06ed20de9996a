//! Reads the sources and keeps the architecture as it is meant: the core knows no I/O, arrows point inward, files
//! stay readable, and `unsafe` stays where it has been argued for.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 520;
const TEST_LINES_MAX: usize = 700;

/// Where `unsafe` is allowed; each has its SAFETY comments, and a loom model or a reason it needs none.
const UNSAFE: &[&str] = &["relay/src/fanout/log/cells.rs", "relay/src/fanout/log/segment.rs", "relay/src/net/shard.rs"];

/// What the core gets told instead of asking for it.
const IO: &[&str] = &[
    "tokio",
    "hyper",
    "hyper_util",
    "fastwebsockets",
    "rustix",
    "socket2",
    "std::env",
    "std::fs",
    "std::os",
    "std::process",
    "std::thread",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Who may not know whom.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "wire",
        &[
            "crate::net",
            "crate::app",
            "crate::config",
            "crate::venue",
            "crate::fanout",
            "crate::market",
            "crate::access",
        ],
    ),
    ("access", &["crate::net", "crate::app", "crate::config", "crate::venue", "crate::fanout", "crate::market"]),
    ("venue", &["crate::net", "crate::app", "crate::fanout", "crate::market", "crate::access"]),
    ("market", &["crate::net", "crate::app", "crate::fanout", "crate::access"]),
    ("fanout", &["crate::net", "crate::app", "crate::config", "crate::venue", "crate::market", "crate::access"]),
];

/// The one word of the fan-out that the others need: the kind of a stream follows from its name.
const SHARED: &str = "crate::fanout::kind";

struct Source {
    /// From the workspace's root.
    path: String,
    is_test: bool,
    lines: usize,
    /// Without comments and test modules.
    code: String,
}

/// The core does no I/O: bytes and `now` come in as arguments, decisions go out as values.
#[test]
fn the_core_knows_no_io() {
    let mut problems = Vec::new();
    for Source { path, code, .. } in
        ours(&["relay/src/wire", "relay/src/access", "relay/src/venue", "relay/src/market", "relay/src/fanout"])
    {
        let used = paths(&code);
        for word in IO.iter().filter(|word| used.iter().any(|path| is_within(path, word))) {
            problems.push(format!("{path} uses {word}: do the I/O in `net` or `app`, and pass bytes or the time in"));
        }
    }
    check(&problems);
}

/// An inner layer does not know the outer ones.
#[test]
fn arrows_point_inward() {
    let mut problems = Vec::new();
    for (layer, others) in ARROWS {
        for Source { path, code, .. } in ours(&[&format!("relay/src/{layer}")]) {
            let is_outer = |used: &&String| others.iter().any(|other| is_within(used, other));
            for used in paths(&code).iter().filter(is_outer).filter(|used| !is_within(used, SHARED)) {
                problems.push(format!(
                    "{path} uses {used}, which lies further out: let the caller pass the value in, or move what both \
                     need inward"
                ));
            }
        }
    }
    check(&problems);
}

/// A file has one job.
#[test]
fn files_stay_readable() {
    let mut problems = Vec::new();
    for Source { path, is_test, lines, .. } in sources(&["relay/src", "loadgen/src"]) {
        let max = if is_test { TEST_LINES_MAX } else { LINES_MAX };
        if lines > max {
            problems.push(format!("{path} has {lines} lines, limit {max}: find its second job and give it a file"));
        }
    }
    check(&problems);
}

/// New `unsafe` is a decision, not an accident.
#[test]
fn unsafe_is_where_it_was_argued_for() {
    let sources = sources(&["relay/src", "loadgen/src"]);
    let found: BTreeSet<&str> = sources
        .iter()
        .filter(|source| paths(&source.code).contains("unsafe"))
        .map(|source| source.path.as_str())
        .collect();
    let allowed: BTreeSet<&str> = UNSAFE.iter().copied().collect();
    let new = found.difference(&allowed).map(|path| {
        format!(
            "{path} has `unsafe`: do without it, or argue for it (a SAFETY comment, a loom model or a reason) and add \
             the file to UNSAFE in relay/tests/architecture.rs"
        )
    });
    let old = allowed
        .difference(&found)
        .map(|path| format!("{path} has no `unsafe` any more: take it off UNSAFE in relay/tests/architecture.rs"));
    check(&new.chain(old).collect::<Vec<_>>());
}

/// The reader sees through groups, renames, comments and test modules, so that the rules above mean something.
#[test]
fn the_reader_reads() {
    let text = "use std::{fs, io::{self, Write as _}, time::{Duration, Instant as Clock}};\n\
                // tokio::spawn\nfn f() { std::thread::sleep(x) } // hyper::x\n\
                #[cfg(test)]\nmod tests {\n    use tokio::x;\n}\nuse crate::net;\n\
                #[cfg(all(test, not(loom)))]\nmod more;\n";
    let used = paths(&code(text));
    for path in ["std::fs", "std::io::Write", "std::time::Instant", "std::thread::sleep", "crate::net"] {
        assert!(used.contains(path), "{path} in {used:?}");
    }
    for word in ["tokio", "hyper"] {
        assert!(!used.iter().any(|path| is_within(path, word)), "{word} in {used:?}");
    }
    assert!(is_within("std::fs::read", "std::fs") && !is_within("std::fsx", "std::fs"));
    assert_eq!(test_modules(Path::new("a/b.rs"), text), [Path::new("a/b/more")]);
    assert_eq!(test_modules(Path::new("a/mod.rs"), text), [Path::new("a/more")]);
    assert!(ours(&["relay/src/fanout"]).len() > 10, "there is something to read");
}

fn check(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace")
}

/// What is compiled into the product.
fn ours(folders: &[&str]) -> Vec<Source> {
    sources(folders).into_iter().filter(|source| !source.is_test).collect()
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut files = Vec::new();
    folders.iter().for_each(|folder| walk(&root().join(folder), &mut files));
    files.sort();
    let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let tests: BTreeSet<PathBuf> = files.iter().zip(&texts).flat_map(|(file, text)| test_modules(file, text)).collect();
    let source = |(file, text): (&PathBuf, &String)| Source {
        path: file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(),
        is_test: file.with_extension("").ancestors().any(|part| tests.contains(part)),
        lines: text.lines().count(),
        code: code(text),
    };
    files.iter().zip(&texts).map(source).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn is_for_tests(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test")
}

/// The modules that a file declares for tests only, as paths without an extension.
fn test_modules(file: &Path, text: &str) -> Vec<PathBuf> {
    let stem = file.file_stem().expect("a source has a name");
    let is_root = stem == "mod" || stem == "lib" || stem == "main";
    let folder = if is_root { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    let mut modules = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if is_for_tests(line)
            && let Some(name) = lines.peek().and_then(|next| next.trim().strip_suffix(';'))
            && let Some((_, name)) = name.rsplit_once("mod ")
        {
            modules.push(folder.join(name));
        }
    }
    modules
}

/// The text without comments and without what is compiled for tests only.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if is_for_tests(line) {
            let indent = &line[..line.len() - line.trim_start().len()];
            let first = lines.find(|line| !line.trim().starts_with("#[")).unwrap_or_default();
            if first.ends_with('{') {
                let end = format!("{indent}}}");
                lines.find(|line| *line == end);
            }
            continue;
        }
        let is_comment = line.trim_start().starts_with("//");
        let line = if is_comment { "" } else { line.split(" // ").next().unwrap_or_default() };
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Every path that is imported, groups taken apart, and every path and word that stands in the code.
fn paths(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let is_word = !rest[..at].ends_with(is_name);
        rest = &rest[at + 4..];
        if is_word && let Some(end) = rest.find(';') {
            let tree: Vec<&str> = rest[..end].split_whitespace().collect();
            expand("", &tree.join(" "), &mut found);
        }
    }
    let words = code.split(|char: char| !is_name(char) && char != ':');
    found.extend(words.map(|word| word.trim_matches(':').to_owned()));
    found
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Takes one `use` tree apart.
fn expand(prefix: &str, tree: &str, found: &mut BTreeSet<String>) {
    let Some((head, group)) = tree.split_once('{') else {
        let path = tree.trim().split(" as ").next().unwrap_or_default();
        found.insert(format!("{prefix}{path}"));
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
    let (mut depth, mut begin) = (0, 0);
    for (at, char) in group.char_indices().chain([(group.len(), ',')]) {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &group[begin..at], found);
                begin = (at + 1).min(group.len());
            }
            _ => {}
        }
    }
}

fn is_within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
