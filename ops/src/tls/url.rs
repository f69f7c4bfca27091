//! What `postgres.url` says of TLS, in libpq's words, which the driver knows only in part.

use std::path::PathBuf;

use super::Files;
use crate::exit::Failure;

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// No TLS.
    Disable,
    /// TLS where the server has it.
    Prefer,
    /// TLS, whoever the server is; with an authority given, as `verify-ca`.
    Require,
    /// TLS, and an authority that we know signed the server's certificate.
    VerifyCa,
    /// That, and the certificate is for the name that we connected to.
    VerifyFull,
}

/// A connection string, without what the driver does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// What is left for the driver.
    pub rest: String,
    /// `sslmode`.
    pub mode: Option<Mode>,
    /// `sslrootcert`, `sslcert`, `sslkey`.
    pub files: Files,
}

impl Url {
    /// Takes the words on TLS out of a URL or of `key=value` words. What else is wrong, the driver says.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut url = Self {
            rest: String::new(),
            mode: None,
            files: Files::default(),
        };
        url.rest = match text.split_once("://") {
            Some((scheme, tail)) if scheme.starts_with("postgres") => {
                // A password may hold a `?`: the query begins behind it.
                let from = tail.find('@').unwrap_or(0);
                let query = tail.get(from..).and_then(|tail| tail.find('?'));
                match query.and_then(|at| tail.split_at_checked(from + at)) {
                    Some((path, query)) => url.query(scheme, path, query)?,
                    None => text.to_owned(),
                }
            }
            _ => url.words(text)?,
        };
        Ok(url)
    }

    fn query(&mut self, scheme: &str, path: &str, query: &str) -> Result<String, Failure> {
        let mut kept = Vec::new();
        for pair in query.trim_start_matches('?').split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !self.take(key, &decoded(value))? {
                kept.push(pair);
            }
        }
        let mark = if kept.is_empty() { "" } else { "?" };
        Ok(format!("{scheme}://{path}{mark}{}", kept.join("&")))
    }

    fn words(&mut self, text: &str) -> Result<String, Failure> {
        let mut kept = Vec::new();
        let mut left = text.trim_start();
        while let Some((key, value, after)) = word(left) {
            if !self.take(key, &value)? {
                let end = left.len() - after.len();
                kept.push(left.get(..end).unwrap_or_default().trim_end());
            }
            left = after;
        }
        kept.push(left);
        Ok(kept.join(" ").trim_end().to_owned())
    }

    /// Whether the key is one of ours, and if so, notes it.
    fn take(&mut self, key: &str, value: &str) -> Result<bool, Failure> {
        match key {
            "sslmode" => {
                let mode = match value {
                    "disable" => Mode::Disable,
                    "prefer" => Mode::Prefer,
                    "require" => Mode::Require,
                    "verify-ca" => Mode::VerifyCa,
                    "verify-full" => Mode::VerifyFull,
                    other => {
                        return Err(
                            Failure::usage(format!("postgres.url says sslmode={other:?}"))
                                .mend("it is disable, prefer, require, verify-ca or verify-full"),
                        );
                    }
                };
                self.mode = Some(mode);
            }
            // libpq's word for what this machine trusts, which is what we do without a file.
            "sslrootcert" => {
                self.files.ca = (value != "system").then(|| PathBuf::from(value));
                let given = self.files.ca.is_none() && self.mode.is_none();
                self.mode = if given {
                    Some(Mode::VerifyFull)
                } else {
                    self.mode
                };
            }
            "sslcert" => self.files.certificate = Some(PathBuf::from(value)),
            "sslkey" => self.files.key = Some(PathBuf::from(value)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The first `key=value` word, the value without its quotes, and what comes behind it.
fn word(text: &str) -> Option<(&str, String, &str)> {
    let (key, after) = text.split_once('=')?;
    let after = after.trim_start();
    let mut value = String::new();
    let mut letters = after.char_indices();
    let quoted = after.starts_with('\'');
    if quoted {
        letters.next();
    }
    let end = loop {
        match letters.next() {
            None => break after.len(),
            Some((_, '\\')) => value.extend(letters.next().map(|(_, letter)| letter)),
            Some((at, '\'')) if quoted => break at + 1,
            Some((at, letter)) if !quoted && letter.is_whitespace() => break at,
            Some((_, letter)) => value.push(letter),
        }
    };
    let rest = after.get(end..).unwrap_or_default().trim_start();
    Some((key.trim(), value, rest))
}

/// The value without percent sequences; one that is broken stays as it is, and no file has such a name.
fn decoded(value: &str) -> String {
    percent_encoding::percent_decode_str(value)
        .decode_utf8_lossy()
        .into_owned()
}
