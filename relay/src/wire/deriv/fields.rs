//! The members of a request against the venue's schema: what is wrong is gathered, so that one answer says it all.

use std::borrow::Cow;

use super::reject::Reject;
use crate::wire::json::{Array, JsonError, Object, Value, ValueKind};

/// One object's members; of several with one key the last counts.
pub struct Fields<'a> {
    members: Vec<Field<'a>>,
    problems: Vec<(String, String)>,
}

struct Field<'a> {
    key: Cow<'a, str>,
    value: Value<'a>,
    /// Whether the schema has it.
    known: bool,
}

impl<'a> Fields<'a> {
    /// `Ok(None)` if the text is JSON and no object.
    pub fn read(text: &'a str) -> Result<Option<Self>, JsonError> {
        let Some(mut object) = Object::open(text) else {
            return crate::wire::json::validate(text.as_bytes()).map(|()| None);
        };
        let mut members: Vec<Field<'a>> = Vec::new();
        while let Some(member) = object.next()? {
            members.push(Field { key: member.key(), value: member.value, known: false });
        }
        Ok(Some(Self { members, problems: Vec::new() }))
    }

    /// The keys in the client's order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| &*member.key)
    }

    /// A value that the schema knows of.
    pub fn take(&mut self, key: &str) -> Option<Value<'a>> {
        let mut found = None;
        for member in self.members.iter_mut().filter(|member| member.key == key) {
            member.known = true;
            found = Some(member.value);
        }
        found
    }

    /// Fields that mean nothing here and are none of our business.
    pub fn take_all(&mut self) {
        self.members.iter_mut().for_each(|member| member.known = true);
    }

    pub fn problem(&mut self, key: &str, text: impl Into<String>) {
        self.problems.push((key.to_owned(), text.into()));
    }

    pub fn missing(&mut self, key: &str) {
        self.problem(key, "Missing property.");
    }

    /// A field that is 1 or absent.
    pub fn flag(&mut self, key: &str) -> bool {
        let Some(value) = self.take(key) else {
            return false;
        };
        if integer(&value) != Some(1) {
            self.problem(key, "Not in enum list: 1.");
        }
        true
    }

    /// An integer, also one in a string: clients send both.
    pub fn integer(&mut self, key: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.take(key)?;
        match integer(&value) {
            None => self.problem(key, format!("Expected integer - got {}.", kind_name(value.kind))),
            Some(number) if number < min => self.problem(key, format!("{number} < minimum({min})")),
            Some(number) if number > max => self.problem(key, format!("{number} > maximum({max})")),
            Some(number) => return Some(number),
        }
        None
    }

    /// One of the words; gives its index.
    pub fn choice(&mut self, key: &str, words: &[&str]) -> Option<usize> {
        let value = self.take(key)?;
        let word = value.string();
        let index = words.iter().position(|known| word.as_deref() == Some(known));
        if index.is_none() {
            self.problem(key, not_in(words));
        }
        index
    }

    pub fn object(&mut self, key: &str) {
        if let Some(value) = self.take(key)
            && value.kind != ValueKind::Object
        {
            self.problem(key, format!("Expected object - got {}.", kind_name(value.kind)));
        }
    }

    /// A string that `fits`, which `pattern` describes.
    pub fn pattern(&mut self, key: &str, pattern: &str, fits: impl Fn(&str) -> bool) -> Option<Box<str>> {
        let value = self.take(key)?;
        match matching(&value, pattern, fits) {
            Ok(text) => Some(text),
            Err(problem) => {
                self.problem(key, problem);
                None
            }
        }
    }

    /// The same, or an array of at least one and at most `max` such strings.
    pub fn patterns(
        &mut self,
        key: &str,
        max: usize,
        check: impl Fn(&Value<'a>) -> Result<Box<str>, String>,
    ) -> Vec<Box<str>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let values = elements(&value);
        if values.is_empty() {
            self.problem(key, "Not enough items: 0/1.");
        } else if values.len() > max {
            self.problem(key, format!("Too many items: {}/{max}.", values.len()));
        }
        let checked: Result<Vec<_>, String> = values.iter().take(max).map(check).collect();
        checked.unwrap_or_else(|problem| {
            self.problem(key, problem);
            Vec::new()
        })
    }

    /// Says what was wrong, members that the schema does not know included.
    pub fn finish(self) -> Result<(), Reject> {
        let mut unknown: Vec<&str> =
            self.members.iter().filter(|member| !member.known).map(|member| &*member.key).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() && self.problems.is_empty() {
            return Ok(());
        }
        let general = (!unknown.is_empty()).then(|| format!("Properties not allowed: {}.", unknown.join(", ")));
        Err(Reject::input_validation(self.problems, general))
    }
}

/// The elements of an array; any other value is the only one.
fn elements<'a>(value: &Value<'a>) -> Vec<Value<'a>> {
    let Some(mut array) = Array::open(value.text) else {
        return vec![*value];
    };
    let mut elements = Vec::new();
    while let Ok(Some(element)) = array.next() {
        elements.push(element);
    }
    elements
}

/// The string a value is, if it fits.
pub fn matching(value: &Value<'_>, pattern: &str, fits: impl Fn(&str) -> bool) -> Result<Box<str>, String> {
    if value.kind != ValueKind::String {
        return Err(format!("Expected string - got {}.", kind_name(value.kind)));
    }
    match value.string() {
        Some(text) if fits(&text) => Ok(text.into()),
        _ => Err(format!("String does not match {pattern}.")),
    }
}

/// An integer, or a string that is one.
pub fn integer(value: &Value<'_>) -> Option<i64> {
    let text = match value.kind {
        ValueKind::Number => Cow::Borrowed(value.text),
        ValueKind::String => value.string()?,
        _ => return None,
    };
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

pub fn not_in<T: ToString>(list: &[T]) -> String {
    let words: Vec<String> = list.iter().map(T::to_string).collect();
    format!("Not in enum list: {}.", words.join(", "))
}

fn kind_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Null => "null",
        ValueKind::Bool => "boolean",
        ValueKind::Number => "number",
        ValueKind::String => "string",
        ValueKind::Array => "array",
        ValueKind::Object => "object",
    }
}
