//! Writing a bundle, event by event.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::value::RawValue;

use super::draft::{Folder, Output};
use super::form::{Base64, Hex, Line, ProofLine, Redacted, VerdictLine, is_verdict};
use super::manifest::{Manifest, note_text};
use super::tlog_proof::{ENDING, TlogProof};
use super::{
    BundleError, CHECKPOINT, EVENTS, FORMAT, KEYS, MANIFEST, MANIFEST_NOTE, PACKED, PROOFS,
    VERDICTS, pack,
};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::{Hash, genesis};
use crate::note::{Signer, VerifyingKey, sign};
use crate::record::Record;

/// What a bundle says of itself, apart from what follows from its events.
#[derive(Debug, Clone)]
pub struct About {
    /// The ledger's name to the world.
    pub origin: String,
    /// What was asked for.
    pub query: serde_json::Value,
    /// When it is made, RFC 3339 in UTC.
    pub made_at: String,
    /// The program that makes it, with its version.
    pub made_by: String,
    /// The signed head, with cosignatures, as it was let out. A bundle of the whole ledger holds the events
    /// below its size and no others.
    pub checkpoint: String,
    /// The ledger's public key and its witnesses'.
    pub keys: Vec<VerifyingKey>,
}

/// A bundle that is being written. Dropped before [`Writer::finish`], it leaves nothing behind.
pub struct Writer {
    about: About,
    head: Checkpoint,
    target: PathBuf,
    folder: Folder,
    events: Output,
    verdicts: Output,
    proofs: Option<Output>,
    buffer: Vec<u8>,
    first: Option<u64>,
    last: Option<(u64, Hash)>,
    resumed_after: Option<Hash>,
    last_recorded_us: i64,
    counts: Counts,
    given_up: Box<dyn Fn() -> bool + Send + Sync>,
}

#[derive(Default)]
struct Counts {
    events: u64,
    withheld: u64,
    redacted: u64,
}

fn is_packed(target: &Path) -> bool {
    target
        .file_name()
        .is_some_and(|name| name.to_string_lossy().ends_with(PACKED))
}

/// A name beside `target` that nobody else uses, and that ends as no bundle's does.
fn draft_of(target: &Path, what: &str) -> PathBuf {
    let mut name: OsString = target.as_os_str().to_owned();
    name.push(format!(".{what}-{}", std::process::id()));
    name.into()
}

impl Writer {
    /// Begins a bundle at `target`: a packed one if its name ends in `.tar.zst`, else a folder, which is made or
    /// is there and empty.
    pub fn create(target: &Path, about: About) -> Result<Self, BundleError> {
        let wrong = |source| BundleError::Checkpoint {
            origin: about.origin.clone(),
            source,
        };
        let (head, _) = Checkpoint::parse_note(about.checkpoint.as_bytes()).map_err(wrong)?;
        if head.origin != about.origin {
            let (found, expected) = (head.origin, about.origin.clone());
            return Err(wrong(CheckpointError::OtherOrigin { found, expected }));
        }
        let mut folder = if is_packed(target) {
            if target.symlink_metadata().is_ok() {
                return Err(BundleError::Exists {
                    path: target.to_owned(),
                });
            }
            Folder::create(&draft_of(target, "draft"))?
        } else {
            Folder::create(target)?
        };
        folder.write(CHECKPOINT, about.checkpoint.as_bytes())?;
        let mut keys = folder.file(KEYS)?;
        for key in &about.keys {
            keys.write(format!("{key}\n").as_bytes())?;
        }
        folder.close(keys)?;
        Ok(Self {
            events: folder.file(EVENTS)?,
            verdicts: folder.file(VERDICTS)?,
            proofs: None,
            buffer: Vec::new(),
            first: None,
            last: None,
            resumed_after: None,
            last_recorded_us: 0,
            counts: Counts::default(),
            given_up: Box::new(|| false),
            target: target.to_owned(),
            about,
            head,
            folder,
        })
    }

    /// Asked again and again while the bundle is finished: once it says yes, [`Writer::finish`] gives
    /// [`BundleError::GivenUp`] and leaves nothing behind.
    pub fn give_up_when(&mut self, asked: impl Fn() -> bool + Send + Sync + 'static) {
        self.given_up = Box::new(asked);
    }

    /// The signed head that the bundle is proved against.
    pub fn head(&self) -> &Checkpoint {
        &self.head
    }

    /// Says the chain's value before the next event, which does not follow the last one (or is the first and
    /// not event 0).
    pub fn resume_after(&mut self, prev_chain: Hash) {
        self.resumed_after = Some(prev_chain);
    }

    /// Appends an event with its data.
    pub fn event(&mut self, record: &Record) -> Result<(), BundleError> {
        if let Some(body) = &record.body {
            self.verdict(record, &body.data)?;
        }
        self.line(Line::of(record))
    }

    /// Appends an event that is there for completeness: neither data nor salt is shown.
    pub fn withheld(&mut self, record: &Record) -> Result<(), BundleError> {
        self.counts.withheld += 1;
        self.line(Line {
            salt: None,
            data: None,
            withheld: true,
            ..Line::of(record)
        })
    }

    /// Appends an event whose data is gone, and why.
    pub fn redacted(&mut self, record: &Record, why: Redacted) -> Result<(), BundleError> {
        self.counts.redacted += 1;
        self.line(Line {
            salt: None,
            data: None,
            redacted: Some(why),
            ..Line::of(record)
        })
    }

