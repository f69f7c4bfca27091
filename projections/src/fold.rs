//! The fold: from a batch of facts and what was known before to what is known after.
//!
//! Pure. It consumes its state at every step and gives the next one or an error, never half of one. How the
//! chain is cut into batches makes no difference to what comes out.

use std::collections::{BTreeSet, HashMap};

use ledger::digest::Hash;
use schema::{Catalog, LedgerName};

use crate::catalogs::Catalogs;
use crate::entity::{Entity, Entry, Key, advance};
use crate::fact::Fact;
use crate::verdict::{self, Verdict};

/// How far a chain is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// The next position to fold.
    pub next: u64,
    /// The chain's value before it; `None` where nothing was folded.
    pub chain: Option<Hash>,
    /// `recorded_us` of the last position that was folded.
    pub recorded_us: i64,
}

/// A verdict that is known, and where it stands in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it says.
    pub verdict: Verdict,
    /// Whether it was derived here. Where not, its facts were deleted before this fold saw them.
    pub judged: bool,
    /// Where its event stands; `None` while it is on its way.
    pub seq: Option<u64>,
}

/// What has to be loaded before a batch can be folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// These entities.
    pub entities: BTreeSet<Key>,
    /// These verdicts.
    pub verdicts: BTreeSet<String>,
}

impl Needs {
    /// What these facts touch.
    pub fn of(facts: &[Fact]) -> Self {
        let mut needs = Self::default();
        for fact in facts {
            needs.entities.extend(fact.key());
            if let Some((violation, about)) = fact.returned() {
                needs.verdicts.insert(violation.to_owned());
                needs.entities.extend(about);
            }
        }
        needs
    }
}

/// What was known before a batch, of all that it needs.
#[derive(Debug, Clone, Default)]
pub struct Before {
    /// The entities that exist.
    pub entities: HashMap<Key, Entity>,
    /// The verdicts that are known.
    pub verdicts: HashMap<String, Known>,
}

/// A line of an entity's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The position.
    pub seq: u64,
    /// Claimed time, µs.
    pub occurred_us: i64,
    /// Recorded time, µs.
    pub recorded_us: i64,
    /// Whose history.
    pub key: Key,
    /// The event's type, as received.
    pub event_type: String,
    /// Who acted.
    pub actor: String,
    /// Whether the data was deleted before this fold saw it.
    pub redacted: bool,
    /// What it did.
    pub entry: Entry,
}

/// A message that was refused at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The position.
    pub seq: u64,
    /// Recorded time, µs.
    pub recorded_us: i64,
    /// Who sent it; empty where the subject named nobody legal.
    pub publisher: String,
    /// Why; `None` where the event's data was deleted.
    pub reason: Option<String>,
    /// Where; may be empty.
    pub at: String,
    /// The NATS subject that it came by.
    pub nats_subject: Option<String>,
    /// The size of the body in bytes.
    pub size: Option<u64>,
}

/// What a batch changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Where the fold stands afterwards.
    pub checkpoint: Checkpoint,
    /// The entities that changed, in the order of their names.
    pub entities: Vec<(Key, Entity)>,
    /// Lines of history, in the chain's order.
    pub history: Vec<Line>,
    /// Verdicts that are new or were seen, in the order of cause and id.
    pub verdicts: Vec<(String, Known)>,
    /// Verdicts to publish: derived and not yet in the chain.
    pub publish: Vec<Verdict>,
    /// The ids of messages that need no more publishing, though an earlier batch wanted it.
    pub settled: Vec<String>,
    /// Refused messages.
    pub quarantined: Vec<Quarantined>,
    /// Positions of activations, with the catalog's digest.
    pub activations: Vec<(u64, String)>,
    /// How many verdicts in the chain do not follow from it.
    pub unexpected: u64,
}

/// Why a fold cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// A position was left out, or given twice.
    #[error("position {given} was given to the fold, which stands at {next}")]
    OutOfOrder {
        /// Where it stands.
        next: u64,
        /// What it was given.
        given: u64,
    },
    /// The catalog of an activation was not compiled beforehand.
    #[error("the catalog that position {seq} activates was not given to the fold")]
    NoCatalog {
        /// The activation's position.
        seq: u64,
    },
}

/// A state in the middle of a batch.
#[derive(Debug)]
pub struct Fold<'a> {
    source: String,
    catalogs: &'a Catalogs,
    checkpoint: Checkpoint,
    entities: HashMap<Key, (Entity, bool)>,
    verdicts: HashMap<String, Tracked>,
    changes: Changes,
}

#[derive(Debug)]
struct Tracked {
    known: Known,
    /// Whether an earlier batch derived it.
    stored: bool,
    dirty: bool,
}

impl<'a> Fold<'a> {
    /// Begins a batch at a checkpoint. `catalogs` has every activation up to the batch's end.
    pub fn new(
        ledger: &LedgerName,
        catalogs: &'a Catalogs,
        checkpoint: Checkpoint,
        before: Before,
    ) -> Self {
        let entities = before
            .entities
            .into_iter()
            .map(|(key, entity)| (key, (entity, false)));
        let verdicts = before.verdicts.into_iter().map(|(violation, known)| {
            (
                violation,
                Tracked {
                    known,
                    stored: true,
                    dirty: false,
                },
            )
        });
        Self {
            source: ledger.source(),
            catalogs,
            checkpoint,
            entities: entities.collect(),
            verdicts: verdicts.collect(),
            changes: Changes::default(),
        }
    }

