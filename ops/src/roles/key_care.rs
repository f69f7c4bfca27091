//! Destroys the salt keys of months that the stream has left: from then on, what was redacted in them cannot be
//! guessed back by anybody, and what was lost of them comes from an export alone.

use std::time::Duration;

use ingest::nats::Connection;
use ingest::streams::{self, Kept};
use ledger::head::Head;
use tokio::time::Instant;

use super::Shared;
use crate::app;
use crate::exit::Failure;

/// How often to look. A month's key outlives its last message by no more than this.
const EVERY: Duration = Duration::from_mins(10);

/// When it was looked last. The process that seals does it, because there is one for a ledger.
#[derive(Debug, Default)]
pub struct KeyCare {
    looked: Option<Instant>,
}

impl KeyCare {
    /// Looks, where it is time to.
    pub async fn look(&mut self, shared: &Shared, connection: &Connection) -> Result<(), Failure> {
        if self.looked.is_some_and(|looked| looked.elapsed() < EVERY) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let Some(head) = Head::load(&shared.db, &shared.config.ledger).await? else {
            return Ok(());
        };
        let kept = streams::kept(connection, &shared.config.ledger).await?;
        let Some(needed_us) = kept.and_then(|kept| needed_since(&kept, &head)) else {
            return Ok(());
        };
        let now = schema::time::format_us(app::now_us());
        for month in shared.keyring.destroy_salts_before(needed_us, &now)? {
            tracing::info!(
                %month,
                "destroyed the salt key of {month}: the stream keeps no message of that month"
            );
        }
        Ok(())
    }
}

/// From when on salts may have to be derived again; `None` where nobody can say.
///
/// A stream that is not the chain's was lost or is being recovered: then nothing is destroyed. One that still has
/// its first message can be replayed from event 0 on, which bears the stream's creation.
fn needed_since(kept: &Kept, head: &Head) -> Option<i64> {
    if kept.identity != head.stream {
        return None;
    }
    if kept.first_seq <= 1 {
        return Some(kept.created_us);
    }
    // Events are recorded when their message was stored or later, never before. Without a message, what comes next
    // is recorded no earlier than the head.
    Some(kept.oldest_us.unwrap_or(head.recorded_us))
}

#[cfg(test)]
mod tests {
    use schema::LedgerName;

    use super::*;

    #[test]
    fn keys_are_needed_from_the_oldest_message_on() {
        let head = Head {
            id: 1,
            ledger: LedgerName::new("main").expect("legal"),
            origin: "ledger.example/main".to_owned(),
            size: 9,
            chain: [0; 32],
            stream: "LEDGER-main@5".to_owned(),
            stream_seq: 8,
            message_us: 80,
            recorded_us: 80,
            epoch: 1,
            succeeded_by: None,
        };
        let kept = |first_seq, oldest_us| Kept {
            identity: head.stream.clone(),
            created_us: 5,
            first_seq,
            oldest_us,
            last_seq: 8,
            deleted: Vec::new(),
        };
        assert_eq!(needed_since(&kept(1, Some(10)), &head), Some(5));
        assert_eq!(needed_since(&kept(0, None), &head), Some(5));
        assert_eq!(needed_since(&kept(4, Some(40)), &head), Some(40));
        assert_eq!(needed_since(&kept(9, None), &head), Some(80));
        let other = Kept {
            identity: "LEDGER-main@6".to_owned(),
            ..kept(4, Some(40))
        };
        assert_eq!(
            needed_since(&other, &head),
            None,
            "a stream that was made again"
        );
    }
}
