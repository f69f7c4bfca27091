//! What the ledger says next about deleting, and what is to be deleted next.

use std::collections::{BTreeMap, BTreeSet};

use ledger::digest;
use ledger::read::Reader;
use ledger::redaction::{Applied, Coverage, REDACTION, count, joined};
use ledger::retention::{
    Found, activated, allows, by_class, deletions, due, in_ranges, note, remaining,
};
use schema::retention::{Retentions, Term};
use schema::{Catalog, LedgerName, canonical};
use serde_json::{Value, json};

use super::{Outcome, Redactor, RetentionError};
use crate::project::compile;

/// How many positions are looked at in one go.
const PAGE: u64 = 20_000;
/// How many positions one transaction deletes: appending waits for it.
const BATCH: usize = 500;
/// How many ranges one event names: far less than an event may hold.
const RANGES: usize = 4000;

/// An event of the ledger's own that is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    /// Its type.
    pub event_type: &'static str,
    /// The class.
    pub subject: String,
    /// Its identifier: of the same data the same.
    pub id: String,
    /// Its data, RFC 8785.
    pub data: String,
}

impl Saying {
    fn new(event_type: &'static str, class: &str, data: &Value) -> Self {
        let data = canonical::to_text(data);
        let id = hex::encode(digest::message_id("ledger", event_type, &data));
        Self {
            event_type,
            subject: class.to_owned(),
            id,
            data,
        }
    }
}

/// How many positions wait for the deletion of their data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Announced, and their time has not come; or asked for, and nobody else has agreed.
    pub announced: u64,
    /// Their time has come, or somebody may have it so; no event names them yet.
    pub due: u64,
    /// Of those that are due, the ones that a hold keeps.
    pub held: u64,
}

/// How much was looked at: nothing that was looked at then need be looked at again until this changes.
type Seen = (usize, usize, Option<u64>);

/// Everything that is known of one ledger's retention.
#[derive(Debug)]
pub struct Desk {
    reader: Reader,
    coverage: Coverage,
    retentions: Retentions,
    activated: Option<u64>,
    redactor: Redactor,
    /// The classes' next positions to announce.
    announced: BTreeMap<Term, u64>,
    /// Announcements and requests of which nothing is left to take, as things stood.
    settled: BTreeMap<u64, Seen>,
    /// Events whose positions are deleted, as far as holds let them, as things stood.
    deleted: BTreeMap<u64, Seen>,
    /// Events whose positions are deleted for good, and whether their messages are.
    done: BTreeMap<u64, bool>,
    /// Of announcements and requests the positions that holds keep, as things stood.
    held: BTreeMap<u64, u64>,
    /// How far the views must have come before an event's positions are deleted.
    reach: BTreeMap<u64, u64>,
}

impl Desk {
    /// For one ledger.
    pub async fn open(reader: Reader) -> Result<Self, RetentionError> {
        let done = deletions(&reader).await?.into_iter().collect();
        Ok(Self {
            coverage: Coverage::default(),
            retentions: Catalog::bootstrap().retentions().clone(),
            activated: None,
            redactor: Redactor::new(reader.clone()),
            announced: BTreeMap::new(),
            settled: BTreeMap::new(),
            deleted: BTreeMap::new(),
            done,
            held: BTreeMap::new(),
            reach: BTreeMap::new(),
            reader,
        })
    }

    /// Reads what the chain says since.
    pub async fn refresh(&mut self) -> Result<(), RetentionError> {
        let db = self.reader.database();
        let client = db.client().await?;
        self.coverage.refresh(db, &client, self.reader.id()).await?;
        drop(client);
        let active = activated(&self.reader).await?;
        if active != self.activated {
            if let Some(found) = self.reader.catalog_at(u64::MAX).await? {
                self.retentions = compile(&found)?.retentions().clone();
            }
            self.activated = active;
            self.announced.clear();
        }
        Ok(())
    }

    fn seen(&self) -> Seen {
        let holds = self.coverage.holds().all();
        let released = holds.iter().filter(|hold| hold.released.is_some()).count();
        (holds.len(), released, self.activated)
    }

    /// The position of an event that was said, once it is in the chain.
    pub async fn position(
        &self,
        ledger: &LedgerName,
        said: &Saying,
    ) -> Result<Option<u64>, RetentionError> {
        let found = self
            .reader
            .record_of("ledger", &ledger.source(), &said.id)
            .await?;
        Ok(found.map(|record| record.header.seq))
    }

