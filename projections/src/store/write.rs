//! Writing what a batch changed: states, history and links with one statement each, the rest row by row, because it
//! is rare.

use deadpool_postgres::Transaction;
use schema::LedgerName;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use crate::entity::{Key, Status};
use crate::fold::{Changed, Changes, Line, Link};
use crate::store::{bigint, reindex};

/// Writes everything but the checkpoint.
pub(crate) async fn changes(
    tx: &Transaction<'_>,
    projection: i32,
    name: &LedgerName,
    changes: &Changes,
) -> Result<(), Error> {
    if !changes.entities.is_empty() {
        entities(tx, projection, &changes.entities).await?;
    }
    if !changes.history.is_empty() {
        history(tx, projection, &changes.history).await?;
    }
    all_links(tx, projection, changes).await?;
    verdicts(tx, projection, name, changes).await?;
    rare(tx, projection, changes).await
}

async fn run(
    tx: &Transaction<'_>,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<(), Error> {
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, parameters).await?;
    Ok(())
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
    created: Vec<i64>,
    seqs: Vec<i64>,
    events: Vec<i64>,
    redacted: Vec<Option<i64>>,
}

async fn entities(
    tx: &Transaction<'_>,
    projection: i32,
    entities: &[Changed],
) -> Result<(), Error> {
    let mut c = Columns::default();
    for Changed { key, entity, .. } in entities {
        c.kinds.push(&key.kind);
        c.ids.push(&key.id);
        let (status_seq, since, unknown) = match &entity.status {
            Status::None => (None, None, None),
            Status::Is { seq, since_us, .. } => (Some(bigint(*seq)), Some(*since_us), None),
            Status::Unknown { seq } => (None, None, Some(bigint(*seq))),
        };
        c.statuses.push(entity.status.name());
        c.status_seqs.push(status_seq);
        c.since.push(since);
        c.unknown.push(unknown);
        let attributes = serde_json::to_string(&entity.attributes);
        c.attributes
            .push(attributes.unwrap_or_else(|_| unreachable!("a JSON object can be written")));
        c.created.push(bigint(entity.created_seq));
        c.seqs.push(bigint(entity.seq));
        c.events.push(bigint(entity.events));
        c.redacted.push(entity.redacted_seq.map(bigint));
    }
    let parameters: [&(dyn ToSql + Sync); 12] = [
        &projection,
        &c.kinds,
        &c.ids,
        &c.statuses,
        &c.status_seqs,
        &c.since,
        &c.unknown,
        &c.attributes,
        &c.created,
        &c.seqs,
        &c.events,
        &c.redacted,
    ];
    run(tx, include_str!("../sql/write_entities.sql"), &parameters).await
}

async fn history(tx: &Transaction<'_>, projection: i32, lines: &[Line]) -> Result<(), Error> {
    fn column<'a, T>(lines: &'a [Line], value: impl Fn(&'a Line) -> T) -> Vec<T> {
        lines.iter().map(value).collect()
    }
    let parameters: [&(dyn ToSql + Sync); 13] = [
        &projection,
        &column(lines, |line| bigint(line.seq)),
        &column(lines, |line| line.occurred_us),
        &column(lines, |line| line.recorded_us),
        &column(lines, |line| line.entry.legal),
        &column(lines, |line| line.redacted),
        &column(lines, |line| line.key.kind.as_str()),
        &column(lines, |line| line.key.id.as_str()),
        &column(lines, |line| line.event_type.as_str()),
        &column(lines, |line| line.entry.from.as_deref()),
        &column(lines, |line| line.entry.to.as_deref()),
        &column(lines, |line| line.entry.claimed.as_deref()),
        &column(lines, |line| line.actor.as_str()),
    ];
    run(tx, include_str!("../sql/write_history.sql"), &parameters).await
}

/// Links that are gone, links that are new, and kinds whose places are others.
async fn all_links(tx: &Transaction<'_>, projection: i32, changes: &Changes) -> Result<(), Error> {
    if !changes.unlinked.is_empty() {
        let gone = changes.unlinked.iter().map(|(key, link)| (&**key, link));
        let sql = include_str!("../sql/delete_links.sql");
        run_links(tx, sql, projection, gone).await?;
    }
    if !changes.linked.is_empty() {
        let new = changes.linked.iter().map(|(key, link)| (&**key, link));
        write_links(tx, projection, new).await?;
    }
    for one in &changes.reindex {
        reindex::reindex(tx, projection, one).await?;
    }
    Ok(())
}

/// Writes links that are not there yet.
pub(super) async fn write_links<'a>(
    tx: &Transaction<'_>,
    projection: i32,
    links: impl Iterator<Item = (&'a Key, &'a Link)>,
) -> Result<(), Error> {
    run_links(
        tx,
        include_str!("../sql/write_links.sql"),
        projection,
        links,
    )
    .await
}

async fn run_links<'a>(
    tx: &Transaction<'_>,
    sql: &str,
    projection: i32,
    links: impl Iterator<Item = (&'a Key, &'a Link)>,
) -> Result<(), Error> {
    let (mut kinds, mut ids) = (Vec::new(), Vec::new());
    let (mut fields, mut target_kinds, mut target_ids) = (Vec::new(), Vec::new(), Vec::new());
    for (key, link) in links {
        kinds.push(key.kind.as_str());
        ids.push(key.id.as_str());
        fields.push(&*link.field);
        target_kinds.push(&*link.target_kind);
        target_ids.push(link.target_id.as_str());
    }
    let parameters: [&(dyn ToSql + Sync); 6] = [
        &projection,
        &kinds,
        &ids,
        &fields,
        &target_kinds,
        &target_ids,
    ];
    run(tx, sql, &parameters).await
}

async fn verdicts(
    tx: &Transaction<'_>,
    projection: i32,
    name: &LedgerName,
    changes: &Changes,
) -> Result<(), Error> {
    for (violation, known) in &changes.verdicts {
        let verdict = &known.verdict;
        let judged_from: Vec<i64> = verdict.judged_from.iter().copied().map(bigint).collect();
        let parameters: [&(dyn ToSql + Sync); 12] = [
            &projection,
            violation,
            &verdict.rule,
            &verdict.severity,
            &verdict.kind,
            &verdict.id,
            &bigint(verdict.cause_seq),
            &judged_from,
            &verdict.catalog,
            &verdict.detail_key,
            &known.judged,
            &known.seq.map(bigint),
        ];
        run(tx, include_str!("../sql/write_verdict.sql"), &parameters).await?;
    }
    for verdict in &changes.publish {
        let message = verdict.message(name);
        let parameters: [&(dyn ToSql + Sync); 5] = [
            &projection,
            &bigint(verdict.cause_seq),
            &message.id,
            &message.subject,
            &message.body,
        ];
        run(tx, include_str!("../sql/write_outbox.sql"), &parameters).await?;
    }
    if !changes.settled.is_empty() {
        run(
            tx,
            include_str!("../sql/settle_outbox.sql"),
            &[&projection, &changes.settled],
        )
        .await?;
    }
    Ok(())
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
        run(
            tx,
            include_str!("../sql/write_quarantined.sql"),
            &parameters,
        )
        .await?;
    }
    for (seq, digest) in &changes.activations {
        run(
            tx,
            include_str!("../sql/write_activation.sql"),
            &[&projection, &bigint(*seq), digest],
        )
        .await?;
    }
    Ok(())
}
