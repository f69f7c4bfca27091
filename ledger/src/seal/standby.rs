//! What the synchronous standby has. A head over rows that only this server has could be let out and then, after a
//! failover, be of a history that nobody holds.
//!
//! A commit waits for its standbys by itself; but a wait that is cancelled, or a server that restarts in the middle
//! of one, leaves rows that are visible here and not there. So their word is asked for before signing, by the place
//! in the server's log (LSN) up to which they have flushed.

use tokio_postgres::Client;
use tokio_postgres::types::PgLsn;

use super::SealError;
use crate::db::Database;

/// What was asked of the standbys last.
#[derive(Debug, Default)]
pub(super) struct Standby {
    /// A size of the chain, and a place in the log behind it, that they had not confirmed yet.
    waiting: Option<(u64, PgLsn)>,
}

impl Standby {
    /// The size that is waited for.
    pub fn waiting(&self) -> Option<u64> {
        self.waiting.map(|(size, _)| size)
    }

    /// The size up to which the chain may be signed; `None` while standbys have not confirmed what is new after
    /// `sealed`. Without synchronous standbys it is the chain's own.
    ///
    /// What is waited for stays the same until it is there: a standby that is always a little behind holds nothing up.
    pub async fn confirmed(
        &mut self,
        db: &Database,
        client: &Client,
        ledger: i32,
        sealed: u64,
    ) -> Result<Option<u64>, SealError> {
        // Twice: most often they have it when they are asked, since the commit waited for them.
        for _ in 0..2 {
            let asked = self.waiting.map_or(PgLsn::from(0), |(_, place)| place);
            let row = client
                .query_one(include_str!("../sql/standby.sql"), &[&ledger, &asked])
                .await
                .map_err(db.error("asking what the standby has"))?;
            let size = u64::try_from(row.get::<_, i64>("size")).unwrap_or(0);
            let names: &str = row.get("names");
            if names.trim().is_empty() || size <= sealed {
                self.waiting = None;
                return Ok(Some(size));
            }
            if !row.get::<_, bool>("may_look") {
                let user = row.get("looking");
                return Err(SealError::Blind { user });
            }
            match self.waiting {
                Some((size, _)) if row.get::<_, i64>("have") >= needed(names) => {
                    self.waiting = None;
                    return Ok(Some(size));
                }
                Some(_) => return Ok(None),
                None => self.waiting = Some((size, row.get("place"))),
            }
        }
        Ok(None)
    }
}

/// How many standbys must have it, by `synchronous_standby_names`: `[FIRST | ANY] n (…)`, or a list, of which one.
fn needed(names: &str) -> i64 {
    let text = names.trim().to_ascii_lowercase();
    let text = ["first", "any"]
        .iter()
        .find_map(|word| {
            text.strip_prefix(word)
                .filter(|rest| rest.starts_with([' ', '\t']))
        })
        .unwrap_or(&text);
    text.split_once('(')
        .and_then(|(number, _)| number.trim().parse().ok())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn the_setting_says_how_many_are_needed() {
        for (names, count) in [
            ("*", 1),
            ("s1", 1),
            ("s1, s2", 1),
            ("first, any", 1),
            ("2 (s1, s2, s3)", 2),
            (" FIRST 3 (s1,s2,s3)", 3),
            ("ANY 2(a, b)", 2),
            ("any\t1 (*)", 1),
        ] {
            assert_eq!(needed(names), count, "{names}");
        }
    }
}
