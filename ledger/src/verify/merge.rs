//! The segments put together in the chain's order: upper tiles, signed heads, and what the head row says.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::segment::{Checked, Missing, Watch};
use super::{Job, VerifyError};
use crate::db::Database;
use crate::digest::Hash;
use crate::report::{Report, What};
use crate::seal::tiles;
use crate::tile::{Tile, WIDTH};
use crate::tree::{Frontier, Range, node_hash};

/// Takes segments in any order.
pub(super) struct Merge<'a> {
    job: &'a Job<'a>,
    report: Report,
    waiting: BTreeMap<u64, Checked>,
    /// The first position that is not merged yet.
    at: u64,
    frontier: Frontier,
    /// The hashes of the tile in hand, of level 1 and up, and how many of the level are full.
    levels: Vec<(Vec<Hash>, u64)>,
    last: Option<Checked>,
    unexplained: Vec<Missing>,
    lagging: (u64, Option<u64>),
}

/// A stored tile that is to be compared.
pub(super) struct Wanted {
    ledger: i32,
    level: u8,
    index: u64,
}

impl Wanted {
    pub async fn load(self, db: &Database, client: &Client) -> Result<Option<Tile>, VerifyError> {
        let range = self.index..self.index + 1;
        let tiles = tiles(db, client, self.ledger, self.level, range).await;
        Ok(tiles.map_err(VerifyError::Tiles)?.pop())
    }
}

impl<'a> Merge<'a> {
    pub fn new(job: &'a Job<'a>, report: Report) -> Self {
        Self {
            job,
            report,
            waiting: BTreeMap::new(),
            at: 0,
            frontier: Frontier::new(),
            levels: Vec::new(),
            last: None,
            unexplained: Vec::new(),
            lagging: (0, None),
        }
    }

    /// Takes a segment in, and all that have waited for it.
    pub fn take(
        &mut self,
        checked: Checked,
        mut load: impl FnMut(Wanted) -> Result<Option<Tile>, VerifyError>,
    ) -> Result<(), VerifyError> {
        self.waiting.insert(checked.from, checked);
        while let Some(mut checked) = self.waiting.remove(&self.at) {
            self.unexplained.append(&mut checked.unexplained);
            self.lagging.0 += checked.lagging.0;
            self.lagging.1 = self.lagging.1.or(checked.lagging.1);
            self.merge(&checked, &mut load)?;
            self.at = checked.to;
            self.last = Some(checked);
        }
        Ok(())
    }

    fn merge(
        &mut self,
        checked: &Checked,
        load: &mut impl FnMut(Wanted) -> Result<Option<Tile>, VerifyError>,
    ) -> Result<(), VerifyError> {
        self.report.complete &= checked.report.complete;
        for problem in &checked.report.problems {
            self.report
                .problem(problem.seq, problem.what, problem.detail.clone());
        }
        self.report.problems_left_out += checked.report.problems_left_out;
        for (watch, range) in &checked.heads {
            self.compare(watch, range);
        }
        for root in &checked.roots {
            self.raise(*root, load)?;
        }
        // Segments come in order and whole.
        let _ = self.frontier.merge(&checked.range);
        Ok(())
    }

    fn compare(&mut self, watch: &Watch, range: &Range) {
        let mut tree = self.frontier.clone();
        let _ = tree.merge(range);
        let root = tree.root();
        if root != watch.root {
            let detail = format!(
                "the stored positions give the root {} at size {}, and the signed head says {}",
                hex::encode(root),
                watch.size,
                hex::encode(watch.root)
            );
            self.report
                .problem(watch.size.checked_sub(1), watch.blame, detail);
        }
    }

    /// Puts the root of a full tile into the tile above it.
    fn raise(
        &mut self,
        root: Hash,
        load: &mut impl FnMut(Wanted) -> Result<Option<Tile>, VerifyError>,
    ) -> Result<(), VerifyError> {
        let mut root = root;
        for level in 1_u8.. {
            let at = usize::from(level) - 1;
            if self.levels.len() == at {
                self.levels.push((Vec::new(), 0));
            }
            let Some((row, full)) = self.levels.get_mut(at) else {
                break;
            };
            row.push(root);
            if row.len() < usize::from(WIDTH) {
                break;
            }
            let (hashes, index) = (std::mem::take(row), *full);
            *full += 1;
            let begin = index << (8 * u32::from(level) + 8);
            let end = (index + 1) << (8 * u32::from(level) + 8);
            let ledger = self.job.extent.head.id;
            let stored = load(Wanted {
                ledger,
                level,
                index,
            })?;
            root = if let Some(tile) = stored {
                if tile.hashes() != hashes.as_slice() {
                    let detail = format!("{} is not what the tiles beneath it give", tile.id());
                    self.report.problem(Some(begin), What::Tree, detail);
                }
                tile.root().unwrap_or_default()
            } else {
                if end <= self.job.extent.sealed {
                    let detail = format!("tile/{level}/{index} is missing");
                    self.report.problem(Some(begin), What::Tree, detail);
                }
                perfect_root(hashes)
            };
        }
        Ok(())
    }