    /// Folds the next position.
    pub fn apply(mut self, fact: &Fact) -> Result<Self, FoldError> {
        let seq = fact.header.seq;
        if seq != self.checkpoint.next {
            return Err(FoldError::OutOfOrder {
                next: self.checkpoint.next,
                given: seq,
            });
        }
        let catalogs = self.catalogs;
        let catalog: &Catalog = catalogs.at(seq);
        if fact.is_own("event", "quarantined") {
            self.changes.quarantined.push(quarantined(fact));
        }
        if fact.is_own("catalog", "activated") {
            if !catalogs.has(seq) {
                return Err(FoldError::NoCatalog { seq });
            }
            self.changes
                .activations
                .push((seq, catalogs.at(seq + 1).digest().to_owned()));
        }
        if let Some(key) = fact.key() {
            self.advance(key, fact, catalog);
        }
        if fact.is_own(verdict::ENTITY, "raised") {
            self.verdict_returned(fact, catalog);
        } else if fact.is_own(verdict::ENTITY, "cleared") {
            // No rule of this engine clears anything, so it does not follow from the chain.
            self.unexpected(fact, catalog, "not_derived", &[]);
        }
        self.checkpoint = Checkpoint {
            next: seq + 1,
            chain: Some(fact.chain),
            recorded_us: fact.header.recorded_us,
        };
        Ok(self)
    }

    /// Ends the batch.
    pub fn finish(self) -> Changes {
        let mut changes = self.changes;
        changes.checkpoint = self.checkpoint;
        let dirty = self.entities.into_iter().filter(|(_, (_, dirty))| *dirty);
        changes.entities = dirty.map(|(key, (entity, _))| (key, entity)).collect();
        changes.entities.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut touched: Vec<(String, Tracked)> = self
            .verdicts
            .into_iter()
            .filter(|(_, one)| one.dirty)
            .collect();
        touched.sort_by(|(a, x), (b, y)| {
            (x.known.verdict.cause_seq, a).cmp(&(y.known.verdict.cause_seq, b))
        });
        for (violation, Tracked { known, stored, .. }) in touched {
            match (known.seq, stored) {
                (None, _) => changes.publish.push(known.verdict.clone()),
                (Some(_), true) => changes.settled.push(violation.clone()),
                (Some(_), false) => {}
            }
            changes.verdicts.push((violation, known));
        }
        changes
    }

    fn advance(&mut self, key: Key, fact: &Fact, catalog: &Catalog) {
        let before = self.entities.remove(&key).map(|(entity, _)| entity);
        let advance = advance(before, fact, catalog.kind(fact.event_type.kind()));
        for broken in advance.broken {
            self.derive(Verdict {
                rule: broken.rule.to_owned(),
                severity: "error".to_owned(),
                kind: key.kind.clone(),
                id: key.id.clone(),
                cause_seq: fact.header.seq,
                judged_from: broken.judged_from,
                catalog: catalog.digest().to_owned(),
                detail_key: String::new(),
            });
        }
        self.changes.history.push(Line {
            seq: fact.header.seq,
            occurred_us: fact.header.occurred_us,
            recorded_us: fact.header.recorded_us,
            key: key.clone(),
            event_type: fact.header.event_type.clone(),
            actor: fact.header.actor.clone(),
            redacted: fact.data.is_none(),
            entry: advance.entry,
        });
        if let Some(entity) = advance.entity {
            self.entities.insert(key, (entity, true));
        }
    }

    fn derive(&mut self, verdict: Verdict) {
        let known = Known {
            verdict,
            judged: true,
            seq: None,
        };
        let violation = known.verdict.violation();
        self.verdicts.insert(
            violation,
            Tracked {
                known,
                stored: false,
                dirty: true,
            },
        );
    }

    /// A verdict came back by the front door: it is matched with the one that was derived at the cause.
    fn verdict_returned(&mut self, fact: &Fact, catalog: &Catalog) {
        let seq = fact.header.seq;
        let ours = fact.header.publisher == "ledger" && fact.header.source == self.source;
        match self.verdicts.get_mut(&fact.header.id) {
            Some(tracked) if ours && tracked.known.seq.is_none() => {
                tracked.known.seq = Some(seq);
                tracked.dirty = true;
                let same = says(fact, &tracked.known.verdict);
                let cause = tracked.known.verdict.cause_seq;
                if !same {
                    self.unexpected(fact, catalog, "differs", &[cause]);
                }
            }
            Some(tracked) => {
                let cause = tracked.known.verdict.cause_seq;
                self.unexpected(fact, catalog, "differs", &[cause]);
            }
            None => match self.not_rejudgeable(fact) {
                Some(verdict) if ours => {
                    let known = Known {
                        verdict,
                        judged: false,
                        seq: Some(seq),
                    };
                    let tracked = Tracked {
                        known,
                        stored: false,
                        dirty: true,
                    };
                    self.verdicts.insert(fact.header.id.clone(), tracked);
                }
                _ => self.unexpected(fact, catalog, "not_derived", &[]),
            },
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
        let (entity, _) = self.entities.get(&key)?;
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
}

/// Whether an event says exactly what the verdict says. Where its data was deleted, there is nothing to compare.
fn says(fact: &Fact, verdict: &Verdict) -> bool {
    let same = fact
        .data
        .as_ref()
        .is_none_or(|data| *data.bytes == *verdict.data());
    same && fact.header.subject == verdict.subject()
}

fn quarantined(fact: &Fact) -> Quarantined {
    let number = |member: &str| fact.data.as_ref()?.value.get(member)?.as_u64();
    Quarantined {
        seq: fact.header.seq,
        recorded_us: fact.header.recorded_us,
        publisher: fact.header.publisher.clone(),
        reason: fact.text("reason").map(str::to_owned),
        at: fact.text("at").unwrap_or_default().to_owned(),
        nats_subject: fact.text("nats_subject").map(str::to_owned),
        size: number("size"),
    }
}
