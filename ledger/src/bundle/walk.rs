//! Walking over a bundle's events: everything is recomputed, and stored hashes are only compared.

use super::content::{continues, is_start};
use super::form::{Line, ProofLine};
use super::redactions::Redactions;
use crate::checkpoint::Checkpoint;
use crate::digest::{Digests, Hash, entry, genesis};
use crate::proof::verify_inclusion;
use crate::record::Header;
use crate::report::{Report, What};
use crate::tree::{Frontier, leaf_hash};

/// How many events of which sort there were.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub events: u64,
    pub withheld: u64,
    pub redacted: u64,
}

/// The event before, as far as the next one is compared with it.
struct Last {
    seq: u64,
    chain: Hash,
    recorded_us: i64,
    stream: String,
    stream_seq: u64,
    proved: bool,
}

/// An unbroken range of positions.
struct Run {
    begin: u64,
    begin_proved: bool,
    last: Last,
}

/// One pass over the events.
pub(super) struct Walk<'a> {
    origin: &'a str,
    head: Option<&'a Checkpoint>,
    /// Heads that were kept from before and not met yet.
    kept: Vec<Checkpoint>,
    report: &'a mut Report,
    digests: Digests,
    scratch: Vec<u8>,
    /// The tree, as long as the events are a prefix of the ledger.
    tree: Option<Frontier>,
    root: Option<Hash>,
    run: Option<Run>,
    runs: u64,
    first: Option<u64>,
    counts: Counts,
    beyond: u64,
    redactions: Redactions,
}

/// What was learnt at the end.
pub(super) struct Walked {
    pub counts: Counts,
    pub first: Option<u64>,
    pub last: Option<u64>,
    /// There was one unbroken range.
    pub unbroken: bool,
    /// The range was the whole tree of the signed head.
    pub whole: bool,
}

impl<'a> Walk<'a> {
    pub fn new(
        origin: &'a str,
        head: Option<&'a Checkpoint>,
        mut kept: Vec<Checkpoint>,
        report: &'a mut Report,
    ) -> Self {
        // Every tree begins as the empty one.
        kept.retain(|one| one.size > 0);
        Self {
            origin,
            head,
            kept,
            report,
            digests: Digests::default(),
            scratch: Vec::new(),
            tree: Some(Frontier::new()),
            root: None,
            run: None,
            runs: 0,
            first: None,
            counts: Counts::default(),
            beyond: 0,
            redactions: Redactions::default(),
        }
    }

