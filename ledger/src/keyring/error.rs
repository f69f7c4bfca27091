//! Why a key cannot be had.

use std::io;
use std::path::PathBuf;

use crate::note::KeyError;

/// Why a key cannot be had. No message carries a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file system refused.
    #[error("the key file {} cannot be {done}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What was to be done.
        done: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// Others than the owner may read the key.
    #[error(
        "the key file {} can be read by others (mode {mode:03o}); make it its owner's alone: chmod 600 {}",
        path.display(),
        path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds something else.
    #[error("the key file {} does not hold {holds}; put the right file back from a copy of the keys", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        holds: &'static str,
    },
    /// The signing key's text is wrong.
    #[error("the key file {} holds no signing key", path.display())]
    Signing {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// A name that no key can have.
    #[error("a signing key cannot have this name")]
    Name(#[source] KeyError),
    /// There is no signing key.
    #[error(
        "there is no signing key {}; `ledger init` makes one, or put it back from a copy of the keys",
        path.display()
    )]
    NoSigningKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// The signing key is another ledger's.
    #[error("the signing key {} is of {found}, not of {expected}; put the right one back from a copy of the keys", path.display())]
    OtherOrigin {
        /// Which file.
        path: PathBuf,
        /// The name that it has.
        found: String,
        /// The name that it should have.
        expected: String,
    },
    /// A month's salt key is not there, and what was recorded in that month was hashed with it.
    #[error(
        "the salt key {} is missing, and the chain already has events of {month}; put it back from a copy of the \
         keys; if there is none, `ledger recover --new-salt-key {month}` makes another, and what the stream \
         keeps of that month can then not be replayed bit for bit",
        path.display()
    )]
    NoSaltKey {
        /// Where it should be.
        path: PathBuf,
        /// The month, as `2026-11`.
        month: String,
    },
    /// A month's salt key was destroyed on purpose.
    #[error(
        "the salt key of {month} was destroyed at {at}, when the stream kept no message of that month any more; \
         what was recorded then comes back from an export alone: `ledger recover --from BUNDLE`"
    )]
    Destroyed {
        /// The month, as `2026-11`.
        month: String,
        /// When, RFC 3339.
        at: String,
    },
    /// A month that is none.
    #[error("{0:?} is no month; write it like 2026-11")]
    NoMonth(String),
    /// A time that has no year of four digits.
    #[error("{recorded_us} µs is not in a month of the years 0 to 9999")]
    Time {
        /// Microseconds since the Unix epoch.
        recorded_us: i64,
    },
    /// The generator of random numbers gave nothing.
    #[error("the generator of random numbers gave no randomness; no key was made")]
    NoRandomness,
}
