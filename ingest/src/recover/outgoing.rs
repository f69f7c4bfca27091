//! What recovery needs of the streams beside the copying: when the head's message was stored, and the outgoing stream
//! put aside.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, Source, StorageType};
use ledger::head::Head;
use schema::LedgerName;
use tokio::time::sleep;

use super::RecoverError;
use crate::api;
use crate::link::Link;
use crate::nats::{Nats, NatsError};
use crate::streams;

/// How often to look whether the server has copied everything.
const POLL: Duration = Duration::from_millis(100);

/// When the message at the head's number was stored, in µs; `None` where the stream is another or no longer has it.
pub async fn message_time(
    nats: &Nats,
    ledger: &LedgerName,
    head: &Head,
) -> Result<Option<i64>, NatsError> {
    let mut link = Link::connect(nats, "recover").await?;
    let name = ledger.stream_in();
    let info = api::stream_info(&mut link, &name).await?;
    if info.is_none_or(|info| info.identity != head.stream) || head.stream_seq == 0 {
        return Ok(None);
    }
    let found = api::message_from(&mut link, &name, head.stream_seq).await?;
    let found = found.filter(|found| found.message.stream_seq == head.stream_seq);
    Ok(found.map(|found| found.message.time_us))
}

/// Puts the outgoing stream of a log that was succeeded aside, under the name that is given: receipts and heads that
/// went out are evidence, and a successor counts from 0. The server copies it; then it goes.
///
/// Does nothing where the outgoing stream is not of `origin` any more.
pub async fn retire_outgoing(
    nats: &Nats,
    ledger: &LedgerName,
    origin: &str,
    aside: &str,
) -> Result<(), RecoverError> {
    let connection = nats.connect("recover").await?;
    let js = &connection.js;
    let name = ledger.stream_out();
    let Some(mut out) = streams::get(js, &name).await? else {
        return Ok(());
    };
    if !is_of(&out, origin) {
        return Ok(());
    }
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| {
        NatsError::refused(format!("copy stream {name} to {aside}"), error)
    };
    if streams::get(js, aside).await?.is_none() {
        let config = Config {
            name: aside.to_owned(),
            description: out.cached_info().config.description.clone(),
            storage: StorageType::File,
            mirror: Some(Source {
                name: name.clone(),
                ..Source::default()
            }),
            ..Config::default()
        };
        let made = js.create_stream(config).await;
        made.map_err(|error| refused(error.into()))?;
    }
    let wanted = out
        .info()
        .await
        .map_err(|error| refused(error.into()))?
        .state
        .clone();
    loop {
        let copy = js
            .get_stream(aside)
            .await
            .map_err(|error| refused(error.into()))?;
        let state = &copy.cached_info().state;
        if wanted.messages == 0 || state.last_sequence >= wanted.last_sequence {
            break;
        }
        sleep(POLL).await;
    }
    streams::delete(js, &name).await?;
    Ok(())
}

/// Whether a stream says that it is of this ledger.
fn is_of(stream: &async_nats::jetstream::stream::Stream, origin: &str) -> bool {
    let ours = streams::description(origin);
    stream.cached_info().config.description == Some(ours)
}
