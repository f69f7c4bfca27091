//! Waiting longer and longer between attempts, and saying so once.

use std::time::Duration;

use ledger::words::in_full;
use tokio::sync::watch;

/// Draws a number in `0.0..1.0`; randomness is a parameter.
pub type Jitter = fn() -> f64;

/// Doubling pauses with full jitter above a quarter (so that many processes do not come back at once).
#[derive(Debug, Clone)]
pub struct Backoff {
    /// The first pause, at most.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// Where the jitter comes from.
    pub jitter: Jitter,
    attempt: u32,
}

impl Backoff {
    /// 50 ms doubling up to 5 s.
    pub fn new(jitter: Jitter) -> Self {
        Self {
            first: Duration::from_millis(50),
            longest: Duration::from_secs(5),
            jitter,
            attempt: 0,
        }
    }

    /// The next pause.
    pub fn next_pause(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.attempt.min(16));
        self.attempt = self.attempt.saturating_add(1);
        let pause = doubled.min(self.longest);
        pause.mul_f64(0.25 + 0.75 * (self.jitter)().clamp(0.0, 1.0))
    }

    /// It worked: the next pause is the first again.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    /// Sleeps for the next pause, or less when told to stop.
    pub async fn wait(&mut self, stop: &mut watch::Receiver<bool>) {
        let pause = self.next_pause();
        let _ = tokio::time::timeout(pause, stopped(stop)).await;
    }
}

/// Returns when told to stop, or when nobody is left who could tell.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Whether we were told to stop.
pub(crate) fn is_stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// Something that works or does not, logged only when that changes.
#[derive(Debug)]
pub struct Health {
    what: &'static str,
    down: bool,
}

impl Health {
    /// `what` works, until told otherwise.
    pub fn new(what: &'static str) -> Self {
        Self { what, down: false }
    }

    /// It does not work. Logged on the first time in a row.
    pub fn failed(&mut self, error: &(dyn std::error::Error + 'static)) {
        if !self.down {
            let why = in_full(error);
            tracing::warn!(role = self.what, "{} is waiting: {why}", self.what);
        }
        self.down = true;
    }

    /// It works. Logged if it did not before.
    pub fn works(&mut self) {
        if self.down {
            tracing::info!(role = self.what, "{} goes on", self.what);
        }
        self.down = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let mut backoff = Backoff::new(|| 1.0);
        let pauses: Vec<_> = (0..20).map(|_| backoff.next_pause().as_millis()).collect();
        assert_eq!(pauses[0..3], [50, 100, 200]);
        assert_eq!(pauses[19], 5000);
        backoff.reset();
        assert_eq!(backoff.next_pause().as_millis(), 50);
        assert_eq!(Backoff::new(|| 0.0).next_pause().as_micros(), 12_500);
    }
}
