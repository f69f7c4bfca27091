//! What looks like a secret: named patterns with examples for and against, part of the catalog.
//!
//! A message that matches leaves no bytes in the chain, so a pattern must be sure of itself: each carries
//! examples that it must match and examples that nothing may match, and a file whose examples do not hold
//! does not load. The patterns are looked for in what was received and in what it decodes to.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use serde::Deserialize;
use toml::Spanned;

use crate::json;
use crate::message::Message;
use crate::name::{LedgerName, Name};

/// Something wrong with a file of patterns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}; {mend}")]
pub struct PatternError {
    /// The line of the file, from 1.
    pub line: usize,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do.
    pub mend: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    pattern: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    /// What is matched, for people.
    #[serde(rename = "what")]
    _what: String,
    regex: Spanned<String>,
    /// A match of `regex` that this matches as well is none: placeholders, masks.
    unless: Option<Spanned<String>>,
    matches: Spanned<Vec<String>>,
    passes: Spanned<Vec<String>>,
}

#[derive(Debug, Clone)]
struct Pattern {
    name: Name,
    regex: Regex,
    unless: Option<Regex>,
}

impl Pattern {
    fn is_match(&self, bytes: &[u8]) -> bool {
        match &self.unless {
            None => self.regex.is_match(bytes),
            Some(unless) => self
                .regex
                .find_iter(bytes)
                .any(|found| !unless.is_match(found.as_bytes())),
        }
    }
}

/// Compiled patterns; by default none.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    /// All of them at once, which says quickly that there is nothing.
    all: RegexSet,
    each: Vec<Pattern>,
}

impl Patterns {
    /// Reads a file of patterns: `[[pattern]]` tables of `name`, `what`, `regex` (the `regex` crate's syntax,
    /// over bytes, without Unicode), optionally `unless`, `matches` and `passes`.
    pub fn parse(text: &str) -> Result<Self, Vec<PatternError>> {
        let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        let file: File = toml::from_str(text).map_err(|error| {
            vec![PatternError {
                line: line(error.span().map_or(0, |span| span.start)),
                message: error.message().to_owned(),
                mend: "a pattern has name, what, regex, matches, passes and maybe unless"
                    .to_owned(),
            }]
        })?;
        let mut errors = Vec::new();
        let mut wrong = |at: usize, message: String, mend: &str| {
            errors.push(PatternError {
                line: line(at),
                message,
                mend: mend.to_owned(),
            });
        };
        let mut each: Vec<Pattern> = Vec::new();
        for entry in &file.pattern {
            match compile(entry, &each) {
                Ok(pattern) => each.push(pattern),
                Err((at, message, mend)) => wrong(at, message, mend),
            }
        }
        let all = RegexSetBuilder::new(each.iter().map(|pattern| pattern.regex.as_str()))
            .unicode(false)
            .build()
            .map_err(|error| {
                vec![PatternError {
                    line: 1,
                    message: error.to_string(),
                    mend: "make the patterns smaller".to_owned(),
                }]
            })?;
        let patterns = Self { all, each };
        for entry in &file.pattern {
            for example in entry.passes.get_ref() {
                if let Some(name) = patterns.find(example.as_bytes()) {
                    wrong(
                        entry.passes.span().start,
                        format!("{example:?} must pass and looks like {name}"),
                        "narrow that pattern, or take the example out",
                    );
                }
            }
        }
        if errors.is_empty() {
            Ok(patterns)
        } else {
            Err(errors)
        }
    }

    /// The name of the first pattern that the bytes match.
    pub fn find(&self, bytes: &[u8]) -> Option<&Name> {
        // In this order the usual answer, no, costs one search however many patterns there are.
        if !self.all.is_match(bytes) {
            return None;
        }
        self.each
            .iter()
            .find(|pattern| pattern.is_match(bytes))
            .map(|pattern| &pattern.name)
    }

