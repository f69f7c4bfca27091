//! The tree's right edge from what is stored: full tiles, and the rows behind the last of them.

use std::collections::BTreeSet;

use super::SealError;
use crate::db::{Database, DbError};
use crate::digest;
use crate::head::bigint;
use crate::tile::{Edge, Tile, TileId, TileSet, WIDTH, needed, partials};
use crate::tree::{Frontier, cover, leaf_hash};

/// Full tiles of one level.
pub(crate) async fn tiles(
    db: &Database,
    client: &tokio_postgres::Client,
    ledger: i32,
    level: u8,
    range: std::ops::Range<u64>,
) -> Result<Vec<Tile>, SealError> {
    let failed = db.error("reading tiles");
    let rows = client
        .query(
            include_str!("../sql/tiles.sql"),
            &[
                &ledger,
                &i16::from(level),
                &bigint(range.start),
                &bigint(range.end),
            ],
        )
        .await
        .map_err(&failed)?;
    let mut tiles = Vec::with_capacity(rows.len());
    for row in rows {
        let index = u64::try_from(row.get::<_, i64>(0)).unwrap_or(u64::MAX);
        let id = TileId {
            level,
            index,
            width: WIDTH,
        };
        tiles.push(Tile::from_bytes(id, row.get(1))?);
    }
    Ok(tiles)
}

/// The edge of the tree over the first `size` positions. A partial tile's hashes are the roots of the full tiles
/// beneath it, or the leaves of rows.
pub(crate) async fn load(
    db: &Database,
    client: &tokio_postgres::Client,
    ledger: i32,
    size: u64,
) -> Result<Edge, SealError> {
    let mut edge = Vec::new();
    for id in partials(size) {
        let from = id.index * u64::from(WIDTH);
        let range = from..from + u64::from(id.width);
        let hashes = match id.level.checked_sub(1) {
            None => leaves(db, client, ledger, range).await?,
            Some(below) => {
                let full = tiles(db, client, ledger, below, range).await?;
                full.iter().filter_map(Tile::root).collect()
            }
        };
        edge.push(Tile::from_bytes(id, hashes.as_flattened())?);
    }
    Ok(Edge::from_tiles(size, &edge)?)
}

/// The leaves of stored rows, without recomputing them: the root that they give is compared with a signed one.
async fn leaves(
    db: &Database,
    client: &tokio_postgres::Client,
    ledger: i32,
    range: std::ops::Range<u64>,
) -> Result<Vec<digest::Hash>, DbError> {
    let rows = client
        .query(
            include_str!("../sql/entries.sql"),
            &[&ledger, &bigint(range.start), &bigint(range.end)],
        )
        .await
        .map_err(db.error("reading the log's entries"))?;
    let leaf = |row: tokio_postgres::Row| {
        let seq = u64::try_from(row.get::<_, i64>(0)).unwrap_or(u64::MAX);
        let hash = |at| row.get::<_, &[u8]>(at).try_into().unwrap_or_default();
        leaf_hash(&digest::entry(seq, &hash(1), &hash(2)))
    };
    Ok(rows.into_iter().map(leaf).collect())
}

/// The root of the tree over the first `size` positions, a part of the tree with this edge.
pub(crate) async fn root_at(
    db: &Database,
    client: &tokio_postgres::Client,
    ledger: i32,
    edge: &Edge,
    size: u64,
) -> Result<digest::Hash, SealError> {
    let nodes = cover(0, size);
    let mut set: TileSet = edge.tiles().into_iter().collect();
    let full: BTreeSet<TileId> = needed(&nodes, edge.size())
        .into_iter()
        .filter(TileId::is_full)
        .collect();
    for id in full {
        for tile in tiles(db, client, ledger, id.level, id.index..id.index + 1).await? {
            set.insert(tile);
        }
    }
    let hashes = nodes
        .iter()
        .map(|node| set.hash(*node))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Frontier::from_hashes(size, &hashes).map_or(crate::tree::EMPTY_ROOT, |f| f.root()))
}
