//! Filling a database from an exported bundle, so that it is what it was: every header, salt and byte, bit for bit.
//!
//! Read [`survey`] first: it verifies the bundle, walks over all of it, and holds it against what is in the database
//! and against every signed head that was let out. Nothing is written unless all of them are one history. Then
//! [`fill`] appends what the database lacks, batch by batch behind its head, so that it can be interrupted and run
//! again. Tiles and signed heads are not taken from the bundle: the sealer makes them from the committed rows, and
//! a signature of the same head by the same key is the same signature.

mod error;
mod fill;

use std::path::Path;

pub use self::error::RestoreError;
pub use self::fill::fill;

use crate::bundle::{self, Events};
use crate::checkpoint::Checkpoint;
use crate::digest::{self, Digests, Hash, genesis};
use crate::note::VerifyingKey;
use crate::record::Record;
use crate::tree::{Frontier, leaf_hash};

/// What a bundle is held against.
#[derive(Debug)]
pub struct Against<'a> {
    /// The origin that is configured or stored; `None` where neither says one.
    pub origin: Option<&'a str>,
    /// The keys that are trusted to sign this ledger's heads.
    pub keys: &'a [VerifyingKey],
    /// Signed heads that were let out, as found outside the database.
    pub released: &'a [String],
    /// How many positions the database has, and the chain's value after the last of them.
    pub stored: Option<(u64, Hash)>,
}

/// A bundle that joins.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// The ledger's name to the world.
    pub origin: String,
    /// How many positions the bundle has, which are all below its signed head.
    pub size: u64,
    /// The chain's value after the last of them.
    pub chain: Hash,
    /// The bundle's signed head.
    pub checkpoint: String,
    /// The size of the largest head that was let out; not less than `size`.
    pub released: u64,
}

/// Verifies the bundle, and proves that it is the same history as what it is held against. Reads files and blocks;
/// `progress` is told how many events were read, twice over.
pub fn survey(
    path: &Path,
    against: &Against<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Surveyed, RestoreError> {
    let report = bundle::verify(path, against.keys, progress)?;
    if let Some(first) = report.problems.first() {
        return Err(RestoreError::Unproved {
            count: u64::try_from(report.problems.len()).unwrap_or(0) + report.problems_left_out,
            first: format!("{}: {}", first.what, first.detail),
        });
    }
    let events = Events::open(path)?;
    let manifest = &events.manifest;
    if let Some(ours) = against.origin
        && ours != manifest.origin
    {
        return Err(RestoreError::OtherOrigin {
            ours: ours.to_owned(),
            theirs: manifest.origin.clone(),
        });
    }
    let whole =
        manifest.from == 0 && manifest.events == manifest.checkpoint_size && report.complete;
    if !whole {
        return Err(RestoreError::Part {
            from: manifest.from,
            to: manifest.to,
            size: manifest.checkpoint_size,
        });
    }
    if manifest.withheld > 0 {
        return Err(RestoreError::Withheld {
            count: manifest.withheld,
        });
    }
    let heads = heads(against, &events)?;
    walk(events, &heads, against.stored)
}

/// The signed heads, believed and of this origin, by size.
fn heads(against: &Against<'_>, events: &Events) -> Result<Vec<Checkpoint>, RestoreError> {
    let notes = against.released.iter().chain([&events.checkpoint]);
    let mut heads = Vec::new();
    for note in notes {
        let (head, _) = Checkpoint::open(note.as_bytes(), against.keys)?;
        if head.origin != events.manifest.origin {
            return Err(RestoreError::OtherOrigin {
                ours: head.origin,
                theirs: events.manifest.origin.clone(),
            });
        }
        heads.push(head);
    }
    heads.sort_by_key(|head| head.size);
    Ok(heads)
}

/// Walks over the events once: the tree passes through every head, the chain through what is stored.
fn walk(
    mut events: Events,
    heads: &[Checkpoint],
    stored: Option<(u64, Hash)>,
) -> Result<Surveyed, RestoreError> {
    let (mut tree, mut link) = (Frontier::new(), Link::default());
    let mut chain = genesis(&events.manifest.origin);
    while let Some(record) = events.next_event()? {
        tree.push(link.check(&record, &chain)?);
        chain = record.chain;
        if let Some((size, ours)) = stored
            && size == tree.size()
            && ours != chain
        {
            return Err(RestoreError::Fork { size });
        }
        let same = heads.iter().filter(|head| head.size == tree.size());
        for head in same {
            if head.root != tree.root() {
                return Err(RestoreError::OtherHistory { size: head.size });
            }
        }
    }
    Ok(Surveyed {
        origin: events.manifest.origin,
        size: tree.size(),
        chain,
        checkpoint: events.checkpoint,
        released: heads.last().map_or(0, |head| head.size),
    })
}

/// Recomputes records one after the other. The bundle was verified; that its files are still the same is not known.
#[derive(Default)]
struct Link {
    digests: Digests,
    scratch: Vec<u8>,
}

impl Link {
    /// The leaf of the tree, where the record follows from its own content and the chain's value before it.
    fn check(&mut self, record: &Record, previous: &Hash) -> Result<Hash, RestoreError> {
        let (digests, header) = (&mut self.digests, &record.header);
        let committed = record.body.as_ref().is_none_or(|body| {
            digests.data_commitment(&body.salt, &body.data) == record.data_commitment
        });
        let hash = digests.event_hash(header, &record.data_commitment, &mut self.scratch);
        let chain = digests.chain(header.seq, previous, &hash);
        if !committed || hash != record.event_hash || chain != record.chain {
            return Err(RestoreError::Changed);
        }
        Ok(leaf_hash(&digest::entry(header.seq, &hash, &chain)))
    }
}
