//! Why something waits, for whoever shows it, and how long it waits.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::warn;

use crate::words::in_full;

/// How long to wait at most before trying a server again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Set by who waits for a server, read by whoever is asked.
#[derive(Debug, Default)]
pub struct Outage(Mutex<Option<String>>);

impl Outage {
    /// It waits, and why.
    pub fn begin(&self, why: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.into());
    }

    /// It works.
    pub fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why it waits now; `None` where it does not.
    pub fn why(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Work that goes on round by round, through outages.
#[derive(Debug)]
pub struct Rounds<'a> {
    what: String,
    outage: &'a Outage,
    outages: &'a AtomicU64,
    first: Duration,
    wait: Duration,
}

impl<'a> Rounds<'a> {
    /// `what` names the work in a log line that says that it waits. Each round that a server was away for is counted in
    /// `outages`; after the first of them twice `first` is waited, and longer each time, up to five seconds.
    pub fn new(
        what: impl Into<String>,
        outage: &'a Outage,
        outages: &'a AtomicU64,
        first: Duration,
    ) -> Self {
        Self {
            what: what.into(),
            outage,
            outages,
            first,
            wait: first,
        }
    }

    /// How long to wait after a round: what it says itself, or longer and longer while a server is away. An error that
    /// `refusal` takes out of a round's is none that waiting mends, and ends the work.
    pub fn after<E: Error + 'static, R>(
        &mut self,
        round: Result<Duration, E>,
        refusal: impl FnOnce(E) -> Result<R, E>,
    ) -> Result<Duration, R> {
        let error = match round.map_err(refusal) {
            Ok(pause) => {
                self.outage.end();
                self.wait = self.first;
                return Ok(pause);
            }
            Err(Ok(refused)) => return Err(refused),
            Err(Err(error)) => error,
        };
        let (what, why) = (&self.what, in_full(&error));
        warn!(error = %why, "{what} waits: {why}");
        self.outages.fetch_add(1, Ordering::Relaxed);
        self.outage.begin(why);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        Ok(self.wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error, PartialEq, Eq)]
    enum Wrong {
        #[error("the server is away")]
        Away,
        #[error("the server refuses")]
        Refuses,
    }

    fn refusal(error: Wrong) -> Result<Wrong, Wrong> {
        match error {
            Wrong::Refuses => Ok(error),
            Wrong::Away => Err(error),
        }
    }

    #[test]
    fn what_is_away_is_waited_for_ever_longer_and_what_refuses_is_not() {
        let (outage, outages) = (Outage::default(), AtomicU64::new(0));
        let (ms, first) = (Duration::from_millis, Duration::from_millis(100));
        let mut rounds = Rounds::new("the work", &outage, &outages, first);
        assert_eq!(rounds.after(Ok(ms(7)), refusal), Ok(ms(7)));
        for wait in [200, 400, 800, 1600, 3200, 5000, 5000] {
            assert_eq!(rounds.after(Err(Wrong::Away), refusal), Ok(ms(wait)));
        }
        assert_eq!(outage.why().as_deref(), Some("the server is away"));
        assert_eq!(rounds.after(Ok(ms(7)), refusal), Ok(ms(7)));
        assert_eq!(outage.why(), None);
        assert_eq!(rounds.after(Err(Wrong::Away), refusal), Ok(ms(200)));
        let ended = rounds.after(Err(Wrong::Refuses), refusal);
        assert_eq!(ended, Err(Wrong::Refuses));
        assert_eq!(outages.load(Ordering::Relaxed), 8);
    }
}