    /// The positions without data that no event covered when verification began.
    pub(crate) fn unexplained(&mut self) -> Vec<Missing> {
        std::mem::take(&mut self.unexplained)
    }

    /// The chain's value after the last position.
    pub fn chain(&self) -> Option<Hash> {
        self.last.as_ref().map(|checked| checked.chain)
    }

    /// What else is wrong.
    pub fn problem(&mut self, seq: u64, what: What, detail: String) {
        self.report.problem(Some(seq), what, detail);
    }

    /// Compares what the rows end with to the head row, and closes the report.
    pub fn finish(mut self) -> Report {
        self.meet_head();
        self.meet_extent();
        if self.job.options.keys.is_empty() {
            self.report
                .note("no key was given: the signatures of signed heads were not checked");
        }
        if let (many, Some(first)) = self.lagging {
            self.report.note(format!(
                "the data of {many} positions is to be deleted by events of the chain and is still there, the first at \
                 position {first}: ledger serve's role retain deletes it"
            ));
        }
        self.report.size = self.at;
        self.report.set_root(&self.frontier.root());
        let sealed = self.job.extent.sealed;
        self.report.checkpoint_size = (sealed > 0).then_some(sealed);
        self.report
    }

    /// Whether the head says what the last position is.
    fn meet_head(&mut self) {
        let head = &self.job.extent.head;
        let last = head.size.checked_sub(1);
        let mut wrong = |what, detail: String| self.report.problem(last, what, detail);
        if let Some(checked) = &self.last {
            if checked.chain != head.chain {
                wrong(
                    What::Chain,
                    format!(
                        "the head says that the chain ends in {}",
                        hex::encode(head.chain)
                    ),
                );
            }
            let before = &checked.before;
            let moved = (&before.stream, before.stream_seq) != (&head.stream, head.stream_seq)
                || before.recorded_us != head.recorded_us;
            if head.size > 1 && moved {
                wrong(
                    What::Stream,
                    format!(
                        "the head says message {} of {:?}",
                        head.stream_seq, head.stream
                    ),
                );
            }
            self.report.set_chain(&checked.chain);
        }
    }

    /// Whether what is stored beside the positions reaches as far as they do, and no further.
    fn meet_extent(&mut self) {
        let extent = &self.job.extent;
        let head = &extent.head;
        let last = head.size.checked_sub(1);
        if extent.last_seq > last {
            let found = extent.last_seq.unwrap_or_default();
            self.report.problem(
                extent.last_seq,
                What::Gap,
                format!("position {found} lies beyond the head"),
            );
        }
        if extent.last_data > last {
            let found = extent.last_data.unwrap_or_default();
            self.report.problem(
                extent.last_data,
                What::Data,
                format!("data lies at position {found}, beyond the head"),
            );
        }
        if extent.signed != extent.sealed {
            let detail = format!(
                "the sealer last signed a head of {} positions, and the largest that is stored has {}",
                extent.signed, extent.sealed
            );
            self.report.problem(None, What::Checkpoint, detail);
        }
        if extent.sealed > head.size {
            let detail = format!(
                "a head of {} positions is signed, and {} are stored",
                extent.sealed, head.size
            );
            self.report.problem(None, What::RolledBack, detail);
        }
        let expected: u64 = (1..=7).map(|level| extent.sealed >> (8 * level)).sum();
        if extent.tiles > expected {
            let detail = format!(
                "{} full tiles are stored, and a tree of {} has {expected}",
                extent.tiles, extent.sealed
            );
            self.report.problem(None, What::Tree, detail);
        }
    }
}

fn perfect_root(mut row: Vec<Hash>) -> Hash {
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    row.first().copied().unwrap_or_default()
}
