//! What is said to be redacted, looked up in the events that are said to have done it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::record::Header;
use crate::redaction::joined;
use crate::report::{Report, What};

/// So many stretches of redacted events are looked up; memory stays bounded.
const MOST_REDACTIONS: usize = 1 << 20;

/// Redacted positions by the event that is said to have redacted them, as stretches `from..=to`.
#[derive(Default)]
pub(super) struct Redactions {
    by: BTreeMap<u64, Vec<(u64, u64)>>,
    held: usize,
    unmatched: u64,
}

#[derive(Deserialize, Default)]
struct Applied {
    ranges: Vec<(u64, u64)>,
}

impl Redactions {
    /// The data of `seq` is said to have been taken by the event at `by`, which is after it.
    pub fn expect(&mut self, seq: u64, by: u64) {
        let stretches = self.by.entry(by).or_default();
        match stretches.last_mut() {
            Some((_, to)) if to.checked_add(1) == Some(seq) => *to = seq,
            _ if self.held < MOST_REDACTIONS => {
                self.held += 1;
                stretches.push((seq, seq));
            }
            _ => self.unmatched += 1,
        }
    }

    /// Checks what is said to have been redacted by this event.
    pub fn settle(&mut self, header: &Header, data: Option<&[u8]>, report: &mut Report) {
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
