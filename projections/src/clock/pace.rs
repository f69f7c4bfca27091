//! When to tick: as soon as something is due, and never often.

use std::time::Duration;

/// How often to look.
pub(super) const POLL: Duration = Duration::from_millis(250);
/// How long to wait after a tick before the next one, in µs: it finds everything that was due meanwhile.
const APART_US: i64 = 1_000_000;
/// How long at most, where ticks find nothing.
const LONGEST_APART_US: i64 = 60_000_000;
/// How long a tick may take from NATS into the chain before it is sent again, in µs; doubled each time.
const PATIENCE_US: i64 = 30_000_000;
/// How long at most.
const LONGEST_PATIENCE_US: i64 = 3_600_000_000;

/// Where everything stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// When the next deadline is due that has not fired, in µs.
    pub(super) due_us: Option<i64>,
    /// How far the chain is folded.
    pub(super) next: u64,
    /// How long the chain is.
    pub(super) size: u64,
    /// The number of the last message in the stream that has a position.
    pub(super) stream_seq: u64,
    /// When NATS took that message, by its clock, in µs.
    pub(super) message_us: i64,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Look again then.
    Wait(Duration),
    /// Say that this was due, in µs.
    Tick { due_us: i64 },
}

/// What was sent last, and how far NATS' clock is behind.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<Sent>,
    behind_us: i64,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    due_us: i64,
    /// How often about the same deadline.
    times: u32,
    /// When, in µs.
    at_us: i64,
    /// The tick's number in the stream.
    stream_seq: u64,
    recorded: bool,
}

impl Pace {
    /// Whether something is due that nothing has found, so that a tick is needed at `now_us`.
    pub(super) fn turn(&mut self, seen: &Seen, now_us: i64) -> Turn {
        let poll = Turn::Wait(POLL);
        // Our clock was set back. What was compared with it before says nothing, and could keep us from ticking for as long
        // as it was ahead.
        if self.last.is_some_and(|last| now_us < last.at_us) {
            *self = Self::default();
        }
        // What is not folded yet may find it.
        let (Some(due_us), true) = (seen.due_us, seen.next >= seen.size) else {
            return poll;
        };
        if let Some(last) = &mut self.last
            && !last.recorded
            && seen.stream_seq >= last.stream_seq
        {
            last.recorded = true;
            self.behind_us = (last.at_us - seen.message_us).max(0);
        }
        let passed_us = now_us.saturating_sub(self.behind_us).saturating_sub(due_us);
        if passed_us <= 0 {
            return wait(1 - passed_us);
        }
        let since_us = |last: &Sent| now_us.saturating_sub(last.at_us);
        let early_us = self
            .last
            .map_or(0, |last| last.pause_us(due_us) - since_us(&last));
        if early_us > 0 {
            return wait(early_us);
        }
        Turn::Tick { due_us }
    }

    /// A tick was sent.
    pub(super) fn sent(&mut self, due_us: i64, at_us: i64, stream_seq: u64) {
        let same = self.last.filter(|last| last.due_us == due_us);
        self.last = Some(Sent {
            due_us,
            times: same.map_or(1, |last| last.times.saturating_add(1)),
            at_us,
            stream_seq,
            recorded: false,
        });
    }
}

impl Sent {
    /// How long after it the next one may be sent, in µs.
    fn pause_us(&self, due_us: i64) -> i64 {
        let doubled = |us: i64| us.saturating_mul(1 << (self.times - 1).min(20));
        if !self.recorded {
            return doubled(PATIENCE_US).min(LONGEST_PATIENCE_US);
        }
        if self.due_us == due_us {
            return doubled(APART_US).min(LONGEST_APART_US);
        }
        APART_US
    }
}

