//! One segment: every row of it recomputed, its tiles compared, its part of the tree handed on.

use tokio_postgres::Client;

use super::walk::Before;
use super::{Job, SEGMENT, VerifyError};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::{Hash, genesis};
use crate::head::bigint;
use crate::note::NoteError;
use crate::recompute::Recompute;
use crate::report::{Report, What};
use crate::scan::{Lanes, Row, Scan};
use crate::seal::tiles;
use crate::tile::{Tile, WIDTH};
use crate::tree::Range;

/// A root that the tree must have at some size.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub size: u64,
    pub root: Hash,
    /// What is wrong where it has another.
    pub blame: What,
}

/// What came of one segment.
pub(super) struct Checked {
    pub from: u64,
    pub to: u64,
    pub report: Report,
    /// The segment's part of the tree.
    pub range: Range,
    /// The roots of its full tiles of level 0.
    pub roots: Vec<Hash>,
    /// The heads whose sizes lie in it, each with the segment's part of its tree.
    pub heads: Vec<(Watch, Range)>,
    /// The chain's value and the message after its last row.
    pub chain: Hash,
    pub before: Before,
}

/// How many positions are done between two calls of `count`.
const STEP: u64 = 4096;

pub(super) async fn check(
    job: &Job<'_>,
    lanes: &Lanes,
    from: u64,
    count: &dyn Fn(u64),
) -> Result<Checked, VerifyError> {
    let to = job.extent.head.size.min(from + SEGMENT);
    let (client, mut report) = (&lanes.headers, Report::new());
    let watches = watches(job, client, from, to, &mut report).await?;
    let index = |seq| seq / u64::from(WIDTH);
    let stored = tiles(
        job.db,
        client,
        job.extent.head.id,
        0,
        index(from)..index(to),
    )
    .await;
    let mut walk = Walk {
        job,
        seq: from,
        tree: Tree::new(from, stored.map_err(VerifyError::Tiles)?, watches),
        recompute: Recompute::default(),
        before: Before::default(),
        chain: genesis(&job.extent.head.origin),
        covered: (1, 0),
        report,
    };
    // The position before gives the link, the stream and the time.
    let first = from.saturating_sub(1);
    let mut scan = Scan::begin(job.db, lanes, job.extent.head.id, first, to).await?;
    let (mut row, mut done) = (Row::default(), from);
    while scan.next(job.db, &mut row).await? {
        if row.seq < from {
            walk.chain = row.chain;
            walk.before.step(&row);
            continue;
        }
        walk.row(&row);
        if walk.seq - done >= STEP {
            count(walk.seq - done);
            done = walk.seq;
        }
    }
    walk.missing_up_to(to);
    count(to - done);
    Ok(walk.finish(from, to))
}

/// The heads whose sizes lie in the segment, and what is wrong with them on paper.
async fn watches(
    job: &Job<'_>,
    client: &Client,
    from: u64,
    to: u64,
    report: &mut Report,
) -> Result<Vec<Watch>, VerifyError> {
    let head = &job.extent.head;
    let rows = client
        .query(
            include_str!("../sql/checkpoints.sql"),
            &[&head.id, &bigint(from), &bigint(to)],
        )
        .await
        .map_err(job.db.error("reading signed heads"))?;
    let released = job
        .released
        .iter()
        .filter(|watch| from < watch.size && watch.size <= to);
    let mut watches: Vec<Watch> = released.cloned().collect();
    for row in rows {
        let size = u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
        let root = row.get::<_, &[u8]>(1).try_into().unwrap_or_default();
        watches.push(Watch {
            size,
            root,
            blame: What::Checkpoint,
        });
        let note = row.get::<_, &str>(2).as_bytes();
        let opened = if job.options.keys.is_empty() {
            Checkpoint::parse_note(note).map(|(signed, _)| signed)
        } else {
            Checkpoint::open(note, &job.options.keys).map(|(signed, _)| signed)
        };
        let problem = match opened {
            Err(error) => (blame(&error), error.to_string()),
            Ok(signed) if signed.origin != head.origin => (
                What::Checkpoint,
                format!("it is of {}, and this is {}", signed.origin, head.origin),
            ),
            Ok(signed) if (signed.size, signed.root) != (size, root) => (
                What::Checkpoint,
                format!(
                    "its note says size {} and another root, or the row does",
                    signed.size
                ),
            ),
            Ok(_) => continue,
        };
        report.problem(
            size.checked_sub(1),
            problem.0,
            format!("the signed head of size {size}: {}", problem.1),
        );
    }
    watches.sort_by_key(|watch| watch.size);
    Ok(watches)
}

/// Whether a head's form is wrong, or its signature.
pub(super) fn blame(error: &CheckpointError) -> What {
    match error {
        CheckpointError::Note(NoteError::Signature(_) | NoteError::Unknown(_))
        | CheckpointError::NotByOrigin(_) => What::Signature,
        _ => What::Checkpoint,
    }
}

/// Walks the rows of a segment.
struct Walk<'a> {
    job: &'a Job<'a>,
    /// The position that comes next.
    seq: u64,
    tree: Tree,
    recompute: Recompute,
    before: Before,
    chain: Hash,
    /// Positions `.0..=.1` whose data is known to have been deleted by an event.
    covered: (u64, u64),
    report: Report,
}

