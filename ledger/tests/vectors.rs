//! Every worked value of `tests/vectors/formats-v1.json` about hashing, the tree and its signed head, bit for
//! bit. The values were computed by another program.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::checkpoint::Checkpoint;
use ledger::digest::{self, Digests, Hash};
use ledger::note::{Signer, VerifyingKey};
use ledger::proof::{Plan, verify_consistency, verify_inclusion};
use ledger::record::Header;
use ledger::tile::{Edge, TileSet};
use ledger::tree::{EMPTY_ROOT, Frontier, leaf_hash};
use serde_json::Value;

fn vectors() -> Value {
    let text = include_str!("../../tests/vectors/formats-v1.json");
    serde_json::from_str(text).expect("the vectors are JSON")
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().expect(key)
}

fn hash(of: &Value, key: &str) -> Hash {
    hash_of(text(of, key))
}

fn hash_of(text: &str) -> Hash {
    hex::decode(text)
        .expect("hex")
        .try_into()
        .expect("32 bytes")
}

fn number(of: &Value, key: &str) -> u64 {
    of[key].as_u64().expect(key)
}

fn header(of: &Value) -> Header {
    let own = |key| text(of, key).to_owned();
    Header {
        seq: number(of, "seq"),
        occurred_us: of["occurred_us"].as_i64().expect("a number"),
        recorded_us: of["recorded_us"].as_i64().expect("a number"),
        source: own("source"),
        id: own("id"),
        event_type: own("type"),
        subject: own("subject"),
        actor: own("actor"),
        publisher: own("publisher"),
        context: own("context"),
        stream: own("stream"),
        stream_seq: number(of, "stream_seq"),
    }
}

#[test]
fn ids() {
    let vectors = vectors();
    let v = &vectors["ids"]["msg_id"];
    let id = digest::message_id(text(v, "publisher"), text(v, "source"), text(v, "id"));
    assert_eq!(id, hash(v, "value"));
    let v = &vectors["ids"]["verdict_id"];
    let cause = number(v, "cause_seq");
    let id = digest::verdict_id(
        text(v, "rule"),
        text(v, "kind"),
        text(v, "id"),
        cause,
        text(v, "detail_key"),
    );
    assert_eq!(id, hash(v, "value"));
    let v = &vectors["ids"]["incident_id"];
    let id = digest::incident_id(text(v, "class"), text(v, "kind"), text(v, "id"), cause);
    assert_eq!(id, hash(v, "value"));
}

#[test]
fn events_chain_and_roots() {
    let vectors = vectors();
    let mut digests = Digests::default();
    let salt_key = hash(&vectors, "salt_key");
    let mut chain = digest::genesis(text(&vectors, "origin"));
    assert_eq!(chain, hash(&vectors, "genesis"));
    let mut tree = Frontier::new();
    assert_eq!(
        BASE64.encode(EMPTY_ROOT),
        text(&vectors, "empty_root_base64")
    );
    let (mut scratch, events) = (Vec::new(), vectors["events"].as_array().expect("events"));
    assert_eq!(events.len(), 8);
    for event in events {
        let header = header(event);
        let salt = digests.salt(&salt_key, &header.stream, header.stream_seq);
        assert_eq!(salt, hash(event, "salt"));
        let data = BASE64.decode(text(event, "data")).expect("base64");
        let commitment = digests.data_commitment(&salt, &data);
        assert_eq!(commitment, hash(event, "data_commitment"));
        let event_hash = digests.event_hash(&header, &commitment, &mut scratch);
        assert_eq!(hex::encode(&scratch), text(event, "header"));
        assert_eq!(event_hash, hash(event, "event_hash"));
        chain = digests.chain(header.seq, &chain, &event_hash);
        assert_eq!(chain, hash(event, "chain"));
        let entry = digest::entry(header.seq, &event_hash, &chain);
        assert_eq!(hex::encode(entry), text(event, "entry"));
        assert_eq!(leaf_hash(&entry), hash(event, "leaf"));
        tree.push(leaf_hash(&entry));
        assert_eq!(BASE64.encode(tree.root()), text(event, "root_base64"));
    }
}

