//! Whether `ledger.seen` holds the identity of every event, and of nothing else.
//!
//! It is not part of what is signed, so no proof rests on it; but an identity that is missing there lets the same
//! event be recorded twice, and one too many refuses an event that never came. The chain says what must be there,
//! so this is a pass of its own over both tables (`ledger verify --deep`), and the quick one stays quick.

use futures_util::TryStreamExt as _;
use schema::LedgerName;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::db::Database;
use crate::init::claim;
use crate::read::{ReadError, Reader};
use crate::report::{Report, What};

/// How often `progress` is told.
const STEP: u64 = 1 << 14;

/// Compares `ledger.seen` with the chain at one moment, position by position, and adds what is wrong to the report
/// in the order of positions. `progress` is told how many positions are done.
pub async fn verify(
    db: &Database,
    ledger: &LedgerName,
    report: &mut Report,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), ReadError> {
    let id = Reader::open(db, ledger).await?.id();
    let client = db.client().await?;
    let failed = db.error("comparing identities");
    let parameters: [&(dyn ToSql + Sync); 1] = [&id];
    let rows = client
        .query_raw(include_str!("sql/identities.sql"), parameters)
        .await
        .map_err(&failed)?;
    let mut rows = std::pin::pin!(rows);
    let (mut done, mut wrong) = (0_u64, Vec::new());
    while let Some(row) = rows.try_next().await.map_err(&failed)? {
        if let Some(detail) = judge(&row).map_err(&failed)? {
            wrong.push((row.get::<_, i64>("seq"), detail));
        }
        done += 1;
        if done.is_multiple_of(STEP) {
            progress(done);
        }
    }
    wrong.sort_by_key(|(seq, _)| *seq);
    for (seq, detail) in wrong {
        report.problem(u64::try_from(seq).ok(), What::Header, detail);
    }
    Ok(())
}

/// What is wrong with one position and one identity.
fn judge(row: &Row) -> Result<Option<&'static str>, tokio_postgres::Error> {
    let taken: Option<Uuid> = row.try_get("key")?;
    if !row.try_get::<_, bool>("is_there")? {
        return Ok(Some(
            "ledger.seen holds an identity for this position, where there is no event",
        ));
    }
    let (publisher, source, id): (&str, &str, &str) = (
        row.try_get("publisher")?,
        row.try_get("source")?,
        row.try_get("id")?,
    );
    let claims = claims(row.try_get("event_type")?, row.try_get("subject")?);
    Ok(match taken {
        None if claims => {
            Some("its identity is not in ledger.seen: the same event could be recorded again")
        }
        Some(_) if !claims => Some(
            "ledger.seen holds an identity for it, and what is no event of its own claims none",
        ),
        Some(key) if key != claim(publisher, source, id) => {
            Some("ledger.seen holds another identity for it than its own")
        }
        _ => None,
    })
}

/// Whether what stands at a position claims an identity: not a duplicate, a quarantined message or a gap. Theirs
/// are the only headers without a subject.
pub(crate) fn claims(event_type: &str, subject: &str) -> bool {
    let own = [
        "ledger.event.duplicate",
        "ledger.event.quarantined",
        "ledger.stream.gap",
    ];
    !(subject.is_empty() && own.contains(&event_type))
}
