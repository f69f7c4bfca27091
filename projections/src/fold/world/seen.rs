//! What was ever in a projection, as fingerprints: what has none is not there, and need not be looked up.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashSet};

use crate::entity::KeyRef;
use crate::fold::needs::LookRef;
use crate::fold::tasks::TaskOf;

/// How many fingerprints are kept, each of 16 bytes or so. Beyond it everything unknown is looked up again.
const MOST: usize = 8 << 20;

/// Fingerprints of everything that a projection ever held, since its first event. Two things with the same one only
/// cost a look-up.
#[derive(Debug, Default)]
pub(super) struct Seen {
    fingerprints: HashSet<u64>,
    hasher: DefaultHashBuilder,
}

/// What a fingerprint is of.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) enum Of<'a> {
    /// An entity, or one that a verdict is about.
    Entity(KeyRef<'a>),
    /// A look-up that has found something.
    Look(LookRef<'a>),
    /// The key of a verdict that a rule may clear.
    Waiting(&'a str),
    /// A task that was open.
    Task(&'a TaskOf),
}

impl Seen {
    /// Takes a thing in, and says whether it is the first time; `None` where there are too many to know.
    pub(super) fn add(&mut self, of: Of<'_>) -> Option<bool> {
        let new = self.fingerprints.insert(self.hasher.hash_one(of));
        (self.fingerprints.len() < MOST).then_some(new)
    }

    /// Whether a thing may have been there.
    pub(super) fn has(&self, of: Of<'_>) -> bool {
        self.fingerprints.contains(&self.hasher.hash_one(of))
    }
}
