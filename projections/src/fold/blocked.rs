//! Events that name data to be deleted which must be kept: longer, by its kind, or because a hold says so.
//!
//! Nothing is deleted by them (`ledger.delete_data`, [`crate::retention`]); that somebody tried is a verdict.

use ledger::redaction::REDACTION;
use schema::Catalog;
use serde_json::Value;

use crate::fact::Fact;
use crate::fold::{Blocked, Fold, Naming, Needs, Scope};
use crate::verdict::{self, Verdict};

/// How long an event of the ledger's own may take from when it was made up into the chain, in µs: a minute.
const ON_ITS_WAY_US: i64 = 60_000_000;

impl Fold<'_> {
    /// What has to be known of the positions that an event names to be deleted.
    pub(super) fn lacks_blocked(&self, fact: &Fact, catalog: &Catalog) -> Option<Needs> {
        let seq = fact.header.seq;
        if *self.scope != Scope::All || self.blocked.is_some_and(|(known, _)| known == seq) {
            return None;
        }
        let naming = naming(fact, catalog)?;
        Some(Needs {
            named: Some(Box::new(naming)),
            ..Needs::default()
        })
    }

    /// Takes in what is known of them.
    pub(super) fn supply_blocked(&mut self, needs: &Needs, blocked: Blocked) {
        if let Some(naming) = &needs.named {
            self.blocked = Some((naming.seq, blocked));
        }
    }

    /// Says what an event names that must be kept.
    pub(super) fn judge_blocked(&mut self, fact: &Fact, catalog: &Catalog) {
        let seq = fact.header.seq;
        let Some((_, blocked)) = self.blocked.take_if(|(known, _)| *known == seq) else {
            return;
        };
        if let Some(kept) = blocked.least {
            self.derive(raised(fact, catalog, "least", vec![kept, seq]));
        }
        if let Some((held, hold)) = blocked.held {
            let mut from = vec![held, hold, seq];
            from.sort_unstable();
            self.derive(raised(fact, catalog, "hold", from));
        }
    }
}

fn raised(fact: &Fact, catalog: &Catalog, key: &str, judged_from: Vec<u64>) -> Verdict {
    Verdict {
        rule: verdict::BLOCKED.to_owned(),
        severity: "critical".to_owned(),
        kind: "ledger.retention".to_owned(),
        id: fact.header.subject.clone(),
        cause_seq: fact.header.seq,
        judged_from,
        catalog: catalog.digest().to_owned(),
        detail_key: key.to_owned(),
    }
}

/// Until when a hold must have been recorded, in µs, that an event may not disregard. What the ledger says was in the chain
/// before it says so, by an announcement or a request: a hold that came just before it takes its positions out, and
/// nobody need be told.
fn known_until_us(fact: &Fact) -> i64 {
    let seq = fact.header.seq;
    let follows = fact.number("scheduled_by").is_some_and(|by| by < seq);
    if follows {
        fact.header.recorded_us.saturating_sub(ON_ITS_WAY_US)
    } else {
        i64::MAX
    }
}

/// What an event names; `None` for one that names nothing.
fn naming(fact: &Fact, catalog: &Catalog) -> Option<Naming> {
    let applied = fact.is_own("retention", "applied");
    if !applied && !fact.is_own("retention", "scheduled") {
        return None;
    }
    let data = &fact.data.as_ref()?.value;
    let range = |range: &Value| Some((range.get(0)?.as_u64()?, range.get(1)?.as_u64()?));
    let ranges = data.get("ranges")?.as_array()?;
    let at_us = if applied {
        fact.header.recorded_us
    } else {
        data.get("not_before_us")?.as_i64()?
    };
    let asked_for = fact.text("class") == Some(REDACTION);
    let least = || {
        let kept = catalog.retentions().all();
        let days = kept.filter_map(|(kind, kept)| Some((kind.to_string(), kept.least.us()?)));
        (at_us, days.collect())
    };
    Some(Naming {
        seq: fact.header.seq,
        ranges: ranges.iter().filter_map(range).collect(),
        least: (!asked_for).then(least),
        // What is announced waits; a hold may come and go until then.
        holds_until_us: applied.then(|| known_until_us(fact)),
    })
}
