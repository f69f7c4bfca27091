//! Derived events other than verdicts: noted at their cause, to be published, and matched when they come back.

#[cfg(test)]
mod tests;

use schema::Catalog;

use crate::derived::{Derived, Expected, digest_of};
use crate::fact::Fact;
use crate::fold::Fold;

impl Fold<'_> {
    /// Takes in an event that follows from the position at hand: it is published until it is seen in the chain. One that
    /// was derived before is left as it is.
    pub(super) fn emit(&mut self, event: Derived) {
        if self.world.expected(&event.id).is_some() {
            return;
        }
        let expected = Expected {
            cause_seq: event.cause_seq,
            seq: None,
            digest: event.digest(),
        };
        self.world.expect(event.id.clone(), expected, Some(event));
    }

    /// Whether an event is one that was derived, as it was derived, and that comes back for the first time.
    pub(super) fn is_awaited(&self, fact: &Fact) -> bool {
        let expected = self.world.expected(&fact.header.id);
        let same = |one: &Expected| digest_of(fact).is_none_or(|digest| digest == one.digest);
        self.is_ours(fact) && expected.is_some_and(|one| one.seq.is_none() && same(one))
    }

    /// An event that came back by the front door.
    pub(super) fn followed(&mut self, fact: &Fact, catalog: &Catalog) {
        let (id, seq) = (&fact.header.id, fact.header.seq);
        let (ours, awaited) = (self.is_ours(fact), self.is_awaited(fact));
        let Some(known) = self.world.expected(id).cloned() else {
            if ours && self.is_lost(fact) {
                let taken = Expected {
                    cause_seq: seq,
                    seq: Some(seq),
                    digest: digest_of(fact).unwrap_or_default(),
                };
                self.world.expect(id.clone(), taken, None);
                if fact.incident().is_some() {
                    self.believe(fact);
                }
            } else {
                self.unexpected(fact, catalog, "not_derived", &[]);
            }
            return;
        };
        let cause = known.cause_seq;
        if ours && known.seq.is_none() {
            let seen = Expected {
                seq: Some(seq),
                ..known
            };
            self.world.expect(id.clone(), seen, None);
        }
        if !awaited {
            self.unexpected(fact, catalog, "differs", &[cause]);
        }
    }

    /// Whether what an event follows from was deleted, so that it cannot be derived again and is taken as it came.
    fn is_lost(&self, fact: &Fact) -> bool {
        let incident = fact.incident().and_then(|id| self.world.about_incident(id));
        let about = fact.about().or_else(|| incident.flatten().cloned());
        let about = about.is_some_and(|about| self.is_hidden(&about, fact.header.seq));
        about || fact.data.is_none()
    }
}
