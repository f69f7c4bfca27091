//! Sealing: a signed head over what is committed.
//!
//! What is signed was read back from committed rows and recomputed, and is proved consistent with the last head
//! that was let out, by whichever way it was let out: the database, the file, the stream. A database that was
//! rolled back or forked cannot sign.

mod edge;
mod error;
mod standby;

use schema::LedgerName;

pub(crate) use self::edge::tiles;
pub use self::error::SealError;
use self::standby::Standby;

use crate::checkpoint::Checkpoint;
use crate::db::{Client, Database};
use crate::digest::{Hash, genesis};
use crate::head::bigint;
use crate::note::Signer;
use crate::proof::{Plan, verify_consistency};
use crate::read::require_head;
use crate::recompute::Recompute;
use crate::scan::{Lanes, Row, Scan};
use crate::tile::{Edge, Tile, TileSet};
use crate::tree::EMPTY_ROOT;

/// One head seals at most so many new positions, so that its tiles fit in memory: 32 MiB.
const MOST_POSITIONS: u64 = 1 << 20;

/// The one sealer of a ledger, until another takes over.
#[derive(Debug)]
pub struct Sealer {
    db: Database,
    lanes: Lanes,
    id: i32,
    origin: String,
    signer: Signer,
    epoch: i64,
    /// The right edge of the tree that was sealed last.
    edge: Edge,
    /// Heads that were let out and are ahead of the database's last one: the tree must pass through them.
    ahead: Vec<Checkpoint>,
    standby: Standby,
}

/// A head that may be let out: publish it, write it to the file, then [`Sealer::commit`] it.
#[derive(Debug)]
pub struct SealedHead {
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
    /// False where a larger head is out already, and this one is on the way there: it is noted in the database, for
    /// the tree to grow, and MUST NOT be published or written to the file, where it would be a step back.
    pub let_out: bool,
    edge: Edge,
    tiles: Vec<Tile>,
}

impl Sealer {
    /// Takes over sealing. `released` are the signed heads that were let out as they were found outside the
    /// database: in the head file, and as the last message of the checkpoint's subject.
    pub async fn open(
        db: Database,
        ledger: &LedgerName,
        signer: Signer,
        released: &[String],
    ) -> Result<Self, SealError> {
        let head = require_head(&db, ledger).await?;
        let keys = [signer.verifying_key().clone()];
        let mut heads = Vec::new();
        for text in released {
            let (checkpoint, _) = Checkpoint::open(text.as_bytes(), &keys)?;
            heads.push(checkpoint);
        }
        let client = db.client().await?;
        let row = client
            .query_one(include_str!("sql/seal_take_over.sql"), &[&head.id])
            .await
            .map_err(db.error("taking over sealing"))?;
        let size = u64::try_from(row.get::<_, i64>(1)).unwrap_or(0);
        let edge = edge::load(&db, &client, head.id, size).await?;
        if let Some(note) = row.get::<_, Option<&str>>(2) {
            heads.push(Checkpoint::open(note.as_bytes(), &keys)?.0);
        } else if size > 0 {
            return Err(SealError::Missing { size });
        }
        let sealer = Self {
            lanes: Lanes::connect(&db).await?,
            db,
            id: head.id,
            origin: head.origin,
            signer,
            epoch: row.get(0),
            edge,
            ahead: Vec::new(),
            standby: Standby::default(),
        };
        sealer.meet(&client, heads, head.size).await
    }

    /// Compares the heads that were let out with the tree; keeps those that it has yet to grow to.
    async fn meet(
        mut self,
        client: &Client,
        heads: Vec<Checkpoint>,
        stored: u64,
    ) -> Result<Self, SealError> {
        for head in heads {
            if head.origin != self.origin {
                return Err(SealError::OtherOrigin {
                    ours: self.origin,
                    theirs: head.origin,
                });
            }
            if head.size > stored {
                return Err(SealError::RolledBack {
                    released: head.size,
                    stored,
                });
            }
            if head.size > self.edge.size() {
                self.ahead.push(head);
                continue;
            }
            let root = edge::root_at(&self.db, client, self.id, &self.edge, head.size).await?;
            compare(&head, root)?;
        }
        self.ahead.sort_by_key(|head| head.size);
        Ok(self)
    }

    /// The size of the last head in the database.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The size that waits until the synchronous standby has it.
    pub fn waits_for_standby(&self) -> Option<u64> {
        self.standby.waiting()
    }

