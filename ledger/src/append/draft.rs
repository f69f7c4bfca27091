//! What each message becomes. Pure: the same head and messages give the same drafts.

use bytes::Bytes;
use schema::{Event, Message, Name, Reason, Refusal};
use serde_json::json;
use uuid::Uuid;

use super::known::{Known, Likeness};
use super::{Arrival, Kind, Outcome};
use crate::digest::Hash;
use crate::head::Head;
use crate::init::claim;
use crate::record::Header;

/// One position that is about to be appended.
#[derive(Debug)]
pub(super) struct Draft {
    /// Where it came from; `None` for a gap.
    pub message: Option<Message>,
    /// What it claims to be, and the key of that identity, where it was understood.
    pub claim: Option<Claim>,
    /// What is recorded where that is not the claim itself.
    instead: Option<Content>,
    pub kind: Kind,
    pub seal: Seal,
}

/// An event that was understood.
#[derive(Debug)]
pub(super) struct Claim {
    pub key: Uuid,
    pub content: Content,
    /// No time was claimed: it is equal to any event that was recorded without one.
    pub timeless: bool,
}

/// Header and data of one position.
#[derive(Debug)]
pub(super) struct Content {
    pub header: Header,
    pub data: Bytes,
}

/// What is computed of a content once it is settled.
#[derive(Debug, Default)]
pub(super) struct Seal {
    pub salt: Hash,
    pub data_commitment: Hash,
    pub event_hash: Hash,
    pub chain: Hash,
}

impl Draft {
    /// What is recorded. A draft always has one of the two; the claim stands until it is resolved otherwise.
    pub fn content(&self) -> Option<&Content> {
        let claimed = self.claim.as_ref().map(|claim| &claim.content);
        self.instead.as_ref().or(claimed)
    }

    pub fn outcome(&self) -> Option<Outcome> {
        let seq = self.content()?.header.seq;
        Some(Outcome {
            seq,
            kind: self.kind.clone(),
        })
    }

    /// Records an event of the ledger's own at the claim's position.
    fn record_instead(&mut self, head: &Head, event_type: &str, data: Bytes) {
        let Some(claim) = &self.claim else { return };
        let claimed = &claim.content.header;
        let place = Place {
            head,
            stream: &claimed.stream,
            seq: claimed.seq,
            stream_seq: claimed.stream_seq,
            recorded_us: claimed.recorded_us,
        };
        // What was understood has a legal publisher.
        let header = place.own_header(event_type, claimed.publisher.clone());
        self.instead = Some(Content { header, data });
    }

    /// The identity that this position takes for ever.
    pub fn taken(&self) -> Option<&Claim> {
        self.claim.as_ref().filter(|_| self.kind == Kind::Recorded)
    }
}

/// Gives every message, and every gap before one, the next position and time.
pub(super) fn drafts(head: &Head, stream: &str, arrivals: Vec<Arrival>) -> Vec<Draft> {
    let mut drafts = Vec::with_capacity(arrivals.len());
    let mut last = if stream == head.stream {
        head.stream_seq
    } else {
        0
    };
    let mut place = Place {
        head,
        stream,
        seq: head.size,
        stream_seq: last,
        recorded_us: head.recorded_us,
    };
    for Arrival { message, read } in arrivals {
        if message.stream_seq > last + 1 {
            place.stream_seq = message.stream_seq - 1;
            drafts.push(gap(&place, last + 1));
            place.seq += 1;
        }
        last = message.stream_seq;
        place.stream_seq = last;
        place.recorded_us = place.recorded_us.max(message.time_us);
        drafts.push(match read {
            Ok(event) => understood(&place, message, event),
            Err(refusal) => refused(&place, message, &refusal),
        });
        place.seq += 1;
    }
    drafts
}

/// Where and when the next draft stands.
struct Place<'a> {
    head: &'a Head,
    stream: &'a str,
    seq: u64,
    stream_seq: u64,
    recorded_us: i64,
}

impl Place<'_> {
    /// The header of an event that the ledger writes itself.
    fn own_header(&self, event_type: &str, publisher: String) -> Header {
        Header {
            seq: self.seq,
            occurred_us: self.recorded_us,
            recorded_us: self.recorded_us,
            source: self.head.ledger.source(),
            id: format!("{}/{}", self.stream, self.stream_seq),
            event_type: event_type.to_owned(),
            publisher,
            stream: self.stream.to_owned(),
            stream_seq: self.stream_seq,
            ..Header::default()
        }
    }
}

