//! What must never be printed: passwords, and URLs that hold one.

use std::fmt;

/// Text that may hold a password. Printing it shows where it leads and hides what opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for whoever must connect with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

/// A URL or a list of `key=value` without what is secret in it; anything else is hidden whole.
fn redacted(text: &str) -> String {
    if let Some((scheme, rest)) = text.split_once("://") {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        // An unescaped `/` or `?` in a password puts the `@` behind the first of them.
        if tail.contains('@') {
            return format!("{scheme}://***");
        }
        let host = match authority.rsplit_once('@') {
            Some((userinfo, host)) => {
                let user = userinfo.split(':').next().unwrap_or_default();
                let mask = if userinfo.contains(':') { ":***" } else { "" };
                format!("{user}{mask}@{host}")
            }
            None => authority.to_owned(),
        };
        let tail: Vec<String> = tail.split('&').map(hide).collect();
        return format!("{scheme}://{host}{}", tail.join("&"));
    }
    if text.contains('=') && !text.contains('\'') {
        let words: Vec<String> = text.split_whitespace().map(hide).collect();
        return words.join(" ");
    }
    "***".to_owned()
}

fn hide(pair: &str) -> String {
    match pair.split_once('=') {
        Some((key, _)) if key.to_ascii_lowercase().ends_with("password") => format!("{key}=***"),
        _ => pair.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (text, shown) in [
            (
                "postgres://u:pw@host:5432/db",
                "postgres://u:***@host:5432/db",
            ),
            (
                "postgres://u@host/db?password=pw&x=1",
                "postgres://u@host/db?password=***&x=1",
            ),
            (
                "postgres:///db?host=/run&user=u",
                "postgres:///db?host=/run&user=u",
            ),
            ("nats://u:p@ss@host:4222", "nats://u:***@host:4222"),
            ("nats://u:p/w@host:4222", "nats://***"),
            ("nats://host:4222", "nats://host:4222"),
            ("host=h user=u password=pw", "host=h user=u password=***"),
            ("host=h password='p w'", "***"),
            ("pw", "***"),
        ] {
            let secret = Secret::new(text.to_owned());
            assert_eq!(secret.to_string(), shown);
            assert_eq!(format!("{secret:?}"), shown);
        }
    }
}