    /// Reads what was committed since the last head, recomputes it, and signs; `None` where there is nothing new,
    /// or where the synchronous standby has nothing new yet ([`Sealer::waits_for_standby`]).
    pub async fn prepare(&mut self) -> Result<Option<SealedHead>, SealError> {
        let old = self.edge.size();
        let client = self.db.client().await?;
        let confirmed = self
            .standby
            .confirmed(&self.db, &client, self.id, old)
            .await?;
        drop(client);
        let Some(stored) = confirmed else {
            return Ok(None);
        };
        if stored < old {
            return Err(SealError::RolledBack {
                released: old,
                stored,
            });
        }
        if stored == old {
            return Ok(None);
        }
        let mut size = stored.min(old.saturating_add(MOST_POSITIONS));
        // Heads that are out are met one by one: each is then in the database as it was.
        let out = self.ahead.last().map_or(0, |head| head.size);
        if let Some(next) = self.ahead.iter().find(|head| head.size > old) {
            size = size.min(next.size);
        }
        let (edge, tiles) = self.grow(old, size).await?;
        let root = edge.frontier().root();
        self.prove(&edge, &tiles, root)?;
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size,
            root,
        };
        let note = checkpoint.sign(&self.signer)?.to_string();
        Ok(Some(SealedHead {
            let_out: size >= out,
            checkpoint,
            note,
            edge,
            tiles,
        }))
    }

    /// The tree with the positions `old..size`, each recomputed from its stored row.
    async fn grow(&self, old: u64, size: u64) -> Result<(Edge, Vec<Tile>), SealError> {
        let (mut edge, mut tiles) = (self.edge.clone(), Vec::new());
        let (mut recompute, mut row) = (Recompute::default(), Row::default());
        // The position before gives the link.
        let first = old.saturating_sub(1);
        let mut scan = Scan::begin(&self.db, &self.lanes, self.id, first, size).await?;
        let mut previous: Hash = genesis(&self.origin);
        for seq in first..size {
            let there = scan.next(&self.db, &mut row).await?;
            if !there || row.seq != seq {
                return Err(SealError::Gap { seq });
            }
            if seq >= old {
                let mut wrong = None;
                let leaf = recompute.row(&row, &previous, |what, detail| {
                    wrong.get_or_insert((what, detail));
                });
                if let Some((what, detail)) = wrong {
                    return Err(SealError::Altered { seq, what, detail });
                }
                edge.push(leaf, |tile| tiles.push(tile));
                for head in self.ahead.iter().filter(|head| head.size == edge.size()) {
                    compare(head, edge.frontier().root())?;
                }
            }
            previous = row.chain;
        }
        Ok((edge, tiles))
    }

    /// Proves that the new tree begins with the last one, as anybody outside would.
    fn prove(&self, edge: &Edge, tiles: &[Tile], root: Hash) -> Result<(), SealError> {
        let (old, new) = (self.edge.size(), edge.size());
        let old_root = if old == 0 {
            EMPTY_ROOT
        } else {
            self.edge.frontier().root()
        };
        let mut set: TileSet = self.edge.tiles().into_iter().collect();
        for tile in tiles.iter().cloned().chain(edge.tiles()) {
            set.insert(tile);
        }
        let proof = Plan::consistency(old, new)?.resolve(|node| set.hash(node))?;
        Ok(verify_consistency(old, &old_root, new, &root, &proof)?)
    }

    /// Notes in the database that a head was let out. On an error, open a new sealer: whether it was noted is found
    /// out there.
    pub async fn commit(&mut self, sealed: SealedHead) -> Result<(), SealError> {
        let client = self.db.client().await?;
        let failed = self.db.error("sealing");
        let numbers: Vec<i64> = sealed
            .tiles
            .iter()
            .map(|tile| bigint(tile.id().index))
            .collect();
        let levels: Vec<i16> = sealed
            .tiles
            .iter()
            .map(|tile| i16::from(tile.id().level))
            .collect();
        let hashes: Vec<&[u8]> = sealed
            .tiles
            .iter()
            .map(|tile| tile.hashes().as_flattened())
            .collect();
        let statement = client
            .prepare_cached(include_str!("sql/seal.sql"))
            .await
            .map_err(&failed)?;
        let sealed_rows = client
            .execute(
                &statement,
                &[
                    &self.id,
                    &self.epoch,
                    &bigint(self.edge.size()),
                    &bigint(sealed.checkpoint.size),
                    &sealed.checkpoint.root.as_slice(),
                    &sealed.note,
                    &numbers,
                    &levels,
                    &hashes,
                ],
            )
            .await
            .map_err(&failed)?;
        if sealed_rows != 1 {
            return Err(SealError::Fenced { ours: self.epoch });
        }
        self.edge = sealed.edge;
        self.ahead.retain(|head| head.size > self.edge.size());
        Ok(())
    }
}

fn compare(released: &Checkpoint, ours: Hash) -> Result<(), SealError> {
    if released.root == ours {
        return Ok(());
    }
    Err(SealError::Forked {
        size: released.size,
        released: hex::encode(released.root),
        stored: hex::encode(ours),
    })
}
