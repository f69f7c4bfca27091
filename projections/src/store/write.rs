//! Writing what a batch changed: what is new by COPY, what was there before with one statement a table, and what is
//! rare row by row.

use deadpool_postgres::Transaction;
use schema::LedgerName;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use crate::derived::Expected;
use crate::entity::{Entity, Status};
use crate::fold::{Changed, Changes, Known, Line, Link, Relinked};
use crate::store::copy::copy;
use crate::store::order::{self, Linked};
use crate::store::{bigint, deadlines, incidents, reindex};
use crate::verdict::Outgoing;

/// Writes everything but the checkpoint. What does not wait for anything else is sent at once.
pub(crate) async fn changes(
    tx: &Transaction<'_>,
    projection: i32,
    name: &LedgerName,
    changes: &Changes,
) -> Result<(), Error> {
    let (new, old): (Vec<&Changed>, Vec<&Changed>) =
        changes.entities.iter().partition(|one| one.new);
    let all = async {
        tokio::try_join!(
            new_entities(tx, projection, &new),
            old_entities(tx, projection, &old),
            history(tx, projection, &changes.history),
            relink(tx, projection, &changes.relinked),
            incidents::write(tx, projection, changes),
            derived(tx, projection, &changes.derived),
            verdicts(tx, projection, changes),
            outbox(tx, projection, name, changes),
            deadlines::write(tx, projection, changes),
            rare(tx, projection, changes),
        )
    };
    // On the heap, because together they are large.
    Box::pin(all).await?;
    // Looks at the entities as they are now.
    for one in &changes.reindex {
        reindex::reindex(tx, projection, one).await?;
    }
    Ok(())
}

pub(super) async fn run(
    tx: &Transaction<'_>,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<(), Error> {
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, parameters).await?;
    Ok(())
}

/// Position, time and name of a status, and the position from which it is unknown.
fn status(entity: &Entity) -> (Option<i64>, Option<i64>, Option<i64>, Option<&str>) {
    match &entity.status {
        Status::None => (None, None, None, None),
        Status::Is {
            name,
            seq,
            since_us,
            ..
        } => (Some(bigint(*seq)), Some(*since_us), None, Some(name)),
        Status::Unknown { seq } => (None, None, Some(bigint(*seq)), None),
    }
}

/// When the event that led to the status was recorded.
fn status_recorded(entity: &Entity) -> Option<i64> {
    match &entity.status {
        Status::Is { recorded_us, .. } => Some(*recorded_us),
        Status::None | Status::Unknown { .. } => None,
    }
}

fn attributes(entity: &Entity) -> String {
    let text = serde_json::to_string(&entity.attributes);
    text.unwrap_or_else(|_| unreachable!("a JSON object can be written"))
}

async fn new_entities(
    tx: &Transaction<'_>,
    projection: i32,
    entities: &[&Changed],
) -> Result<(), Error> {
    let sql = include_str!("../sql/copy_entities.sql");
    copy(tx, sql, entities, |row, Changed { key, entity, .. }| {
        let (status_seq, since_us, unknown_seq, name) = status(entity);
        row.bigint(bigint(entity.seq))
            .bigint(bigint(entity.created_seq))
            .bigint(bigint(entity.events))
            .bigint(status_seq)
            .bigint(since_us)
            .bigint(unknown_seq)
            .bigint(entity.redacted_seq.map(bigint))
            .integer(projection)
            .text(key.kind())
            .text(key.id())
            .optional_text(name)
            .json(&entity.attributes)
            .bigint(status_recorded(entity))
            .bigint(entity.created.occurred_us)
            .bigint(entity.created.recorded_us)
            .bigint(entity.changed.occurred_us)
            .bigint(entity.changed.recorded_us);
    })
    .await
}

#[derive(Default)]
struct Columns<'a> {
    kinds: Vec<&'a str>,
    ids: Vec<&'a str>,
    statuses: Vec<Option<&'a str>>,
    status_seqs: Vec<Option<i64>>,
    since: Vec<Option<i64>>,
    unknown: Vec<Option<i64>>,
    attributes: Vec<String>,
    seqs: Vec<i64>,
    events: Vec<i64>,
    redacted: Vec<Option<i64>>,
    status_recorded: Vec<Option<i64>>,
    changed: Vec<i64>,
    changed_recorded: Vec<i64>,
}

