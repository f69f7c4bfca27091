//! Reading what a batch needs.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::Transaction;
use hashbrown::HashMap;
use schema::rule::{Due, RuleKey};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use crate::derived::Expected;
use crate::entity::{Entity, Key, Status, Times};
use crate::fold::{
    Blocked, Clearing, Deadline, DueFound, DuePage, Known, Loaded, Look, Naming, Needs, Numbers,
    Task, TaskOf,
};
use crate::incident::{Incident, Word};
use crate::store::{bigint, count};
use crate::verdict::Verdict;

/// Loads what a fold asks for, as far as it exists. The statements are sent at once, for a small batch takes as long as the
/// ways there and back.
pub(crate) async fn load(
    tx: &Transaction<'_>,
    projection: i32,
    needs: &Needs,
) -> Result<Loaded, Error> {
    let mut loaded = Loaded::default();
    let mut looked = Loaded::default();
    let all = async {
        tokio::try_join!(
            about(tx, projection, needs),
            named(tx, projection, needs),
            looks(tx, projection, needs, &mut looked),
            waiting(tx, projection, &needs.waiting),
            numbers(tx, projection, &needs.numbers),
            tasks(tx, projection, &needs.tasks),
            due(tx, projection, needs.due.as_deref()),
        )
    };
    // On the heap, because together they are large.
    let (entities, named, (), waiting, numbers, tasks, due) = Box::pin(all).await?;
    let [entities, open, incidents, deadlines] = entities;
    loaded.entities = entities.iter().map(entity).collect();
    loaded.open = open.iter().map(known).collect();
    loaded.incidents = incidents.iter().map(incident).collect();
    loaded.deadlines = deadlines.iter().filter_map(deadline).collect();
    let [verdicts, dropped, about, derived, of_classes] = named;
    loaded.verdicts = verdicts.iter().map(known).collect::<HashMap<_, _>>();
    loaded.dropped = dropped.iter().map(known).collect();
    loaded.about = about.iter().map(keyed).collect();
    loaded.of_classes = of_classes.iter().map(|row| keyed(row).1).collect();
    loaded.derived = derived.iter().map(expected).collect();
    (loaded.looks, loaded.counts, loaded.waiting) = (looked.looks, looked.counts, waiting);
    (loaded.numbers, loaded.tasks, loaded.due) = (numbers, tasks, due);
    if let Some(naming) = &needs.named {
        loaded.blocked = blocked(tx, projection, naming).await?;
    }
    Ok(loaded)
}

async fn rows(
    tx: &Transaction<'_>,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let statement = tx.prepare_cached(sql).await?;
    tx.query(&statement, parameters).await
}

/// Entities, and what is open about them.
async fn about(
    tx: &Transaction<'_>,
    projection: i32,
    needs: &Needs,
) -> Result<[Vec<Row>; 4], Error> {
    if needs.entities.is_empty() {
        return Ok(<[Vec<Row>; 4]>::default());
    }
    let kinds: Vec<&str> = needs.entities.iter().map(Key::kind).collect();
    let ids: Vec<&str> = needs.entities.iter().map(Key::id).collect();
    let keys: [&(dyn ToSql + Sync); 3] = [&projection, &kinds, &ids];
    let (entities, open, incidents, deadlines) = tokio::try_join!(
        rows(tx, include_str!("../sql/load_entities.sql"), &keys),
        rows(tx, include_str!("../sql/load_open.sql"), &keys),
        rows(tx, include_str!("../sql/load_incidents.sql"), &keys),
        rows(tx, include_str!("../sql/load_deadlines.sql"), &keys),
    )?;
    Ok([entities, open, incidents, deadlines])
}

