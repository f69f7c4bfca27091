//! Judging a whole chain anew, from nothing but the chain: `ledger verify --rules`.
//!
//! The same fold as the projector's goes over every position, with maps in the place of the database, so that nothing
//! rests on views that somebody may have changed. What it derives is held against what the chain says was derived.

mod kept;
mod memory;

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::report::{Report, What};
use schema::{Activation, Catalog, ENGINE, LedgerName};

use crate::catalogs::Catalogs;
use crate::fact::Fact;
use crate::fold::{self, Changes, Checkpoint, Fold, FoldError, Scope, World};
use crate::verdict;
use memory::Memory;

/// What is derived within so many microseconds of the chain's last event may still be on its way: ten minutes.
pub const ON_ITS_WAY_US: i64 = 600_000_000;

/// Why a chain cannot be judged anew.
#[derive(Debug, thiserror::Error)]
pub enum RejudgeError {
    /// An activated catalog does not compile here.
    #[error("the catalog that position {seq} activates cannot be judged by this program: {why}")]
    Catalog {
        /// The activation's position.
        seq: u64,
        /// What is wrong.
        why: String,
    },
    /// Positions were left out.
    #[error(transparent)]
    Fold(#[from] FoldError),
}

/// What the chain's facts give rise to and what was not yet seen in the chain.
#[derive(Debug)]
struct Awaited {
    cause_seq: u64,
    recorded_us: i64,
    what: String,
}

/// How much was judged anew, and what of it could not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Verdicts that were derived.
    pub verdicts: u64,
    /// Verdicts and other events of the ledger's whose facts were deleted since: they are taken as they are.
    pub not_rejudgeable: u64,
    /// What was derived and may be on its way still.
    pub pending: u64,
    /// The position from which on another engine judges, which this program does not have.
    pub other_engine: Option<u64>,
}

/// A chain on its way through the judge. Give it every position, in order.
#[derive(Debug)]
pub struct Rejudge {
    ledger: LedgerName,
    catalogs: Catalogs,
    /// The texts of the packages that were recorded, by digest.
    texts: BTreeMap<String, String>,
    memory: Memory,
    /// What the fold remembers from batch to batch.
    world: World,
    checkpoint: Checkpoint,
    awaited: BTreeMap<String, Awaited>,
    counts: Counts,
}

