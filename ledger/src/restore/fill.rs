//! Writing: batch by batch behind the head, each all or nothing.

use std::path::Path;

use schema::LedgerName;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Link, RestoreError, Surveyed};
use crate::bundle::Events;
use crate::db::{Client, Database};
use crate::digest::genesis;
use crate::head::{Head, bigint};
use crate::identities::claims;
use crate::init::{self, First, claim};
use crate::record::Record;

/// How many positions one statement writes.
const BATCH: usize = 1000;
/// How many bytes of data one statement writes, give or take one event.
const BATCH_BYTES: usize = 8 << 20;

/// Appends what the database lacks of a bundle that was surveyed, making the ledger if it is not there, and gives
/// the head. `progress` is told the size that the database has reached.
///
/// The head's message time is taken from `recorded_us`: a bundle does not hold it. Where the stream still has the
/// message, the caller corrects it with [`crate::head::Head::correct_message_time`].
pub async fn fill(
    db: &Database,
    ledger: &LedgerName,
    path: &Path,
    surveyed: &Surveyed,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Head, RestoreError> {
    let (sender, mut batches) = mpsc::channel(2);
    let (path, origin) = (path.to_owned(), surveyed.origin.clone());
    let from = Head::load(db, ledger).await?.map_or(0, |head| head.size);
    let reading = tokio::task::spawn_blocking(move || read(&path, &origin, from, &sender));
    let mut writer = None;
    while let Some(batch) = batches.recv().await {
        let mut rows: Vec<Record> = batch;
        if writer.is_none() {
            if from == 0 && !rows.is_empty() {
                begin(db, ledger, &surveyed.origin, &rows.remove(0)).await?;
            }
            writer = Some(Writer::take_over(db, ledger).await?);
        }
        if let Some(writer) = &mut writer {
            writer.write(&rows).await?;
            progress(writer.head.size);
        }
    }
    reading.await.map_err(RestoreError::Thread)??;
    let head = crate::read::require_head(db, ledger).await;
    let head = head.map_err(|error| match error {
        crate::read::ReadError::Database(error) => RestoreError::Database(error),
        crate::read::ReadError::NoLedger { .. } => RestoreError::Fenced,
    })?;
    if head.size == surveyed.size && head.chain != surveyed.chain {
        return Err(RestoreError::Changed);
    }
    Ok(head)
}

/// Reads the bundle again, recomputes it again, and hands over what stands behind `from`.
fn read(
    path: &Path,
    origin: &str,
    from: u64,
    sender: &mpsc::Sender<Vec<Record>>,
) -> Result<(), RestoreError> {
    let mut events = Events::open(path)?;
    let (mut link, mut chain) = (Link::default(), genesis(origin));
    let (mut batch, mut bytes) = (Vec::with_capacity(BATCH), 0);
    while let Some(row) = events.next_event()? {
        link.check(&row, &chain)?;
        chain = row.chain;
        if row.header.seq < from {
            continue;
        }
        bytes += row.body.as_ref().map_or(0, |body| body.data.len());
        batch.push(row);
        if batch.len() >= BATCH || bytes >= BATCH_BYTES {
            bytes = 0;
            // The other side says why it ended.
            if sender.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        let _ = sender.blocking_send(batch);
    }
    Ok(())
}

/// Makes the ledger with the event 0 that it had.
async fn begin(
    db: &Database,
    ledger: &LedgerName,
    origin: &str,
    row: &Record,
) -> Result<(), RestoreError> {
    let first = First {
        header: row.header.clone(),
        data_commitment: row.data_commitment,
        event_hash: row.event_hash,
        chain: row.chain,
        body: row.body.as_ref().map(|body| (body.salt, body.data.clone())),
    };
    // Another process may have made it in the meantime; the head then says so.
    init::store(db, ledger, origin, &first).await?;
    Ok(())
}

struct Writer<'a> {
    db: &'a Database,
    client: Client,
    head: Head,
    room_until: u64,
}

impl<'a> Writer<'a> {
    async fn take_over(db: &'a Database, ledger: &LedgerName) -> Result<Self, RestoreError> {
        let client = db.client().await?;
        let row = client
            .query_opt(include_str!("../sql/take_over.sql"), &[&ledger.as_str()])
            .await
            .map_err(db.error("taking over"))?;
        let row = row.ok_or(RestoreError::Fenced)?;
        let head = Head::from_row(db, row.get("ledger"), &row)?;
        Ok(Self {
            db,
            client,
            head,
            room_until: 0,
        })
    }

    async fn write(&mut self, rows: &[Record]) -> Result<(), RestoreError> {
        let Some(last) = rows.last() else {
            return Ok(());
        };
        let size = last.header.seq + 1;
        while self.room_until < size {
            let at = bigint(self.room_until.max(self.head.size));
            let made = self
                .client
                .query_one(include_str!("../sql/make_room.sql"), &[&self.head.id, &at])
                .await;
            let made = made.map_err(self.db.error("making a partition for data"))?;
            self.room_until = u64::try_from(made.get::<_, i64>(0)).unwrap_or(0);
        }
        let moved = self.send(rows, last, size).await?;
        if !moved {
            return Err(RestoreError::Fenced);
        }
        self.head.size = size;
        Ok(())
    }

    async fn send(&self, rows: &[Record], last: &Record, size: u64) -> Result<bool, RestoreError> {
        macro_rules! column {
            ($of:expr) => {
                rows.iter().map($of).collect::<Vec<_>>()
            };
        }
        let taken: Vec<&Record> = rows
            .iter()
            .filter(|row| claims(&row.header.event_type, &row.header.subject))
            .collect();
        let taken_seq: Vec<i64> = taken.iter().map(|row| bigint(row.header.seq)).collect();
        let taken_key: Vec<Uuid> = taken
            .iter()
            .map(|row| claim(&row.header.publisher, &row.header.source, &row.header.id))
            .collect();
        let failed = self.db.error("filling from a bundle");
        let statement = self
            .client
            .prepare_cached(include_str!("../sql/restore.sql"));
        let statement = statement.await.map_err(&failed)?;
        let moved = self
            .client
            .query_opt(
                &statement,
                &[
                    &self.head.id,
                    &self.head.epoch,
                    &bigint(self.head.size),
                    &bigint(size),
                    &last.header.stream,
                    &bigint(last.header.stream_seq),
                    &last.header.recorded_us,
                    &last.chain.as_slice(),
                    &column!(|row| row.header.occurred_us),
                    &column!(|row| row.header.recorded_us),
                    &column!(|row| bigint(row.header.stream_seq)),
                    &column!(|row| row.data_commitment.as_slice()),
                    &column!(|row| row.event_hash.as_slice()),
                    &column!(|row| row.chain.as_slice()),
                    &column!(|row| row.header.source.as_str()),
                    &column!(|row| row.header.id.as_str()),
                    &column!(|row| row.header.event_type.as_str()),
                    &column!(|row| row.header.subject.as_str()),
                    &column!(|row| row.header.actor.as_str()),
                    &column!(|row| row.header.publisher.as_str()),
                    &column!(|row| row.header.context.as_str()),
                    &column!(|row| row.header.stream.as_str()),
                    &column!(|row| row.body.as_ref().map(|body| body.salt.as_slice())),
                    &column!(|row| row.body.as_ref().map(|body| body.data.as_ref())),
                    &taken_seq,
                    &taken_key,
                ],
            )
            .await
            .map_err(&failed)?;
        Ok(moved.is_some())
    }
}
