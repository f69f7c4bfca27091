//! TOML with places: tables that know which keys were asked for, so that what nobody asked for is named.

use std::cell::{Cell, RefCell};

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::diagnostic::{Diagnostic, listed};

/// A file being read, and what was found wrong with it so far.
pub(crate) struct Source {
    file: String,
    line_starts: Vec<usize>,
    found: RefCell<Vec<Diagnostic>>,
}

impl Source {
    pub(crate) fn new(file: String, text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            file,
            line_starts: std::iter::once(0).chain(after_breaks).collect(),
            found: RefCell::default(),
        }
    }

    /// The line, from 1, of a byte.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    pub(crate) fn report(&self, at: usize, message: impl Into<String>, mend: impl Into<String>) {
        let found = Diagnostic::new(&self.file, self.line(at), message, mend);
        self.found.borrow_mut().push(found);
    }

    /// What was found wrong, in the order of the lines.
    pub(crate) fn into_found(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|one| one.line);
        found
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.count() == 0
    }

    /// How many things were found wrong so far.
    pub(crate) fn count(&self) -> usize {
        self.found.borrow().len()
    }
}

/// A text and its place.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) value: &'a str,
    pub(crate) at: usize,
}

struct Entry<'a> {
    key: Text<'a>,
    value: &'a DeValue<'a>,
    value_at: usize,
    asked: Cell<bool>,
}