fn wait(us: i64) -> Turn {
    let us = Duration::from_micros(u64::try_from(us).unwrap_or(0));
    Turn::Wait(us.min(POLL))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// A ledger whose stream takes ticks at once, by a clock that is behind ours by so much. Gives when it ticked until
    /// the end, and when the deadlines fired, in seconds.
    fn play(deadlines: &[i64], behind_s: i64, until_s: i64) -> (Vec<i64>, Vec<i64>) {
        let mut waiting: Vec<i64> = deadlines.iter().map(|s| s * SECOND).collect();
        let (mut ticks, mut fired) = (Vec::new(), Vec::new());
        let (mut pace, mut now, mut message, mut size) = (Pace::default(), 0, 0, 1);
        let mut recorded = 0;
        while now < until_s * SECOND {
            let seen = Seen {
                due_us: waiting.first().copied(),
                next: size,
                size,
                stream_seq: size,
                message_us: message,
            };
            match pace.turn(&seen, now) {
                Turn::Wait(pause) => now += i64::try_from(pause.as_micros()).expect("short"),
                Turn::Tick { due_us } => {
                    size += 1;
                    pace.sent(due_us, now, size);
                    ticks.push(now / SECOND);
                    message = now - behind_s * SECOND;
                    // Recorded time never falls.
                    recorded = recorded.max(message);
                    while waiting.first().is_some_and(|due| *due < recorded) {
                        waiting.remove(0);
                        fired.push(now / SECOND);
                    }
                }
            }
        }
        (ticks, fired)
    }

    #[test]
    fn one_tick_at_the_moment_when_something_is_due() {
        assert_eq!(play(&[10], 0, 100), (vec![10], vec![10]));
        assert_eq!(play(&[], 0, 100), (vec![], vec![]));
    }

    #[test]
    fn what_is_due_at_nearly_the_same_time_is_found_together() {
        let many: Vec<i64> = vec![10; 1000];
        assert_eq!(play(&many, 0, 100).0, [10]);
        let spread: Vec<i64> = (10..40).collect();
        let (ticks, fired) = play(&spread, 0, 100);
        assert!(ticks.len() <= 31, "{ticks:?}");
        assert_eq!(fired.len(), 30);
        assert!(
            fired
                .iter()
                .zip(&spread)
                .all(|(fired, due)| fired - due <= 2)
        );
    }

    #[test]
    fn a_clock_that_is_behind_costs_one_tick_and_not_a_storm() {
        for behind_s in [1, 5, 3600, 86_400] {
            let (ticks, fired) = play(&[10, 20], behind_s, 100_000);
            assert!(ticks.len() <= 3, "{behind_s}: {ticks:?}");
            assert_eq!(fired.len(), 2, "{behind_s}: {ticks:?}");
        }
    }

    /// A clock that was a day ahead finds nothing with its tick, and is then set right. What is due an hour later must be
    /// found then, and not a day later.
    #[test]
    fn a_clock_that_is_set_back_ticks_on() {
        let (hour, day) = (3600 * SECOND, 86_400 * SECOND);
        let mut pace = Pace::default();
        let seen = |due_us, stream_seq| Seen {
            due_us: Some(due_us),
            next: 3,
            size: 3,
            stream_seq,
            message_us: SECOND,
        };
        assert_eq!(pace.turn(&seen(hour, 3), day), Turn::Tick { due_us: hour });
        pace.sent(hour, day, 4);
        assert_eq!(pace.turn(&seen(hour, 4), day), Turn::Wait(POLL));
        // Now it is right, and the hour is not over.
        assert_eq!(pace.turn(&seen(hour, 4), 2 * SECOND), Turn::Wait(POLL));
        assert_eq!(
            pace.turn(&seen(hour, 4), hour + 1),
            Turn::Tick { due_us: hour }
        );
    }

    #[test]
    fn a_tick_that_is_not_recorded_is_sent_ever_more_rarely() {
        let mut pace = Pace::default();
        let seen = Seen {
            due_us: Some(SECOND),
            next: 3,
            size: 3,
            stream_seq: 3,
            message_us: 0,
        };
        let (mut now, mut sent) = (2 * SECOND, 0);
        while now < 3600 * SECOND {
            match pace.turn(&seen, now) {
                Turn::Wait(pause) => now += i64::try_from(pause.as_micros()).expect("short"),
                Turn::Tick { due_us } => {
                    pace.sent(due_us, now, 4);
                    sent += 1;
                }
            }
        }
        assert_eq!(sent, 7);
    }

    #[test]
    fn what_is_not_folded_yet_may_find_it() {
        let mut pace = Pace::default();
        let seen = Seen {
            due_us: Some(SECOND),
            next: 3,
            size: 4,
            stream_seq: 4,
            message_us: 0,
        };
        assert_eq!(pace.turn(&seen, 2 * SECOND), Turn::Wait(POLL));
    }
}
