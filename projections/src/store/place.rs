//! How far a projection is, and whose it is.

use deadpool_postgres::Transaction;
use ledger::db::{Database, DbError};
use tokio_postgres::{Error, Row};

use crate::fold::{Changes, Checkpoint};
use crate::store::{bigint, count};

/// What a projection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Readers see it.
    Live,
    /// It is being made beside the living one.
    Building,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Building => "building",
        }
    }
}

/// Who folds into a projection, and how far.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) projection: i32,
    pub(crate) epoch: i64,
    pub(crate) engine: i32,
    pub(crate) package: Option<String>,
    pub(crate) checkpoint: Checkpoint,
    /// How often values were taken out because data was deleted.
    pub(crate) redactions: i64,
}

impl Place {
    pub(crate) fn from_row(row: &Row) -> Self {
        let chain: Option<&[u8]> = row.get("chain");
        Self {
            projection: row.get("projection"),
            epoch: row.get("epoch"),
            engine: row.get("engine"),
            package: row.get("package"),
            checkpoint: Checkpoint {
                next: count(row.get("next_seq")),
                // A CHECK constraint keeps other lengths out.
                chain: chain.and_then(|chain| chain.try_into().ok()),
                recorded_us: row.get("recorded_us"),
            },
            redactions: row.get("redactions"),
        }
    }

    /// Where a ledger stands; `None` where nobody has projected it.
    pub(crate) async fn read(
        db: &Database,
        ledger: i32,
        state: State,
    ) -> Result<Option<Self>, DbError> {
        let client = db.client().await?;
        let row = client
            .query_opt(
                include_str!("../sql/checkpoint.sql"),
                &[&ledger, &state.as_str()],
            )
            .await
            .map_err(db.error("reading how far the ledger is folded"))?;
        Ok(row.as_ref().map(Self::from_row))
    }

    /// Sees to it that a fence is sent at once.
    pub(crate) async fn prepare_fence(tx: &Transaction<'_>) -> Result<(), Error> {
        let sql = include_str!("../sql/fence.sql");
        tx.prepare_cached(sql).await.map(drop)
    }

    /// Keeps a projection as it is until the transaction ends; `None` where it is not in this state any more.
    pub(crate) async fn fence(
        tx: &Transaction<'_>,
        projection: i32,
        state: State,
    ) -> Result<Option<Self>, Error> {
        let statement = tx.prepare_cached(include_str!("../sql/fence.sql")).await?;
        let row = tx
            .query_opt(&statement, &[&projection, &state.as_str()])
            .await?;
        Ok(row.as_ref().map(Self::from_row))
    }

    /// Moves the checkpoint from where a batch began; false where it was not there.
    pub(crate) async fn advance(
        &self,
        tx: &Transaction<'_>,
        changes: &Changes,
    ) -> Result<bool, Error> {
        let to = &changes.checkpoint;
        let chain = to.chain.as_ref().map(<[u8; 32]>::as_slice);
        let statement = tx
            .prepare_cached(include_str!("../sql/advance.sql"))
            .await?;
        let moved = tx
            .execute(
                &statement,
                &[
                    &self.projection,
                    &self.epoch,
                    &bigint(self.checkpoint.next),
                    &bigint(to.next),
                    &to.recorded_us,
                    &chain,
                ],
            )
            .await?;
        Ok(moved == 1)
    }
}
