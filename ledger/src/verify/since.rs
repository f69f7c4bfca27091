//! Data that was deleted while its chain was verified: the event that says so may have come after the position up to
//! which is verified. It is looked up at the end, and believed if it follows from what was verified.

use tokio_postgres::Client;

use super::merge::Merge;
use super::segment::{Missing, forbidden};
use super::{Job, VerifyError};
use crate::recompute::Recompute;
use crate::redaction::{Coverage, Word};
use crate::report::What;
use crate::scan::{Lanes, Row, Scan};

/// Looks up what was not explained when verification began, and says what is still not.
pub(super) async fn explain(
    job: &Job<'_>,
    client: &Client,
    merge: &mut Merge<'_>,
) -> Result<(), VerifyError> {
    let missing = merge.unexplained();
    if missing.is_empty() {
        return Ok(());
    }
    let coverage = Coverage::load(job.db, client, job.extent.head.id).await?;
    let mut latest = None;
    for one in &missing {
        match coverage.of(&one.spot()) {
            Word::Covered(applied) => latest = latest.max(Some(applied.by)),
            Word::Held(applied, hold) => {
                merge.problem(one.seq, What::Redaction, forbidden(applied, hold));
            }
            Word::Kept => {
                let detail = "its data is gone and no ledger.retention.applied covers it";
                merge.problem(one.seq, What::Redaction, detail.to_owned());
            }
        }
    }
    match latest {
        Some(latest) if latest >= job.extent.head.size => {
            follows(job, merge, latest, &missing).await
        }
        _ => Ok(()),
    }
}

/// Recomputes what was recorded since, up to a position.
async fn follows(
    job: &Job<'_>,
    merge: &mut Merge<'_>,
    latest: u64,
    missing: &[Missing],
) -> Result<(), VerifyError> {
    let Some(mut chain) = merge.chain() else {
        return Ok(());
    };
    let lanes = Lanes::connect(job.db).await?;
    let (id, mut next) = (job.extent.head.id, job.extent.head.size);
    let mut scan = Scan::begin(job.db, &lanes, id, next, latest + 1).await?;
    let (mut row, mut recompute, mut wrong) = (Row::default(), Recompute::default(), false);
    while scan.next(job.db, &mut row).await? {
        wrong |= row.seq != next;
        recompute.row(&row, &chain, |what, detail| {
            wrong = true;
            merge.problem(row.seq, what, detail);
        });
        (chain, next) = (row.chain, row.seq + 1);
    }
    if wrong || next <= latest {
        for one in missing {
            let detail = format!(
                "its data is gone, and what was recorded since, up to position {latest}, does not follow"
            );
            merge.problem(one.seq, What::Redaction, detail);
        }
    }
    Ok(())
}
