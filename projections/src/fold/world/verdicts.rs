//! Verdicts: those that were asked for or derived, and those that are open about an entity or wait for one.

use std::collections::{BTreeMap, BTreeSet};

use super::memory::ENTRY;
use super::seen::Of;
use super::{Tracked, World};
use crate::entity::{Key, KeyRef};
use crate::fold::changes::{Changes, Known};

/// Whom a verdict is about with a key that no open verdict ever had.
static NOBODY: BTreeSet<Key> = BTreeSet::new();

/// For how many keys it is remembered from batch to batch who waits for them.
const MOST_WAITING: usize = 100_000;

impl World {
    /// A verdict about an entity that was asked for; what this batch knows of it goes before.
    pub(super) fn supply_open(&mut self, violation: String, stored: Known) {
        let tracked = self.verdicts.get(&violation);
        let known = tracked.and_then(|one| one.known.clone()).unwrap_or(stored);
        if known.is_open()
            && let Some(slot) = self.entities.get_mut(&known.verdict.about())
        {
            slot.about_mut().open.insert(violation, known);
            slot.weight += ENTRY;
            self.weight += ENTRY;
        }
    }

    /// Where this batch raised what waits; where it cleared something, the entity tells.
    pub(super) fn supply_waiting(&mut self, key: String) {
        let known = self.verdicts.values().filter_map(|one| one.known.as_ref());
        let waits = known.filter(|one| one.is_open() && one.verdict.detail_key == key);
        let about = waits.map(|one| one.verdict.key()).collect();
        self.waiting.insert(key, about);
    }

    /// The verdicts about an entity that a rule may clear yet, where that is known here.
    pub(in crate::fold) fn open(&self, key: KeyRef<'_>) -> Option<&BTreeMap<String, Known>> {
        self.entities.get(&key).map(|slot| &slot.about().open)
    }

    /// The entities that may have an open verdict with this key, where that is known here.
    pub(in crate::fold) fn waiting(&self, key: &str) -> Option<&BTreeSet<Key>> {
        let never = || self.never(Of::Waiting(key)).then_some(&NOBODY);
        self.waiting.get(key).or_else(never)
    }

    /// A verdict that was asked for or derived, where there is one.
    pub(in crate::fold) fn verdict(&self, violation: &str) -> Option<&Known> {
        self.verdicts.get(violation)?.known.as_ref()
    }

    /// Notes a verdict that is new or changed.
    pub(in crate::fold) fn note(&mut self, violation: String, known: Known) {
        let key = known.verdict.key();
        let mut old = None;
        if known.is_open() {
            let waits = &known.verdict.detail_key;
            if self.see(Of::Waiting(waits)) {
                // The first: whoever else waits for it comes later.
                self.waiting.insert(waits.clone(), BTreeSet::new());
            }
            if let Some(waiting) = self.waiting.get_mut(waits) {
                waiting.insert(key.clone());
            }
        }
        if known.found_by.is_some()
            && let Some(slot) = self.slot(key.by_ref())
        {
            old = slot
                .about
                .as_mut()
                .and_then(|about| about.open.remove(&violation));
            if known.is_open() {
                let open = &mut slot.about_mut().open;
                open.insert(violation.clone(), known.clone());
            }
        }
        let used = self.batch;
        let tracked = self.verdicts.entry(violation).or_insert_with(|| Tracked {
            known: None,
            old,
            used,
        });
        tracked.known = Some(known);
        tracked.used = used;
    }

    /// The verdicts of these rules that may be cleared yet, in order; they were asked for.
    pub(in crate::fold) fn open_of(&self, rules: &BTreeSet<String>) -> Vec<(String, Known)> {
        let known = self.verdicts.iter();
        let known = known.filter_map(|(id, one)| Some((id, one.known.as_ref()?)));
        let theirs = |one: &Known| {
            one.is_open() && one.found_by.as_ref().is_some_and(|by| rules.contains(by))
        };
        let theirs = known.filter(|(_, one)| theirs(one));
        let mut theirs: Vec<_> = theirs.map(|(id, one)| (id.clone(), one.clone())).collect();
        theirs.sort_by(|(a, _), (b, _)| a.cmp(b));
        theirs
    }

    pub(super) fn finish_verdicts(&mut self, changes: &mut Changes) {
        let mut touched: Vec<(&String, &mut Tracked)> = self
            .verdicts
            .iter_mut()
            .filter(|(_, one)| one.known != one.old)
            .collect();
        touched.sort_by_key(|(violation, one)| {
            let cause = one.known.as_ref().map(|known| known.verdict.cause_seq);
            (cause, (*violation).clone())
        });
        for (violation, tracked) in touched {
            let Some(known) = &tracked.known else {
                continue;
            };
            let old = tracked.old.as_ref();
            match (old.is_some_and(raised), raised(known)) {
                (false, true) => changes.publish.push(known.verdict.clone()),
                (true, false) => changes.settled.push(violation.clone()),
                _ => {}
            }
            if let Some(cleared) = known.clearing(violation) {
                match (old.is_some_and(announced), announced(known)) {
                    (false, true) => changes.announce.push((known.verdict.clone(), cleared)),
                    (true, false) => changes.settled.push(cleared.id()),
                    _ => {}
                }
            }
            if old.is_some() {
                changes.renewed.insert(violation.clone());
            }
            changes.verdicts.push((violation.clone(), known.clone()));
            tracked.old.clone_from(&tracked.known);
        }
        if self.waiting.len() > MOST_WAITING {
            self.waiting.clear();
        }
        // A verdict is derived, comes back once, and is never asked for again; what is open stands beside its entity.
        // Those of the last batches are kept: they may not be written yet.
        let oldest = self.unwritten();
        self.verdicts.retain(|_, one| one.used >= oldest);
    }
}

/// Whether the event that raises a verdict is on its way.
fn raised(known: &Known) -> bool {
    known.seq.is_none()
}

/// Whether the event that clears it is on its way.
fn announced(known: &Known) -> bool {
    known.cleared.is_some_and(|clearing| clearing.seq.is_none())
}
