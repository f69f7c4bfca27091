//! One segment: every row of it recomputed, its tiles compared, its part of the tree handed on.

use tokio_postgres::Client;

use super::walk::Before;
use super::{Job, SEGMENT, VerifyError};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::{Hash, genesis};
use crate::head::bigint;
use crate::note::NoteError;
use crate::recompute::Recompute;
use crate::redaction::{Applied, Hold, Spot, Word};
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
    /// Positions without data that no event covered when verification began.
    pub unexplained: Vec<Missing>,
    /// How many positions have data that an event covers, and the first of them.
    pub lagging: (u64, Option<u64>),
}

/// A position without data.
#[derive(Debug)]
pub(super) struct Missing {
    pub seq: u64,
    event_type: String,
    subject: String,
    recorded_us: i64,
}

impl Missing {
    pub fn spot(&self) -> Spot<'_> {
        Spot::new(self.seq, &self.event_type, &self.subject, self.recorded_us)
    }
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
        named: job.coverage.touches(from, to),
        unexplained: Vec::new(),
        lagging: (0, None),
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

/// What is wrong where data is gone that a hold keeps.
pub(super) fn forbidden(applied: &Applied, hold: &Hold) -> String {
    format!(
        "its data is gone; position {} names it, which the hold {:?} at position {} forbids",
        applied.by, hold.hold, hold.placed
    )
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
    /// Whether any event that deletes names positions of the segment.
    named: bool,
    unexplained: Vec<Missing>,
    lagging: (u64, Option<u64>),
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
        if self.named || row.data.is_none() {
            self.redacted(row);
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

    /// Whether data is there, or is not, as the events that delete say.
    fn redacted(&mut self, row: &Row) {
        let (seq, coverage) = (row.seq, &self.job.coverage);
        let spot = Spot::new(seq, row.event_type(), row.subject(), row.recorded_us);
        match (coverage.of(&spot), row.data.is_some()) {
            (Word::Covered(_), true) if coverage.holds().now(&spot).is_none() => {
                self.lagging.0 += 1;
                self.lagging.1.get_or_insert(seq);
            }
            (Word::Kept, false) => self.unexplained.push(Missing {
                seq,
                event_type: row.event_type().to_owned(),
                subject: row.subject().to_owned(),
                recorded_us: row.recorded_us,
            }),
            (Word::Held(applied, hold), false) => {
                let detail = forbidden(applied, hold);
                self.report.problem(Some(seq), What::Redaction, detail);
            }
            (Word::Covered(_), _) | (Word::Kept | Word::Held(..), true) => {}
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
            unexplained: self.unexplained,
            lagging: self.lagging,
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
