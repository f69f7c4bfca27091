//! Writing deadlines, the tasks that they open, and how publishers number their events: what is otherwise now goes and
//! comes back, so that there is one form of either.

use deadpool_postgres::Transaction;
use schema::rule::Due;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use crate::fold::{Changes, Deadline};
use crate::store::bigint;
use crate::store::copy::copy;
use crate::store::write::run;

/// Writes what a batch changed of them.
pub(super) async fn write(
    tx: &Transaction<'_>,
    projection: i32,
    changes: &Changes,
) -> Result<(), Error> {
    tokio::try_join!(
        deadlines(tx, projection, changes),
        tasks(tx, projection, changes),
        numbers(tx, projection, changes),
    )?;
    Ok(())
}

async fn deadlines(tx: &Transaction<'_>, projection: i32, changes: &Changes) -> Result<(), Error> {
    if !changes.disarmed.is_empty() {
        disarm(tx, projection, &changes.disarmed).await?;
    }
    let sql = include_str!("../sql/copy_deadlines.sql");
    copy(tx, sql, &changes.armed, |row, Deadline { due, fired }| {
        row.bigint(due.due_us)
            .bigint(bigint(due.armed_seq))
            .integer(projection)
            .boolean(*fired)
            .text(&due.kind)
            .text(&due.id)
            .text(&due.by.owner.to_string())
            .text(&due.by.id)
            .text(&due.by.part)
            .text(&due.key);
    })
    .await
}

/// The highest numbers that publishers gave.
async fn numbers(tx: &Transaction<'_>, projection: i32, changes: &Changes) -> Result<(), Error> {
    let numbers = &changes.numbers;
    if numbers.is_empty() {
        return Ok(());
    }
    let publishers: Vec<&str> = numbers
        .iter()
        .map(|(of, _)| of.publisher.as_str())
        .collect();
    let sources: Vec<&str> = numbers.iter().map(|(of, _)| of.source.as_str()).collect();
    let highest: Vec<i64> = numbers.iter().map(|(_, number)| bigint(*number)).collect();
    let parameters: [&(dyn ToSql + Sync); 4] = [&projection, &publishers, &sources, &highest];
    run(tx, include_str!("../sql/write_numbers.sql"), &parameters).await
}

/// Tasks that are open from here on, and those that are not any more.
async fn tasks(tx: &Transaction<'_>, projection: i32, changes: &Changes) -> Result<(), Error> {
    if !changes.tasks_closed.is_empty() {
        let gone = changes.tasks_closed.iter().map(|one| one.task.as_str());
        let gone: Vec<&str> = gone.collect();
        run(
            tx,
            include_str!("../sql/delete_tasks.sql"),
            &[&projection, &gone],
        )
        .await?;
    }
    let sql = include_str!("../sql/copy_tasks.sql");
    copy(tx, sql, &changes.tasks_opened, |row, one| {
        row.bigint(bigint(one.cause_seq))
            .integer(projection)
            .text(&one.of.class)
            .text(&one.of.kind)
            .text(&one.of.id)
            .text(&one.task);
    })
    .await
}

async fn disarm(tx: &Transaction<'_>, projection: i32, gone: &[Deadline]) -> Result<(), Error> {
    let column =
        |value: fn(&Due) -> &str| -> Vec<&str> { gone.iter().map(|one| value(&one.due)).collect() };
    let owners = gone.iter().map(|one| one.due.by.owner.to_string());
    let parameters: [&(dyn ToSql + Sync); 7] = [
        &projection,
        &column(|due| &due.kind),
        &column(|due| &due.id),
        &owners.collect::<Vec<String>>(),
        &column(|due| &due.by.id),
        &column(|due| &due.by.part),
        &column(|due| &due.key),
    ];
    run(tx, include_str!("../sql/delete_deadlines.sql"), &parameters).await
}