/// A table: every key is asked for by name, and `finish` names the rest.
pub(crate) struct Table<'a> {
    pub(crate) source: &'a Source,
    /// What the table is called in messages, e.g. `[events.created]`.
    pub(crate) name: String,
    /// Its place.
    pub(crate) at: usize,
    entries: Vec<Entry<'a>>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(
        source: &'a Source,
        name: impl Into<String>,
        at: usize,
        table: &'a DeTable<'a>,
    ) -> Self {
        let mut entries: Vec<Entry<'a>> = table
            .iter()
            .map(|(key, value)| Entry {
                key: Text {
                    value: key.get_ref(),
                    at: key.span().start,
                },
                value: value.get_ref(),
                value_at: value.span().start,
                asked: Cell::new(false),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key.at);
        Self {
            source,
            name: name.into(),
            at,
            entries,
            known: RefCell::default(),
        }
    }

    fn ask(&self, key: &'static str) -> Option<&Entry<'a>> {
        self.known.borrow_mut().push(key);
        let entry = self.entries.iter().find(|entry| entry.key.value == key)?;
        entry.asked.set(true);
        Some(entry)
    }

    fn wrong_type(&self, key: &str, at: usize, value: &DeValue<'_>, wanted: &str) {
        self.source.report(
            at,
            format!("`{key}` in {} is {}", self.name, article(value.type_str())),
            format!("write {wanted}"),
        );
    }

    /// The place of a key's value, if it is there.
    pub(crate) fn place(&self, key: &str) -> Option<usize> {
        let entry = self.entries.iter().find(|entry| entry.key.value == key)?;
        Some(entry.value_at)
    }

    /// Whether the key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Whether the key's value is a string.
    pub(crate) fn is_text(&self, key: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.key.value == key && entry.value.is_str())
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<Text<'a>> {
        let entry = self.ask(key)?;
        let text = entry.value.as_str();
        if text.is_none() {
            self.wrong_type(key, entry.value_at, entry.value, "a string");
        }
        Some(Text {
            value: text?,
            at: entry.value_at,
        })
    }

    /// A text that must be there and say something.
    pub(crate) fn need_text(&self, key: &'static str, mend: &str) -> Option<Text<'a>> {
        if !self.has(key) {
            self.known.borrow_mut().push(key);
            let message = format!("{} has no `{key}`", self.name);
            self.source.report(self.at, message, mend);
            return None;
        }
        let text = self.text(key)?;
        if text.value.trim().is_empty() {
            let message = format!("`{key}` in {} is empty", self.name);
            self.source.report(text.at, message, mend);
            return None;
        }
        Some(text)
    }

    pub(crate) fn flag(&self, key: &'static str) -> Option<bool> {
        let entry = self.ask(key)?;
        let flag = entry.value.as_bool();
        if flag.is_none() {
            self.wrong_type(key, entry.value_at, entry.value, "`true` or `false`");
        }
        flag
    }

    /// A number as JSON has it.
    pub(crate) fn number(&self, key: &'static str) -> Option<(serde_json::Number, usize)> {
        let entry = self.ask(key)?;
        if let Some(Value::Number(number)) = to_json(entry.value) {
            return Some((number, entry.value_at));
        }
        self.wrong_type(key, entry.value_at, entry.value, "a number");
        None
    }

    /// Any value as JSON has it.
    pub(crate) fn json(&self, key: &'static str) -> Option<(Value, usize)> {
        let entry = self.ask(key)?;
        let value = to_json(entry.value);
        if value.is_none() {
            let wanted = "a value that JSON has: no infinity, no integer beyond 64 bits";
            self.wrong_type(key, entry.value_at, entry.value, wanted);
        }
        Some((value?, entry.value_at))
    }

    /// An array of strings.
    pub(crate) fn texts(&self, key: &'static str) -> Vec<Text<'a>> {
        let Some(entry) = self.ask(key) else {
            return Vec::new();
        };
        let wanted = "an array of strings, e.g. `[\"name\"]`";
        let Some(items) = entry.value.as_array() else {
            self.wrong_type(key, entry.value_at, entry.value, wanted);
            return Vec::new();
        };
        let mut texts: Vec<Text<'a>> = Vec::new();
        for item in items {
            let at = item.span().start;
            let Some(value) = item.get_ref().as_str() else {
                self.wrong_type(key, at, item.get_ref(), wanted);
                continue;
            };
            if texts.iter().any(|text| text.value == value) {
                let message = format!("`{value}` stands twice in `{key}` of {}", self.name);
                self.source.report(at, message, "remove one of the two");
                continue;
            }
            texts.push(Text { value, at });
        }
        texts
    }

    pub(crate) fn table(&self, key: &'static str) -> Option<Table<'a>> {
        let entry = self.ask(key)?;
        let Some(table) = entry.value.as_table() else {
            self.wrong_type(key, entry.value_at, entry.value, "a table");
            return None;
        };
        let name = self.inner_name(key);
        Some(Table::new(self.source, name, entry.key.at, table))
    }

    /// An array of tables.
    pub(crate) fn tables(&self, key: &'static str) -> Vec<Table<'a>> {
        let Some(entry) = self.ask(key) else {
            return Vec::new();
        };
        let items: Option<&DeArray<'a>> = entry.value.as_array();
        let Some(items) = items else {
            self.wrong_type(key, entry.value_at, entry.value, "an array of tables");
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            let at = item.span().start;
            match item.get_ref().as_table() {
                Some(table) => tables.push(Table::new(
                    self.source,
                    format!("[{}]", self.inner_name(key)),
                    at,
                    table,
                )),
                None => self.wrong_type(key, at, item.get_ref(), "a table"),
            }
        }
        tables
    }

    /// Every entry as a table, under names that the file chooses.
    pub(crate) fn named_tables(&self) -> Vec<(Text<'a>, Table<'a>)> {
        let mut tables = Vec::new();
        for entry in &self.entries {
            entry.asked.set(true);
            let key = entry.key;
            match entry.value.as_table() {
                Some(table) => {
                    let name = self.inner_name(key.value);
                    tables.push((key, Table::new(self.source, name, key.at, table)));
                }
                None => self.wrong_type(key.value, key.at, entry.value, "a table"),
            }
        }
        tables
    }

    /// Every entry as a text, under names that the file chooses.
    pub(crate) fn named_texts(&self) -> Vec<(Text<'a>, Text<'a>)> {
        let mut texts = Vec::new();
        for entry in &self.entries {
            entry.asked.set(true);
            match entry.value.as_str() {
                Some(value) => {
                    let at = entry.value_at;
                    texts.push((entry.key, Text { value, at }));
                }
                None => self.wrong_type(entry.key.value, entry.key.at, entry.value, "a sentence"),
            }
        }
        texts
    }

    fn inner_name(&self, key: &str) -> String {
        let outer = self.name.trim_start_matches('[').trim_end_matches(']');
        if outer == "the file" {
            format!("[{key}]")
        } else {
            format!("[{outer}.{key}]")
        }
    }

    /// Names every key that nobody asked for.
    pub(crate) fn finish(&self) {
        for entry in self.entries.iter().filter(|entry| !entry.asked.get()) {
            let known = self.known.borrow();
            self.source.report(
                entry.key.at,
                format!("unknown key `{}` in {}", entry.key.value, self.name),
                match nearest(entry.key.value, &known) {
                    Some(near) => format!("write `{near}`, or remove it"),
                    None => format!("remove it; known here: {}", listed(known.iter().copied())),
                },
            );
        }
    }
}

fn article(type_name: &str) -> String {
    let an = type_name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {type_name}", if an { "an" } else { "a" })
}

/// The known word that is most like this one, if one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if let Some(longer) = known
        .iter()
        .find(|other| word.len() > 2 && other.starts_with(word))
    {
        return Some(longer);
    }
    let near = |other: &&str| distance(word, other);
    let best = known.iter().copied().min_by_key(near)?;
    let far = distance(word, best);
    (far <= 2 && far * 2 < word.len()).then_some(best)
}

/// Levenshtein's distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut left = i + 1;
        let mut corner = i;
        let mut next = vec![left];
        for (y, above) in b.bytes().zip(row.iter().skip(1)) {
            left = (corner + usize::from(x != y)).min(above + 1).min(left + 1);
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(a.len())
}

/// A TOML value as JSON; a date or a time becomes its text.
fn to_json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Integer(number) => {
            Value::from(i64::from_str_radix(number.as_str(), number.radix()).ok()?)
        }
        DeValue::Float(number) => {
            let float: f64 = number.as_str().parse().ok()?;
            Value::Number(serde_json::Number::from_f64(float)?)
        }
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => items
            .iter()
            .map(|item: &Spanned<DeValue<'_>>| to_json(item.get_ref()))
            .collect::<Option<Vec<Value>>>()
            .map(Value::from)?,
        DeValue::Table(table) => table
            .iter()
            .map(|(key, value)| Some((key.get_ref().to_string(), to_json(value.get_ref())?)))
            .collect::<Option<serde_json::Map<_, _>>>()
            .map(Value::Object)?,
    })
}
