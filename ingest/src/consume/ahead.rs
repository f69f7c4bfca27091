//! The batch after the one that is being committed, made ready meanwhile.
//!
//! Nothing is appended ahead: a plan says behind which head it goes, and the append refuses it behind any other.

use bytes::Bytes;
use ledger::append::{Arrival, Plan, Planner};
use ledger::head::Head;

use super::receive::Batch;
use super::{End, IngestError};
use crate::checks::Lost;

/// A batch whose turn comes.
pub(super) struct Next {
    pub todo: Todo,
    /// Acknowledges all of it.
    pub ack: Bytes,
    /// The bytes of its messages.
    pub bytes: u64,
}

pub(super) enum Todo {
    /// Drafted and hashed.
    Planned(Plan),
    /// An activation of a catalog: it is judged by what is committed before it.
    Judged(Batch),
    /// It cannot be appended.
    Failed(End),
}

impl Next {
    /// The head after it, as far as that can be said before it is committed.
    pub fn after(&self) -> Option<Head> {
        match &self.todo {
            Todo::Planned(plan) => Some(plan.after()),
            Todo::Judged(_) | Todo::Failed(_) => None,
        }
    }
}

/// Makes batches of one stream ready.
pub(super) struct Ahead<'a> {
    pub planner: Planner,
    pub stream: &'a str,
    /// The size of the largest signed head that was let out.
    pub released: u64,
}

impl Ahead<'_> {
    /// Plans a batch behind a head.
    pub fn plan(&mut self, behind: Head, mut batch: Batch) -> Next {
        let (ack, bytes) = (batch.ack.clone(), batch.bytes);
        let todo = if let Err(end) = self.replays_whole(&behind, &batch.arrivals) {
            Todo::Failed(end)
        } else if batch.activation().is_some() {
            Todo::Judged(batch)
        } else {
            let plan = self.planner.plan(behind, self.stream, batch.arrivals);
            plan.map_or_else(|error| Todo::Failed(error.into()), Todo::Planned)
        };
        Next { todo, ack, bytes }
    }

    /// Refuses to write a gap where a signed head says that there was a message: a database that was rolled back
    /// would grow into another history than the one that was let out.
    fn replays_whole(&self, head: &Head, arrivals: &[Arrival]) -> Result<(), End> {
        let mut next = if self.stream == head.stream {
            head.stream_seq + 1
        } else {
            1
        };
        for (_, arrival) in (head.size..self.released).zip(arrivals) {
            let found = arrival.message.stream_seq;
            if found > next {
                return Err(End::Failed(IngestError::LostTail(Lost::Replay {
                    stream: self.stream.to_owned(),
                    missing: next,
                    found,
                    released: self.released,
                })));
            }
            next = found + 1;
        }
        Ok(())
    }
}