/// What is asked for by its own name: verdicts, those of rules that are dropped, incidents, other derived
/// events, and incidents of classes that are dropped.
async fn named(
    tx: &Transaction<'_>,
    projection: i32,
    needs: &Needs,
) -> Result<[Vec<Row>; 5], Error> {
    let find = async |names: &BTreeSet<String>, sql: &str| {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        rows(tx, sql, &[&projection, &names]).await
    };
    let (verdicts, dropped, about, derived, of_classes) = tokio::try_join!(
        find(&needs.verdicts, include_str!("../sql/load_verdicts.sql")),
        find(&needs.dropped, include_str!("../sql/load_dropped.sql")),
        find(&needs.incidents, include_str!("../sql/load_about.sql")),
        find(&needs.derived, include_str!("../sql/load_derived.sql")),
        find(&needs.classes, include_str!("../sql/load_of_classes.sql")),
    )?;
    Ok([verdicts, dropped, about, derived, of_classes])
}

/// A name, and the entity that it is about.
fn keyed(row: &Row) -> (String, Key) {
    let (kind, id): (&str, &str) = (row.get(1), row.get(2));
    (row.get(0), Key::new(kind, id))
}

/// Which of the positions that an event names must not be deleted.
async fn blocked(tx: &Transaction<'_>, projection: i32, naming: &Naming) -> Result<Blocked, Error> {
    let (first, last): (Vec<i64>, Vec<i64>) = naming
        .ranges
        .iter()
        .map(|(first, last)| (bigint(*first), bigint(*last)))
        .unzip();
    let (at_us, terms) = naming.least.clone().unwrap_or_default();
    let (kinds, terms): (Vec<String>, Vec<i64>) = terms.into_iter().unzip();
    let parameters: [&(dyn ToSql + Sync); 9] = [
        &projection,
        &first,
        &last,
        &bigint(naming.seq),
        &kinds,
        &terms,
        &naming.least.is_some(),
        &at_us,
        &naming.holds_until_us,
    ];
    let row = tx
        .query_one(include_str!("../sql/load_blocked.sql"), &parameters)
        .await?;
    let seq = |at: usize| row.get::<_, Option<i64>>(at).map(count);
    Ok(Blocked {
        least: seq(0),
        held: seq(1).zip(seq(2)),
    })
}

/// The highest numbers of publishers.
async fn numbers(
    tx: &Transaction<'_>,
    projection: i32,
    asked: &BTreeSet<Numbers>,
) -> Result<HashMap<Numbers, u64>, Error> {
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let publishers: Vec<&str> = asked.iter().map(|of| of.publisher.as_str()).collect();
    let sources: Vec<&str> = asked.iter().map(|of| of.source.as_str()).collect();
    let sql = include_str!("../sql/load_numbers.sql");
    let rows = rows(tx, sql, &[&projection, &publishers, &sources]).await?;
    let highest = |row: &Row| {
        let of = Numbers {
            publisher: row.get(0),
            source: row.get(1),
        };
        (of, count(row.get(2)))
    };
    Ok(rows.iter().map(highest).collect())
}

/// Those of these tasks that are open.
async fn tasks(
    tx: &Transaction<'_>,
    projection: i32,
    asked: &BTreeSet<TaskOf>,
) -> Result<Vec<Task>, Error> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let column = |value: fn(&TaskOf) -> &str| -> Vec<&str> { asked.iter().map(value).collect() };
    let parameters: [&(dyn ToSql + Sync); 4] = [
        &projection,
        &column(|of| &of.class),
        &column(|of| &of.kind),
        &column(|of| &of.id),
    ];
    let rows = rows(tx, include_str!("../sql/load_tasks.sql"), &parameters).await?;
    let task = |row: &Row| Task {
        of: TaskOf {
            class: row.get(0),
            kind: row.get(1),
            id: row.get(2),
        },
        task: row.get(3),
        cause_seq: count(row.get(4)),
    };
    Ok(rows.iter().map(task).collect())
}

/// How many deadlines are read at a time.
const PAGE: i64 = 1000;