    pub fn report(&mut self) -> &mut Report {
        self.report
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn problem(&mut self, seq: u64, what: What, detail: impl Into<String>) {
        self.report.problem(Some(seq), what, detail);
    }

    /// Checks the next event, and its proof where there is one.
    ///
    /// `tlog` are the siblings of a proof in a file of its own.
    pub fn event(&mut self, mut line: Line<'_>, proof: Option<&ProofLine>, tlog: Option<&[Hash]>) {
        let seq = line.seq;
        self.counts.events += 1;
        self.first.get_or_insert(seq);
        let before = self.place(&line);
        self.body(&line);
        let header = line.take_header();
        let hash = self
            .digests
            .event_hash(&header, &line.data_commitment.0, &mut self.scratch);
        if hash != line.event_hash.0 {
            self.problem(
                seq,
                What::Header,
                differs("event_hash", &line.event_hash.0, &hash),
            );
        }
        // Without the value before, the link cannot be recomputed; that was said.
        let chain = before.map_or(line.chain.0, |before| {
            self.digests.chain(seq, &before, &hash)
        });
        if chain != line.chain.0 {
            self.problem(seq, What::Chain, differs("chain", &line.chain.0, &chain));
        }
        self.report.set_chain(&chain);
        let leaf = leaf_hash(&entry(seq, &hash, &chain));
        self.grow(seq, leaf);
        let listed = proof.map(|proof| {
            let wrong = "the proof has a sibling that is not 32 bytes";
            proof.siblings().ok_or(wrong)
        });
        let listed = listed.is_some_and(|siblings| self.proves(seq, &leaf, siblings));
        let filed = tlog.is_some_and(|siblings| self.proves(seq, &leaf, Ok(siblings.to_vec())));
        let proved = listed || filed;
        let data = line.data.as_ref().map(|data| data.0.as_ref());
        self.content(&header, data);
        self.redactions.settle(&header, data, self.report);
        let last = Last {
            seq,
            // On with the stored value: one changed event is one problem, not one at each event after it.
            chain: line.chain.0,
            recorded_us: header.recorded_us,
            stream: header.stream,
            stream_seq: header.stream_seq,
            proved,
        };
        match &mut self.run {
            Some(run) => run.last = last,
            None => {
                self.run = Some(Run {
                    begin: seq,
                    begin_proved: proved,
                    last,
                });
            }
        }
    }

    /// Where the event stands: gives the chain's value before it, as far as that is known, and ends the run
    /// that it does not continue.
    fn place(&mut self, line: &Line<'_>) -> Option<Hash> {
        let seq = line.seq;
        let said = line.prev_chain.map(|hash| hash.0);
        let Some(last) = self.run.as_ref().map(|run| (run.last.seq, run.last.chain)) else {
            return self.begin(seq, said);
        };
        if last.0.checked_add(1) == Some(seq) {
            if said.is_some_and(|said| said != last.1) {
                self.problem(
                    seq,
                    What::Chain,
                    "prev_chain is not the chain's value before",
                );
            }
            return Some(last.1);
        }
        if seq <= last.0 {
            let detail = format!("comes after position {}: twice, or out of order", last.0);
            self.problem(seq, What::Gap, detail);
        } else if said.is_none() {
            let detail = format!("positions {} to {} are missing", last.0 + 1, seq - 1);
            self.problem(last.0 + 1, What::Gap, detail);
        }
        self.end_run();
        self.tree = None;
        if said.is_none() {
            self.runs += 1;
            return None;
        }
        self.begin(seq, said)
    }

    fn begin(&mut self, seq: u64, said: Option<Hash>) -> Option<Hash> {
        self.runs += 1;
        if said.is_none() {
            let detail = "prev_chain is missing where an unbroken range begins";
            self.problem(seq, What::Chain, detail);
        }
        if seq > 0 {
            self.tree = None;
            return said;
        }
        let genesis = genesis(self.origin);
        if said.is_some_and(|said| said != genesis) {
            let detail = format!(
                "prev_chain is not where the chain of {:?} starts",
                self.origin
            );
            self.problem(seq, What::Chain, detail);
        }
        Some(genesis)
    }

    /// Salt and data: both or neither, and if neither, then for a reason.
    fn body(&mut self, line: &Line<'_>) {
        let seq = line.seq;
        self.counts.withheld += u64::from(line.withheld);
        self.counts.redacted += u64::from(line.redacted.is_some());
        match (&line.salt, &line.data) {
            (Some(salt), Some(data)) => {
                if line.withheld || line.redacted.is_some() {
                    let detail = "said to be withheld or redacted, and yet its data is here";
                    self.problem(seq, What::Redaction, detail);
                }
                let commitment = self.digests.data_commitment(&salt.0, &data.0);
                if commitment != line.data_commitment.0 {
                    let detail = differs("data_commitment", &line.data_commitment.0, &commitment);
                    self.problem(seq, What::Data, detail);
                }
            }
            (None, None) if !line.withheld && line.redacted.is_none() => {
                self.problem(
                    seq,
                    What::Redaction,
                    "its data is not here and nothing says why",
                );
            }
            (None, None) => {}
            (Some(_), None) => self.problem(seq, What::Data, "its salt is here without its data"),
            (None, Some(_)) => self.problem(seq, What::Data, "its data is here without its salt"),
        }
        if let Some(redacted) = &line.redacted {
            if redacted.by <= seq {
                let by = redacted.by;
                let detail = format!("redacted by position {by}, which is not after it");
                self.problem(seq, What::Redaction, detail);
            } else {
                self.redactions.expect(line, redacted.by);
            }
        }
    }

    /// Adds the entry to the tree.
    fn grow(&mut self, seq: u64, leaf: Hash) {
        let Some(head) = self.head else { return };
        if seq >= head.size {
            if self.beyond == 0 {
                let detail = format!(
                    "not covered by the signed head, which has {} entries",
                    head.size
                );
                self.report.problem(Some(seq), What::Tree, detail);
            }
            self.beyond += 1;
        }
        if let Some(tree) = &mut self.tree
            && tree.size() < head.size
        {
            tree.push(leaf);
            self.root = (tree.size() == head.size).then(|| tree.root());
            let (size, report) = (tree.size(), &mut self.report);
            self.kept.retain(|kept| {
                if kept.size != size {
                    return true;
                }
                let root = tree.root();
                if root != kept.root {
                    let detail = format!(
                        "the first {size} positions give the root {}, and the head that was kept says {}",
                        hex::encode(root),
                        hex::encode(kept.root)
                    );
                    report.problem(Some(seq), What::RolledBack, detail);
                }
                false
            });
        }
    }

    /// Says which of the kept heads were not met.
    fn tell_kept(&mut self) {
        let size = self.head.map_or(0, |head| head.size);
        for kept in std::mem::take(&mut self.kept) {
            let detail = if kept.size > size {
                format!(
                    "a head of {} positions was kept, and the bundle's signed head has {size}: it is older, or the \
                     ledger was rolled back",
                    kept.size
                )
            } else {
                format!(
                    "the bundle does not hold all of the first {} positions, so it cannot be compared with the head \
                     that was kept",
                    kept.size
                )
            };
            self.report.problem(None, What::RolledBack, detail);
        }
    }

    /// Whether a proof of the entry holds.
    fn proves(&mut self, seq: u64, leaf: &Hash, siblings: Result<Vec<Hash>, &str>) -> bool {
        let Some(head) = self.head else { return false };
        let checked = siblings.map_err(str::to_owned).and_then(|siblings| {
            verify_inclusion(seq, head.size, leaf, &siblings, &head.root)
                .map_err(|error| error.to_string())
        });
        if let Err(detail) = &checked {
            self.problem(seq, What::Tree, detail.as_str());
        }
        checked.is_ok()
    }

    /// What a header says follows from the one before and from what it is.
    fn content(&mut self, header: &Header, data: Option<&[u8]>) {
        let seq = header.seq;
        if seq == 0 {
            if let Err(detail) = is_start(header, data, self.origin) {
                self.problem(seq, What::Header, detail);
            }
            return;
        }
        let Some(last) = self.run.as_ref().map(|run| &run.last) else {
            return;
        };
        if header.recorded_us < last.recorded_us {
            let detail = format!(
                "recorded at {} µs, before the event before it at {} µs",
                header.recorded_us, last.recorded_us
            );
            self.report.problem(Some(seq), What::Header, detail);
        }
        let before = if header.stream == last.stream {
            last.stream_seq
        } else {
            0
        };
        if let Err(detail) = continues(header, data, before) {
            self.problem(seq, What::Stream, detail);
        }
    }

    /// Both ends of a run must be in the tree, unless the run is the tree.
    fn end_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        let Some(head) = self.head else { return };
        let whole = run.begin == 0 && run.last.seq.saturating_add(1) >= head.size;
        if whole {
            return;
        }
        for (seq, proved) in [
            (run.begin, run.begin_proved),
            (run.last.seq, run.last.proved),
        ] {
            if !proved && seq < head.size {
                let detail = "an end of an unbroken range without a proof that holds";
                self.report.problem(Some(seq), What::Tree, detail);
            }
        }
    }

