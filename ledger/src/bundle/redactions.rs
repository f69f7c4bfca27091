//! What is said to be redacted, looked up in the events that are said to have done it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::form::Line;
use crate::record::Header;
use crate::redaction::{Coverage, Spot, joined};
use crate::report::{Report, What};

/// So many stretches of redacted events are looked up; memory stays bounded.
const MOST_REDACTIONS: usize = 1 << 20;

/// Redacted positions by the event that is said to have redacted them, as stretches `from..=to`.
#[derive(Default)]
pub(super) struct Redactions {
    by: BTreeMap<u64, Vec<(u64, u64)>>,
    held: usize,
    unmatched: u64,
    /// The same positions one by one, by the same event: a hold may keep some of a stretch.
    spots: BTreeMap<u64, Vec<Spotted>>,
    spotted: usize,
    /// What the events so far say of holds.
    coverage: Coverage,
}

/// A redacted position, as far as holds look at it.
struct Spotted {
    seq: u64,
    event_type: Box<str>,
    subject: Box<str>,
    recorded_us: i64,
}

impl Spotted {
    fn spot(&self) -> Spot<'_> {
        Spot::new(self.seq, &self.event_type, &self.subject, self.recorded_us)
    }
}

#[derive(Deserialize, Default)]
struct Applied {
    ranges: Vec<(u64, u64)>,
}

impl Redactions {
    /// The data of a line is said to have been taken by the event at `by`, which is after it.
    pub fn expect(&mut self, line: &Line<'_>, by: u64) {
        let seq = line.seq;
        let stretches = self.by.entry(by).or_default();
        match stretches.last_mut() {
            Some((_, to)) if to.checked_add(1) == Some(seq) => *to = seq,
            _ if self.held < MOST_REDACTIONS => {
                self.held += 1;
                stretches.push((seq, seq));
            }
            _ => {
                self.unmatched += 1;
                return;
            }
        }
        if self.spotted < MOST_REDACTIONS {
            self.spotted += 1;
            self.spots.entry(by).or_default().push(Spotted {
                seq,
                event_type: line.event_type.as_ref().into(),
                subject: line.subject.as_ref().into(),
                recorded_us: line.recorded_us,
            });
        }
    }

    /// What is said to be redacted by this event, and a hold or its own nature keeps.
    fn check_kept(&mut self, header: &Header, report: &mut Report) {
        for one in self.spots.remove(&header.seq).unwrap_or_default() {
            self.spotted = self.spotted.saturating_sub(1);
            let by = header.seq;
            let detail = if one.spot().is_permanent() {
                format!("redacted by position {by}, and its data is never deleted")
            } else if let Some(hold) = self.coverage.holds().at(&one.spot(), by) {
                let (hold, placed) = (&hold.hold, hold.placed);
                format!(
                    "redacted by position {by}, which the hold {hold:?} at position {placed} forbids"
                )
            } else {
                continue;
            };
            report.problem(Some(one.seq), What::Redaction, detail);
        }
    }

    /// Checks what is said to have been redacted by this event.
    pub fn settle(&mut self, header: &Header, data: Option<&[u8]>, report: &mut Report) {
        self.check_kept(header, report);
        if let Some(data) = data {
            self.coverage.read(header, data);
        }
        let Some(stretches) = self.by.remove(&header.seq) else {
            return;
        };
        self.held = self.held.saturating_sub(stretches.len());
        let applied = data.map(|data| serde_json::from_slice::<Applied>(data).unwrap_or_default());
        let applied = applied.map(|applied| joined(applied.ranges.into_iter()));
        for (from, to) in stretches {
            let covered = match &applied {
                _ if header.event_type != "ledger.retention.applied" => false,
                // Withheld: its type is right, its ranges cannot be seen.
                None => true,
                Some(ranges) => {
                    let before = ranges.partition_point(|range| range.0 <= from);
                    let range = before.checked_sub(1).and_then(|at| ranges.get(at));
                    range.is_some_and(|range| to <= range.1)
                }
            };
            if !covered {
                let by = header.seq;
                let detail =
                    format!("redacted by position {by}, which takes no data of {from} to {to}");
                report.problem(Some(from), What::Redaction, detail);
            }
        }
    }

    /// Notes what could not be looked up.
    pub fn finish(self, report: &mut Report) {
        let left: u64 = self
            .by
            .values()
            .flatten()
            .map(|(from, to)| to - from + 1)
            .sum();
        if left + self.unmatched > 0 {
            report.note(format!(
                "{} events are said to be redacted by events that are not in this bundle",
                left + self.unmatched
            ));
        }
    }
}
