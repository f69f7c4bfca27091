//! What is hashed: salts, commitments, headers, links and entries.
//!
//! `H(c, m)` is BLAKE3 in key-derivation mode (BLAKE3 paper, section 2.3) with the context
//! `"event-ledger v1 " + c`. `lp(x)` is `u32 length ‖ x`, big-endian.

use std::sync::LazyLock;

use crate::record::Header;

/// 32 bytes of BLAKE3 or SHA-256.
pub type Hash = [u8; 32];

/// The length of one log entry in bytes.
pub const ENTRY_LEN: usize = 73;

/// A `H(c, ·)` whose context has been absorbed; it can be used again and again without deriving it anew.
fn hasher(context: &'static str) -> blake3::Hasher {
    blake3::Hasher::new_derive_key(context)
}

/// `H(c, parts)`. The hasher is as before: resetting it moves a few bytes, cloning it two kilobytes.
fn hash<const N: usize>(hasher: &mut blake3::Hasher, parts: [&[u8]; N]) -> Hash {
    for part in parts {
        hasher.update(part);
    }
    let hash = hasher.finalize().into();
    hasher.reset();
    hash
}

/// The first part of `lp(x)`. A length over `u32::MAX` cannot occur: sizes are bounded at the door.
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// Appends `lp(x)`.
fn lp(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend_from_slice(&length(bytes));
    into.extend_from_slice(bytes);
}

/// The hashers of one ledger, with their contexts absorbed once.
#[derive(Debug, Clone)]
pub struct Digests {
    salt: blake3::Hasher,
    data: blake3::Hasher,
    event: blake3::Hasher,
    chain: blake3::Hasher,
}

impl Default for Digests {
    fn default() -> Self {
        Self {
            salt: hasher("event-ledger v1 salt"),
            data: hasher("event-ledger v1 data"),
            event: hasher("event-ledger v1 event"),
            chain: hasher("event-ledger v1 chain"),
        }
    }
}

impl Digests {
    /// `H("salt", salt_key ‖ lp(stream) ‖ u64 stream_seq)`.
    pub fn salt(&mut self, salt_key: &Hash, stream: &str, stream_seq: u64) -> Hash {
        let (length, number) = (length(stream.as_bytes()), stream_seq.to_be_bytes());
        let parts = [salt_key.as_slice(), &length, stream.as_bytes(), &number];
        hash(&mut self.salt, parts)
    }

    /// `H("data", salt ‖ data)`.
    pub fn data_commitment(&mut self, salt: &Hash, data: &[u8]) -> Hash {
        hash(&mut self.data, [salt, data])
    }

    /// `H("event", header)`; `scratch` is cleared and holds the header's hashed form afterwards.
    pub fn event_hash(
        &mut self,
        header: &Header,
        commitment: &Hash,
        scratch: &mut Vec<u8>,
    ) -> Hash {
        scratch.clear();
        encode_header(header, commitment, scratch);
        hash(&mut self.event, [scratch])
    }

    /// The same of a header as it is stored.
    pub(crate) fn stored_event_hash(&mut self, header: &Stored<'_>, commitment: &Hash) -> Hash {
        let (front, back) = header.numbers();
        hash(&mut self.event, [&front, header.texts, &back, commitment])
    }

    /// `H("chain", u64 seq ‖ previous ‖ event_hash)`.
    pub fn chain(&mut self, seq: u64, previous: &Hash, event_hash: &Hash) -> Hash {
        hash(&mut self.chain, [&seq.to_be_bytes(), previous, event_hash])
    }
}

/// A header whose texts have their hashed form already: `lp(source) ‖ … ‖ lp(stream)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub seq: u64,
    pub occurred_us: i64,
    pub recorded_us: i64,
    pub texts: &'a [u8],
    pub stream_seq: u64,
}

impl Stored<'_> {
    /// What is hashed before the texts and after them; the shorter second one is followed by the commitment.
    fn numbers(&self) -> ([u8; 25], [u8; 8]) {
        let mut front = [0; 25];
        let (version, numbers) = front.split_at_mut(1);
        version.fill(1);
        let (seq, times) = numbers.split_at_mut(8);
        let (occurred, recorded) = times.split_at_mut(8);
        seq.copy_from_slice(&self.seq.to_be_bytes());
        occurred.copy_from_slice(&self.occurred_us.to_be_bytes());
        recorded.copy_from_slice(&self.recorded_us.to_be_bytes());
        (front, self.stream_seq.to_be_bytes())
    }
}

/// The eight texts of a header, each `lp(text)`.
fn encode_texts(header: &Header, into: &mut Vec<u8>) {
    for text in [
        &header.source,
        &header.id,
        &header.event_type,
        &header.subject,
        &header.actor,
        &header.publisher,
        &header.context,
        &header.stream,
    ] {
        lp(into, text.as_bytes());
    }
}