    /// Appends the proof that the entry at `seq` is in the tree of the signed head, siblings from the leaf up.
    /// Proofs come in the order of their positions. Each end of each unbroken range needs one, unless the bundle
    /// holds the whole tree.
    pub fn proof(&mut self, seq: u64, siblings: &[Hash]) -> Result<(), BundleError> {
        let inclusion = siblings
            .iter()
            .map(|hash| Base64(hash.to_vec().into()))
            .collect();
        if self.proofs.is_none() {
            self.proofs = Some(self.folder.file(PROOFS)?);
        }
        let Some(proofs) = &mut self.proofs else {
            return Ok(());
        };
        append(proofs, &mut self.buffer, &ProofLine { seq, inclusion })
    }

    /// Adds a file for other programs that says the same of one entry, with the signed head in it: C2SP
    /// `tlog-proof@v1`.
    pub fn tlog_proof(&mut self, seq: u64, siblings: &[Hash]) -> Result<(), BundleError> {
        let proof = TlogProof {
            index: seq,
            siblings: siblings.to_vec(),
            checkpoint: self.about.checkpoint.clone(),
        };
        self.folder
            .write(&format!("{seq}{ENDING}"), proof.to_string().as_bytes())
    }

    fn line(&mut self, mut line: Line<'_>) -> Result<(), BundleError> {
        let resumed = self.resumed_after.take();
        line.prev_chain = match (self.last, resumed) {
            (_, Some(before)) if self.last.is_none_or(|(last, _)| last < line.seq) => Some(before),
            (None, _) if line.seq == 0 => Some(genesis(&self.about.origin)),
            (Some((last, _)), _) if last.checked_add(1) == Some(line.seq) => None,
            (last, _) => {
                let after = last.map_or_else(|| "nothing".to_owned(), |(seq, _)| seq.to_string());
                return Err(BundleError::Order {
                    seq: line.seq,
                    after,
                });
            }
        }
        .map(Hex);
        append(&mut self.events, &mut self.buffer, &line)?;
        self.first.get_or_insert(line.seq);
        self.last = Some((line.seq, line.chain.0));
        self.last_recorded_us = line.recorded_us;
        self.counts.events += 1;
        Ok(())
    }

    /// Verdicts stand among the events; they are listed again by themselves, for whoever reads only those.
    fn verdict(&mut self, record: &Record, data: &[u8]) -> Result<(), BundleError> {
        if !is_verdict(&record.header.event_type) {
            return Ok(());
        }
        // The ledger writes its data in RFC 8785 form; what is not JSON on one line is not the ledger's.
        let text = std::str::from_utf8(data).unwrap_or_default();
        let Ok(raw) = serde_json::from_str::<&RawValue>(text) else {
            return Ok(());
        };
        if text.contains(['\n', '\r']) {
            return Ok(());
        }
        let line = VerdictLine {
            seq: record.header.seq,
            event_type: record.header.event_type.as_str().into(),
            data: std::borrow::Cow::Borrowed(raw),
        };
        append(&mut self.verdicts, &mut self.buffer, &line)
    }

    /// Signs the manifest and leaves the bundle at its target: whole, or not at all.
    pub fn finish(self, signer: &Signer) -> Result<Manifest, BundleError> {
        let Self {
            about,
            head,
            target,
            mut folder,
            events,
            verdicts,
            proofs,
            counts,
            given_up,
            ..
        } = self;
        let (Some(from), Some((to, _))) = (self.first, self.last) else {
            return Err(BundleError::Empty);
        };
        folder.close(events)?;
        folder.close(verdicts)?;
        proofs.map_or(Ok(()), |proofs| folder.close(proofs))?;
        if given_up() {
            return Err(BundleError::GivenUp);
        }
        let manifest = Manifest {
            format: FORMAT,
            origin: about.origin,
            from,
            to,
            query: about.query,
            made_at: about.made_at,
            made_by: about.made_by,
            checkpoint_size: head.size,
            events: counts.events,
            matching: counts.events - counts.withheld,
            withheld: counts.withheld,
            redacted: counts.redacted,
            files: folder.files().clone(),
        };
        let mut bytes = to_json(&manifest, true, &target)?;
        bytes.push(b'\n');
        let note = sign(&note_text(&manifest.origin, &bytes), signer).map_err(BundleError::Sign)?;
        folder.write(MANIFEST, &bytes)?;
        folder.write(MANIFEST_NOTE, note.to_string().as_bytes())?;
        if is_packed(&target) {
            let seconds = u64::try_from(self.last_recorded_us / 1_000_000).unwrap_or(0);
            // The folder is a draft: it goes when it is dropped.
            let draft = draft_of(&target, "packing");
            pack::pack(folder.path(), &draft, &target, seconds, &given_up)?;
        } else {
            folder.keep()?;
        }
        Ok(manifest)
    }
}

fn to_json(value: &impl Serialize, pretty: bool, path: &Path) -> Result<Vec<u8>, BundleError> {
    let written = if pretty {
        serde_json::to_vec_pretty(value)
    } else {
        serde_json::to_vec(value)
    };
    written.map_err(|error| super::failed(path, "written")(error.into()))
}

fn append(
    output: &mut Output,
    buffer: &mut Vec<u8>,
    line: &impl Serialize,
) -> Result<(), BundleError> {
    buffer.clear();
    serde_json::to_writer(&mut *buffer, line)
        .map_err(|error| super::failed(output.path(), "written")(error.into()))?;
    buffer.push(b'\n');
    output.write(buffer)
}
