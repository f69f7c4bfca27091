//! What the ledger's own rules say of an event beside the one before it.

use serde::Deserialize;

use crate::record::Header;

/// Whether this is the event that starts the chain of `origin`.
pub(super) fn is_start(header: &Header, data: Option<&[u8]>, origin: &str) -> Result<(), String> {
    let fixed = header.event_type == "ledger.chain.started"
        && header.publisher == "ledger"
        && header.source == format!("ledger://{}", header.subject)
        && header.stream.is_empty()
        && header.stream_seq == 0
        && header.occurred_us == header.recorded_us;
    if !fixed {
        return Err("not the event that starts a chain".to_owned());
    }
    let data =
        data.map(|data| serde_json::from_slice::<serde_json::Value>(data).unwrap_or_default());
    let other = data.is_some_and(|data| data != serde_json::json!({"origin": origin}));
    if other || header.id != origin {
        return Err(format!(
            "it starts the chain of another origin than {origin:?}"
        ));
    }
    Ok(())
}

#[derive(Deserialize)]
struct GapData {
    from: u64,
    to: u64,
}

/// Whether the event's stream position follows `before`, the last one read of its stream.
pub(super) fn continues(header: &Header, data: Option<&[u8]>, before: u64) -> Result<(), String> {
    let (seq, next) = (header.stream_seq, before.saturating_add(1));
    if header.stream.is_empty() {
        return Err("it is of no stream, which only the first event is".to_owned());
    }
    if header.event_type != "ledger.stream.gap" {
        if seq == next {
            return Ok(());
        }
        return Err(format!("stream position {seq}, where {next} follows"));
    }
    let said = data.map(|data| serde_json::from_slice::<GapData>(data).ok());
    let matches = said.is_none_or(|gap| gap.is_some_and(|gap| (gap.from, gap.to) == (next, seq)));
    if seq >= next && matches {
        return Ok(());
    }
    Err(format!(
        "a gap that does not lead from stream position {next} to {seq}"
    ))
}