/// Appends the hashed form of a header.
pub(crate) fn encode_header(header: &Header, commitment: &Hash, into: &mut Vec<u8>) {
    let stored = Stored {
        seq: header.seq,
        occurred_us: header.occurred_us,
        recorded_us: header.recorded_us,
        texts: &[],
        stream_seq: header.stream_seq,
    };
    let (front, back) = stored.numbers();
    into.extend_from_slice(&front);
    encode_texts(header, into);
    into.extend_from_slice(&back);
    into.extend_from_slice(commitment);
}

/// The chain's value before event 0: `H("genesis", lp(origin))`.
pub fn genesis(origin: &str) -> Hash {
    let mut material = Vec::with_capacity(4 + origin.len());
    lp(&mut material, origin.as_bytes());
    hasher("event-ledger v1 genesis")
        .update(&material)
        .finalize()
        .into()
}

/// One log entry: `u8 1 ‖ u64 seq ‖ event_hash ‖ chain`.
pub fn entry(seq: u64, event_hash: &Hash, chain: &Hash) -> [u8; ENTRY_LEN] {
    let mut bytes = [0; ENTRY_LEN];
    let (head, rest) = bytes.split_at_mut(9);
    let (version, position) = head.split_at_mut(1);
    version.fill(1);
    position.copy_from_slice(&seq.to_be_bytes());
    let (event, link) = rest.split_at_mut(32);
    event.copy_from_slice(event_hash);
    link.copy_from_slice(chain);
    bytes
}

/// An event's identity for ever: `H("msg-id", lp(publisher) ‖ lp(source) ‖ lp(id))`. In hex it is our
/// `Nats-Msg-Id`; its first 16 bytes are the key of `ledger.seen`.
pub fn message_id(publisher: &str, source: &str, id: &str) -> Hash {
    static HASHER: LazyLock<blake3::Hasher> = LazyLock::new(|| hasher("event-ledger v1 msg-id"));
    let mut material = Vec::with_capacity(12 + publisher.len() + source.len() + id.len());
    lp(&mut material, publisher.as_bytes());
    lp(&mut material, source.as_bytes());
    lp(&mut material, id.as_bytes());
    HASHER.clone().update(&material).finalize().into()
}

/// A verdict's id: `H("verdict", lp(rule) ‖ lp(kind) ‖ lp(id) ‖ u64 cause_seq ‖ lp(detail_key))`.
pub fn verdict_id(rule: &str, kind: &str, id: &str, cause_seq: u64, detail_key: &str) -> Hash {
    let texts = [rule, kind, id];
    caused("event-ledger v1 verdict", &texts, cause_seq, &[detail_key])
}

/// An incident's id: `H("incident", lp(class) ‖ lp(kind) ‖ lp(id) ‖ u64 cause_seq)`.
pub fn incident_id(class: &str, kind: &str, id: &str, cause_seq: u64) -> Hash {
    let texts = [class, kind, id];
    caused("event-ledger v1 incident", &texts, cause_seq, &[])
}

/// A task's id: `H("task", lp(class) ‖ lp(kind) ‖ lp(id) ‖ u64 cause_seq)`.
pub fn task_id(class: &str, kind: &str, id: &str, cause_seq: u64) -> Hash {
    let texts = [class, kind, id];
    caused("event-ledger v1 task", &texts, cause_seq, &[])
}

/// The id of an event that a rule has the ledger publish:
/// `H("emitted", lp(rule) ‖ lp(kind) ‖ lp(id) ‖ lp(key) ‖ u64 cause_seq)`, where `rule` is `<owner>/<id>/<part>`.
pub fn emitted_id(rule: &str, kind: &str, id: &str, key: &str, cause_seq: u64) -> Hash {
    let texts = [rule, kind, id, key];
    caused("event-ledger v1 emitted", &texts, cause_seq, &[])
}

/// What is remembered of an event that follows from the chain:
/// `H("derived", lp(type) ‖ lp(subject) ‖ lp(context) ‖ lp(data))`.
pub fn derived(event_type: &str, subject: &str, context: &[u8], data: &[u8]) -> Hash {
    let mut material = Vec::with_capacity(data.len() + 128);
    for part in [event_type.as_bytes(), subject.as_bytes(), context, data] {
        lp(&mut material, part);
    }
    hasher("event-ledger v1 derived")
        .update(&material)
        .finalize()
        .into()
}

/// The id of a tick of the clock, about what was due at `due_us` when the chain had `size` positions:
/// `H("beat", i64 due_us ‖ u64 size)`.
pub fn beat_id(due_us: i64, size: u64) -> Hash {
    let mut hasher = hasher("event-ledger v1 beat");
    hasher.update(&due_us.to_be_bytes());
    hasher.update(&size.to_be_bytes());
    hasher.finalize().into()
}

fn caused(context: &'static str, before: &[&str], cause_seq: u64, after: &[&str]) -> Hash {
    let mut material = Vec::new();
    for text in before {
        lp(&mut material, text.as_bytes());
    }
    material.extend_from_slice(&cause_seq.to_be_bytes());
    for text in after {
        lp(&mut material, text.as_bytes());
    }
    hasher(context).update(&material).finalize().into()
}
