//! Names: parsed at the door, so that an invalid one cannot exist.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};
use std::ops::Deref;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

/// A name that does not follow its pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a legal {what}: it must match {pattern}")]
pub struct InvalidName {
    what: &'static str,
    value: String,
    pattern: &'static str,
}

fn is_name(text: &str, longest: usize, underscore: bool) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= longest
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-' || (underscore && *b == b'_')
        })
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $pattern:literal, $longest:literal, $underscore:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Parses the name, or says which pattern it breaks.
            pub fn new(text: &str) -> Result<Self, InvalidName> {
                if is_name(text, $longest, $underscore) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName { what: $what, value: text.to_owned(), pattern: $pattern })
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A ledger's name: `[a-z][a-z0-9-]{0,31}`.
    LedgerName, "ledger name", "[a-z][a-z0-9-]{0,31}", 32, false
);
name!(
    /// A publisher, package, entity or verb: `[a-z][a-z0-9_-]{0,63}`.
    Name, "name", "[a-z][a-z0-9_-]{0,63}", 64, true
);

impl LedgerName {
    /// The name of the incoming stream: `LEDGER-<ledger>`.
    pub fn stream_in(&self) -> String {
        format!("LEDGER-{self}")
    }

    /// The name of the outgoing stream: `LEDGER-<ledger>-OUT`.
    pub fn stream_out(&self) -> String {
        format!("LEDGER-{self}-OUT")
    }

    /// The `source` of the ledger's own events: `ledger://<ledger>`.
    pub fn source(&self) -> String {
        format!("ledger://{self}")
    }
}

/// An entity kind: `<package>.<entity>`. A copy costs no allocation, and it keeps its hash.
#[derive(Debug, Clone)]
pub struct KindName(Arc<Parts>);

/// What the name of a kind is made of.
#[derive(Debug)]
pub struct Parts {
    /// The package, e.g. `platform`.
    pub package: Name,
    /// The entity within its package, e.g. `environment`.
    pub entity: Name,
    text: Arc<str>,
    hash: u64,
}

/// Hashes names by a seed of this process's own: they come from outside.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl KindName {
    /// The kind of that name in that package.
    pub fn new(package: Name, entity: Name) -> Self {
        let text: Arc<str> = [package.as_str(), ".", entity.as_str()].concat().into();
        Self(Arc::new(Parts {
            package,
            entity,
            hash: HASHER.hash_one(&text),
            text,
        }))
    }

    /// `<package>.<entity>`.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }
}

impl Deref for KindName {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl PartialEq for KindName {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.hash == other.hash && self.text == other.text
    }
}

impl Eq for KindName {}

impl Hash for KindName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Ord for KindName {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        let packages = self.package.cmp(&other.package);
        packages.then_with(|| self.entity.cmp(&other.entity))
    }
}

impl PartialOrd for KindName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for KindName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let Some((package, entity)) = text.split_once('.') else {
            return Err(InvalidName {
                what: "kind",
                value: text.to_owned(),
                pattern: "<package>.<entity>",
            });
        };
        Ok(Self::new(Name::new(package)?, Name::new(entity)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_patterns() {
        assert!(LedgerName::new("main").is_ok());
        assert!(LedgerName::new("a_b").is_err());
        assert!(LedgerName::new(&"a".repeat(33)).is_err());
        assert!(Name::new("git_tag").is_ok());
        assert!(Name::new("Git").is_err());
        assert!(Name::new("").is_err());
        assert!(Name::new("1a").is_err());
        assert!("platform.environment".parse::<KindName>().is_ok());
        assert!("platform".parse::<KindName>().is_err());
        assert!("a.b.c".parse::<KindName>().is_err());
    }
}
