//! The fold: from facts and what was known before to what is known after.
//!
//! Pure. It consumes its state at every step and gives the next one, never half of one. How the chain is cut into
//! batches makes no difference to what comes out.
//!
//! A step asks for what it lacks. It looks at one event; what it needs and was not given stands in
//! [`Step::Lacks`], with the fold as it was before: whoever drives it loads that, gives it to [`Fold::supply`] and
//! takes the same step again. What can be foreseen for a whole batch is asked for at once ([`Fold::foresee`]); a step
//! that lacks something tries the next ones as well and asks for what they lack, so that one load serves many of them.
//! What was given stays known from batch to batch in a [`World`], as the steps changed it.
//!
//! A step, in order: every deadline that lies before the event fires (`due`); the entity is advanced
//! ([`crate::entity`]); the event is judged ([`judge`]); a verdict that came back is matched (`returned`); the checkpoint
//! moves. What follows from a verdict is to come after judging.
//!
//! A batch ends with an activation ([`batch`]), so that one catalog judges all of it.

mod blocked;
mod changes;
mod derived;
mod dropped;
mod due;
mod incidents;
pub mod judge;
mod link;
mod needs;
mod publishers;
mod returned;
mod tasks;
mod world;

use schema::{Catalog, LedgerName, Name};

use crate::catalogs::Catalogs;
use crate::entity::{Key, advance};
use crate::fact::Fact;
use due::Fired;
use judge::{Ask, Moment};

pub use changes::{
    Changed, Changes, Checkpoint, Clearing, Deadline, Known, Line, Quarantined, Reindex, Relinked,
};
pub use link::{Link, links, target_id};
pub use needs::{Blocked, DueFound, DuePage, Loaded, Look, Naming, Needs};
pub use publishers::Numbers;
pub use tasks::{Task, TaskOf};
pub use world::{UNWRITTEN, World};

/// How many facts are tried ahead at least, and at most, where one lacks something.
const AHEAD: (usize, usize) = (2, 1024);

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
    /// An activation was not the last of its batch.
    #[error("position {seq} was given to the fold in one batch with an activation before it")]
    NotCut {
        /// The position.
        seq: u64,
    },
}

/// What is folded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Everything.
    #[default]
    All,
    /// The entities, histories and links of one package, and nothing else. Nothing is judged.
    Package(Name),
}

impl Scope {
    fn has(&self, fact: &Fact) -> bool {
        match self {
            Self::All => true,
            Self::Package(name) => fact.event_type.kind().package == *name,
        }
    }
}

/// A state in the middle of a batch.
#[derive(Debug)]
pub struct Fold<'a> {
    source: String,
    catalogs: &'a Catalogs,
    scope: &'a Scope,
    checkpoint: Checkpoint,
    // A step gives the fold away and gets it back; what is large of it stays where it is.
    world: Box<World>,
    changes: Box<Changes>,
    /// How many deadlines this batch may fire yet.
    fires: usize,
    /// When the last fact was recorded that is known to be in this batch, in µs.
    last_us: i64,
    /// How many facts are tried ahead.
    ahead: usize,
    /// What must be kept of what the event at a position names to be deleted.
    blocked: Option<(u64, Blocked)>,
}

