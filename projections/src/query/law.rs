//! The words of verdicts, by the rules of the catalog that judged them and by what their causes say.

use std::collections::BTreeMap;

use ledger::read::{ReadError, Reader};
use ledger::record::Record;
use schema::rule::{Law, NOT_AUTHORIZED, Said};
use schema::{Activation, Package};
use serde_json::Value;

use crate::entity::Key;
use crate::fact::Fact;
use crate::fold::judge;
use crate::project::ProjectError;
use crate::query::rows::ViolationRow;
use crate::query::words::{self, Cause};
use crate::query::{QueryError, past};

/// How many causes are read at a time.
const AT_A_TIME: usize = 64;

/// A verdict that waits for its words, and what is known of it beside.
pub(super) struct Wordless {
    pub(super) row: ViolationRow,
    pub(super) found_by: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) claimed: Option<String>,
}

impl Wordless {
    fn said(&self) -> Said<'_> {
        Said {
            rule: &self.row.rule,
            found_by: self.found_by.as_deref(),
            kind: &self.row.kind,
            event_type: self.event_type.as_deref(),
            severity: &self.row.severity,
            detail_key: &self.row.detail_key,
        }
    }

    fn key(&self) -> Key {
        Key::new(self.row.kind.as_str(), self.row.id.as_str())
    }
}

/// Gives each verdict its words.
pub(super) async fn word(
    reader: &Reader,
    found: Vec<Wordless>,
) -> Result<Vec<ViolationRow>, QueryError> {
    let mut laws: BTreeMap<String, Law> = BTreeMap::new();
    let mut rows = Vec::with_capacity(found.len());
    let mut found = found.into_iter().peekable();
    while found.peek().is_some() {
        let mut some: Vec<Wordless> = found.by_ref().take(AT_A_TIME).collect();
        for one in &some {
            if !laws.contains_key(&one.row.catalog) {
                let law = law(reader, one.row.cause_seq).await?;
                laws.insert(one.row.catalog.clone(), law);
            }
        }
        let causes = causes(reader, &some, &laws).await?;
        tell_parts(reader, &mut some, &laws, &causes).await?;
        for one in &mut some {
            let record = causes.get(&one.row.cause_seq);
            if one.event_type.is_none() {
                one.event_type = record.map(|record| record.header.event_type.clone());
            }
            let law = laws.get(&one.row.catalog);
            one.row.message = message(one, law, record);
        }
        rows.extend(some.into_iter().map(|one| one.row));
    }
    Ok(rows)
}

/// The rules that judged a position. What cannot be read by this program has no words.
async fn law(reader: &Reader, seq: u64) -> Result<Law, ReadError> {
    let active = match seq.checked_sub(1) {
        Some(before) => reader.catalog_at(before).await?,
        None => None,
    };
    let packages = active.and_then(|active| {
        let activation = Activation::from_data(&active.activation).ok()?;
        let packages = activation
            .packages
            .iter()
            .filter_map(|(name, digest)| Package::from_text(name, active.texts.get(digest)?).ok());
        Some(packages.collect())
    });
    Ok(Law::new(packages.unwrap_or_default()))
}

/// The causes of those whose words need them.
async fn causes(
    reader: &Reader,
    some: &[Wordless],
    laws: &BTreeMap<String, Law>,
) -> Result<BTreeMap<u64, Record>, ReadError> {
    let asks = |one: &&Wordless| {
        let law = laws.get(&one.row.catalog);
        let asks =
            |law: &Law| law.asks_for_values(&one.said()) || !law.parts(&one.said()).is_empty();
        // Of what a publisher may not, the words name it.
        let names = one.row.rule == NOT_AUTHORIZED;
        names || one.event_type.is_none() || law.is_some_and(asks)
    };
    let mut seqs: Vec<u64> = some
        .iter()
        .filter(asks)
        .map(|one| one.row.cause_seq)
        .collect();
    seqs.dedup();
    if seqs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let records = reader.records_at(&seqs).await?;
    Ok(records
        .into_iter()
        .map(|record| (record.header.seq, record))
        .collect())
}

/// Says of verdicts of a rule with several parts which of them broke: its cause is judged again, with its entity as it was.
async fn tell_parts(
    reader: &Reader,
    some: &mut [Wordless],
    laws: &BTreeMap<String, Law>,
    causes: &BTreeMap<u64, Record>,
) -> Result<(), QueryError> {
    let mut several = Vec::new();
    for one in some {
        let law = laws.get(&one.row.catalog);
        let parts = law.map(|law| law.parts(&one.said())).unwrap_or_default();
        let record = causes
            .get(&one.row.cause_seq)
            .filter(|record| record.body.is_some());
        if let Some(record) = record.filter(|_| !parts.is_empty()) {
            let fact = Fact::read(record.clone()).map_err(ProjectError::from)?;
            several.push((one, parts, fact));
        }
    }
    if several.is_empty() {
        return Ok(());
    }
    let last = several.iter().map(|(one, ..)| one.row.cause_seq).max();
    let catalogs = past::catalogs(reader, last.unwrap_or_default()).await?;
    for (one, parts, fact) in several {
        // What an event says about another entity is judged with that one, which cannot be told here.
        let Some(about) = fact.key.clone().filter(|about| *about == one.key()) else {
            continue;
        };
        let states = past::around(reader, &catalogs, &about, one.row.cause_seq).await?;
        let catalog = catalogs.at(one.row.cause_seq);
        let states = (states.0.as_ref(), states.1.as_ref());
        let by = judge::which(catalog, &fact, &about, states, &parts, &one.said());
        one.found_by = by.map(ToString::to_string);
    }
    Ok(())
}

fn message(one: &Wordless, law: Option<&Law>, record: Option<&Record>) -> String {
    let cause = Cause {
        event_type: one.event_type.as_deref(),
        from: one.from.as_deref(),
        to: one.to.as_deref(),
        claimed: one.claimed.as_deref(),
        publisher: record.map(|record| record.header.publisher.as_str()),
    };
    let said = one.said();
    let rule = law.and_then(|law| law.words(&said));
    let data = record.and_then(|record| record.body.as_ref());
    let data = data.and_then(|body| serde_json::from_slice::<Value>(&body.data).ok());
    let values = match (law, data) {
        (Some(law), Some(data)) => law.values(&said, &data),
        _ => Vec::new(),
    };
    words::violation(&one.row, &cause, rule.as_ref(), &values)
}