#[test]
fn the_signed_head() {
    let vectors = vectors();
    let origin = text(&vectors, "origin");
    let signer = Signer::from_seed(origin, &hash(&vectors, "signing_seed")).expect("a name");
    assert_eq!(signer.verifying_key().to_string(), text(&vectors, "vkey"));
    let last = vectors["events"]
        .as_array()
        .and_then(|events| events.last())
        .expect("events");
    let root = BASE64.decode(text(last, "root_base64")).expect("base64");
    let root = root.try_into().expect("32 bytes");
    let head = Checkpoint {
        origin: origin.to_owned(),
        size: 8,
        root,
    };
    let note = head.sign(&signer).expect("signs");
    assert_eq!(note.to_string(), text(&vectors, "checkpoint"));
    let key: VerifyingKey = text(&vectors, "vkey").parse().expect("a key");
    let (opened, _) =
        Checkpoint::open(text(&vectors, "checkpoint").as_bytes(), &[key]).expect("opens");
    assert_eq!(opened, head);
}

/// The leaves of the events, and the root after each of them.
fn leaves_and_roots(vectors: &Value) -> (Vec<Hash>, Vec<Hash>) {
    let events = vectors["events"].as_array().expect("events");
    let root = |event: &Value| {
        let bytes = BASE64.decode(text(event, "root_base64")).expect("base64");
        bytes.try_into().expect("32 bytes")
    };
    let leaves = events.iter().map(|event| hash(event, "leaf")).collect();
    (leaves, events.iter().map(root).collect())
}

fn tiles(leaves: &[Hash]) -> TileSet {
    let mut edge = Edge::new();
    for leaf in leaves {
        edge.push(*leaf, drop);
    }
    edge.tiles().into_iter().collect()
}

fn listed(proof: &Value) -> Vec<Hash> {
    let hashes = proof.as_array().expect("a proof").iter();
    hashes
        .map(|hash| hash_of(hash.as_str().expect("hex")))
        .collect()
}

#[test]
fn inclusion_proofs() {
    let vectors = vectors();
    let (leaves, roots) = leaves_and_roots(&vectors);
    let set = tiles(&leaves);
    let proofs = vectors["inclusion"].as_object().expect("proofs");
    assert_eq!(proofs.len(), 8);
    for (index, expected) in proofs {
        let index: u64 = index.parse().expect("a position");
        let plan = Plan::inclusion(index, 8).expect("in the tree");
        let proof = plan.resolve(|node| set.hash(node)).expect("in the tiles");
        assert_eq!(proof, listed(expected));
        let at = usize::try_from(index).expect("small");
        verify_inclusion(index, 8, &leaves[at], &proof, &roots[7]).expect("holds");
    }
}

#[test]
fn consistency_proofs() {
    let vectors = vectors();
    let (leaves, roots) = leaves_and_roots(&vectors);
    let proofs = vectors["consistency"].as_object().expect("proofs");
    assert_eq!(proofs.len(), 5);
    for (sizes, expected) in proofs {
        let (old, new) = sizes.split_once('-').expect("two sizes");
        let (old, new): (usize, usize) = (old.parse().expect("size"), new.parse().expect("size"));
        let set = tiles(&leaves[..new]);
        let sizes = (
            u64::try_from(old).expect("small"),
            u64::try_from(new).expect("small"),
        );
        let plan = Plan::consistency(sizes.0, sizes.1).expect("grows");
        let proof = plan.resolve(|node| set.hash(node)).expect("in the tiles");
        assert_eq!(proof, listed(expected), "{old}-{new}");
        verify_consistency(sizes.0, &roots[old - 1], sizes.1, &roots[new - 1], &proof)
            .expect("holds");
    }
}
