//! What was ever in a projection, as fingerprints: what has none is not there, and need not be looked up.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::entity::Key;
use crate::fold::needs::Look;

/// How many fingerprints are kept, each of 16 bytes or so. Beyond it everything unknown is looked up again.
const MOST: usize = 8 << 20;

/// Fingerprints of everything that a projection ever held, since its first event. Two things with the same one only
/// cost a look-up.
#[derive(Debug, Default)]
pub(super) struct Seen(HashSet<u64>);

/// What a fingerprint is of.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) enum Of<'a> {
    /// An entity, or one that a verdict is about.
    Entity(&'a Key),
    /// A look-up that has found something.
    Look(&'a Look),
    /// The key of a verdict that a rule may clear.
    Waiting(&'a str),
}

impl Seen {
    /// Takes a thing in, and says whether it is the first time; `None` where there are too many to know.
    pub(super) fn add(&mut self, of: Of<'_>) -> Option<bool> {
        let new = self.0.insert(fingerprint(of));
        (self.0.len() < MOST).then_some(new)
    }

    /// Whether a thing may have been there.
    pub(super) fn has(&self, of: Of<'_>) -> bool {
        self.0.contains(&fingerprint(of))
    }
}

fn fingerprint(of: Of<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