/// What became of a step.
#[derive(Debug)]
pub enum Step<'a> {
    /// It was taken.
    Taken(Fold<'a>),
    /// It was not, because this is not known. The fold is as before, but for the deadlines that it fired until there.
    Lacks(Fold<'a>, Box<Needs>),
    /// It was not, because this batch has fired as many deadlines as it may. It ends here; the next one begins with the
    /// same event.
    Full(Fold<'a>),
}

/// How many of these facts are one batch: up to the first activation among them.
pub fn batch(facts: &[Fact]) -> usize {
    let activation = facts.iter().position(is_activation);
    activation.map_or(facts.len(), |at| at + 1)
}

fn is_activation(fact: &Fact) -> bool {
    fact.is_own("catalog", "activated")
}

impl<'a> Fold<'a> {
    /// Begins a batch at a checkpoint. `catalogs` has every activation up to the batch's end, and `world` is empty or
    /// what the batch before left.
    pub fn begin(
        ledger: &LedgerName,
        catalogs: &'a Catalogs,
        scope: &'a Scope,
        checkpoint: Checkpoint,
        world: World,
    ) -> Self {
        Self {
            source: ledger.source(),
            catalogs,
            scope,
            checkpoint,
            world: Box::new(world),
            changes: Box::default(),
            fires: due::MOST,
            last_us: i64::MIN,
            ahead: AHEAD.0,
            blocked: None,
        }
    }

    /// What is not known of what these facts touch for certain, and of what rules will ask for as far as that can be
    /// foreseen.
    pub fn foresee(&self, facts: &[Fact]) -> Needs {
        let mut needs = Needs::default();
        for fact in facts {
            needs.extend(self.world.lacks_of(fact));
        }
        if *self.scope == Scope::All {
            let rules = self.catalogs.at(self.checkpoint.next).rules();
            let awaited = facts
                .iter()
                .filter(|fact| rules.await_entities_of(fact.event_type.kind()));
            let ids = awaited.filter_map(|fact| Some(fact.key.as_ref()?.id()));
            let ids = ids.filter(|id| self.world.waiting(id).is_none());
            needs.waiting.extend(ids.map(str::to_owned));
            let last = facts.last().map(|fact| fact.header.recorded_us);
            needs.due = last.and_then(|us| self.world.lacks_due(us));
        }
        needs
    }

    /// Takes in what was asked for, as the database has it after the batch before.
    #[must_use]
    pub fn supply(mut self, needs: Needs, loaded: Loaded) -> Self {
        let catalog = self.catalogs.at(self.checkpoint.next);
        self.supply_blocked(&needs, loaded.blocked);
        self.world.supply(needs, loaded, catalog);
        self
    }

    /// Takes as many steps as it can: gives how many, and what the next one lacks; nothing where all were taken, or the
    /// batch ends before the next one.
    pub fn steps(mut self, facts: &[Fact]) -> Result<(Self, usize, Needs), FoldError> {
        self.last_us = facts
            .last()
            .map_or(i64::MIN, |fact| fact.header.recorded_us);
        self.changes.history.reserve(facts.len());
        for (taken, fact) in facts.iter().enumerate() {
            match self.step(fact)? {
                Step::Taken(next) => self = next,
                Step::Lacks(mut same, mut needs) => {
                    same.try_ahead(facts.get(taken + 1..).unwrap_or_default(), &mut needs);
                    return Ok((same, taken, *needs));
                }
                Step::Full(same) => return Ok((same, taken, Needs::default())),
            }
        }
        Ok((self, facts.len(), Needs::default()))
    }

    /// Adds what the next facts lack, as far as that can be told before those ahead of them are folded. The more of them
    /// lack something, the more are tried the next time.
    fn try_ahead(&mut self, facts: &[Fact], needs: &mut Needs) {
        let catalog: &Catalog = self.catalogs.at(self.checkpoint.next);
        let facts = facts.get(..self.ahead).unwrap_or(facts);
        let mut lacking = 0;
        for fact in facts.iter().filter(|fact| self.scope.has(fact)) {
            let mut lacks = self.lacks_of(fact);
            let judged = *self.scope == Scope::All && judge::has_rules(fact, catalog);
            if lacks.is_empty()
                && let Some(key) = fact.key.as_ref().filter(|_| judged)
            {
                lacks = self.advance(key, fact, catalog, false);
            }
            if !lacks.is_empty() {
                lacking += 1;
                needs.extend(lacks);
            }
        }
        self.ahead = if lacking * 8 >= facts.len() {
            (self.ahead * 2).min(AHEAD.1)
        } else {
            (self.ahead / 2).max(AHEAD.0)
        };
    }

    /// What of what a fact touches is not known yet.
    fn lacks_of(&self, fact: &Fact) -> Needs {
        let mut lacks = self.world.lacks_of(fact);
        let closes = self.closes(fact);
        lacks
            .tasks
            .extend(closes.filter(|of| !self.world.knows_task(of)));
        lacks
    }

    /// Folds the next position.
    pub fn step(mut self, fact: &Fact) -> Result<Step<'a>, FoldError> {
        let seq = fact.header.seq;
        if seq != self.checkpoint.next {
            return Err(FoldError::OutOfOrder {
                next: self.checkpoint.next,
                given: seq,
            });
        }
        if !self.changes.activations.is_empty() {
            return Err(FoldError::NotCut { seq });
        }
        let catalogs = self.catalogs;
        let catalog: &Catalog = catalogs.at(seq);
        if is_activation(fact) && !catalogs.has(seq) {
            return Err(FoldError::NoCatalog { seq });
        }
        let dropped = self.dropped(fact, catalog);
        let lacks = self.lacks_dropped(&dropped);
        if !lacks.is_empty() {
            return Ok(Step::Lacks(self, Box::new(lacks)));
        }
        match self.fire(fact, catalog) {
            Fired::All => {}
            Fired::Lacks(needs) => return Ok(Step::Lacks(self, needs)),
            Fired::Full => return Ok(Step::Full(self)),
        }
        if let Some(lacks) = self.lacks_blocked(fact, catalog) {
            return Ok(Step::Lacks(self, Box::new(lacks)));
        }
        let heard = match self.heard(fact, catalog) {
            Ok(heard) => heard,
            Err(needs) => return Ok(Step::Lacks(self, needs)),
        };
        if self.scope.has(fact) {
            let mut lacks = self.lacks_of(fact);
            if lacks.is_empty()
                && let Some(key) = &fact.key
            {
                lacks = self.advance(key, fact, catalog, true);
            }
            if !lacks.is_empty() {
                return Ok(Step::Lacks(self, Box::new(lacks)));
            }
        }
        if *self.scope == Scope::All {
            self.take_in(heard, fact);
            self.count_number(fact);
            self.returned(fact, catalog);
            self.judge_blocked(fact, catalog);
            self.close_task(fact);
            if fact.is_own("event", "quarantined") {
                self.changes.quarantined.push(quarantined(fact));
            }
        }
        self.let_go(&dropped, fact);
        if is_activation(fact) {
            let active = catalogs.at(seq + 1);
            self.changes
                .activations
                .push((seq, active.digest().to_owned()));
            self.changes.reindex = reindex(catalog, active, self.scope);
        }
        self.checkpoint = Checkpoint {
            next: seq + 1,
            chain: Some(fact.chain),
            recorded_us: fact.header.recorded_us,
        };
        Ok(Step::Taken(self))
    }

    /// Ends the batch. The world is for the next one, if this one is written.
    pub fn finish(self) -> (Changes, World) {
        let (mut changes, mut world) = (*self.changes, *self.world);
        changes.checkpoint = self.checkpoint;
        world.finish(&mut changes);
        (changes, world)
    }

    /// Advances the entity and judges the event; gives what is lacking, and then nothing has changed. Nor has it where
    /// it was not to be kept, which is for events alone that rules are judged at.
    fn advance(&mut self, key: &Key, fact: &Fact, catalog: &Catalog, keep: bool) -> Needs {
        let kind = catalog.kind(fact.event_type.kind());
        let places = catalog.indexed(fact.event_type.kind());
        let stateless = kind.is_some_and(|kind| kind.stateless);
        let state = if stateless {
            None
        } else {
            self.world.take(key)
        };
        let advance = advance(state, fact, kind);
        let source = advance.entity.as_ref().map(|entity| entity.created_seq);
        if let Some(entity) = advance.entity {
            self.world.put(key, Some(entity), places);
        }
        if *self.scope == Scope::All {
            // What the ledger itself says of incidents and tasks follows from their causes; somebody who decided meanwhile
            // does not make it wrong.
            let own = fact.follows() && fact.event_type.kind().package.as_str() == "ledger";
            let broken: &[_] = if own { &[] } else { &advance.broken };
            let moment = Moment {
                fact,
                key,
                broken,
                catalog,
            };
            let ask = Ask::new(&self.world, catalog);
            let outcome = judge::judge(moment, advance.before.as_ref(), &ask);
            let lacks = ask.into_needs();
            if !(keep && lacks.is_empty()) {
                if !stateless {
                    // What began with this event is let go where it stands.
                    let before = advance
                        .before
                        .and_then(|before| Some(before.take_back(self.world.take(key)?)));
                    self.world.put(key, before, places);
                }
                return lacks;
            }
            self.take_in(outcome, fact);
        }
        self.changes.history.push(Line {
            seq: fact.header.seq,
            occurred_us: fact.header.occurred_us,
            recorded_us: fact.header.recorded_us,
            key: key.clone(),
            source,
            event_type: fact.event_type.clone(),
            actor: fact.header.actor.clone(),
            redacted: fact.data.is_none(),
            entry: advance.entry,
        });
        Needs::default()
    }
}

/// The kinds whose places differ between two catalogs, in the order of their names.
fn reindex(before: &Catalog, after: &Catalog, scope: &Scope) -> Vec<Reindex> {
    let mut names: Vec<_> = before
        .kinds()
        .chain(after.kinds())
        .map(|kind| &kind.name)
        .collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| match scope {
            Scope::All => true,
            Scope::Package(package) => name.package == *package,
        })
        .filter(|name| before.indexed(name) != after.indexed(name))
        .map(|name| Reindex {
            kind: name.clone(),
            places: after.indexed(name).to_vec(),
        })
        .collect()
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
