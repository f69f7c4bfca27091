//! C2SP `tlog-tiles`, read-only: the last signed head, hashes and entries below it.
//!
//! <https://c2sp.org/tlog-tiles>. Nothing beyond the last signed head is served.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger::Record;
use ledger::checkpoint::Checkpoint;
use ledger::digest::{ENTRY_LEN, entry};
use ledger::read::{ReadError, Reader};
use ledger::tile::{Resource, Tile, TileId, WIDTH, encode_entries};
use ledger::tree::leaf_hash;

use crate::roles::Shared;

const FULL: &str = "public, max-age=31536000, immutable";

/// `/checkpoint`: the last signed head, a signed note.
pub async fn checkpoint(State(shared): State<Shared>) -> Response {
    answer(last_head(&shared).await.map(|head| {
        let (_, note) = head?;
        let headers = [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        Some((headers, note).into_response())
    }))
}

/// `/tile/…`: hashes or entries.
pub async fn tile(State(shared): State<Shared>, Path(path): Path<String>) -> Response {
    let Some(resource) = Resource::parse(&format!("tile/{path}")) else {
        return (StatusCode::NOT_FOUND, "this is no path of a tile\n").into_response();
    };
    answer(bytes(&shared, resource).await.map(|bytes| {
        let headers = [
            (header::CONTENT_TYPE, "application/octet-stream"),
            (header::CACHE_CONTROL, FULL),
        ];
        Some((headers, bytes?).into_response())
    }))
}

fn answer(found: Result<Option<Response>, ReadError>) -> Response {
    match found {
        Ok(Some(response)) => response,
        Ok(None) => (
            StatusCode::NOT_FOUND,
            "the signed tree does not reach so far\n",
        )
            .into_response(),
        Err(error) => {
            tracing::warn!("a tile cannot be read: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, "PostgreSQL is away\n").into_response()
        }
    }
}

async fn last_head(shared: &Shared) -> Result<Option<(u64, String)>, ReadError> {
    let reader = Reader::open(&shared.db, &shared.config.ledger).await?;
    let note = reader.last_checkpoint().await?;
    Ok(note.and_then(|note| {
        let (head, _) = Checkpoint::parse_note(note.as_bytes()).ok()?;
        Some((head.size, note))
    }))
}

async fn bytes(shared: &Shared, resource: Resource) -> Result<Option<Vec<u8>>, ReadError> {
    let Some((size, _)) = last_head(shared).await? else {
        return Ok(None);
    };
    let reader = Reader::open(&shared.db, &shared.config.ledger).await?;
    match resource {
        Resource::Checkpoint => Ok(None),
        Resource::Entries { index, width } => {
            let records = records(&reader, index, width, size).await?;
            let entries: Option<Vec<[u8; ENTRY_LEN]>> =
                records.map(|records| records.iter().map(of).collect());
            Ok(entries.and_then(|entries| {
                encode_entries(entries.iter().map(<[u8; ENTRY_LEN]>::as_slice))
            }))
        }
        Resource::Tile(id) if id.level == 0 && !id.is_full() => {
            let records = records(&reader, id.index, id.width, size).await?;
            Ok(records.map(|records| {
                records
                    .iter()
                    .flat_map(|record| leaf_hash(&of(record)))
                    .collect()
            }))
        }
        Resource::Tile(id) if id.is_full() => reader.tile(id.level, id.index).await,
        Resource::Tile(id) => above(&reader, id).await,
    }
}

/// A partial tile above the leaves: each hash is the root of a full tile below.
async fn above(reader: &Reader, id: TileId) -> Result<Option<Vec<u8>>, ReadError> {
    let from = id.index.saturating_mul(u64::from(WIDTH));
    let to = from.saturating_add(u64::from(id.width));
    let level = id.level.saturating_sub(1);
    let mut hashes = Vec::new();
    for index in from..to {
        let below = TileId {
            level,
            index,
            width: WIDTH,
        };
        let bytes = reader.tile(level, index).await?;
        let root = bytes.and_then(|bytes| Tile::from_bytes(below, &bytes).ok()?.root());
        let Some(root) = root else { return Ok(None) };
        hashes.extend(root);
    }
    Ok(Some(hashes))
}

fn of(record: &Record) -> [u8; ENTRY_LEN] {
    entry(record.header.seq, &record.event_hash, &record.chain)
}

/// The positions beneath a tile of level 0, all of them below the signed size.
async fn records(
    reader: &Reader,
    index: u64,
    width: u16,
    size: u64,
) -> Result<Option<Vec<Record>>, ReadError> {
    let from = index.saturating_mul(u64::from(WIDTH));
    let to = from.saturating_add(u64::from(width));
    if to > size {
        return Ok(None);
    }
    let mut all: Vec<Record> = Vec::new();
    while let next = all.last().map_or(from, |record| record.header.seq + 1)
        && next < to
    {
        let page = reader.records(next, to - next).await?;
        if page.is_empty() {
            return Ok(None);
        }
        all.extend(page);
    }
    Ok(Some(all))
}
