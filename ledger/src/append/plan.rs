//! A batch that is drafted and hashed before its turn, while the one before it is being committed.

use serde::Deserialize;

use super::commit::head_after;
use super::draft::{Draft, drafts, resolve};
use super::known::Known;
use super::link::Linker;
use super::{AppendError, Arrival, Kind};
use crate::head::Head;
use crate::keyring::Keyring;

/// Drafts and hashes. It knows no database: what it says of identities holds for a batch alone, until
/// [`super::Appender::append_plan`] finds one taken.
#[derive(Debug, Clone)]
pub struct Planner {
    linker: Linker,
}

/// A batch behind a head that may have yet to come.
#[derive(Debug)]
pub struct Plan {
    pub(super) behind: Head,
    pub(super) drafts: Vec<Draft>,
}

impl Plan {
    /// The head once it is committed. Only its chain may turn out to be another: where the chain holds an
    /// identity already, another event stands at that position than was planned.
    pub fn after(&self) -> Head {
        head_after(&self.behind, &self.drafts).unwrap_or_else(|| self.behind.clone())
    }
}

impl Planner {
    pub(super) fn new(keyring: Keyring) -> Self {
        Self {
            linker: Linker::new(keyring),
        }
    }

    /// Makes no salt key for a position before `size`.
    pub(super) fn signed_up_to(&mut self, size: u64) {
        self.linker.signed_up_to(size);
    }

    /// Plans messages of one stream, in the order of their numbers, behind a head.
    pub fn plan(
        &mut self,
        behind: Head,
        stream: &str,
        arrivals: Vec<Arrival>,
    ) -> Result<Plan, AppendError> {
        check_order(&behind, stream, &arrivals)?;
        // Gaps, positions, times.
        let mut drafts = drafts(&behind, stream, arrivals);
        self.decide(&behind, &mut drafts, &Known::default())?;
        Ok(Plan { behind, drafts })
    }

    /// Settles what each draft is, duplicates and conflicts, and hashes what is left. May be done again with more
    /// known, or behind another chain.
    pub(super) fn decide(
        &mut self,
        head: &Head,
        drafts: &mut [Draft],
        known: &Known,
    ) -> Result<(), AppendError> {
        resolve(head, drafts, known)?;
        if let Some(first) = drafts.first()
            && !continues(head, first)
        {
            let arrived = first.content().map(|content| content.header.stream.clone());
            return Err(AppendError::OtherStream {
                ours: head.stream.clone(),
                last: head.stream_seq,
                arrived: arrived.unwrap_or_default(),
            });
        }
        Ok(self.linker.link(head.chain, head.recorded_us, drafts)?)
    }
}

/// Numbers rise, from the head's on.
fn check_order(head: &Head, stream: &str, arrivals: &[Arrival]) -> Result<(), AppendError> {
    let mut last = if stream == head.stream {
        head.stream_seq
    } else {
        0
    };
    for Arrival { message, .. } in arrivals {
        if message.stream_seq <= last {
            return Err(AppendError::OutOfOrder {
                expected: last + 1,
                arrived: message.stream_seq,
            });
        }
        last = message.stream_seq;
    }
    Ok(())
}

/// The data of `ledger.stream.continued`.
#[derive(Deserialize)]
struct Continued {
    stream: String,
    last: u64,
}

/// Whether the first draft may stand behind the head: it is of the same stream, or says itself that it continues
/// the head's stream from its last number.
fn continues(head: &Head, first: &Draft) -> bool {
    let Some(content) = first.content() else {
        return true;
    };
    let header = &content.header;
    if header.stream == head.stream {
        return true;
    }
    let own = first.kind == Kind::Recorded && header.publisher == "ledger";
    let named = matches!(
        header.event_type.as_str(),
        "ledger.stream.continued" | "ledger.stream.continued.v1"
    );
    own && named
        && serde_json::from_slice::<Continued>(&content.data)
            .is_ok_and(|from| from.stream == head.stream && from.last == head.stream_seq)
}
