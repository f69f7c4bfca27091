//! Records as the chain has them, but for salts and hashes that no fold looks at.

use ledger::record::Body;
use ledger::{Header, Record};

pub(crate) const RAISED: &str = "ledger.violation.raised";
pub(crate) const CLEARED: &str = "ledger.violation.cleared";

/// A message of the ledger's own on its way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) event_type: String,
    pub(crate) subject: String,
    /// Its other attributes as the chain keeps them: RFC 8785, or nothing.
    pub(crate) context: String,
    pub(crate) data: Vec<u8>,
}

impl Message {
    /// One without other attributes, as all about verdicts are.
    pub(crate) fn about(event_type: &str, subject: String, data: Vec<u8>) -> Self {
        Self {
            event_type: event_type.to_owned(),
            subject,
            context: String::new(),
            data,
        }
    }
}

/// A record; `None` where its data was deleted.
pub(crate) fn record(header: Header, data: Option<Vec<u8>>) -> Record {
    Record {
        data_commitment: [0; 32],
        event_hash: [0; 32],
        // A checkpoint keeps it: those of neighbours differ.
        chain: [u8::try_from(header.seq % 251).expect("a byte"); 32],
        header,
        body: data.map(|data| Body {
            salt: [0; 32],
            data: data.into(),
        }),
    }
}

/// The header of an event that the ledger itself publishes.
pub(crate) fn own(seq: u64, recorded_us: i64, id: &str, event_type: &str, subject: &str) -> Header {
    Header {
        seq,
        occurred_us: recorded_us,
        recorded_us,
        source: "ledger://main".to_owned(),
        id: id.to_owned(),
        event_type: event_type.to_owned(),
        subject: subject.to_owned(),
        publisher: "ledger".to_owned(),
        ..Header::default()
    }
}

/// A message of the ledger's own that comes back.
pub(crate) fn returned(seq: u64, recorded_us: i64, id: &str, message: Message) -> Record {
    let header = Header {
        context: message.context,
        ..own(seq, recorded_us, id, &message.event_type, &message.subject)
    };
    record(header, Some(message.data))
}

/// A message that was refused: an event about no entity.
pub(crate) fn refused(seq: u64, recorded_us: i64) -> Record {
    let id = format!("refused/{seq}");
    let header = own(seq, recorded_us, &id, "ledger.event.quarantined", "");
    let data = br#"{"at":"","reason":"json.syntax","size":3}"#;
    record(header, Some(data.to_vec()))
}
