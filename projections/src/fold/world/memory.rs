//! What a world remembers from one batch to the next, and what it lets go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hashbrown::{HashMap, HashSet};

use super::World;
use super::deadlines::Horizon;
use super::looks::Ids;
use super::seen::{Of, Seen};
use crate::entity::{Entity, Key};

/// How much is kept between batches of entities, and as much of look-ups, in bytes of attributes and a flat sum for every
/// entry. In memory it is a few times as much.
pub(super) const MOST: usize = 128 << 20;
/// The flat sum of an entity.
pub(super) const ENTRY: usize = 256;
/// That of a look-up, and of an entity that it finds.
pub(super) const LOOK: usize = 128;

/// How many batches may be on their way into the database while the next is folded: what they used stays known here.
pub const UNWRITTEN: u8 = 2;

impl Default for World {
    /// Knows nothing: whatever is asked is to be looked up.
    fn default() -> Self {
        Self {
            entities: HashMap::new(),
            verdicts: HashMap::new(),
            derived: HashMap::new(),
            dropped: false,
            of_classes: BTreeSet::new(),
            about: HashMap::new(),
            incidents: BTreeMap::new(),
            causes: BTreeSet::new(),
            looks: HashMap::new(),
            counts: HashMap::new(),
            seen: None,
            unsure: HashSet::new(),
            waiting: HashMap::new(),
            unfired: BTreeSet::new(),
            horizon: Horizon::default(),
            timers: BTreeMap::new(),
            tasks: HashMap::new(),
            tasks_changed: BTreeMap::new(),
            numbers: HashMap::new(),
            changed: Vec::new(),
            batch: 0,
            weight: 0,
            looked: 0,
            most: MOST,
        }
    }
}

/// Something with the last batch that used it.
#[derive(Debug)]
pub(super) struct Used<T> {
    pub(super) what: T,
    pub(super) used: AtomicU64,
}

impl World {
    /// Of a projection that has nothing yet: what is not here never was.
    pub fn of_nothing() -> Self {
        Self {
            seen: Some(Seen::default()),
            horizon: Horizon::Before(i64::MAX),
            ..Self::default()
        }
    }

    /// The same, within another bound than the usual one, in bytes.
    #[must_use]
    pub fn within(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Whether there never was such a thing, for certain.
    pub(super) fn never(&self, of: Of<'_>) -> bool {
        self.seen.as_ref().is_some_and(|seen| !seen.has(of))
    }

    /// Remembers that there is such a thing, and says whether there never was before.
    pub(super) fn see(&mut self, of: Of<'_>) -> bool {
        let Some(seen) = &mut self.seen else {
            return false;
        };
        let new = seen.add(of);
        if new.is_none() {
            self.seen = None;
        }
        new.unwrap_or(false)
    }

    /// Lets what was used longest ago go, where there is too much: of entities, and of look-ups, which are small and asked
    /// for again and again. What is not written yet stays.
    pub(super) fn shrink(&mut self) {
        if self.weight > self.most {
            let uses = self.entities.values();
            let uses = uses.map(|slot| (slot.used.load(Relaxed), slot.weight));
            let oldest = self.oldest(uses.collect());
            self.entities
                .retain(|_, slot| slot.used.load(Relaxed) >= oldest);
            self.weigh();
        }
        if self.looked > self.most {
            let looks = self.looks.values();
            let looks = looks.map(|look| (look.used.load(Relaxed), weight_of(&look.what)));
            let counts = self.counts.values();
            let counts = counts.map(|count| (count.used.load(Relaxed), LOOK));
            let oldest = self.oldest(looks.chain(counts).collect());
            self.looks
                .retain(|_, look| look.used.load(Relaxed) >= oldest);
            self.counts
                .retain(|_, count| count.used.load(Relaxed) >= oldest);
            self.weigh();
        }
    }

    /// The last use of what was used longest ago and stays, where of these uses three quarters of what there may be do.
    fn oldest(&self, mut uses: Vec<(u64, usize)>) -> u64 {
        uses.sort_unstable_by(|a, b| b.cmp(a));
        let mut kept = 0;
        let mut oldest = self.unwritten();
        for (used, weight) in uses {
            kept += weight;
            if kept > self.most / 4 * 3 {
                break;
            }
            oldest = used;
        }
        oldest.min(self.unwritten())
    }

    /// The first batch that may be on its way while the next is folded. What it used, and those after it, is not to be
    /// let go.
    pub(super) fn unwritten(&self) -> u64 {
        (self.batch + 1).saturating_sub(u64::from(UNWRITTEN))
    }

    pub(super) fn forget(&mut self, which: impl Fn(&Key) -> bool) {
        self.entities.retain(|key, _| !which(key));
        self.weigh();
    }

    fn weigh(&mut self) {
        self.weight = self.entities.values().map(|slot| slot.weight).sum();
        let looks = self.looks.values().map(|look| weight_of(&look.what));
        self.looked = looks.sum::<usize>() + self.counts.len() * LOOK;
    }
}

pub(super) fn used<T>(what: T, batch: u64) -> Used<T> {
    Used {
        what,
        used: AtomicU64::new(batch),
    }
}

pub(super) fn weight_of(ids: &Ids) -> usize {
    LOOK + ids.len() * LOOK / 2
}

/// About how long the attributes are as text.
pub(super) fn weight(entity: &Entity) -> usize {
    fn of(value: &serde_json::Value) -> usize {
        use serde_json::Value;
        match value {
            Value::String(text) => text.len() + 2,
            Value::Array(items) => items.iter().map(of).sum::<usize>() + 2,
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| name.len() + of(value) + 4)
                .sum(),
            _ => 8,
        }
    }
    entity
        .attributes
        .iter()
        .map(|(name, value)| name.len() + of(value) + 4)
        .sum()
}
