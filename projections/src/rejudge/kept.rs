//! What events may name to be deleted, from nothing but the chain: every position's entity and time, and the holds.

use std::collections::HashMap;

use ledger::redaction::{Coverage, Spot};

use crate::entity::Key;
use crate::fact::Fact;
use crate::fold::{Blocked, Naming};

/// Every position so far.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// By position: whom it is about, by number, and when it was recorded, in µs.
    spots: Vec<(usize, i64)>,
    /// By number.
    entities: Vec<Key>,
    numbers: HashMap<Key, usize>,
    coverage: Coverage,
}

impl Kept {
    /// Takes in the next position; one that was taken in already is passed by.
    pub(super) fn note(&mut self, fact: &Fact) {
        if u64::try_from(self.spots.len()) != Ok(fact.header.seq) {
            return;
        }
        let nobody = || Key::new(fact.event_type.kind().text(), "");
        let key = fact.key.clone().unwrap_or_else(nobody);
        let known = self.numbers.get(&key).copied();
        let number = known.unwrap_or_else(|| {
            let number = self.entities.len();
            self.entities.push(key.clone());
            self.numbers.insert(key, number);
            number
        });
        self.spots.push((number, fact.header.recorded_us));
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
            for (seq, (number, recorded_us)) in (first..).zip(spots) {
                let Some(key) = self.entities.get(*number) else {
                    continue;
                };
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