    /// What is to be said next at a time in µs: an answer to a request, that an announcement has come true, or what is
    /// announced, in this order. `None` where there is nothing to say.
    pub async fn next(&mut self, now_us: i64) -> Result<Option<Saying>, RetentionError> {
        let agreed =
            |one: &&ledger::redaction::Request| !self.retentions.four_eyes() || one.is_agreed();
        let requests: Vec<(u64, Vec<(u64, u64)>)> = (self.coverage.requests())
            .filter(agreed)
            .map(|one| (one.seq, joined(one.seqs.iter().map(|seq| (*seq, *seq)))))
            .collect();
        for (seq, ranges) in requests {
            if let Some(said) = self.apply(REDACTION, seq, &ranges, |_, _| true).await? {
                return Ok(Some(said));
            }
        }
        let over: Vec<_> = (self.coverage.scheduled())
            .filter(|one| one.not_before_us <= now_us)
            .map(|one| (one.seq, one.class.clone(), one.ranges.clone()))
            .collect();
        for (seq, class, ranges) in over {
            let is_due = |retentions: &Retentions, found: &Found| is_due(retentions, found, now_us);
            if let Some(said) = self.apply(&class, seq, &ranges, is_due).await? {
                return Ok(Some(said));
            }
        }
        self.announce(now_us).await
    }

    /// That data is deleted: what is left of an announcement or a request, but for what is held.
    async fn apply(
        &mut self,
        class: &str,
        by: u64,
        ranges: &[(u64, u64)],
        is_due: impl Fn(&Retentions, &Found) -> bool,
    ) -> Result<Option<Saying>, RetentionError> {
        let seen = self.seen();
        if self.settled.get(&by) == Some(&seen) {
            return Ok(None);
        }
        let left = remaining(&self.coverage, by, ranges);
        let (mut free, mut from, mut held) = (Vec::new(), 0, 0);
        loop {
            let page = in_ranges(&self.reader, &left, from, PAGE).await?;
            let Some(last) = page.last().filter(|_| free.len() < RANGES) else {
                break;
            };
            from = last.seq + 1;
            held += page.iter().filter(|one| self.is_held(one)).count();
            free.extend(
                page.iter()
                    .filter(|one| self.may_go(one) && is_due(&self.retentions, one))
                    .map(|one| one.seq),
            );
        }
        let mut ranges = joined(free.iter().map(|seq| (*seq, *seq)));
        ranges.truncate(RANGES);
        if ranges.is_empty() {
            self.settled.insert(by, seen);
            self.held
                .insert(by, u64::try_from(held).unwrap_or(u64::MAX));
            return Ok(None);
        }
        let data = json!({"class": class, "ranges": ranges, "scheduled_by": by});
        Ok(Some(Saying::new("ledger.retention.applied", class, &data)))
    }

    /// Whether data is there, and nothing keeps it now.
    fn may_go(&self, found: &Found) -> bool {
        let spot = found.spot();
        found.there && !spot.is_permanent() && self.coverage.holds().now(&spot).is_none()
    }

    /// Whether data is there, and would go if no hold kept it.
    fn is_held(&self, found: &Found) -> bool {
        let spot = found.spot();
        found.there && !spot.is_permanent() && self.coverage.holds().now(&spot).is_some()
    }

    /// How much waits at a time in µs, after [`Desk::next`] had nothing to say.
    pub fn waiting(&self, now_us: i64) -> Waiting {
        let mut waiting = Waiting::default();
        let mut add = |seq: u64, ranges: &[(u64, u64)], is_due: bool| {
            let left = count(&remaining(&self.coverage, seq, ranges));
            if is_due {
                waiting.due += left;
                waiting.held += self.held.get(&seq).copied().unwrap_or(0).min(left);
            } else {
                waiting.announced += left;
            }
        };
        for one in self.coverage.scheduled() {
            add(one.seq, &one.ranges, one.not_before_us <= now_us);
        }
        for one in self.coverage.requests() {
            let seqs: Vec<_> = one.seqs.iter().map(|seq| (*seq, *seq)).collect();
            add(
                one.seq,
                &seqs,
                !self.retentions.four_eyes() || one.is_agreed(),
            );
        }
        waiting
    }

