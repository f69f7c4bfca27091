//! Derived events other than verdicts: what is expected to come back.

use super::{Followed, World};
use crate::derived::{Derived, Expected};
use crate::fold::changes::Changes;

impl World {
    /// A derived event that was asked for or derived here, where there is one.
    pub(in crate::fold) fn expected(&self, id: &str) -> Option<&Expected> {
        self.derived.get(id)?.known.as_ref()
    }

    /// Notes an event that is expected from here on, or was seen. One that was derived in this batch comes with what is
    /// to be published.
    pub(in crate::fold) fn expect(&mut self, id: String, known: Expected, event: Option<Derived>) {
        let used = self.batch;
        let followed = self.derived.entry(id).or_insert_with(|| Followed {
            known: None,
            old: None,
            event: None,
            used,
        });
        followed.known = Some(known);
        followed.used = used;
        if event.is_some() {
            followed.event = event;
        }
    }

    pub(super) fn finish_derived(&mut self, changes: &mut Changes) {
        let touched = self
            .derived
            .iter_mut()
            .filter(|(_, one)| one.known != one.old);
        let mut touched: Vec<(&String, &mut Followed)> = touched.collect();
        touched.sort_by_key(|(id, one)| {
            let cause = one.known.as_ref().map(|known| known.cause_seq);
            (cause, (*id).clone())
        });
        for (id, followed) in touched {
            let Some(known) = &followed.known else {
                continue;
            };
            let waited = followed.old.as_ref().is_some_and(|old| old.seq.is_none());
            match (waited, known.seq.is_none()) {
                (false, true) => changes.send.extend(followed.event.take()),
                (true, false) => changes.settled.push(id.clone()),
                _ => {}
            }
            changes.derived.push((id.clone(), known.clone()));
            followed.old.clone_from(&followed.known);
        }
        // As verdicts: it is derived, comes back once, and is never asked for again.
        let oldest = self.unwritten();
        self.derived.retain(|_, one| one.used >= oldest);
    }
}
