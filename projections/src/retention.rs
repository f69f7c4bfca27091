//! Retention: what is said about data whose time is over, and deleting it from the chain's database and the views.
//!
//! Everything follows from the chain and from what is still there, so that each step can be taken again after any
//! crash: what was said twice is a duplicate, what was deleted is not there to be deleted.

mod desk;

use std::collections::HashMap;
use std::sync::Arc;

use ledger::db::DbError;
use ledger::read::{ReadError, Reader};
use ledger::redaction::{Applied, REDACTION};
use ledger::retention::{self, Found};
use schema::kind::Shape;
use schema::merge::Changing;
use schema::{Catalog, EventDef, EventType, Field, Kind};
use serde_json::{Map, Value};

use crate::project::{ProjectError, compile};
use crate::store::{Gone, count, redact};

pub use desk::{Desk, Saying, Waiting};

/// Why deleting stopped.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database refused, or is away.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A catalog of the chain cannot be used.
    #[error(transparent)]
    Catalog(#[from] ProjectError),
}

impl RetentionError {
    /// True where a server was away: the same may succeed later.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Read(error) => error.is_unavailable(),
            Self::Database(error) => error.is_unavailable(),
            Self::Catalog(error) => error.is_unavailable(),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The views have not come so far yet.
    Behind,
    /// So many positions' data was deleted.
    Deleted(usize),
}

/// Deletes data from the chain's database, and what it said from the views, together.
#[derive(Debug)]
pub struct Redactor {
    reader: Reader,
    /// The catalogs by which the projections of the ledger index, by the positions of their activations.
    catalogs: HashMap<Option<i64>, Arc<Catalog>>,
}

impl Redactor {
    /// For one ledger.
    pub fn new(reader: Reader) -> Self {
        Self {
            reader,
            catalogs: HashMap::new(),
        }
    }

    /// Deletes the data of these positions, which `applied` covers, in one transaction with what it said in views. The
    /// live views must have come to `reach`: until then somebody has to look at the data yet.
    pub async fn delete(
        &mut self,
        applied: &Applied,
        reach: u64,
        found: &[Found],
    ) -> Result<Outcome, RetentionError> {
        let db = self.reader.database().clone();
        let failed = db.error("deleting data");
        let epoch = self.reader.head().await?.epoch;
        let epoch = u64::try_from(epoch).unwrap_or_default();
        let mut client = db.client().await?;
        let tx = client.transaction().await.map_err(&failed)?;
        let id = self.reader.id();
        let projections = tx
            .query(include_str!("sql/hold_projections.sql"), &[&id])
            .await
            .map_err(&failed)?;
        let reached = projections.iter().any(|row| {
            row.get::<_, &str>("state") == "live" && count(row.get("next_seq")) >= reach
        });
        if !reached {
            return Ok(Outcome::Behind);
        }
        let seqs: Vec<u64> = found.iter().map(|one| one.seq).collect();
        let deleted = retention::delete(&db, &tx, id, (applied.by, epoch), &seqs).await?;
        let by_seq: HashMap<u64, &Found> = found.iter().map(|one| (one.seq, one)).collect();
        let gone: Vec<Gone<'_>> = deleted
            .iter()
            .filter_map(|(seq, data)| {
                let found = by_seq.get(seq)?;
                let said = serde_json::from_slice(data).unwrap_or_default();
                Some(Gone { found, said })
            })
            .collect();
        for row in projections.iter().filter(|_| !gone.is_empty()) {
            let next = count(row.get("next_seq"));
            let folded: Vec<&Gone<'_>> = gone.iter().filter(|one| one.found.seq < next).collect();
            let catalog = self.catalog(row.get("activated")).await?;
            let asked_for = applied.class == REDACTION;
            redact(&tx, row.get("projection"), &catalog, &folded, asked_for)
                .await
                .map_err(&failed)?;
        }
        tx.commit().await.map_err(&failed)?;
        Ok(Outcome::Deleted(gone.len()))
    }

    async fn catalog(&mut self, activated: Option<i64>) -> Result<Arc<Catalog>, RetentionError> {
        if let Some(catalog) = self.catalogs.get(&activated) {
            return Ok(catalog.clone());
        }
        let active = match activated {
            Some(seq) => self.reader.catalog_at(count(seq)).await?,
            None => None,
        };
        let catalog = Arc::new(match active {
            Some(active) => compile(&active)?,
            None => Catalog::bootstrap(),
        });
        self.catalogs.insert(activated, catalog.clone());
        Ok(catalog)
    }
}

/// Takes out of an entity's attributes what is sensitive; and, where somebody asked for it, all that an event said
/// that no other event has said otherwise since.
pub(crate) fn without_said(
    attributes: &mut Map<String, Value>,
    kind: Option<&Kind>,
    event_type: &str,
    said: &Value,
    asked_for: bool,
) {
    let Some(kind) = kind else {
        // Nothing says what is sensitive.
        attributes.clear();
        return;
    };
    if asked_for && let Some(event_type) = EventType::parse(event_type) {
        let mut own = Map::new();
        kind.merge(&mut Changing::new(&mut own), event_type.verb(), said);
        for (name, value) in own {
            let is_now = attributes.get(&name);
            let overwritten = is_now.is_some_and(|now| !value.is_object() && *now != value);
            if !overwritten {
                attributes.remove(&name);
            }
        }
    }
    let evidence = kind.events.iter().flat_map(EventDef::evidence);
    for name in evidence
        .filter(|field| field.sensitive)
        .filter_map(|field| field.becomes.as_ref())
    {
        attributes.remove(name);
    }
    less_sensitive(attributes, &kind.fields);
}

/// Takes sensitive members out, however deep.
fn less_sensitive(members: &mut Map<String, Value>, fields: &[Field]) {
    for field in fields {
        if field.sensitive {
            members.remove(&field.name);
        } else if let Some(value) = members.get_mut(&field.name) {
            of_shape(value, &field.shape);
        }
    }
}

fn of_shape(value: &mut Value, shape: &Shape) {
    match (shape, value) {
        (Shape::Object(members), Value::Object(value)) => less_sensitive(value, &members.fields),
        (Shape::Array { of, .. }, Value::Array(items)) => {
            for item in items {
                of_shape(item, of);
            }
        }
        (Shape::Map { of, .. }, Value::Object(values)) => {
            for value in values.values_mut() {
                of_shape(value, of);
            }
        }
        _ => {}
    }
}
