//! Whether the living views say what follows from the chain. Nothing that is signed rests on them, and whoever may write
//! to the database can change them.

use deadpool_postgres::Transaction;
use serde::Serialize;
use tokio_postgres::Error;

/// How many differences are spelled out: one deleted row of the catalog's could make every other one differ.
pub const MOST_DIFFERENCES: usize = 1000;

/// A row that only one of the two has: the living views, or those that the chain gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table of the schema `views`.
    pub view: String,
    /// The kind of the entity that it is about; none where it is about a position.
    pub kind: Option<String>,
    /// The entity, or the position.
    pub id: String,
    /// Whether it stands in the living views and does not follow from the chain; else it follows, and is not there.
    pub living: bool,
    /// The row's columns, as PostgreSQL writes a row.
    pub row: String,
}

impl Difference {
    /// The living views say that they are of so many positions, and the chain does not have them.
    pub(super) fn of_place(next: u64) -> Self {
        Self {
            view: "projection".to_owned(),
            kind: None,
            id: next.to_string(),
            living: true,
            row: format!("({next})"),
        }
    }
}

/// The first of them, of the living projection and of one that was made anew and is of as many positions.
pub(super) async fn differences(
    tx: &Transaction<'_>,
    living: i32,
    anew: i32,
) -> Result<Vec<Difference>, Error> {
    let most = i64::try_from(MOST_DIFFERENCES).unwrap_or(i64::MAX);
    let rows = tx
        .query(include_str!("../sql/compare.sql"), &[&living, &anew, &most])
        .await?;
    let difference = |row: &tokio_postgres::Row| Difference {
        view: row.get("view"),
        kind: row.get("kind"),
        id: row.get::<_, Option<String>>("id").unwrap_or_default(),
        living: row.get("living"),
        row: row.get("row"),
    };
    Ok(rows.iter().map(difference).collect())
}
