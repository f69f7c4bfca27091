//! Which catalog reads what follows: the one that the chain says.

use std::sync::Arc;

use ledger::append::Arrival;
use ledger::db::Database;
use ledger::head::Head;
use ledger::read::Reader;
use schema::catalog::{Activation, ENGINE};
use schema::{Catalog, Reason, Refusal};

use super::{End, IngestError};

/// What an activation comes to.
pub(super) enum Judged {
    /// It becomes the catalog of what follows.
    Compiles(Arc<Catalog>),
    /// It is no activation.
    Refused(Refusal),
}

/// The catalog of what follows the head.
pub(super) async fn at_head(db: &Database, head: &Head) -> Result<Arc<Catalog>, End> {
    let reader = Reader::open(db, &head.ledger).await?;
    let Some(active) = reader.catalog_at(head.size.saturating_sub(1)).await? else {
        return Ok(Arc::new(Catalog::bootstrap()));
    };
    let broken = |detail: String| {
        End::Failed(IngestError::Catalog {
            seq: active.seq,
            detail,
        })
    };
    let activation = Activation::from_data(&active.activation).map_err(&broken)?;
    match Catalog::compile(&activation, &active.texts) {
        Ok(catalog) => Ok(Arc::new(catalog)),
        Err(found) => {
            let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
            Err(broken(lines.join("; ")))
        }
    }
}

/// Whether an activation can be what it says, by the packages that the chain holds before it.
///
/// It is the same for everybody who reads the same stream: it depends on nothing but what stands before. A newer
/// engine is another matter, which only a newer program can judge.
pub(super) async fn judge(db: &Database, head: &Head, arrival: &Arrival) -> Result<Judged, End> {
    let Ok(event) = &arrival.read else {
        return Ok(Judged::Refused(invalid("")));
    };
    let activation = match Activation::from_data(&event.data) {
        Ok(activation) => activation,
        Err(at) => return Ok(Judged::Refused(invalid(&at))),
    };
    if activation.engine > ENGINE {
        return Err(End::Failed(IngestError::Engine {
            stream_seq: arrival.message.stream_seq,
            wanted: activation.engine,
            ours: ENGINE,
        }));
    }
    let reader = Reader::open(db, &head.ledger).await?;
    let texts = reader.packages_at(head.size.saturating_sub(1)).await?;
    let missing = activation
        .packages
        .iter()
        .find(|(_, digest)| !texts.contains_key(*digest));
    if let Some((name, _)) = missing {
        return Ok(Judged::Refused(invalid(&format!("/packages/{name}"))));
    }
    Ok(match Catalog::compile(&activation, &texts) {
        Ok(catalog) => Judged::Compiles(Arc::new(catalog)),
        Err(found) => {
            let settings = found.iter().any(|one| one.file == "settings");
            Judged::Refused(invalid(if settings { "/settings" } else { "/packages" }))
        }
    })
}

fn invalid(at: &str) -> Refusal {
    Refusal {
        reason: Reason::DataInvalid,
        at: at.to_owned(),
    }
}
