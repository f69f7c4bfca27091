//! Evidence bundles: what an auditor takes away. Enough to verify without the ledger, its database or its
//! software (docs/reference/bundle.md).
//!
//! Writing and verifying stream: memory does not grow with the number of events. Verifying reads only, never
//! unpacks anything, and takes every byte of a bundle for hostile.

mod ahead;
mod content;
mod draft;
mod events;
mod form;
mod lines;
mod manifest;
mod pack;
mod redactions;
mod source;
mod tlog_proof;
mod verify;
mod walk;
mod write;

use std::io;
use std::path::{Path, PathBuf};

pub use events::Events;
pub use form::{Line, Redacted};
pub use manifest::Manifest;
pub use tlog_proof::{Prover, TlogProof};
pub use verify::{verify, verify_against};
pub use write::{About, Writer};

use crate::checkpoint::CheckpointError;
use crate::note::NoteError;

/// The number of the format that is written and understood.
pub const FORMAT: u64 = 1;

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const MANIFEST_NOTE: &str = "manifest.note";
pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const KEYS: &str = "keys";
pub(crate) const EVENTS: &str = "events.ndjson";
pub(crate) const PROOFS: &str = "proofs.ndjson";
pub(crate) const VERDICTS: &str = "verdicts.ndjson";
/// What a packed bundle's name ends in.
pub(crate) const PACKED: &str = ".tar.zst";

/// Why a bundle cannot be written or read. That the evidence in it does not hold is no error: it is a problem in
/// the report.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file system refused.
    #[error("{} cannot be {done}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What was to be done.
        done: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// Neither a folder with a manifest nor such a folder packed.
    #[error("{} is not a bundle: {why}", path.display())]
    NotABundle {
        /// What was looked at.
        path: PathBuf,
        /// What it lacks.
        why: String,
    },
    /// A bundle of a later version.
    #[error(
        "the bundle has format {found}; this program knows {FORMAT}: verify it with a newer one"
    )]
    Format {
        /// The number that it gives.
        found: u64,
    },
    /// Something is there already.
    #[error("{} is there already and is not an empty folder; give another name", path.display())]
    Exists {
        /// Where the bundle was to be.
        path: PathBuf,
    },
    /// Events come in order, and it is known what came before each.
    #[error(
        "position {seq} does not follow {after}: events come in order, and after a gap its prev_chain first"
    )]
    Order {
        /// The position that came.
        seq: u64,
        /// What came before it, in words.
        after: String,
    },
    /// A bundle without events proves nothing.
    #[error("there are no events to put into the bundle")]
    Empty,
    /// The signed head that was given is none, or another ledger's.
    #[error("the signed head cannot go into a bundle of {origin}")]
    Checkpoint {
        /// The ledger whose bundle is written.
        origin: String,
        /// What is wrong with the head.
        source: CheckpointError,
    },
    /// It was told to give up; nothing is left behind.
    #[error("the bundle was given up before it was whole")]
    GivenUp,
    /// The manifest cannot be signed.
    #[error("the manifest cannot be signed")]
    Sign(#[source] NoteError),
}

pub(crate) fn failed(path: &Path, done: &'static str) -> impl FnOnce(io::Error) -> BundleError {
    let path = path.to_owned();
    move |source| BundleError::Io { path, done, source }
}

/// A text from a bundle as it can be shown: without control characters, and not too much of it.
pub(crate) fn quote(text: &str) -> String {
    const MOST: usize = 160;
    let shown: String = text.escape_debug().take(MOST).collect();
    if shown.chars().count() < MOST {
        shown
    } else {
        format!("{shown}…")
    }
}
