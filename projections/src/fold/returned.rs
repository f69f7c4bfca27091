//! Verdicts that come back by the front door: they are matched with what was derived at the cause, never judged.

use schema::Catalog;

use crate::entity::Key;
use crate::fact::Fact;
use crate::fold::{Fold, Known};
use crate::verdict::{self, Verdict};

impl Fold<'_> {
    /// Looks at an event of package `ledger` that says something about verdicts.
    pub(super) fn returned(&mut self, fact: &Fact, catalog: &Catalog) {
        if fact.is_own(verdict::ENTITY, "raised") {
            self.raised(fact, catalog);
        } else if fact.is_own(verdict::ENTITY, "cleared") {
            // No rule of this engine clears anything, so it does not follow from the chain.
            self.unexpected(fact, catalog, "not_derived", &[]);
        }
    }

    fn raised(&mut self, fact: &Fact, catalog: &Catalog) {
        let seq = fact.header.seq;
        let ours = fact.header.publisher == "ledger" && fact.header.source == self.source;
        let violation = &fact.header.id;
        let tracked = self.world.verdicts.get(violation);
        let stored = tracked.is_some_and(|one| one.stored);
        let Some(known) = tracked.and_then(|one| one.known.clone()) else {
            match self.not_rejudgeable(fact) {
                Some(verdict) if ours => {
                    let known = Known {
                        verdict,
                        judged: false,
                        seq: Some(seq),
                    };
                    self.world
                        .track(violation.clone(), Some(known), false, true);
                }
                _ => self.unexpected(fact, catalog, "not_derived", &[]),
            }
            return;
        };
        let cause = known.verdict.cause_seq;
        let mut same = false;
        if ours && known.seq.is_none() {
            same = says(fact, &known.verdict);
            let seen = Known {
                seq: Some(seq),
                ..known
            };
            self.world
                .track(violation.clone(), Some(seen), stored, true);
        }
        if !same {
            self.unexpected(fact, catalog, "differs", &[cause]);
        }
    }

    /// A verdict about an entity whose data was deleted at or before the cause: it was derived when the data
    /// was there, and cannot be derived again.
    fn not_rejudgeable(&self, fact: &Fact) -> Option<Verdict> {
        let verdict: Verdict = serde_json::from_slice(&fact.data.as_ref()?.bytes).ok()?;
        let key = Key {
            kind: verdict.kind.clone(),
            id: verdict.id.clone(),
        };
        let entity = self.world.entity(&key)??;
        let hidden = entity
            .redacted_seq
            .is_some_and(|seq| seq <= verdict.cause_seq);
        let sound = verdict.cause_seq < fact.header.seq
            && verdict.violation() == fact.header.id
            && says(fact, &verdict);
        (hidden && sound).then_some(verdict)
    }

    /// A verdict in the chain that does not follow from the chain is one itself. One about such a verdict is
    /// never judged: otherwise a disagreement between two programs would never end.
    fn unexpected(&mut self, fact: &Fact, catalog: &Catalog, how: &str, from: &[u64]) {
        self.changes.unexpected += 1;
        if fact.text("rule") == Some(verdict::UNEXPECTED) {
            return;
        }
        let mut judged_from: Vec<u64> = from.to_vec();
        judged_from.push(fact.header.seq);
        self.derive(Verdict {
            rule: verdict::UNEXPECTED.to_owned(),
            severity: "critical".to_owned(),
            kind: format!("ledger.{}", verdict::ENTITY),
            id: fact.header.id.clone(),
            cause_seq: fact.header.seq,
            judged_from,
            catalog: catalog.digest().to_owned(),
            detail_key: how.to_owned(),
        });
    }

    /// Takes in a verdict that follows from the chain.
    pub(super) fn derive(&mut self, verdict: Verdict) {
        let known = Known {
            verdict,
            judged: true,
            seq: None,
        };
        let violation = known.verdict.violation();
        self.world.track(violation, Some(known), false, true);
    }
}

/// Whether an event says exactly what the verdict says. Where its data was deleted, there is nothing to compare.
fn says(fact: &Fact, verdict: &Verdict) -> bool {
    let same = fact
        .data
        .as_ref()
        .is_none_or(|data| *data.bytes == *verdict.data());
    same && fact.header.subject == verdict.subject()
}