    /// Ends the walk. `parts` says that the bundle has proofs: that it is meant as a part of the ledger.
    pub fn finish(mut self, parts: bool) -> Walked {
        let last = self.run.as_ref().map(|run| run.last.seq);
        let prefix = self.run.as_ref().is_some_and(|run| run.begin == 0) && self.runs == 1;
        let size = self.head.map_or(0, |head| head.size);
        let stops = last.map_or(0, |last| last.saturating_add(1));
        if prefix && !parts && stops < size {
            let detail = format!(
                "positions {stops} to {} are missing: the signed head has {size} entries",
                size - 1
            );
            self.report.problem(Some(stops), What::Gap, detail);
            self.run = None;
        }
        self.end_run();
        if let (Some(root), Some(head)) = (self.root, self.head)
            && root != head.root
        {
            let detail = differs("the signed head's root", &head.root, &root);
            self.report.problem(None, What::Tree, detail);
        }
        if let Some(root) = self.root.or(self.head.map(|head| head.root)) {
            self.report.set_root(&root);
        }
        if self.beyond > 1 {
            let beyond = self.beyond;
            self.report.note(format!(
                "{beyond} events are not covered by the signed head"
            ));
        }
        self.tell_kept();
        self.redactions.finish(self.report);
        self.report.size = self.counts.events;
        Walked {
            counts: self.counts,
            first: self.first,
            last,
            unbroken: self.runs == 1,
            whole: self.root.is_some(),
        }
    }
}

fn differs(what: &str, said: &Hash, found: &Hash) -> String {
    format!(
        "{what} is {} and what is here gives {}",
        hex::encode(said),
        hex::encode(found)
    )
}
