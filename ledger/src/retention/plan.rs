//! What is to be deleted, by what the chain says and what is still there.

use std::collections::{BTreeMap, BTreeSet};

use schema::retention::{Retentions, Term};
use serde::Serialize;

use super::{Found, in_ranges, is_over, of_kinds};
use crate::db::DbError;
use crate::read::{ReadError, Reader};
use crate::redaction::{Coverage, REDACTION, joined, without};

/// How many positions are looked at in one go.
const PAGE: u64 = 50_000;

/// How far deleting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Named by an event, and still there.
    Applied,
    /// Somebody asked for it.
    Requested,
    /// Announced.
    Scheduled,
    /// Its time is over, and it is not announced yet.
    Due,
    /// Its time is not over.
    Later,
}

/// Data that is to be deleted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How far it has come.
    pub stage: Stage,
    /// The retention class, or `redaction`.
    pub class: String,
    /// The event that says so, where there is one.
    pub by: Option<u64>,
    /// When at the earliest, in µs, where that is known.
    pub not_before_us: Option<i64>,
    /// The positions.
    pub ranges: Vec<(u64, u64)>,
    /// How many of them are held.
    pub held: u64,
    /// The holds that stop it.
    pub holds: BTreeSet<String>,
    /// Why it is not done, where that is not a hold.
    pub waits_for: Option<&'static str>,
}

impl Entry {
    fn new(stage: Stage, class: &str, by: Option<u64>, not_before_us: Option<i64>) -> Self {
        Self {
            stage,
            class: class.to_owned(),
            by,
            not_before_us,
            ranges: Vec::new(),
            held: 0,
            holds: BTreeSet::new(),
            waits_for: None,
        }
    }

    fn add(&mut self, found: &Found, coverage: &Coverage) {
        match self.ranges.last_mut() {
            Some((_, to)) if *to + 1 == found.seq => *to = found.seq,
            _ => self.ranges.push((found.seq, found.seq)),
        }
        if let Some(hold) = coverage.holds().now(&found.spot()) {
            self.held += 1;
            self.holds.insert(hold.hold.clone());
        }
    }
}

/// The kinds whose data is deleted some day, by class: its term and their names.
pub fn by_class(retentions: &Retentions) -> BTreeMap<Term, Vec<String>> {
    let mut classes: BTreeMap<Term, Vec<String>> = BTreeMap::new();
    for (kind, kept) in retentions.all() {
        if kept.term != Term::Forever {
            classes.entry(kept.term).or_default().push(kind.to_string());
        }
    }
    classes
}

/// The positions of a class from one up to another whose data is there, is not permanent and not announced yet.
pub async fn due(
    reader: &Reader,
    coverage: &Coverage,
    kinds: &[String],
    from: u64,
    to: u64,
) -> Result<Vec<Found>, DbError> {
    let announced = joined(
        coverage
            .scheduled()
            .flat_map(|one| one.ranges.iter().copied()),
    );
    let mut found = of_kinds(reader, kinds, from, to).await?;
    found.retain(|one| !one.spot().is_permanent() && !crate::redaction::has(&announced, one.seq));
    Ok(found)
}

/// What of an announcement or a request no event has taken yet.
pub fn remaining(coverage: &Coverage, by: u64, ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let taken = coverage
        .applied()
        .iter()
        .filter(|one| one.scheduled_by == Some(by));
    let taken = joined(taken.flat_map(|one| one.ranges.iter().copied()));
    without(ranges, &taken)
}

/// Everything that is to be deleted, sooner or later, at a time in µs.
pub async fn plan(
    reader: &Reader,
    coverage: &Coverage,
    retentions: &Retentions,
    now_us: i64,
) -> Result<Vec<Entry>, ReadError> {
    let mut entries = Vec::new();
    for applied in coverage.applied() {
        let mut entry = Entry::new(Stage::Applied, &applied.class, Some(applied.by), None);
        let covered = |one: &Found| {
            let by = coverage.by(&one.spot());
            by.is_some_and(|by| by.by == applied.by)
        };
        collect(reader, &applied.ranges, |one| {
            if one.there && covered(one) && super::allows(retentions, applied, &one.spot()) {
                entry.add(one, coverage);
            }
        })
        .await?;
        entries.push(entry);
    }
    for request in coverage.requests() {
        let ranges = joined(request.seqs.iter().map(|seq| (*seq, *seq)));
        let left = remaining(coverage, request.seq, &ranges);
        let mut entry = Entry::new(Stage::Requested, REDACTION, Some(request.seq), None);
        if retentions.four_eyes() && !request.is_agreed() {
            entry.waits_for = Some("somebody else who agrees");
        }
        collect(reader, &left, |one| {
            if one.there && !one.spot().is_permanent() {
                entry.add(one, coverage);
            }
        })
        .await?;
        entries.push(entry);
    }
    for scheduled in coverage.scheduled() {
        let left = remaining(coverage, scheduled.seq, &scheduled.ranges);
        let at = Some(scheduled.not_before_us);
        let mut entry = Entry::new(Stage::Scheduled, &scheduled.class, Some(scheduled.seq), at);
        collect(reader, &left, |one| {
            if one.there && !one.spot().is_permanent() && is_over(retentions, &one.spot(), now_us) {
                entry.add(one, coverage);
            }
        })
        .await?;
        entries.push(entry);
    }
    classes(reader, coverage, retentions, now_us, &mut entries).await?;
    entries.retain(|entry| !entry.ranges.is_empty());
    Ok(entries)
}

/// What is not announced yet, class by class.
async fn classes(
    reader: &Reader,
    coverage: &Coverage,
    retentions: &Retentions,
    now_us: i64,
    entries: &mut Vec<Entry>,
) -> Result<(), ReadError> {
    let size = reader.head().await?.size;
    for (term, kinds) in by_class(retentions) {
        let us = term.us().unwrap_or(i64::MAX);
        let over = reader.size_as_known(now_us.saturating_sub(us)).await?;
        let notice = now_us.saturating_add(retentions.notice_us());
        let mut now = Entry::new(Stage::Due, &term.to_string(), None, Some(notice));
        let mut later = Entry::new(Stage::Later, &term.to_string(), None, None);
        let mut from = 0;
        while from < size {
            let to = (from + PAGE).min(size);
            for one in due(reader, coverage, &kinds, from, to).await? {
                if one.seq < over {
                    now.add(&one, coverage);
                } else {
                    let at = one.recorded_us.saturating_add(us);
                    later.not_before_us.get_or_insert(at);
                    later.add(&one, coverage);
                }
            }
            from = to;
        }
        entries.extend([now, later]);
    }
    Ok(())
}

async fn collect(
    reader: &Reader,
    ranges: &[(u64, u64)],
    mut take: impl FnMut(&Found),
) -> Result<(), DbError> {
    let mut from = 0;
    loop {
        let page = in_ranges(reader, ranges, from, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        from = last.seq + 1;
        page.iter().for_each(&mut take);
    }
}
