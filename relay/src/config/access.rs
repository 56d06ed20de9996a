//! `[access]` and `[[account]]`: who needs a key, who has one, and what it lets its bearer do.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::given::{Given, Place, Value};
use super::problem::{Problems, Reason};
use super::section::Section;
use super::settings::SectionName;
use super::upstream::{file, from_table, label};
use super::url::Url;
use super::value::{choice, count_or_off, duration, parsed, text};
use crate::access::account::{Account, AccountId, Accounts, Cap, Required};
use crate::access::key::Digest;
use crate::access::pattern::Pattern;
use crate::access::user::listen::LIFE_MS;
use crate::limits::KEYS_MAX;
use crate::wire::dialect::Dialect;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// If there are none, nobody needs a key.
    pub accounts: Accounts,
    /// How long a listen key lives after it was asked for or extended.
    pub listen_key_lifetime: Duration,
    /// For those whose user data comes from elsewhere than the built-in venue.
    pub user_streams: Vec<UserStream>,
}

/// Where an account's user data comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserStream {
    pub account: AccountId,
    /// A listen key completes its path.
    pub url: Url,
    /// What is asked for the listen key.
    pub rest_url: Url,
    /// It has the token that is sent with it.
    pub token_file: PathBuf,
}

/// A [`UserStream`] whose account has no id yet.
struct Source {
    url: Url,
    rest_url: Url,
    token_file: PathBuf,
}

const USER_STREAM: [&str; 3] = ["user_stream_url", "user_stream_rest_url", "user_stream_token_file"];

pub(super) fn read(access: Vec<Given>, tables: Vec<Given>, problems: &mut Problems) -> Access {
    let has_tables = !tables.is_empty();
    let mut section = Section::new(SectionName::Access, Place::File, access, problems);
    let required = section.value("required", Required::Nobody, required);
    if required != Required::Nobody && !has_tables {
        let text = "needs an [[account]] with a key, or nobody can connect; `relay key new` makes one";
        section.conflict("required", &[], Reason::conflict(text));
    }

    let lifetime = duration(Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60));
    let listen_key_lifetime = section.value("listen_key_lifetime", Duration::from_millis(LIFE_MS), lifetime);

    let (mut accounts, mut sources) = (Vec::new(), Vec::new());
    let mut seen = Seen::default();
    for (place, given) in tables.into_iter().map(from_table) {
        let section = Section::new(SectionName::Account, place, given, problems);
        if let Some((account, source)) = read_one(section, &mut seen) {
            accounts.push(account);
            sources.push(source);
        }
    }
    let accounts = Accounts::new(required, accounts);
    let of_account = |((account, _), source): ((AccountId, &Account), Option<Source>)| {
        source.map(|Source { url, rest_url, token_file }| UserStream { account, url, rest_url, token_file })
    };
    let user_streams = accounts.iter().zip(sources).filter_map(of_account).collect();
    Access { accounts, listen_key_lifetime, user_streams }
}

/// What the accounts before this one have taken, by their number.
#[derive(Default)]
struct Seen {
    count: usize,
    names: HashMap<String, usize>,
    digests: HashMap<Digest, usize>,
}

/// `None` if there is no account without what is wrong.
fn read_one(mut section: Section<'_>, seen: &mut Seen) -> Option<(Account, Option<Source>)> {
    seen.count += 1;
    section.missing("name", "1 to 64 letters, digits, \".\", \"_\" or \"-\"");
    section.missing("keys", "`relay key new` makes a key and prints the line");
    let name = section.value("name", None, |value| parsed(label)(value).map(Some));
    let keys = section.list("keys", parsed(digest));
    let dialects = section.list("dialects", choice(&Dialect::ALL.map(|it| (it.name(), it))));
    let topics = section.list("topics", parsed(topics)).unwrap_or_else(|| vec![Pattern::any()]);
    let connections = section.value("connections", Cap::Usual, |value| count_or_off(1_000_000)(value).map(cap));
    let messages_per_second =
        section.value("messages_per_second", Cap::Usual, |value| count_or_off(100_000)(value).map(cap));
    let source = read_source(&mut section);

    if keys.as_ref().is_some_and(Vec::is_empty) {
        section.conflict("keys", &[], Reason::must("at least one digest; delete the account to lock it out"));
    }
    if dialects.as_ref().is_some_and(Vec::is_empty) {
        section.conflict("dialects", &[], Reason::must("at least one dialect; leave it out to allow all"));
    }
    if topics.is_empty() {
        section.conflict("topics", &[], Reason::must(r#"at least one pattern; ["*"] is everything"#));
    }
    if let Some(first) = name.clone().and_then(|name| seen.names.insert(name, seen.count)) {
        let text = format!("must be unique; account {first} has this name");
        section.conflict("name", &[], Reason::conflict(text));
    }
    for digest in keys.iter().flatten() {
        if let Some(first) = seen.digests.insert(*digest, seen.count) {
            let text = format!("{digest:?} is a key of account {first} already; a key belongs to one account, once");
            section.conflict("keys", &[], Reason::conflict(text));
        }
    }
    if seen.digests.len() > KEYS_MAX {
        let text = format!("more than {KEYS_MAX} keys in all; each connection is compared with every one");
        section.conflict("keys", &[], Reason::conflict(text));
    }
    let account = Account { name: name?, keys: keys?, dialects, topics, connections, messages_per_second };
    Some((account, source))
}

/// All three or none.
fn read_source(section: &mut Section<'_>) -> Option<Source> {
    let [url_key, rest_key, file_key] = USER_STREAM;
    let url = section.value(url_key, None, |value| parsed(Url::parse)(value).map(Some));
    let rest_url = section.value(rest_key, None, |value| parsed(Url::parse_http)(value).map(Some));
    let token_file = section.value(file_key, None, |value| file(value).map(Some));
    if USER_STREAM.iter().any(|key| section.has(key)) {
        for key in USER_STREAM {
            section.missing(key, "the three user_stream keys go together");
        }
    }
    Some(Source { url: url?, rest_url: rest_url?, token_file: token_file? })
}

fn required(value: &Value) -> Result<Required, Reason> {
    match value {
        Value::Boolean(false) => Ok(Required::Nobody),
        Value::Boolean(true) => Ok(Required::Everybody),
        value if text(value).is_ok_and(|text| text == "remote") => Ok(Required::Remote),
        _ => Err(Reason::must(r#"true, false or "remote""#)),
    }
}

fn digest(text: &str) -> Result<Digest, Reason> {
    Digest::parse(text).map_err(|error| Reason::conflict(error.to_string()))
}

fn topics(text: &str) -> Result<Pattern, Reason> {
    Pattern::parse_topics(text).map_err(|error| Reason::must(error.to_string()))
}

fn cap(limit: Option<u32>) -> Cap {
    limit.map_or(Cap::Unlimited, Cap::AtMost)
}
