//! From one position to the next: numbers, times, streams.

use serde::Deserialize;

use crate::report::{Report, What};
use crate::scan::Row;

/// What the position before says about the next one.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    pub stream: String,
    pub stream_seq: u64,
    pub recorded_us: i64,
    /// Event 0 stands before the first message of the first stream.
    is_first: bool,
}

#[derive(Deserialize)]
struct Gap {
    from: u64,
    to: u64,
}

#[derive(Deserialize)]
struct Continued {
    stream: String,
    last: u64,
}

impl Before {
    /// Takes the place of the position before.
    pub fn step(&mut self, row: &Row) {
        if self.stream != row.stream() {
            row.stream().clone_into(&mut self.stream);
        }
        self.stream_seq = row.stream_seq;
        self.recorded_us = row.recorded_us;
        self.is_first = row.seq == 0;
    }

    /// Says what does not continue.
    pub fn check(&self, row: &Row, first_stream: &str, report: &mut Report) {
        let (seq, stream) = (row.seq, row.stream());
        let mut wrong = |detail: String| report.problem(Some(seq), What::Stream, detail);
        if row.recorded_us < self.recorded_us {
            wrong(format!(
                "recorded at {} µs, before the position in front of it ({} µs)",
                row.recorded_us, self.recorded_us
            ));
        }
        if stream != self.stream {
            let begins = self.is_first
                && stream
                    .strip_prefix(first_stream)
                    .is_some_and(|us| us == format!("@{}", self.recorded_us));
            if begins {
                self.check_number(row, 0, &mut wrong);
            } else if !self.is_continued_by(row) {
                wrong(format!(
                    "is of stream {:?} and not a ledger.stream.continued from message {} of {:?}",
                    stream, self.stream_seq, self.stream
                ));
            }
            return;
        }
        self.check_number(row, self.stream_seq, &mut wrong);
    }

    fn check_number(&self, row: &Row, last: u64, wrong: &mut impl FnMut(String)) {
        let next = last.saturating_add(1);
        if row.event_type() == "ledger.stream.gap" && row.publisher().is_empty() {
            let gap = row.data.as_deref().map(serde_json::from_slice::<Gap>);
            let holds = gap.is_none_or(|gap| {
                gap.is_ok_and(|gap| gap.from == next && gap.to == row.stream_seq)
            });
            if !holds || row.stream_seq < next || row.recorded_us != self.recorded_us {
                wrong(format!(
                    "is no gap from message {next} on to {}",
                    row.stream_seq
                ));
            }
        } else if row.stream_seq != next {
            wrong(format!(
                "is message {} of its stream where {next} follows",
                row.stream_seq
            ));
        }
    }

    fn is_continued_by(&self, row: &Row) -> bool {
        let named = matches!(
            row.event_type(),
            "ledger.stream.continued" | "ledger.stream.continued.v1"
        );
        let says = |data: &[u8]| {
            serde_json::from_slice::<Continued>(data)
                .is_ok_and(|from| from.stream == self.stream && from.last == self.stream_seq)
        };
        named && row.publisher() == "ledger" && row.data.as_deref().is_none_or(says)
    }
}
