//! One batch, one statement, one round trip.

use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::Kind;
use super::draft::Draft;
use crate::db::{Client, Database, DbError};
use crate::head::{Head, bigint};

/// What became of a batch.
pub(super) enum Committed {
    /// It is in; the head is now this.
    Yes(Head),
    /// The head is not the one that was expected.
    Moved,
    /// One of the identities is taken in the chain.
    Taken,
    /// PostgreSQL will not take what is in it.
    Refused(DbError),
    /// The connection was lost, or the server is in trouble: it may be in or not.
    Unknown(DbError),
    /// PostgreSQL refuses for a reason that has nothing to do with what is in it.
    Failed(DbError),
}

/// The batch as columns.
#[derive(Default)]
struct Columns<'a> {
    occurred_us: Vec<i64>,
    recorded_us: Vec<i64>,
    stream_seq: Vec<i64>,
    data_commitment: Vec<&'a [u8]>,
    event_hash: Vec<&'a [u8]>,
    chain: Vec<&'a [u8]>,
    source: Vec<&'a str>,
    id: Vec<&'a str>,
    event_type: Vec<&'a str>,
    subject: Vec<&'a str>,
    actor: Vec<&'a str>,
    publisher: Vec<&'a str>,
    context: Vec<&'a str>,
    salt: Vec<&'a [u8]>,
    data: Vec<&'a [u8]>,
    taken_seq: Vec<i64>,
    taken_key: Vec<Uuid>,
}

impl<'a> Columns<'a> {
    fn of(drafts: &'a [Draft]) -> Self {
        let mut columns = Self::default();
        for draft in drafts {
            let Some(content) = draft.content() else {
                continue;
            };
            let header = &content.header;
            columns.occurred_us.push(header.occurred_us);
            columns.recorded_us.push(header.recorded_us);
            columns.stream_seq.push(bigint(header.stream_seq));
            columns.data_commitment.push(&draft.seal.data_commitment);
            columns.event_hash.push(&draft.seal.event_hash);
            columns.chain.push(&draft.seal.chain);
            columns.source.push(&header.source);
            columns.id.push(&header.id);
            columns.event_type.push(&header.event_type);
            columns.subject.push(&header.subject);
            columns.actor.push(&header.actor);
            columns.publisher.push(&header.publisher);
            columns.context.push(&header.context);
            columns.salt.push(&draft.seal.salt);
            columns.data.push(&content.data);
            if let Some(claim) = draft.taken() {
                columns.taken_seq.push(bigint(header.seq));
                columns.taken_key.push(claim.key);
            }
        }
        columns
    }
}

/// The head after the drafts. They end with a message, never with a gap.
pub(super) fn head_after(head: &Head, drafts: &[Draft]) -> Option<Head> {
    let last = drafts.last()?;
    let header = &last.content()?.header;
    Some(Head {
        size: header.seq + 1,
        chain: last.seal.chain,
        stream: header.stream.clone(),
        stream_seq: header.stream_seq,
        message_us: last.message.as_ref()?.time_us,
        recorded_us: header.recorded_us,
        ..head.clone()
    })
}

/// How many of the drafts a smaller batch takes: about half, and never a gap without its message.
pub(super) fn half(drafts: &[Draft]) -> Option<usize> {
    let middle = drafts.len() / 2;
    let ends_well = |length: &usize| {
        *length > 0
            && drafts
                .get(*length - 1)
                .is_some_and(|draft| draft.kind != Kind::Gap)
    };
    (1..=middle).rev().find(ends_well)
}

/// Appends the drafts behind the head, all or nothing.
pub(super) async fn commit(
    db: &Database,
    client: &Client,
    head: &Head,
    drafts: &[Draft],
) -> Committed {
    let Some(after) = head_after(head, drafts) else {
        return Committed::Moved;
    };
    let columns = Columns::of(drafts);
    let failed = db.error("appending");
    let statement = match client
        .prepare_cached(include_str!("../sql/append.sql"))
        .await
    {
        Ok(statement) => statement,
        Err(error) => return judge(failed(error)),
    };
    let moved = client
        .query_opt(
            &statement,
            &[
                &head.id,
                &head.epoch,
                &bigint(head.size),
                &head.stream,
                &bigint(head.stream_seq),
                &head.message_us,
                &bigint(after.size),
                &after.stream,
                &bigint(after.stream_seq),
                &after.message_us,
                &after.recorded_us,
                &after.chain.as_slice(),
                &columns.occurred_us,
                &columns.recorded_us,
                &columns.stream_seq,
                &columns.data_commitment,
                &columns.event_hash,
                &columns.chain,
                &columns.source,
                &columns.id,
                &columns.event_type,
                &columns.subject,
                &columns.actor,
                &columns.publisher,
                &columns.context,
                &columns.salt,
                &columns.data,
                &columns.taken_seq,
                &columns.taken_key,
            ],
        )
        .await;
    match moved {
        Ok(Some(_)) => Committed::Yes(after),
        Ok(None) => Committed::Moved,
        Err(error) => judge(failed(error)),
    }
}

/// What an error means for the batch, by its SQLSTATE.
fn judge(error: DbError) -> Committed {
    if error.is_unavailable() {
        return Committed::Unknown(error);
    }
    if error.code() == Some(&SqlState::UNIQUE_VIOLATION) && error.constraint() == Some("seen_pkey")
    {
        return Committed::Taken;
    }
    // 22 data exception, 23 integrity constraint, 54 limits of the program: the batch's own fault.
    match error.code().and_then(|code| code.code().get(..2)) {
        Some("22" | "23" | "54") => Committed::Refused(error),
        // 40: rolled back for others' sake (deadlock, serialization); the same may succeed.
        Some("40") => Committed::Unknown(error),
        _ => Committed::Failed(error),
    }
}
