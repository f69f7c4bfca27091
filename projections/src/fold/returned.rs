//! Verdicts that come back by the front door: they are matched with what was derived at the cause, never judged.

use schema::Catalog;

use crate::entity::Key;
use crate::fact::Fact;
use crate::fold::{Clearing, Fold, Known};
use crate::verdict::{self, Cleared, Verdict};

impl Fold<'_> {
    /// Looks at an event of package `ledger` that says something about verdicts.
    pub(super) fn returned(&mut self, fact: &Fact, catalog: &Catalog) {
        if fact.is_own(verdict::ENTITY, "raised") {
            self.raised(fact, catalog);
        } else if fact.is_own(verdict::ENTITY, "cleared") {
            self.cleared(fact, catalog);
        } else if fact.follows() {
            self.followed(fact, catalog);
        } else {
            self.decided(fact);
        }
    }

    fn raised(&mut self, fact: &Fact, catalog: &Catalog) {
        let seq = fact.header.seq;
        let ours = self.is_ours(fact);
        let violation = &fact.header.id;
        let Some(known) = self.world.verdict(violation).cloned() else {
            match self.not_rejudgeable(fact) {
                Some(verdict) if ours => {
                    let known = Known {
                        judged: false,
                        seq: Some(seq),
                        ..Known::derived(verdict)
                    };
                    self.world.note(violation.clone(), known);
                }
                _ => self.unexpected(fact, catalog, "not_derived", &[]),
            }
            return;
        };
        let cause = known.verdict.cause_seq;
        let mut same = false;
        if ours && known.seq.is_none() {
            same = says(fact, &known.verdict, &known.verdict.data());
            let seen = Known {
                seq: Some(seq),
                ..known
            };
            self.world.note(violation.clone(), seen);
        }
        if !same {
            self.unexpected(fact, catalog, "differs", &[cause]);
        }
    }

    /// An event that says that a verdict is cleared.
    fn cleared(&mut self, fact: &Fact, catalog: &Catalog) {
        let seq = fact.header.seq;
        let ours = self.is_ours(fact);
        let violation = fact.returned().map(|(violation, _)| violation);
        let known = violation.and_then(|violation| self.world.verdict(violation));
        let (Some(violation), Some(known), true) = (violation, known.cloned(), ours) else {
            return self.unexpected(fact, catalog, "not_derived", &[]);
        };
        let cause = known.verdict.cause_seq;
        let note = |clearing: Clearing| Known {
            cleared: Some(clearing),
            ..known.clone()
        };
        match (known.cleared, known.clearing(violation)) {
            (Some(clearing), Some(derived)) if clearing.seq.is_none() => {
                let same =
                    fact.header.id == derived.id() && says(fact, &known.verdict, &derived.data());
                let seen = note(Clearing {
                    seq: Some(seq),
                    ..clearing
                });
                self.world.note(violation.to_owned(), seen);
                if !same {
                    self.unexpected(fact, catalog, "differs", &[cause]);
                }
            }
            (None, _) => match self.not_clearable(fact, violation, &known) {
                Some(cleared) => {
                    let taken = note(Clearing {
                        by_seq: cleared.by_seq,
                        how: cleared.how,
                        seq: Some(seq),
                    });
                    self.world.note(violation.to_owned(), taken);
                }
                None => self.unexpected(fact, catalog, "not_derived", &[cause]),
            },
            (Some(_), _) => self.unexpected(fact, catalog, "differs", &[cause]),
        }
    }

    pub(super) fn is_ours(&self, fact: &Fact) -> bool {
        fact.header.publisher == "ledger" && fact.header.source == self.source
    }

    /// Whether data of an entity was deleted at or before a position.
    pub(super) fn is_hidden(&self, about: &Key, at: u64) -> bool {
        let entity = self.world.entity(about.by_ref()).flatten();
        let redacted = entity.and_then(|entity| entity.redacted_seq);
        redacted.is_some_and(|seq| seq <= at)
    }

    /// A verdict about an entity whose data was deleted at or before the cause: it was derived when the data
    /// was there, and cannot be derived again.
    fn not_rejudgeable(&self, fact: &Fact) -> Option<Verdict> {
        let verdict: Verdict = serde_json::from_slice(&fact.data.as_ref()?.bytes).ok()?;
        let sound = verdict.cause_seq < fact.header.seq
            && verdict.violation() == fact.header.id
            && says(fact, &verdict, &verdict.data());
        (self.is_hidden(&verdict.key(), verdict.cause_seq) && sound).then_some(verdict)
    }

    /// What an event says that clears a verdict, where that cannot be derived again: because the verdict could not, or
    /// because data of its entity was deleted since.
    fn not_clearable(&self, fact: &Fact, violation: &str, known: &Known) -> Option<Cleared> {
        let cleared: Cleared = serde_json::from_slice(&fact.data.as_ref()?.bytes).ok()?;
        let sound = cleared.violation == violation
            && cleared.id() == fact.header.id
            && cleared.by_seq < fact.header.seq
            && says(fact, &known.verdict, &cleared.data());
        let lost = !known.judged || self.is_hidden(&known.verdict.key(), cleared.by_seq);
        (sound && lost).then_some(cleared)
    }

    /// A verdict in the chain that does not follow from the chain is one itself. One about such a verdict is
    /// never judged: otherwise a disagreement between two programs would never end.
    pub(super) fn unexpected(&mut self, fact: &Fact, catalog: &Catalog, how: &str, from: &[u64]) {
        self.changes.unexpected += 1;
        if fact.text("rule") == Some(verdict::UNEXPECTED) {
            return;
        }
        // A verdict is told by its own id, since its event's subject is the entity that it is about.
        let id = if fact.follows() {
            fact.header.subject.clone()
        } else {
            fact.header.id.clone()
        };
        let mut judged_from: Vec<u64> = from.to_vec();
        judged_from.push(fact.header.seq);
        self.derive(Verdict {
            rule: verdict::UNEXPECTED.to_owned(),
            severity: "critical".to_owned(),
            kind: fact.event_type.kind().to_string(),
            id,
            cause_seq: fact.header.seq,
            judged_from,
            catalog: catalog.digest().to_owned(),
            detail_key: how.to_owned(),
        });
    }

    /// Takes in a verdict that follows from the chain, and that nothing clears.
    pub(super) fn derive(&mut self, verdict: Verdict) {
        let violation = verdict.violation();
        self.world.note(violation, Known::derived(verdict));
    }
}

/// Whether an event says exactly this of that verdict's entity. Where its data was deleted, there is nothing to
/// compare.
fn says(fact: &Fact, about: &Verdict, data: &[u8]) -> bool {
    let same = fact.data.as_ref().is_none_or(|one| *one.bytes == *data);
    same && fact.header.subject == about.subject()
}
