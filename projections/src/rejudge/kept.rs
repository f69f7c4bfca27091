//! What events may name to be deleted, from nothing but the chain: every position's entity and time, and the holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ledger::redaction::{Coverage, Spot};

use crate::entity::Key;
use crate::fact::Fact;
use crate::fold::{Blocked, Naming};

/// Every position so far.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// By position: whom it is about, and when it was recorded, in µs.
    spots: Vec<(Arc<Key>, i64)>,
    /// The same entities, each once.
    keys: HashSet<Arc<Key>>,
    coverage: Coverage,
}

impl Kept {
    /// Takes in the next position; one that was taken in already is passed by.
    pub(super) fn note(&mut self, fact: &Fact) {
        if u64::try_from(self.spots.len()) != Ok(fact.header.seq) {
            return;
        }
        let nobody = || Arc::new(Key::new(fact.event_type.kind().text().clone(), ""));
        let key = fact.key.clone().unwrap_or_else(nobody);
        let known = self.keys.get(&key).cloned();
        let key = known.unwrap_or_else(|| {
            self.keys.insert(key.clone());
            key
        });
        self.spots.push((key, fact.header.recorded_us));
        if let Some(data) = fact
            .data
            .as_ref()
            .filter(|_| Coverage::is_about(&fact.header))
        {
            self.coverage.read(&fact.header, &data.bytes);
        }
    }

    /// Which of the positions that an event names must not be deleted.
    pub(super) fn blocked(&self, naming: &Naming) -> Blocked {
        let least: Option<(i64, HashMap<&str, i64>)> =
            naming.least.as_ref().map(|(at_us, terms)| {
                let terms = terms.iter().map(|(kind, us)| (kind.as_str(), *us));
                (*at_us, terms.collect())
            });
        let mut blocked = Blocked::default();
        let mut ranges = naming.ranges.clone();
        ranges.sort_unstable();
        for (first, last) in ranges {
            let from = usize::try_from(first).unwrap_or(usize::MAX);
            let end = last.saturating_add(1).min(naming.seq);
            let end = usize::try_from(end)
                .unwrap_or(usize::MAX)
                .min(self.spots.len());
            let spots = self.spots.get(from..end).unwrap_or_default();
            for (seq, (key, recorded_us)) in (first..).zip(spots) {
                let over = least.as_ref().is_none_or(|(at_us, terms)| {
                    let term = terms.get(key.kind());
                    term.is_some_and(|term| recorded_us.saturating_add(*term) <= *at_us)
                });
                if !over && blocked.least.is_none_or(|known| seq < known) {
                    blocked.least = Some(seq);
                }
                let Some(until_us) = naming.holds_until_us else {
                    continue;
                };
                if blocked.held.is_some_and(|(known, _)| known <= seq) {
                    continue;
                }
                let spot = Spot {
                    seq,
                    kind: key.kind(),
                    id: key.id(),
                    recorded_us: *recorded_us,
                };
                let hold = self.coverage.holds().at(&spot, naming.seq);
                if let Some(hold) = hold.filter(|hold| hold.recorded_us <= until_us) {
                    blocked.held = Some((seq, hold.placed));
                }
            }
        }
        blocked
    }
}
