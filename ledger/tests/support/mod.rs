//! A small ledger to make bundles of, and an insider who can sign whatever they changed.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::indexing_slicing,
    reason = "a test that is out of bounds has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ledger::bundle::{self, About, Writer};
use ledger::checkpoint::Checkpoint;
use ledger::digest::{Digests, Hash, entry, genesis};
use ledger::note::{Signer, VerifyingKey, sign};
use ledger::proof::Plan;
use ledger::record::{Body, Header, Record};
use ledger::report::{Report, What};
use ledger::tile::{Edge, TileSet};
use ledger::tree::leaf_hash;
use sha2::{Digest, Sha256};

pub const ORIGIN: &str = "ledger.example/main";

pub fn signer() -> Signer {
    Signer::from_seed(ORIGIN, &[7; 32]).expect("a name")
}

pub fn key() -> VerifyingKey {
    signer().verifying_key().clone()
}

/// A chain with its tree.
pub struct Sample {
    pub records: Vec<Record>,
    pub head: Checkpoint,
    tiles: TileSet,
}

/// What the sample's event at `seq` is: its type and data.
pub type Content = fn(u64) -> (&'static str, String);

pub fn plain(seq: u64) -> (&'static str, String) {
    (
        "platform.environment.status_changed",
        format!(r#"{{"to":"ready","n":{seq}, "note":"grün"}}"#),
    )
}

/// A ledger of `count` events.
pub fn sample(count: u64, content: Content) -> Sample {
    let mut digests = Digests::default();
    let (mut chain, mut edge, mut tiles) = (genesis(ORIGIN), Edge::new(), TileSet::default());
    let (mut records, mut scratch) = (Vec::new(), Vec::new());
    for seq in 0..count {
        let (mut header, data) = header(seq, content);
        let salt = digests.salt(&[9; 32], &header.stream, header.stream_seq);
        let data_commitment = digests.data_commitment(&salt, data.as_bytes());
        if header.event_type.starts_with("ledger.") {
            header.publisher = "ledger".into();
        }
        let event_hash = digests.event_hash(&header, &data_commitment, &mut scratch);
        chain = digests.chain(seq, &chain, &event_hash);
        edge.push(leaf_hash(&entry(seq, &event_hash, &chain)), |tile| {
            tiles.insert(tile);
        });
        let body = Some(Body {
            salt,
            data: Bytes::from(data),
        });
        records.push(Record {
            header,
            data_commitment,
            event_hash,
            chain,
            body,
        });
    }
    edge.tiles().into_iter().for_each(|tile| tiles.insert(tile));
    let head = Checkpoint {
        origin: ORIGIN.into(),
        size: count,
        root: edge.root(),
    };
    Sample {
        records,
        head,
        tiles,
    }
}

fn header(seq: u64, content: Content) -> (Header, String) {
    let time = 1_785_704_400_000_000 + i64::try_from(seq).expect("small") * 1000;
    let start = Header {
        occurred_us: time,
        recorded_us: time,
        source: "ledger://main".into(),
        id: ORIGIN.into(),
        event_type: "ledger.chain.started".into(),
        subject: "main".into(),
        publisher: "ledger".into(),
        ..Header::default()
    };
    if seq == 0 {
        return (start, format!(r#"{{"origin":"{ORIGIN}"}}"#));
    }
    let (event_type, data) = content(seq);
    let header = Header {
        seq,
        id: format!("event-{seq}"),
        event_type: event_type.into(),
        subject: "production".into(),
        actor: "alice@example".into(),
        publisher: "terraform".into(),
        context: r#"{"correlationid":"run-42"}"#.into(),
        stream: "LEDGER-main@1785704400000000".into(),
        stream_seq: seq,
        ..start
    };
    (header, data)
}

impl Sample {
    pub fn about(&self) -> About {
        About {
            origin: ORIGIN.into(),
            query: "--all".into(),
            made_at: "2026-11-21T00:00:00Z".into(),
            made_by: "ledger test".into(),
            checkpoint: self.head.sign(&signer()).expect("signs").to_string(),
            keys: vec![key()],
        }
    }

    pub fn writer(&self, target: &Path) -> Writer {
        Writer::create(target, self.about()).expect("begins")
    }

    /// The whole ledger.
    pub fn write(&self, target: &Path) {
        let mut writer = self.writer(target);
        self.records
            .iter()
            .for_each(|record| writer.event(record).expect("written"));
        writer.finish(&signer()).expect("finished");
    }

    /// The unbroken ranges `from..=to`, with proofs of their ends.
    pub fn write_parts(&self, target: &Path, ranges: &[(usize, usize)]) {
        let mut writer = self.writer(target);
        for (from, to) in ranges {
            if *from > 0 {
                writer.resume_after(self.records[from - 1].chain);
            }
            for record in &self.records[*from..=*to] {
                writer.event(record).expect("written");
            }
            self.prove(&mut writer, *from);
            if to > from {
                self.prove(&mut writer, *to);
            }
        }
        writer.finish(&signer()).expect("finished");
    }

    pub fn prove(&self, writer: &mut Writer, at: usize) {
        let seq = u64::try_from(at).expect("small");
        writer.proof(seq, &self.proof(seq)).expect("written");
    }

    pub fn proof(&self, seq: u64) -> Vec<Hash> {
        let plan = Plan::inclusion(seq, self.head.size).expect("in the tree");
        plan.resolve(|node| self.tiles.hash(node))
            .expect("in the tiles")
    }
}

/// A folder to make bundles in.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }
}

/// Verifies with the ledger's key.
pub fn verify(path: &Path) -> Report {
    bundle::verify(path, &[key()], &|_| ()).expect("can be read")
}

/// The sorts of problems, each once, in order.
pub fn kinds(report: &Report) -> Vec<What> {
    let mut kinds: Vec<What> = report.problems.iter().map(|problem| problem.what).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// What somebody with the signing key does after a change: digests and signature of the manifest fit again.
pub fn reseal(bundle: &Path) {
    let path = bundle.join("manifest.json");
    let text = fs::read_to_string(&path).expect("a manifest");
    let mut manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut files = serde_json::Map::new();
    for file in fs::read_dir(bundle).expect("a folder") {
        let file = file.expect("a file");
        let name = file.file_name().into_string().expect("a name");
        if !name.starts_with("manifest.") && file.path().is_file() {
            let bytes = fs::read(file.path()).expect("a file");
            files.insert(name, hex::encode(Sha256::digest(bytes)).into());
        }
    }
    manifest["files"] = files.into();
    resign(bundle, &manifest);
}

/// Writes and signs the manifest.
pub fn resign(bundle: &Path, manifest: &serde_json::Value) {
    let text = manifest.to_string();
    let digest = hex::encode(Sha256::digest(&text));
    let note = sign(&format!("{ORIGIN}/manifest\n{digest}\n"), &signer()).expect("signs");
    fs::write(bundle.join("manifest.json"), text).expect("written");
    fs::write(bundle.join("manifest.note"), note.to_string()).expect("written");
}

/// Changes the manifest and signs it.
pub fn edit_manifest(bundle: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let text = fs::read_to_string(bundle.join("manifest.json")).expect("a manifest");
    let mut manifest = serde_json::from_str(&text).expect("JSON");
    change(&mut manifest);
    resign(bundle, &manifest);
}

/// Changes one file and seals the bundle again.
pub fn edit(bundle: &Path, name: &str, change: impl FnOnce(String) -> String) {
    let path = bundle.join(name);
    let text = fs::read_to_string(&path).expect("a file");
    fs::write(&path, change(text)).expect("written");
    reseal(bundle);
}

/// Changes the line of one event.
pub fn edit_line(bundle: &Path, number: usize, change: impl FnOnce(&mut serde_json::Value)) {
    edit(bundle, "events.ndjson", |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut line = serde_json::from_str(&lines[number]).expect("JSON");
        change(&mut line);
        lines[number] = line.to_string();
        lines.join("\n") + "\n"
    });
}