async fn old_entities(
    tx: &Transaction<'_>,
    projection: i32,
    entities: &[&Changed],
) -> Result<(), Error> {
    if entities.is_empty() {
        return Ok(());
    }
    let mut c = Columns::default();
    for Changed { key, entity, .. } in entities {
        let (status_seq, since_us, unknown_seq, name) = status(entity);
        c.kinds.push(key.kind());
        c.ids.push(key.id());
        c.statuses.push(name);
        c.status_seqs.push(status_seq);
        c.since.push(since_us);
        c.unknown.push(unknown_seq);
        c.attributes.push(attributes(entity));
        c.seqs.push(bigint(entity.seq));
        c.events.push(bigint(entity.events));
        c.redacted.push(entity.redacted_seq.map(bigint));
        c.status_recorded.push(status_recorded(entity));
        c.changed.push(entity.changed.occurred_us);
        c.changed_recorded.push(entity.changed.recorded_us);
    }
    let parameters: [&(dyn ToSql + Sync); 14] = [
        &projection,
        &c.kinds,
        &c.ids,
        &c.statuses,
        &c.status_seqs,
        &c.since,
        &c.unknown,
        &c.attributes,
        &c.seqs,
        &c.events,
        &c.redacted,
        &c.status_recorded,
        &c.changed,
        &c.changed_recorded,
    ];
    run(tx, include_str!("../sql/update_entities.sql"), &parameters).await
}

/// What stands for the first event of an entity in the lines of kinds that have none.
const NO_ENTITY: i64 = -1;

async fn history(tx: &Transaction<'_>, projection: i32, lines: &[Line]) -> Result<(), Error> {
    // In the order of their index, so that lines of one entity go to one page of it.
    let mut lines: Vec<&Line> = lines.iter().collect();
    lines.sort_unstable_by_key(|line| (line.source, line.seq));
    let sql = include_str!("../sql/copy_history.sql");
    copy(tx, sql, lines, |row, line| {
        row.bigint(bigint(line.seq))
            .bigint(line.occurred_us)
            .bigint(line.recorded_us)
            .bigint(line.source.map_or(NO_ENTITY, bigint))
            .integer(projection)
            .boolean(line.entry.legal)
            .boolean(line.redacted)
            .text(line.key.kind())
            .text(line.key.id())
            .text(line.event_type.as_str())
            .optional_text(line.entry.from.as_deref())
            .optional_text(line.entry.to.as_deref())
            .optional_text(line.entry.claimed.as_deref())
            .text(&line.actor);
    })
    .await
}

/// Deletes the links that are gone, and writes those that are new.
pub(super) async fn relink(
    tx: &Transaction<'_>,
    projection: i32,
    relinked: &[Relinked],
) -> Result<(), Error> {
    let removed = |one| Relinked::removed(one).map(move |link| (one, link));
    let removed = order::by_target(relinked.iter().flat_map(removed));
    delete_links(tx, projection, &removed).await?;
    let added = |one| Relinked::added(one).map(move |link| (one, link));
    let added = order::by_target(relinked.iter().flat_map(added));
    let sql = include_str!("../sql/copy_links.sql");
    copy(tx, sql, added, |row, (one, link)| {
        row.bigint(bigint(one.created_seq))
            .integer(projection)
            .text(one.key.kind())
            .text(one.key.id())
            .text(&link.field)
            .text(&link.target_kind)
            .text(&link.target_id);
    })
    .await
}

