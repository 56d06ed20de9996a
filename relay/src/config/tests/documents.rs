//! relay.example.toml, docs/configuration.md and `--help` say what the code does.

use super::super::settings::{FLAGS, SECTIONS, SectionName, setting};
use super::{Start, file, flags};

const EXAMPLE: &str = include_str!("../../../relay.example.toml");
const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// A line `key = value` or `#key = value` of the example, with the section it stands in.
struct Line {
    path: String,
    value: String,
    commented: bool,
}

fn lines() -> Vec<Line> {
    let mut prefix = String::new();
    let mut lines = Vec::new();
    for line in EXAMPLE.lines() {
        let commented = line.starts_with('#');
        let line = line.trim_start_matches('#');
        if line.starts_with('[') {
            prefix = format!("{}.", line.trim_matches(['[', ']']));
        } else if let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with(' ')) {
            lines.push(Line { path: format!("{prefix}{key}"), value: value.to_owned(), commented });
        }
    }
    lines
}

fn path(section: SectionName, key: &str) -> String {
    format!("{}.{key}", section.prefix()).trim_start_matches('.').to_owned()
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(file(EXAMPLE).config(), flags("").config());
}

#[test]
fn the_example_is_sound_with_every_key_uncommented() {
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let all: Vec<String> = EXAMPLE.lines().map(uncomment).collect();
    let config = file(&all.join("\n")).config();
    assert_eq!(config.upstreams.len(), 10);
    assert!(config.edge.forwarded.is_some());
}

#[test]
fn the_example_has_every_key_and_its_default() {
    let lines = lines();
    for section in SECTIONS {
        for setting in section.settings() {
            let path = path(section, setting.key);
            assert!(lines.iter().any(|line| line.path == path), "{path} is missing");
        }
    }
    for line in lines.iter().filter(|line| !["upstream.kind", "upstream.name"].contains(&line.path.as_str())) {
        let setting = setting(&line.path).unwrap_or_else(|| panic!("{} is no setting", line.path));
        let default = setting.default.split(" (").next().unwrap_or_default();
        assert!(line.commented || line.value == default, "{} = {}, not {default}", line.path, line.value);
    }
}

/// The row of the page's table, word for word, so that the page cannot say something else.
fn row(section: SectionName, key: &str) -> String {
    let path = path(section, key);
    let setting = setting(&path).unwrap();
    let flag = FLAGS.iter().find(|flag| flag.key == path);
    let typed = flag.map_or("| |".to_owned(), |flag| format!("`--{}` | `{}` |", flag.name, flag.variable()));
    let typed = if section == SectionName::Top { format!(" {typed}") } else { String::new() };
    format!("| `{key}` |{typed} {} | {} |", setting.default, setting.meaning)
}

#[test]
fn the_page_has_every_key_flag_and_variable() {
    let mut missing = Vec::new();
    for section in SECTIONS {
        missing.extend(section.settings().iter().map(|setting| row(section, setting.key)));
    }
    for flag in FLAGS {
        missing.push(format!("`--{}`", flag.name));
        missing.push(format!("`{}`", flag.variable()));
    }
    missing.retain(|text| !PAGE.contains(text.as_str()));
    assert!(missing.is_empty(), "docs/configuration.md lacks:\n{}", missing.join("\n"));
}

#[test]
fn the_page_shows_what_is_really_said() {
    let text = "drain = 5\n[limits]\nping_intervall = \"1m\"";
    let start = Start { flags: "check --config relay.toml --shards 0", file: text, env: &[] };
    let (text, _) = start.printed();
    let shown: String = text.lines().map(|line| format!("    {line}\n")).collect();
    assert!(PAGE.contains(&shown), "docs/configuration.md shows something else than\n{shown}");
}

#[test]
fn help_has_every_flag_variable_default_and_key() {
    let (help, exit_code) = flags("--help").printed();
    assert_eq!(exit_code, 0);
    for flag in FLAGS {
        let line = format!("[default: {}] [env: {}]", flag.default(), flag.variable());
        for text in [format!("--{}", flag.name), line, flag.meaning().to_owned()] {
            assert!(help.contains(&text), "--help lacks {text}:\n{help}");
        }
    }
    for section in SECTIONS {
        for setting in section.settings() {
            assert!(help.contains(setting.key), "--help lacks {}", setting.key);
        }
    }
    assert!(help.contains("Examples:"));
}

#[test]
fn every_setting_is_described_once() {
    for section in SECTIONS {
        for setting in section.settings() {
            let twins = section.settings().iter().filter(|other| other.key == setting.key).count();
            assert_eq!(twins, 1, "{}", setting.key);
            assert!(!setting.meaning.is_empty() && !setting.default.is_empty(), "{}", setting.key);
        }
    }
    for flag in FLAGS {
        assert!(!flag.meaning().is_empty() && !flag.default().is_empty(), "--{}", flag.name);
    }
}

#[test]
#[ignore = "writes the rows of docs/configuration.md, for whoever changes a setting"]
fn print_the_rows() {
    for section in SECTIONS {
        println!("\n{}", section.in_words());
        for setting in section.settings() {
            println!("{}", row(section, setting.key));
        }
    }
}