    /// The name of the first pattern that a message of this ledger matches: in its body, its NATS subject or a
    /// header's value as received, then in the strings of the body unescaped and the values percent-decoded.
    ///
    /// Strings are taken from bodies that are not whole JSON, too: a cut-off message must not leave its secret.
    /// The catalog's own files are exempt, since their examples look like secrets.
    pub fn find_in(&self, message: &Message, ledger: &LedgerName) -> Option<&Name> {
        if is_catalog(&message.nats_subject, ledger) {
            return None;
        }
        self.find(&message.body)
            .or_else(|| self.find(message.nats_subject.as_bytes()))
            .or_else(|| {
                message
                    .headers
                    .iter()
                    .find_map(|(_, value)| self.find(value))
            })
            .or_else(|| self.find_in_strings(&message.body))
            .or_else(|| {
                message
                    .headers
                    .iter()
                    .find_map(|(_, value)| self.find_decoded(value))
            })
    }

    fn find_in_strings(&self, body: &[u8]) -> Option<&Name> {
        memchr::memchr(b'\\', body)?;
        let mut pos = 0;
        while let Some(quote) = memchr::memchr(b'"', body.get(pos..).unwrap_or_default()) {
            let start = pos + quote + 1;
            let raw = json::raw_string(body, start);
            pos = start + raw.len() + 1;
            if let Cow::Owned(text) = json::unescape(raw)
                && let Some(name) = self.find(&text)
            {
                return Some(name);
            }
        }
        None
    }

    fn find_decoded(&self, value: &[u8]) -> Option<&Name> {
        memchr::memchr(b'%', value)?;
        self.find(&percent_decode(value).collect::<Vec<u8>>())
    }
}

/// Whether this is the one subject that carries files of the catalog.
fn is_catalog(subject: &str, ledger: &LedgerName) -> bool {
    subject
        .strip_prefix("ledger.")
        .and_then(|rest| rest.strip_prefix(ledger.as_str()))
        .is_some_and(|rest| rest == ".ingest.ledger.ledger.catalog.recorded")
}

/// Compiles an entry and tries its own examples; the offset, what is wrong and the mend otherwise.
fn compile(entry: &Entry, before: &[Pattern]) -> Result<Pattern, (usize, String, &'static str)> {
    let regex = |text: &Spanned<String>| {
        RegexBuilder::new(text.get_ref())
            .unicode(false)
            .build()
            .map_err(|error| {
                (
                    text.span().start,
                    error.to_string(),
                    "write it in the syntax of the regex crate",
                )
            })
    };
    let at = entry.name.span().start;
    let name = Name::new(entry.name.get_ref())
        .map_err(|error| (at, error.to_string(), "give it a legal name"))?;
    if before.iter().any(|pattern| pattern.name == name) {
        return Err((
            at,
            format!("{name} stands there twice"),
            "give it another name",
        ));
    }
    let pattern = Pattern {
        name,
        regex: regex(&entry.regex)?,
        unless: entry.unless.as_ref().map(regex).transpose()?,
    };
    if pattern.regex.is_match(b"") {
        let what = format!("{} matches nothing at all", pattern.name);
        return Err((
            entry.regex.span().start,
            what,
            "demand at least one character",
        ));
    }
    let examples = entry.matches.get_ref();
    let at = entry.matches.span().start;
    if examples.is_empty() || entry.passes.get_ref().is_empty() {
        let what = format!("{} has no examples for, or none against", pattern.name);
        return Err((at, what, "give at least one in matches and one in passes"));
    }
    if let Some(missed) = examples
        .iter()
        .find(|text| !pattern.is_match(text.as_bytes()))
    {
        return Err((
            at,
            format!("{} does not match {missed:?}", pattern.name),
            "widen the pattern",
        ));
    }
    Ok(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../kinds/ledger/secrets.toml");

    #[test]
    fn the_examples_of_the_file_hold() {
        if let Err(errors) = Patterns::parse(FILE) {
            panic!(
                "{}",
                errors
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("\n")
            );
        }
    }
}