async fn delete_links(
    tx: &Transaction<'_>,
    projection: i32,
    links: &[Linked<'_>],
) -> Result<(), Error> {
    if links.is_empty() {
        return Ok(());
    }
    let column = |value: fn(&Link) -> &str| -> Vec<&str> {
        links.iter().map(|(_, link)| value(link)).collect()
    };
    let sources = links.iter().map(|(one, _)| bigint(one.created_seq));
    let kinds: Vec<&str> = links.iter().map(|(one, _)| one.key.kind()).collect();
    let parameters: [&(dyn ToSql + Sync); 6] = [
        &projection,
        &sources.collect::<Vec<i64>>(),
        &kinds,
        &column(|link| &link.field),
        &column(|link| &link.target_kind),
        &column(|link| &link.target_id),
    ];
    run(tx, include_str!("../sql/delete_links.sql"), &parameters).await
}

/// Other derived events that are new, or were seen.
async fn derived(
    tx: &Transaction<'_>,
    projection: i32,
    derived: &[(String, Expected)],
) -> Result<(), Error> {
    if derived.is_empty() {
        return Ok(());
    }
    let rows = derived.iter();
    let ids: Vec<&str> = rows.clone().map(|(id, _)| id.as_str()).collect();
    let causes: Vec<i64> = rows.clone().map(|(_, one)| bigint(one.cause_seq)).collect();
    let seqs: Vec<Option<i64>> = rows.clone().map(|(_, one)| one.seq.map(bigint)).collect();
    let digests: Vec<&[u8]> = rows.map(|(_, one)| one.digest.as_slice()).collect();
    let parameters: [&(dyn ToSql + Sync); 5] = [&projection, &ids, &causes, &seqs, &digests];
    run(tx, include_str!("../sql/write_derived.sql"), &parameters).await
}

async fn verdicts(tx: &Transaction<'_>, projection: i32, changes: &Changes) -> Result<(), Error> {
    let (old, new): (Vec<_>, Vec<_>) = changes
        .verdicts
        .iter()
        .partition(|(violation, _)| changes.renewed.contains(violation));
    tokio::try_join!(
        new_verdicts(tx, projection, &new),
        renew(tx, projection, &old)
    )?;
    Ok(())
}

async fn new_verdicts(
    tx: &Transaction<'_>,
    projection: i32,
    verdicts: &[&(String, Known)],
) -> Result<(), Error> {
    let sql = include_str!("../sql/copy_verdicts.sql");
    copy(tx, sql, verdicts, |row, (violation, known)| {
        let verdict = &known.verdict;
        row.integer(projection)
            .text(violation)
            .text(&verdict.rule)
            .text(&verdict.severity)
            .text(&verdict.kind)
            .text(&verdict.id)
            .bigint(bigint(verdict.cause_seq))
            .bigints(verdict.judged_from.iter().copied().map(bigint))
            .text(&verdict.catalog)
            .text(&verdict.detail_key)
            .boolean(known.judged)
            .bigint(known.seq.map(bigint))
            .optional_text(known.found_by.as_deref())
            .text(status_of(known))
            .optional_text(known.cleared.map(|one| one.how.as_str()))
            .bigint(known.cleared.map(|one| bigint(one.by_seq)))
            .bigint(told(known));
    })
    .await
}

/// What became of verdicts that an earlier batch wrote.
async fn renew(
    tx: &Transaction<'_>,
    projection: i32,
    verdicts: &[&(String, Known)],
) -> Result<(), Error> {
    fn column<'a, T>(verdicts: &[&'a (String, Known)], value: impl Fn(&'a Known) -> T) -> Vec<T> {
        verdicts.iter().map(|(_, known)| value(known)).collect()
    }
    if verdicts.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = verdicts.iter().map(|(id, _)| id.as_str()).collect();
    let parameters: [&(dyn ToSql + Sync); 7] = [
        &projection,
        &ids,
        &column(verdicts, |known| known.seq.map(bigint)),
        &column(verdicts, status_of),
        &column(verdicts, |known| known.cleared.map(|one| one.how.as_str())),
        &column(verdicts, |known| {
            known.cleared.map(|one| bigint(one.by_seq))
        }),
        &column(verdicts, told),
    ];
    run(tx, include_str!("../sql/see_verdicts.sql"), &parameters).await
}

fn status_of(known: &Known) -> &'static str {
    known.cleared.map_or("open", |one| one.how.status())
}

/// Where the event stands that says that it is cleared.
fn told(known: &Known) -> Option<i64> {
    known.cleared?.seq.map(bigint)
}

/// What is to be published from here on, and what no more.
async fn outbox(
    tx: &Transaction<'_>,
    projection: i32,
    name: &LedgerName,
    changes: &Changes,
) -> Result<(), Error> {
    let sql = include_str!("../sql/copy_outbox.sql");
    copy(tx, sql, messages(name, changes), |row, (at, message)| {
        row.bigint(bigint(at))
            .integer(projection)
            .text(&message.id)
            .text(&message.subject)
            .bytes(message.body.as_slice());
    })
    .await?;
    if !changes.settled.is_empty() {
        let sql = include_str!("../sql/settle_outbox.sql");
        run(tx, sql, &[&projection, &changes.settled]).await?;
    }
    Ok(())
}

/// What a batch lays into the outbox, each with the position that it comes after.
pub(crate) fn messages(name: &LedgerName, changes: &Changes) -> Vec<(u64, Outgoing)> {
    let raised = changes.publish.iter();
    let raised = raised.map(|verdict| (verdict.cause_seq, verdict.message(name)));
    // An override comes before what it excuses; it is told of where that was judged.
    let cleared = changes.announce.iter().map(|(verdict, cleared)| {
        let at = verdict.cause_seq.max(cleared.by_seq);
        (at, cleared.message(verdict, name))
    });
    let sent = changes.send.iter();
    let sent = sent.map(|event| (event.cause_seq, event.message(name)));
    raised.chain(cleared).chain(sent).collect()
}

async fn rare(tx: &Transaction<'_>, projection: i32, changes: &Changes) -> Result<(), Error> {
    for one in &changes.quarantined {
        let parameters: [&(dyn ToSql + Sync); 8] = [
            &projection,
            &bigint(one.seq),
            &one.recorded_us,
            &one.size.map(bigint),
            &one.reason,
            &one.at,
            &one.publisher,
            &one.nats_subject,
        ];
        let sql = include_str!("../sql/write_quarantined.sql");
        run(tx, sql, &parameters).await?;
    }
    for (seq, digest) in &changes.activations {
        let sql = include_str!("../sql/write_activation.sql");
        run(tx, sql, &[&projection, &bigint(*seq), digest]).await?;
    }
    Ok(())
}
