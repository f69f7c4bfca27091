//! Verifying a bundle, offline and in one pass over its events.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::ahead::Ahead;
use super::form::{Line, ProofLine, VerdictLine};
use super::lines::{LONGEST, Lines, Next};
use super::manifest::{Manifest, note_text};
use super::source::{Source, is_safe};
use super::tlog_proof::{ENDING, TlogProof};
use super::walk::{Walk, Walked};
use super::{
    BundleError, CHECKPOINT, EVENTS, KEYS, MANIFEST, MANIFEST_NOTE, PROOFS, VERDICTS, failed, quote,
};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::Hash;
use crate::note::{Note, VerifyingKey};
use crate::report::{Report, What};

/// `progress` is called once in so many events.
const STEP: u64 = 4096;
/// The largest manifest, signed head or list of keys that is read, in bytes.
const MOST_SMALL: u64 = 64 << 20;

/// Verifies the bundle at `path`, a folder or a `.tar.zst`.
///
/// `pinned` are the keys that the auditor trusts, got from elsewhere: the ledger's and any witnesses'. Without
/// them the bundle's own keys are used, which shows that it is whole but not whose it is; a note says so.
/// `progress` is told how many events were checked.
pub fn verify(
    path: &Path,
    pinned: &[VerifyingKey],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, BundleError> {
    verify_against(path, pinned, &[], progress)
}

/// The same, and whether the bundle continues each of these signed heads, which were kept from before: a log that was
/// written anew, and signed anew, does not.
pub fn verify_against(
    path: &Path,
    pinned: &[VerifyingKey],
    kept: &[String],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, BundleError> {
    let source = Source::open(path)?;
    let mut bundle = Bundle {
        path,
        source,
        report: Report::new(),
    };
    let bytes = bundle.small(MANIFEST)?;
    let manifest = Manifest::parse(&bytes).map_err(|error| error.into_bundle_error(path))?;
    bundle.files(&manifest)?;
    let keys = bundle.keys(&manifest, pinned)?;
    bundle.manifest_note(&manifest, &bytes, &keys)?;
    let head = bundle.head(&manifest, &keys)?;
    let kept = bundle.kept(&manifest, kept, &keys);
    let walked = bundle.events(&manifest, head.as_ref(), kept, progress)?;
    bundle.compare(&manifest, &walked);
    Ok(bundle.report)
}

struct Bundle<'a> {
    path: &'a Path,
    source: Source,
    report: Report,
}

impl Bundle<'_> {
    /// A whole file that is small unless somebody is hostile.
    fn small(&self, name: &str) -> Result<Vec<u8>, BundleError> {
        let mut bytes = Vec::new();
        let read = self
            .source
            .read(name)?
            .take(MOST_SMALL)
            .read_to_end(&mut bytes);
        read.map_err(failed(self.path, "read"))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length >= MOST_SMALL) {
            let why = format!("its {name} is larger than {} MiB", MOST_SMALL >> 20);
            return Err(BundleError::NotABundle {
                path: self.path.to_owned(),
                why,
            });
        }
        Ok(bytes)
    }

    fn problem(&mut self, what: What, detail: impl Into<String>) {
        self.report.problem(None, what, detail);
    }

    /// The names in the manifest and in the bundle are the same, and the files that are read here and nowhere
    /// else have the digests that it says.
    fn files(&mut self, manifest: &Manifest) -> Result<(), BundleError> {
        for oddity in std::mem::take(&mut self.source.oddities) {
            self.problem(What::Signature, oddity);
        }
        for name in [CHECKPOINT, KEYS, EVENTS] {
            if !manifest.files.contains_key(name) {
                self.problem(
                    What::Signature,
                    format!("the manifest does not list {name}"),
                );
            }
        }
        for (name, digest) in &manifest.files {
            let shown = quote(name);
            if !is_safe(name) {
                self.problem(
                    What::Signature,
                    format!("the manifest lists {shown}, not a legal name"),
                );
            } else if !self.source.has(name) {
                let what = if name == EVENTS {
                    What::Gap
                } else {
                    What::Signature
                };
                self.problem(
                    what,
                    format!("{shown} is in the manifest and not in the bundle"),
                );
            } else if ![EVENTS, PROOFS, VERDICTS].contains(&name.as_str()) {
                let found = self.source.digest(name)?;
                self.compare_digest(name, digest, &found);
            }
        }
        let unlisted = |name: &&str| {
            !manifest.files.contains_key(*name) && ![MANIFEST, MANIFEST_NOTE].contains(name)
        };
        let unlisted: Vec<String> = self.source.names().filter(unlisted).map(quote).collect();
        for name in unlisted {
            self.problem(
                What::Signature,
                format!("{name} is in the bundle and not in the manifest"),
            );
        }
        Ok(())
    }

    fn lines(&self, name: &str) -> Result<Lines, BundleError> {
        Ok(Lines::new(self.source.read(name)?))
    }

    fn compare_digest(&mut self, name: &str, said: &str, found: &str) {
        if said != found {
            let (name, said) = (quote(name), quote(said));
            let detail = format!("{name} has the SHA-256 {found}, and the manifest says {said}");
            self.problem(What::Signature, detail);
        }
    }

    /// The keys to believe: the auditor's, else the bundle's own.
    fn keys(
        &mut self,
        manifest: &Manifest,
        pinned: &[VerifyingKey],
    ) -> Result<Vec<VerifyingKey>, BundleError> {
        let origin = quote(&manifest.origin);
        let own = |keys: &[VerifyingKey]| {
            keys.iter()
                .any(|key| key.name() == manifest.origin && !key.is_cosigner())
        };
        if !pinned.is_empty() {
            if !own(pinned) {
                let detail =
                    format!("none of the pinned keys is of {origin}, whose bundle this is");
                self.problem(What::Signature, detail);
            }
            return Ok(pinned.to_vec());
        }
        self.report.note(
            "no key was pinned: checked with the bundle's own keys, which shows that it is whole and not whose it is",
        );
        let bytes = self.small(KEYS)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut keys = Vec::new();
        for line in text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .take(1000)
        {
            match line.parse::<VerifyingKey>() {
                Ok(key) => keys.push(key),
                Err(error) => {
                    self.problem(
                        What::Signature,
                        format!("keys: {}", quote(&error.to_string())),
                    );
                }
            }
        }
        if !own(&keys) {
            self.problem(
                What::Signature,
                format!("the bundle has no key of {origin}"),
            );
        }
        Ok(keys)
    }

    /// The ledger has signed this manifest.
    fn manifest_note(
        &mut self,
        manifest: &Manifest,
        bytes: &[u8],
        keys: &[VerifyingKey],
    ) -> Result<(), BundleError> {
        let signed = Note::parse(&self.small(MANIFEST_NOTE)?)
            .and_then(|note| note.verify(keys).map(|by| (note, by)));
        match signed {
            Err(error) => self.problem(
                What::Signature,
                format!("manifest.note: {}", quote(&error.to_string())),
            ),
            Ok((note, by)) => {
                if note.text != note_text(&manifest.origin, bytes) {
                    let found = hex::encode(Sha256::digest(bytes));
                    let detail = format!(
                        "manifest.note is not about this manifest.json, whose SHA-256 is {found}"
                    );
                    self.problem(What::Signature, detail);
                }
                if !by
                    .iter()
                    .any(|by| by.key.name() == manifest.origin && !by.key.is_cosigner())
                {
                    self.problem(
                        What::Signature,
                        "manifest.note is not signed by the ledger's key",
                    );
                }
            }
        }
        Ok(())
    }

    /// The signed head, if it can be read at all.
    fn head(
        &mut self,
        manifest: &Manifest,
        keys: &[VerifyingKey],
    ) -> Result<Option<Checkpoint>, BundleError> {
        let bytes = self.small(CHECKPOINT)?;
        match Checkpoint::open(&bytes, keys) {
            Ok((_, by)) => {
                for by in by
                    .iter()
                    .filter_map(|by| by.time_s.map(|time| (by.key.name(), time)))
                {
                    let text =
                        format!("{} cosigned the head at {} s since 1970", quote(by.0), by.1);
                    self.report.note(text);
                }
            }
            Err(error) => {
                let what = match &error {
                    CheckpointError::Note(_) | CheckpointError::NotByOrigin(_) => What::Signature,
                    _ => What::Checkpoint,
                };
                let mut detail = format!("checkpoint: {}", quote(&error.to_string()));
                if let CheckpointError::Note(source) = &error {
                    detail = format!("{detail}: {}", quote(&source.to_string()));
                }
                self.problem(what, detail);
            }
        }
        // What an unbelieved head says is still compared, so that the report shows what else is wrong.
        let Ok((head, _)) = Checkpoint::parse_note(&bytes) else {
            return Ok(None);
        };
        self.report.checkpoint_size = Some(head.size);
        if head.origin != manifest.origin {
            let (head, manifest) = (quote(&head.origin), quote(&manifest.origin));
            let detail = format!("the head is of {head} and the manifest of {manifest}");
            self.problem(What::Checkpoint, detail);
        }
        if head.size != manifest.checkpoint_size {
            let detail = format!(
                "the head has {} entries and the manifest says {}",
                head.size, manifest.checkpoint_size
            );
            self.problem(What::Checkpoint, detail);
        }
        Ok(Some(head))
    }

    /// The heads that were kept from before, as far as they can be believed and are this ledger's.
    fn kept(
        &mut self,
        manifest: &Manifest,
        kept: &[String],
        keys: &[VerifyingKey],
    ) -> Vec<Checkpoint> {
        let mut believed = Vec::new();
        for note in kept {
            match Checkpoint::open(note.as_bytes(), keys) {
                Ok((head, _)) if head.origin == manifest.origin => believed.push(head),
                Ok((head, _)) => {
                    let (head, bundle) = (quote(&head.origin), quote(&manifest.origin));
                    let detail =
                        format!("a head of {head} was kept, and the bundle is of {bundle}");
                    self.problem(What::RolledBack, detail);
                }
                Err(error) => {
                    let detail = format!("a head that was kept: {}", quote(&error.to_string()));
                    self.problem(What::Signature, detail);
                }
            }
        }
        believed
    }

    /// The proofs in files of their own, by position, as far as they can be read and are against this head.
    fn tlog_proofs(
        &mut self,
        manifest: &Manifest,
    ) -> Result<BTreeMap<u64, Vec<Hash>>, BundleError> {
        let mut found = BTreeMap::new();
        let checkpoint = self.small(CHECKPOINT)?;
        for name in manifest.files.keys() {
            let Some(stem) = name.strip_suffix(ENDING).filter(|_| self.source.has(name)) else {
                continue;
            };
            let bytes = self.source.small(name)?;
            let bytes = bytes.ok_or_else(|| "it is larger than any proof".to_owned());
            let parsed = bytes.and_then(|bytes| TlogProof::parse(&String::from_utf8_lossy(&bytes)));
            let checked = parsed.and_then(|proof| {
                if proof.checkpoint.as_bytes() != checkpoint {
                    return Err("its signed head is not the bundle's".to_owned());
                }
                if proof.index.to_string() != stem {
                    return Err(format!("its index is {}", proof.index));
                }
                Ok(proof)
            });
            match checked {
                Ok(proof) => drop(found.insert(proof.index, proof.siblings)),
                Err(why) => self.problem(What::Tree, format!("{}: {}", quote(name), quote(&why))),
            }
        }
        Ok(found)
    }

    fn events(
        &mut self,
        manifest: &Manifest,
        head: Option<&Checkpoint>,
        kept: Vec<Checkpoint>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Walked, BundleError> {
        let io = |error| failed(self.path, "read")(error);
        let mut events = self.lines(EVENTS)?;
        let mut proofs = Ahead::<ProofLine>::new(PROOFS, self.lines(PROOFS)?);
        let mut verdicts = Ahead::<VerdictLine<'static>>::new(VERDICTS, self.lines(VERDICTS)?);
        let mut tlog = self.tlog_proofs(manifest)?;
        let mut report = std::mem::take(&mut self.report);
        let mut walk = Walk::new(&manifest.origin, head, kept, &mut report);
        loop {
            let line = match events.next().map_err(io)? {
                Next::End => break,
                Next::TooLong => Err(format!("longer than {} MiB", LONGEST >> 20)),
                Next::Line(line) => serde_json::from_slice::<Line<'_>>(line)
                    .map_err(|error| quote(&error.to_string())),
            };
            let line = match line {
                Ok(line) => line,
                Err(why) => {
                    let detail = format!("events.ndjson line {}: {why}", events.number());
                    walk.report().problem(None, What::Header, detail);
                    continue;
                }
            };
            let proof = proofs.at(line.seq, walk.report()).map_err(io)?;
            if let Some(verdict) = verdicts.at(line.seq, walk.report()).map_err(io)? {
                compare_verdict(&verdict, &line, walk.report());
            }
            let siblings = tlog.remove(&line.seq);
            walk.event(line, proof.as_ref(), siblings.as_deref());
            if walk.counts().events.is_multiple_of(STEP) {
                progress(walk.counts().events);
            }
        }
        proofs.drain(walk.report()).map_err(io)?;
        verdicts.drain(walk.report()).map_err(io)?;
        let walked = walk.finish(self.source.has(PROOFS));
        progress(walked.counts.events);
        for seq in tlog.keys() {
            let detail = format!("{seq}{ENDING} is of a position that is not among the events");
            report.problem(Some(*seq), What::Tree, detail);
        }
        tell_strays(&mut report, proofs.strays, verdicts.strays, walked.whole);
        self.report = report;
        for (name, lines) in [
            (EVENTS, events),
            (PROOFS, proofs.lines),
            (VERDICTS, verdicts.lines),
        ] {
            if let Some(said) = manifest.files.get(name).filter(|_| self.source.has(name)) {
                let found = lines.digest().map_err(failed(self.path, "read"))?;
                self.compare_digest(name, said, &found);
            }
        }
        Ok(walked)
    }

    /// What the manifest counts is what was there.
    fn compare(&mut self, manifest: &Manifest, walked: &Walked) {
        let counts = walked.counts;
        for (name, said, found) in [
            ("events", manifest.events, counts.events),
            ("withheld", manifest.withheld, counts.withheld),
            ("redacted", manifest.redacted, counts.redacted),
            (
                "matching",
                manifest.matching,
                counts.events.saturating_sub(counts.withheld),
            ),
        ] {
            if said != found {
                self.problem(
                    What::Gap,
                    format!("the manifest says {said} {name}, here are {found}"),
                );
            }
        }
        let (first, last) = (
            walked.first.unwrap_or_default(),
            walked.last.unwrap_or_default(),
        );
        if (walked.first, walked.last) == (None, None) {
            self.problem(What::Gap, "there are no events");
        } else if (first, last) != (manifest.from, manifest.to) {
            let (from, to) = (manifest.from, manifest.to);
            let detail =
                format!("the manifest says positions {from} to {to}, here are {first} to {last}");
            self.problem(What::Gap, detail);
        }
        self.report.complete &= walked.unbroken;
    }
}

/// What the side files say of positions that no event of the bundle has.
fn tell_strays(report: &mut Report, proofs: u64, verdicts: u64, whole: bool) {
    if proofs > 0 {
        let detail = format!("{proofs} proofs are of positions that are not among the events");
        report.problem(None, What::Tree, detail);
    }
    if verdicts > 0 && whole {
        let detail = format!("{verdicts} verdicts are not among the events");
        report.problem(None, What::Verdict, detail);
    } else if verdicts > 0 {
        report.note(format!(
            "{verdicts} verdicts are of positions that are not in this bundle: only the manifest's signature speaks for them"
        ));
    }
}

fn compare_verdict(verdict: &VerdictLine<'_>, line: &Line<'_>, report: &mut Report) {
    let value = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let shown = line.data.as_ref().map(|data| value(&data.0));
    let listed = value(verdict.data.get().as_bytes());
    // Of a withheld event only the type can be compared.
    if verdict.event_type != line.event_type || shown.is_some_and(|shown| shown != listed) {
        let detail = "verdicts.ndjson says something else than the event at this position";
        report.problem(Some(line.seq), What::Verdict, detail);
    }
}
