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

/// How many patterns are searched for at a time. The search is led by the literals that patterns begin with, as
/// long as they are not too many: with 8 it took half the time of all at once, with 4 or 12 it took more.
const A_SET: usize = 8;

/// Stands between texts that are searched at once. No pattern sees beyond it: see [`compile`].
const BETWEEN: &[u8] = b"\0 \0";

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
    /// A few of them at a time, which says quickly that there is nothing.
    sets: Vec<RegexSet>,
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
        let sets = each.chunks(A_SET).map(|some| {
            let some = some.iter().map(|pattern| pattern.regex.as_str());
            RegexSetBuilder::new(some).unicode(false).build()
        });
        let sets = sets.collect::<Result<_, _>>().map_err(|error| {
            vec![PatternError {
                line: 1,
                message: error.to_string(),
                mend: "make the patterns smaller".to_owned(),
            }]
        })?;
        let patterns = Self { sets, each };
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
        // In this order the usual answer, no, costs few searches however many patterns there are.
        if !self.sets.iter().any(|set| set.is_match(bytes)) {
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
    /// Bodies that are not whole JSON are unescaped, too: a message that was cut off must not leave its secret.
    /// The catalog's own files are exempt, since their examples look like secrets.
    pub fn find_in(&self, message: &Message, ledger: &LedgerName) -> Option<&Name> {
        if is_catalog(&message.nats_subject, ledger) {
            return None;
        }
        self.find(&message.body)
            .or_else(|| self.find_around(message))
            .or_else(|| self.find_unescaped(&message.body))
            .or_else(|| {
                message
                    .headers
                    .iter()
                    .find_map(|(_, value)| self.find_decoded(value))
            })
    }

    /// In the NATS subject and the headers' values. They are short and many, so they are searched at once, with
    /// something between them that ends a word; what is found there is looked for again in each alone.
    fn find_around(&self, message: &Message) -> Option<&Name> {
        let values = message.headers.iter().map(|(_, value)| value.as_ref());
        let each = || std::iter::once(message.nats_subject.as_bytes()).chain(values.clone());
        let mut joined = Vec::with_capacity(each().map(|value| value.len() + BETWEEN.len()).sum());
        for value in each() {
            joined.extend_from_slice(value);
            joined.extend_from_slice(BETWEEN);
        }
        self.find(&joined)?;
        each().find_map(|value| self.find(value))
    }

    /// All escapes at once: JSON has them in strings alone, and what is no JSON is better decoded too often.
    fn find_unescaped(&self, body: &[u8]) -> Option<&Name> {
        match json::unescape(body) {
            Cow::Owned(text) => self.find(&text),
            Cow::Borrowed(_) => None,
        }
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
    // In the middle of something else, too: an anchor would make it depend on what is searched at once.
    let found = |text: &str| pattern.is_match(&[BETWEEN, text.as_bytes(), BETWEEN].concat());
    if let Some(missed) = examples.iter().find(|text| !found(text)) {
        let what = format!("{} does not match {missed:?} within a text", pattern.name);
        return Err((at, what, "widen the pattern, take out anchors"));
    }
    Ok(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_file_hold() {
        let found = Patterns::parse(include_str!("../kinds/ledger/secrets.toml"));
        assert_eq!(found.err(), None);
    }

    fn wrong(text: &str) -> String {
        let errors = Patterns::parse(text).expect_err("it does not load");
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn entry(name: &str, regex: &str, matches: &str, passes: &str) -> String {
        format!(
            "[[pattern]]\nname = '{name}'\nwhat = 'x'\nregex = '{regex}'\nmatches = [{matches}]\npasses = [{passes}]\n"
        )
    }

    #[test]
    fn what_does_not_hold_does_not_load() {
        assert!(Patterns::parse(&entry("a", "ab+", "'abb'", "'a'")).is_ok());
        for (text, said) in [
            (
                entry("a", "ab+", "'a'", "'x'"),
                "line 5: a does not match \"a\"",
            ),
            (
                entry("a", "^ab", "'ab'", "'x'"),
                "line 5: a does not match \"ab\"",
            ),
            (
                entry("a", "ab+", "'ab'", "'xabx'"),
                "line 6: \"xabx\" must pass and looks like a",
            ),
            (
                entry("a", "b*", "'b'", "'x'"),
                "line 4: a matches nothing at all",
            ),
            (entry("a", "(", "'b'", "'x'"), "line 4: regex parse error"),
            (
                entry("A", "b", "'b'", "'x'"),
                "line 2: \"A\" is not a legal name",
            ),
            (entry("a", "b", "", "'x'"), "line 5: a has no examples"),
            (entry("a", "b", "'b'", ""), "line 5: a has no examples"),
            (
                entry("a", "b", "'b'", "'x'").repeat(2),
                "line 8: a stands there twice",
            ),
            (
                "[[pattern]]\nname = 'a'\nrule = 1".to_owned(),
                "line 3: unknown field",
            ),
        ] {
            assert!(wrong(&text).starts_with(said), "{}", wrong(&text));
        }
    }

    #[test]
    fn ordinary_texts_pass() {
        let patterns = Patterns::parse(include_str!("../kinds/ledger/secrets.toml"));
        let patterns = patterns.expect("it loads");
        for text in [
            "9a44f3d932d7793d0b5f0b1c6a1cbb5d0a0f2d3c",
            "sha256:eece025e432126ce23f223450a0326fbebde39cdf496a85d8c016293fc851978",
            "0190b6a0-7c1e-7b11-9d2f-6f0f5c1e2a33",
            "https://gitlab.example/platform/infra/-/jobs/4711?page=2&sort=signature",
            "MEUCIQDqXgk3oeT0yQ0rF0V3Zb6c1r5vXJfYx0S8g2b8vZ4o2wIgT1m9mYb2v3Yy0w==",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ENC[AES256_GCM,data:Tr7o=,iv:1=,tag:k=,type:str]",
            "git@github.com:o/r.git",
            "arn:aws:iam::123456789012:role/deploy",
            "alice@example.com:8080@node",
            "2026-08-02T21:00:01Z http://10.0.0.1:9090/metrics user:pass",
        ] {
            assert_eq!(patterns.find(text.as_bytes()), None, "{text}");
        }
    }
}