impl Walk<'_> {
    fn row(&mut self, row: &Row) {
        let seq = row.seq;
        let contiguous = seq == self.seq;
        if !contiguous {
            self.missing_up_to(seq);
        }
        let (report, previous) = (
            &mut self.report,
            if contiguous { self.chain } else { [0; 32] },
        );
        let leaf = self.recompute.row(row, &previous, |what, detail| {
            // Behind a missing position there is nothing to link to.
            if contiguous || what != What::Chain {
                report.problem(Some(seq), what, detail);
            }
        });
        if contiguous && seq > 0 {
            self.before
                .check(row, &self.job.extent.head.ledger.stream_in(), report);
        }
        if row.data.is_none() {
            self.redacted(seq);
        }
        self.before.step(row);
        self.chain = row.chain;
        self.tree
            .push(leaf, &mut self.report, self.job.extent.sealed);
        self.seq = seq + 1;
    }

    /// Notes that there are no rows from the next position up to `to`.
    fn missing_up_to(&mut self, to: u64) {
        if self.seq >= to {
            return;
        }
        self.report.complete = false;
        let detail = format!("positions {} to {} are missing", self.seq, to - 1);
        self.report.problem(Some(self.seq), What::Gap, detail);
        for _ in self.seq..to {
            // What their tile says stands in for the leaves, so that the rest can be checked.
            let leaf = self.tree.stored_leaf().unwrap_or_default();
            self.tree
                .push(leaf, &mut self.report, self.job.extent.sealed);
        }
        self.seq = to;
    }

    fn redacted(&mut self, seq: u64) {
        if (self.covered.0..=self.covered.1).contains(&seq) {
            return;
        }
        if let Some((from, to, by)) = self.job.coverage.range(seq) {
            self.covered = (from, to.min(by - 1));
        } else {
            let detail = "its data is gone and no ledger.retention.applied covers it";
            self.report.problem(Some(seq), What::Redaction, detail);
        }
    }

    fn finish(self, from: u64, to: u64) -> Checked {
        let (range, roots, heads) = self.tree.finish();
        Checked {
            from,
            to,
            report: self.report,
            range,
            roots,
            heads,
            chain: self.chain,
            before: self.before,
        }
    }
}

/// The segment's part of the tree as it grows.
struct Tree {
    /// The segment up to its last full tile.
    whole: Range,
    /// The tile in hand.
    part: Range,
    leaves: Vec<Hash>,
    stored: std::iter::Peekable<std::vec::IntoIter<Tile>>,
    watches: std::iter::Peekable<std::vec::IntoIter<Watch>>,
    roots: Vec<Hash>,
    heads: Vec<(Watch, Range)>,
}

impl Tree {
    fn new(from: u64, stored: Vec<Tile>, watches: Vec<Watch>) -> Self {
        Self {
            whole: Range::starting_at(from),
            part: Range::starting_at(from),
            leaves: Vec::with_capacity(usize::from(WIDTH)),
            stored: stored.into_iter().peekable(),
            watches: watches.into_iter().peekable(),
            roots: Vec::new(),
            heads: Vec::new(),
        }
    }

    fn index(&self) -> u64 {
        self.whole.end() / u64::from(WIDTH)
    }

    /// What the stored tile says the next leaf is.
    fn stored_leaf(&mut self) -> Option<Hash> {
        let (index, at) = (self.index(), self.leaves.len());
        let tile = self.stored.peek().filter(|tile| tile.id().index == index)?;
        tile.hashes().get(at).copied()
    }

    fn push(&mut self, leaf: Hash, report: &mut Report, sealed: u64) {
        self.part.push(leaf);
        self.leaves.push(leaf);
        let size = self.part.end();
        while let Some(watch) = self.watches.next_if(|watch| watch.size <= size) {
            let mut range = self.whole.clone();
            // They meet: the tile in hand begins where the whole ones end.
            let _ = range.merge(&self.part);
            self.heads.push((watch, range));
        }
        if self.leaves.len() == usize::from(WIDTH) {
            self.close(report, sealed);
        }
    }

    /// Compares a full tile with the stored one. Where they differ, the stored one is built upon, so that what is
    /// above it is not blamed as well.
    fn close(&mut self, report: &mut Report, sealed: u64) {
        let index = self.index();
        let computed = self.part.hashes().next().copied();
        let begin = self.part.begin();
        let stored = self.stored.next_if(|tile| tile.id().index == index);
        let root = if let Some(tile) = stored {
            let mut pairs = tile.hashes().iter().zip(&self.leaves).zip(begin..);
            if let Some((_, seq)) = pairs.find(|((stored, leaf), _)| stored != leaf) {
                let detail = format!("its leaf is not the one in {}", tile.id());
                report.problem(Some(seq), What::Tree, detail);
                tile.root()
            } else {
                computed
            }
        } else {
            if self.part.end() <= sealed {
                let detail = format!("tile/0/{index} is missing");
                report.problem(Some(begin), What::Tree, detail);
            }
            computed
        };
        if let Some(root) = root {
            self.roots.push(root);
            // A tile begins at a multiple of its width.
            let _ = self.whole.push_subtree(8, root);
        }
        self.part = Range::starting_at(self.whole.end());
        self.leaves.clear();
    }

    fn finish(mut self) -> (Range, Vec<Hash>, Vec<(Watch, Range)>) {
        // They meet, as above.
        let _ = self.whole.merge(&self.part);
        (self.whole, self.roots, self.heads)
    }
}