    /// The first data whose time is over and that is not announced.
    async fn announce(&mut self, now_us: i64) -> Result<Option<Saying>, RetentionError> {
        for (term, kinds) in by_class(&self.retentions) {
            let us = term.us().unwrap_or(i64::MAX);
            let over = self.reader.size_as_known(now_us.saturating_sub(us)).await?;
            let mut from = self.announced.get(&term).copied().unwrap_or(0);
            while from < over {
                let to = (from + PAGE).min(over);
                let found = due(&self.reader, &self.coverage, &kinds, from, to).await?;
                let mut ranges = joined(found.iter().map(|one| (one.seq, one.seq)));
                // What does not fit is found again once this is in the chain.
                if ranges.len() <= RANGES {
                    self.announced
                        .insert(term, if ranges.is_empty() { to } else { from });
                }
                ranges.truncate(RANGES);
                if !ranges.is_empty() {
                    let class = term.to_string();
                    let not_before_us = now_us.saturating_add(self.retentions.notice_us());
                    let data =
                        json!({"class": class, "ranges": ranges, "not_before_us": not_before_us});
                    return Ok(Some(Saying::new(
                        "ledger.retention.scheduled",
                        &class,
                        &data,
                    )));
                }
                from = to;
            }
        }
        Ok(None)
    }

    /// Deletes what events of the chain name, a batch at a time, and gives how many positions' data that was. They must
    /// be below `sealed`, the size of the last signed head.
    pub async fn delete(&mut self, sealed: u64) -> Result<usize, RetentionError> {
        let seen = self.seen();
        let open: Vec<Applied> = (self.coverage.applied().iter())
            .filter(|one| one.by < sealed && !self.done.contains_key(&one.by))
            .filter(|one| self.deleted.get(&one.by) != Some(&seen))
            .cloned()
            .collect();
        let mut many = 0;
        for applied in open {
            let size = self.reader.head().await?.size;
            let reach = *self.reach.entry(applied.by).or_insert(size);
            let retentions = self.retentions_at(applied.by).await?;
            let (mut from, mut kept) = (0, false);
            loop {
                let page = in_ranges(&self.reader, &applied.ranges, from, PAGE).await?;
                let Some(last) = page.last() else { break };
                from = last.seq + 1;
                let mut goes = Vec::new();
                for one in page {
                    let named = self.coverage.by(&one.spot()).is_some();
                    if one.there && named && allows(&retentions, &applied, &one.spot()) {
                        kept |= !self.may_go(&one);
                        goes.push(one);
                    }
                }
                goes.retain(|one| self.may_go(one));
                for batch in goes.chunks(BATCH) {
                    match self.redactor.delete(&applied, reach, batch).await? {
                        Outcome::Behind => return Ok(many),
                        Outcome::Deleted(gone) => many += gone,
                    }
                }
            }
            if kept {
                self.deleted.insert(applied.by, seen);
            } else {
                note(&self.reader, applied.by, false).await?;
                self.done.insert(applied.by, false);
            }
            self.reach.remove(&applied.by);
        }
        Ok(many)
    }

    /// What must be kept by the catalog that an event was recorded under.
    async fn retentions_at(&self, seq: u64) -> Result<Retentions, RetentionError> {
        if self.activated.is_some_and(|activated| activated <= seq) {
            return Ok(self.retentions.clone());
        }
        Ok(match self.reader.catalog_at(seq).await? {
            Some(active) => compile(&active)?.retentions().clone(),
            None => Catalog::bootstrap().retentions().clone(),
        })
    }

    /// The messages of deleted data that was named before a time in µs: by the event that names it, those of each
    /// stream.
    pub async fn messages(
        &self,
        before_us: i64,
    ) -> Result<Vec<(u64, BTreeMap<String, BTreeSet<u64>>)>, RetentionError> {
        let mut all = Vec::new();
        for applied in self.coverage.applied() {
            let waits = self.done.get(&applied.by) == Some(&false);
            if !waits || applied.recorded_us > before_us {
                continue;
            }
            let mut streams: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
            let mut from = 0;
            loop {
                let page = in_ranges(&self.reader, &applied.ranges, from, PAGE).await?;
                let Some(last) = page.last() else { break };
                from = last.seq + 1;
                for one in page.into_iter().filter(|one| !one.there) {
                    let (stream, number) = one.message;
                    streams.entry(stream).or_default().insert(number);
                }
            }
            all.push((applied.by, streams));
        }
        Ok(all)
    }

    /// The messages of what an event names are gone, as far as the stream had them.
    pub async fn scrubbed(&mut self, by: u64) -> Result<(), RetentionError> {
        note(&self.reader, by, true).await?;
        self.done.insert(by, true);
        Ok(())
    }
}

/// Whether a position's time is over by the settings, at a time in µs.
fn is_due(retentions: &Retentions, found: &Found, now_us: i64) -> bool {
    let kind = found.spot().kind.parse().ok();
    let kept = kind.and_then(|kind| retentions.kind(&kind));
    let us = kept.and_then(|kept| kept.term.us());
    us.is_some_and(|us| found.recorded_us.saturating_add(us) <= now_us)
}