impl Rejudge {
    /// Begins before the first position of a ledger's chain.
    pub fn new(ledger: &LedgerName) -> Self {
        Self {
            ledger: ledger.clone(),
            catalogs: Catalogs::default(),
            texts: BTreeMap::new(),
            memory: Memory::default(),
            world: World::default(),
            checkpoint: Checkpoint::default(),
            awaited: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// The next position.
    pub fn next(&self) -> u64 {
        self.checkpoint.next
    }

    /// Whether the rest is another engine's to judge.
    pub fn is_at_its_end(&self) -> bool {
        self.counts.other_engine.is_some()
    }

    /// Judges the next positions and adds to the report what in the chain does not follow from it.
    pub fn take(&mut self, mut facts: &[Fact], report: &mut Report) -> Result<(), RejudgeError> {
        while !facts.is_empty() && !self.is_at_its_end() {
            let (batch, _) = facts.split_at(fold::batch(facts));
            self.learn(batch)?;
            let (changes, taken) = self.fold(batch)?;
            self.compare(&changes, batch, report);
            self.checkpoint = changes.checkpoint;
            self.memory.write(changes);
            self.catalogs.forget_before(self.checkpoint.next);
            facts = facts.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Adds to the report what follows from the chain and is not in it.
    pub fn finish(mut self, report: &mut Report) -> Counts {
        let last_us = self.checkpoint.recorded_us;
        for (id, one) in self.awaited {
            if last_us.saturating_sub(one.recorded_us) < ON_ITS_WAY_US {
                self.counts.pending += 1;
                continue;
            }
            let detail = format!(
                "it gives rise to {}, id {id}, which is not in the chain: it was dropped, or the role `outbox` has \
                 not run since",
                one.what
            );
            report.problem(Some(one.cause_seq), What::Verdict, detail);
        }
        self.counts
    }

    /// Takes in the catalogs that a batch records and activates.
    fn learn(&mut self, batch: &[Fact]) -> Result<(), RejudgeError> {
        for fact in batch {
            let seq = fact.header.seq;
            if fact.is_own("catalog", "recorded") {
                if let (Some(digest), Some(text)) = (fact.text("digest"), fact.text("text")) {
                    self.texts.insert(digest.to_owned(), text.to_owned());
                }
                continue;
            }
            let (true, Some(data)) = (fact.is_own("catalog", "activated"), &fact.data) else {
                continue;
            };
            let failed = |why: String| RejudgeError::Catalog { seq, why };
            let activation = Activation::from_data(&data.bytes)
                .map_err(|at| failed(format!("its data is wrong at {at:?}")))?;
            if activation.engine != ENGINE {
                self.counts.other_engine = Some(seq);
            }
            let catalog = Catalog::compile(&activation, &self.texts).map_err(|wrong| {
                let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
                failed(lines.join("; "))
            })?;
            self.catalogs.activate(seq, Arc::new(catalog));
        }
        Ok(())
    }

    /// Folds these facts, or as many of them as one batch takes.
    fn fold(&mut self, batch: &[Fact]) -> Result<(Changes, usize), FoldError> {
        let world = std::mem::take(&mut self.world);
        let (scope, at) = (Scope::All, self.checkpoint);
        for fact in batch {
            self.memory.kept.note(fact);
        }
        let mut fold = Fold::begin(&self.ledger, &self.catalogs, &scope, at, world);
        let mut needs = fold.foresee(batch);
        let mut rest = batch;
        loop {
            if !needs.is_empty() {
                let loaded = self.memory.load(&needs);
                fold = fold.supply(needs, loaded);
            }
            let (next, taken, lacks) = fold.steps(rest)?;
            (fold, needs) = (next, lacks);
            rest = rest.get(taken..).unwrap_or_default();
            if needs.is_empty() {
                let (changes, world) = fold.finish();
                self.world = world;
                return Ok((changes, batch.len() - rest.len()));
            }
        }
    }

    /// Holds what a batch gave against what the chain says.
    fn compare(&mut self, changes: &Changes, batch: &[Fact], report: &mut Report) {
        let first = batch.first().map_or(0, |fact| fact.header.seq);
        let fact = |seq: u64| batch.get(usize::try_from(seq.checked_sub(first)?).ok()?);
        let last_us = batch.last().map_or(0, |fact| fact.header.recorded_us);
        let recorded_us = |seq: u64| fact(seq).map_or(last_us, |fact| fact.header.recorded_us);
        for (id, known) in &changes.verdicts {
            if changes.renewed.contains(id) {
                continue;
            }
            self.counts.verdicts += u64::from(known.judged);
            self.counts.not_rejudgeable += u64::from(!known.judged);
            let said = &known.verdict;
            if said.rule == verdict::UNEXPECTED {
                let what = fact(said.cause_seq).map_or_else(String::new, words);
                let detail = match said.detail_key.as_str() {
                    "differs" => format!("{what} says something else than follows from the chain"),
                    _ => format!("{what} does not follow from anything in the chain: it was added"),
                };
                report.problem(Some(said.cause_seq), What::Verdict, detail);
            }
        }
        let raised = changes.publish.iter().map(|one| {
            let what = format!("{} {} of {}", one.severity, one.rule, one.subject());
            (one.violation(), one.cause_seq, what)
        });
        let cleared = changes.announce.iter().map(|(one, cleared)| {
            let how = cleared.how.as_str();
            let what = format!("the clearing ({how}) of {} of {}", one.rule, one.subject());
            (cleared.id(), cleared.by_seq, what)
        });
        let derived = changes.send.iter().map(|one| {
            let what = format!("{} of {}", one.event_type, one.subject);
            (one.id.clone(), one.cause_seq, what)
        });
        for (id, cause_seq, what) in raised.chain(cleared).chain(derived) {
            let awaited = Awaited {
                cause_seq,
                recorded_us: recorded_us(cause_seq),
                what,
            };
            self.awaited.insert(id, awaited);
        }
        for id in &changes.settled {
            self.awaited.remove(id);
        }
    }
}

/// An event of the ledger's own, in words.
fn words(fact: &Fact) -> String {
    let mut words = fact.header.event_type.clone();
    for member in ["severity", "rule", "how", "violation", "class"] {
        if let Some(text) = fact.text(member) {
            words.push(' ');
            words.push_str(text);
        }
    }
    words
}
