//! What views that nobody reads any more leave behind.

use ledger::db::Database;
use ledger::read::Reader;

use super::error::ProjectError;
use super::rebuild::Progress;

/// How many old rows one transaction deletes.
const SWEEP: i64 = 10_000;

/// Deletes the rows of retired projections, some at a time.
pub(super) async fn sweep(
    db: &Database,
    reader: &Reader,
    told: &mut impl FnMut(Progress),
) -> Result<(), ProjectError> {
    let failed = db.error("deleting the rows of old views");
    let client = db.client().await?;
    let retired = client
        .query(include_str!("../sql/retired.sql"), &[&reader.id()])
        .await
        .map_err(&failed)?;
    let mut swept = 0;
    for projection in retired.iter().map(|row| row.get::<_, i32>(0)) {
        for statement in [
            include_str!("../sql/sweep_entity.sql"),
            include_str!("../sql/sweep_history.sql"),
            include_str!("../sql/sweep_link.sql"),
            include_str!("../sql/sweep_violation.sql"),
            include_str!("../sql/sweep_deadline.sql"),
            include_str!("../sql/sweep_task.sql"),
            include_str!("../sql/sweep_publisher_number.sql"),
            include_str!("../sql/sweep_derived.sql"),
            include_str!("../sql/sweep_incident.sql"),
            include_str!("../sql/sweep_incident_cause.sql"),
            include_str!("../sql/sweep_outbox.sql"),
            include_str!("../sql/sweep_quarantine.sql"),
            include_str!("../sql/sweep_activation.sql"),
        ] {
            loop {
                let gone = client
                    .execute(statement, &[&projection, &SWEEP])
                    .await
                    .map_err(&failed)?;
                swept += gone;
                if gone == 0 {
                    break;
                }
                told(Progress::Swept(swept));
            }
        }
        client
            .execute(include_str!("../sql/forget_projection.sql"), &[&projection])
            .await
            .map_err(&failed)?;
    }
    Ok(())
}
