//! The TOML file as given values with their lines.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::given::{Given, Place, Value};
use super::problem::{Problems, Reason};

/// The given values by section.
#[derive(Default)]
pub(super) struct File {
    pub top: Vec<Given>,
    pub limits: Vec<Given>,
    pub edge: Vec<Given>,
    pub deriv: Vec<Given>,
    pub socketio: Vec<Given>,
    pub record: Vec<Given>,
    pub access: Vec<Given>,
    /// A table each.
    pub accounts: Vec<Given>,
    pub upstreams: Vec<Given>,
    pub hub: Vec<Given>,
    /// A table each.
    pub hub_channels: Vec<Given>,
}

/// Reads a file. One that is not TOML gives every error of its syntax, and nothing else.
pub(super) fn parse(text: &str, problems: &mut Problems) -> File {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let message = error.message().replace('\n', "; ");
        problems.at(Place::Line(line), "", Reason::File(format!("not TOML: {message}")));
        problems.file_unread = true;
    }
    let mut file = File::default();
    if errors.is_empty() {
        for given in entries(text, table.get_ref()) {
            file.place(given, problems);
        }
    }
    file
}

impl File {
    fn place(&mut self, given: Given, problems: &mut Problems) {
        let section = match given.key.as_str() {
            "limits" => &mut self.limits,
            "edge" => &mut self.edge,
            "deriv" => &mut self.deriv,
            "socketio" => &mut self.socketio,
            "record" => &mut self.record,
            "hub" => &mut self.hub,
            "access" => &mut self.access,
            "account" => return place_tables(given, ACCOUNT_EXPECTED, &mut self.accounts, "", problems),
            "upstream" => return place_tables(given, UPSTREAM_EXPECTED, &mut self.upstreams, "", problems),
            _ => return self.top.push(given),
        };
        match given.value {
            Value::Table(entries) => *section = entries,
            _ => {
                let reason = Reason::must(format!("a section, [{}]", given.key));
                problems.value("", &given, reason);
            }
        }
        // The channels stand in the hub's table, but are sections of their own.
        for given in self.hub.extract_if(.., |given| given.key == "channel") {
            place_tables(given, CHANNEL_EXPECTED, &mut self.hub_channels, "hub", problems);
        }
    }
}

const UPSTREAM_EXPECTED: &str = "a section for each upstream, [[upstream]] in double brackets";
const ACCOUNT_EXPECTED: &str = "a section for each account, [[account]] in double brackets";
const CHANNEL_EXPECTED: &str = "a section for each channel, [[hub.channel]] in double brackets";

fn place_tables(given: Given, expected: &'static str, tables: &mut Vec<Given>, section: &str, problems: &mut Problems) {
    match given.value {
        Value::List(items) => {
            for item in items {
                match item.value {
                    Value::Table(_) => tables.push(item),
                    _ => problems.value(section, &item, Reason::must(expected)),
                }
            }
        }
        _ => problems.value(section, &given, Reason::must(expected)),
    }
}

fn entries(text: &str, table: &DeTable<'_>) -> Vec<Given> {
    let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        given(text, name, key.span().start, value.get_ref())
    };
    table.iter().map(entry).collect()
}

fn items(text: &str, key: &str, array: &DeArray<'_>) -> Vec<Given> {
    array.iter().map(|item| given(text, key, item.span().start, item.get_ref())).collect()
}

fn given(text: &str, key: &str, offset: usize, value: &DeValue<'_>) -> Given {
    let value = match value {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(integer) => match i128::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Other(integer.to_string()),
        },
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Array(array) => Value::List(items(text, key, array)),
        DeValue::Table(table) => Value::Table(entries(text, table)),
        DeValue::Float(float) => Value::Other(float.to_string()),
        DeValue::Datetime(date) => Value::Other(date.to_string()),
    };
    Given { key: key.to_owned(), place: Place::Line(line_of(text, offset)), value }
}

/// Lines count from one.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    // Once for each value, so a file of thousands of keys is read through as often.
    1 + memchr::memchr_iter(b'\n', before).count()
}