async fn due(
    tx: &Transaction<'_>,
    projection: i32,
    page: Option<&DuePage>,
) -> Result<DueFound, Error> {
    let Some(page) = page else {
        return Ok(DueFound::default());
    };
    let after = page.after.as_ref();
    let owner = |part: fn(&RuleKey) -> &str| after.map(|due| part(&due.by));
    let parameters: [&(dyn ToSql + Sync); 11] = [
        &projection,
        &page.from_us,
        &page.before_us,
        &after.map(|due| due.kind.as_str()),
        &after.map(|due| due.id.as_str()),
        &owner(|by| by.owner.package.as_str()),
        &owner(|by| by.owner.entity.as_str()),
        &owner(|by| &by.id),
        &owner(|by| &by.part),
        &after.map(|due| due.key.as_str()),
        &PAGE,
    ];
    let rows = rows(tx, include_str!("../sql/load_due.sql"), &parameters).await?;
    Ok(DueFound {
        more: i64::try_from(rows.len()).is_ok_and(|found| found == PAGE),
        page: rows
            .iter()
            .filter_map(deadline)
            .map(|one| one.due)
            .collect(),
    })
}

/// Look-ups and counts; those of a whole kind one by one, because they are rare.
async fn looks(
    tx: &Transaction<'_>,
    projection: i32,
    needs: &Needs,
    loaded: &mut Loaded,
) -> Result<(), Error> {
    let (all, some): (BTreeSet<&Look>, BTreeSet<&Look>) =
        needs.looks.iter().partition(|look| look.is_all());
    if !some.is_empty() {
        let sql = include_str!("../sql/load_looks.sql");
        for (look, row) in find(tx, projection, sql, &some).await? {
            let ids: &mut BTreeMap<u64, String> = loaded.looks.entry(look).or_default();
            ids.insert(count(row.get(2)), row.get(1));
        }
    }
    for look in all {
        let sql = include_str!("../sql/load_kind.sql");
        let statement = tx.prepare_cached(sql).await?;
        let rows = tx.query(&statement, &[&projection, &&*look.kind]).await?;
        let ids = rows.iter().map(|row| (count(row.get(1)), row.get(0)));
        let ids = ids.collect();
        loaded.looks.insert(look.clone(), ids);
    }
    let (all, some): (BTreeSet<&Look>, BTreeSet<&Look>) =
        needs.counts.iter().partition(|look| look.is_all());
    if !some.is_empty() {
        let sql = include_str!("../sql/load_counts.sql");
        for (look, row) in find(tx, projection, sql, &some).await? {
            loaded.counts.insert(look, count(row.get(1)));
        }
    }
    for look in all {
        let sql = include_str!("../sql/count_kind.sql");
        let statement = tx.prepare_cached(sql).await?;
        let row = tx
            .query_one(&statement, &[&projection, &&*look.kind])
            .await?;
        loaded.counts.insert(look.clone(), count(row.get(0)));
    }
    Ok(())
}

/// The entities about which something is open that may wait for these.
async fn waiting(
    tx: &Transaction<'_>,
    projection: i32,
    keys: &BTreeSet<String>,
) -> Result<Vec<(String, Key)>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let sql = include_str!("../sql/load_waiting.sql");
    let rows = rows(tx, sql, &[&projection, &keys]).await?;
    Ok(rows.iter().map(keyed).collect())
}

/// Rows that begin with the number of their look-up, with that.
async fn find(
    tx: &Transaction<'_>,
    projection: i32,
    sql: &str,
    looks: &BTreeSet<&Look>,
) -> Result<Vec<(Look, Row)>, Error> {
    let looks: Vec<&Look> = looks.iter().copied().collect();
    let column =
        |value: fn(&Look) -> &str| -> Vec<&str> { looks.iter().map(|look| value(look)).collect() };
    let statement = tx.prepare_cached(sql).await?;
    let rows = tx
        .query(
            &statement,
            &[
                &projection,
                &column(|look| &look.kind),
                &column(|look| &look.field),
                &column(|look| &look.target_kind),
                &column(|look| &look.target_id),
            ],
        )
        .await?;
    let look = |row: Row| {
        // ORDINALITY counts from 1.
        let number = usize::try_from(row.get::<_, i64>(0)).ok()?.checked_sub(1)?;
        Some(((*looks.get(number)?).clone(), row))
    };
    Ok(rows.into_iter().filter_map(look).collect())
}