fn gap(place: &Place<'_>, from: u64) -> Draft {
    let data = json!({ "from": from, "to": place.stream_seq });
    Draft {
        message: None,
        claim: None,
        instead: Some(Content {
            header: place.own_header("ledger.stream.gap", String::new()),
            data: schema::canonical::to_bytes(&data).into(),
        }),
        kind: Kind::Gap,
        seal: Seal::default(),
    }
}

fn understood(place: &Place<'_>, message: Message, event: Event) -> Draft {
    let header = Header {
        seq: place.seq,
        occurred_us: event.occurred_us.unwrap_or(place.recorded_us),
        recorded_us: place.recorded_us,
        source: event.source,
        id: event.id,
        event_type: event.event_type.as_str().to_owned(),
        subject: event.subject,
        actor: event.actor,
        publisher: event.publisher.as_str().to_owned(),
        context: event.context,
        stream: place.stream.to_owned(),
        stream_seq: place.stream_seq,
    };
    Draft {
        message: Some(message),
        claim: Some(Claim {
            key: claim(&header.publisher, &header.source, &header.id),
            timeless: event.occurred_us.is_none(),
            content: Content {
                header,
                data: event.data,
            },
        }),
        instead: None,
        kind: Kind::Recorded,
        seal: Seal::default(),
    }
}

fn refused(place: &Place<'_>, message: Message, refusal: &Refusal) -> Draft {
    let header = place.own_header("ledger.event.quarantined", publisher(&message));
    let data = schema::canonical::quarantine_data(&message, refusal).into();
    Draft {
        message: Some(message),
        claim: None,
        instead: Some(Content { header, data }),
        kind: Kind::Quarantined(refusal.reason),
        seal: Seal::default(),
    }
}

/// The NATS subject's fourth name if it is a legal one, else empty.
fn publisher(message: &Message) -> String {
    let fourth = message.nats_subject.split('.').nth(3).unwrap_or("");
    Name::new(fourth).map_or_else(|_| String::new(), |name| name.as_str().to_owned())
}

/// An identity is taken, in the chain or earlier in these drafts, by another event than the one it was looked up for.
#[derive(Debug, thiserror::Error)]
#[error(
    "the data of position {seq} is gone and no ledger.retention.applied covers it; `ledger verify` says \
     what else is missing"
)]
pub(super) struct Unexplained {
    pub seq: u64,
}

/// Decides for every claim whether it is new, a duplicate, or in conflict with what has its identity. It may be
/// done again, with more known; whatever was decided before is decided anew.
pub(super) fn resolve(head: &Head, drafts: &mut [Draft], known: &Known) -> Result<(), Unexplained> {
    let mut seen = known.begin();
    let mut likenesses = Vec::with_capacity(drafts.len());
    for draft in &*drafts {
        let Some(claim) = &draft.claim else {
            likenesses.push(None);
            continue;
        };
        let likeness = seen.compare(claim)?;
        if matches!(likeness, Likeness::New) {
            seen.add(claim);
        }
        likenesses.push(Some(likeness));
    }
    for (draft, likeness) in drafts.iter_mut().zip(likenesses) {
        match likeness {
            None => {}
            Some(Likeness::New) => {
                draft.kind = Kind::Recorded;
                draft.instead = None;
            }
            Some(Likeness::Same { of }) => {
                let data = schema::canonical::to_bytes(&json!({ "of": of }));
                draft.kind = Kind::Duplicate { of };
                draft.record_instead(head, "ledger.event.duplicate", data.into());
            }
            Some(Likeness::Other) => {
                let refusal = Refusal {
                    reason: Reason::IdConflict,
                    at: String::new(),
                };
                let message = draft.message.as_ref();
                let data = message.map(|m| schema::canonical::quarantine_data(m, &refusal));
                draft.kind = Kind::Quarantined(refusal.reason);
                draft.record_instead(
                    head,
                    "ledger.event.quarantined",
                    data.unwrap_or_default().into(),
                );
            }
        }
    }
    Ok(())
}