/// An entity from the columns of `load_entities`.
pub(crate) fn entity(row: &Row) -> (Key, Entity) {
    let status = match (
        row.get::<_, Option<String>>(2),
        row.get(3),
        row.get(4),
        row.get(5),
    ) {
        (Some(name), Some(seq), Some(since_us), _) => Status::Is {
            name,
            seq: count(seq),
            since_us,
            recorded_us: row.get::<_, Option<i64>>(11).unwrap_or_default(),
        },
        (_, _, _, Some(seq)) => Status::Unknown { seq: count(seq) },
        _ => Status::None,
    };
    let entity = Entity {
        status,
        // We wrote it, and PostgreSQL checked that it is JSON.
        attributes: serde_json::from_str(row.get(6)).unwrap_or_default(),
        created_seq: count(row.get(7)),
        created: Times {
            occurred_us: row.get(12),
            recorded_us: row.get(13),
        },
        seq: count(row.get(8)),
        changed: Times {
            occurred_us: row.get(14),
            recorded_us: row.get(15),
        },
        events: count(row.get(9)),
        redacted_seq: row.get::<_, Option<i64>>(10).map(count),
    };
    (
        Key::new(row.get::<_, &str>(0), row.get::<_, &str>(1)),
        entity,
    )
}

fn incident(row: &Row) -> Incident {
    let word = |seq: usize| {
        Some(Word {
            seq: count(row.get::<_, Option<i64>>(seq)?),
            at_us: row.get::<_, Option<i64>>(seq + 1)?,
            by: row.get(seq + 2),
        })
    };
    Incident {
        incident: row.get(0),
        class: row.get(1),
        kind: row.get(2),
        id: row.get(3),
        severity: row.get(4),
        rule: row.get(5),
        judged: row.get(6),
        opened_seq: count(row.get(7)),
        opened_us: row.get(8),
        last_cause: count(row.get(9)),
        reopens: row.get(10),
        acknowledged: word(11),
        resolved: word(14),
    }
}

fn expected(row: &Row) -> (String, Expected) {
    let digest: &[u8] = row.get(3);
    let expected = Expected {
        cause_seq: count(row.get(1)),
        seq: row.get::<_, Option<i64>>(2).map(count),
        // A CHECK constraint keeps other lengths out.
        digest: digest.try_into().unwrap_or_default(),
    };
    (row.get(0), expected)
}

fn known(row: &Row) -> (String, Known) {
    let judged_from: Vec<i64> = row.get(6);
    let verdict = Verdict {
        rule: row.get(1),
        severity: row.get(2),
        kind: row.get(3),
        id: row.get(4),
        cause_seq: count(row.get(5)),
        judged_from: judged_from.into_iter().map(count).collect(),
        catalog: row.get(7),
        detail_key: row.get(8),
    };
    let known = Known {
        verdict,
        judged: row.get(9),
        seq: row.get::<_, Option<i64>>(10).map(count),
        found_by: row.get(11),
        cleared: clearing(row),
    };
    (row.get(0), known)
}

fn deadline(row: &Row) -> Option<Deadline> {
    // We wrote it: the kind has the form of one.
    let owner = row.get::<_, &str>(2).parse().ok()?;
    let due = Due {
        due_us: row.get(6),
        kind: row.get(0),
        id: row.get(1),
        by: RuleKey {
            owner,
            id: row.get::<_, &str>(3).into(),
            part: row.get::<_, &str>(4).into(),
        },
        key: row.get(5),
        armed_seq: count(row.get(7)),
    };
    Some(Deadline {
        due,
        fired: row.get(8),
    })
}

fn clearing(row: &Row) -> Option<Clearing> {
    let how: Option<&str> = row.get(13);
    Some(Clearing {
        by_seq: count(row.get::<_, Option<i64>>(12)?),
        // A CHECK constraint keeps other words out.
        how: how?.parse().ok()?,
        seq: row.get::<_, Option<i64>>(14).map(count),
    })
}
