//! The two streams of a ledger: what comes in, and what goes out.

use std::time::Duration;

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Info, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{self, ErrorCode};
use schema::LedgerName;

use crate::api;
use crate::nats::{Connection, NatsError, warn_of_old_server};

/// How the streams are kept.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// How long incoming messages are kept. Ingest must not be away for longer.
    pub max_age: Duration,
    /// How many bytes of incoming messages are kept; more are refused, and publishers spool.
    pub max_bytes_in: i64,
    /// How many bytes of outgoing messages are kept; the oldest make room.
    pub max_bytes_out: i64,
    /// Within which time `JetStream` itself drops a repeated `Nats-Msg-Id`.
    pub duplicate_window: Duration,
    /// How many servers of a cluster keep each message.
    pub replicas: usize,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(14 * 24),
            max_bytes_in: 4 << 30,
            max_bytes_out: 1 << 30,
            duplicate_window: Duration::from_mins(2),
            replicas: 1,
        }
    }
}

/// A stream that cannot be this ledger's.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// NATS is away or unwilling.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// The stream belongs to somebody else.
    #[error(
        "stream {stream} belongs to {theirs}, not to the ledger of origin {ours:?}: choose another ledger \
         name, or the NATS system or account that belongs to this ledger"
    )]
    Foreign {
        /// The stream's name.
        stream: String,
        /// This ledger's origin.
        ours: String,
        /// Whom it belongs to, in words.
        theirs: String,
    },
}

/// What the stream of a ledger says that it is for; it names the origin, so that another ledger's is noticed.
pub(crate) fn description(origin: &str) -> String {
    format!("{DESCRIBED}{origin}")
}

const DESCRIBED: &str = "event ledger ";

fn incoming(ledger: &LedgerName, origin: &str, settings: &StreamSettings) -> Config {
    Config {
        name: ledger.stream_in(),
        description: Some(description(origin)),
        subjects: vec![format!("ledger.{ledger}.ingest.>")],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        max_age: settings.max_age,
        max_bytes: settings.max_bytes_in,
        discard: DiscardPolicy::New,
        duplicate_window: settings.duplicate_window,
        num_replicas: settings.replicas,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        // Single messages are deleted (securely, by the ledger alone); all of them at once never.
        deny_purge: true,
        ..Config::default()
    }
}

fn outgoing(ledger: &LedgerName, origin: &str, settings: &StreamSettings) -> Config {
    let subjects = ["event", "violation", "incident", "quarantine"];
    let mut subjects: Vec<_> = subjects
        .iter()
        .map(|what| format!("ledger.{ledger}.{what}.>"))
        .collect();
    subjects.push(format!("ledger.{ledger}.checkpoint"));
    Config {
        name: ledger.stream_out(),
        subjects,
        // No age: what was sent last says where to go on, however long ago that was.
        max_age: Duration::ZERO,
        max_bytes: settings.max_bytes_out,
        discard: DiscardPolicy::Old,
        ..incoming(ledger, origin, settings)
    }
}

/// Makes both streams where they are missing, and gives them these settings where they differ.
/// Returns when the incoming one was created, in µs.
///
/// A stream that says that it belongs to another ledger is refused, with both origins.
pub async fn ensure(
    connection: &Connection,
    ledger: &LedgerName,
    origin: &str,
    settings: &StreamSettings,
) -> Result<i64, StreamError> {
    warn_of_old_server(&connection.client.server_info().version);
    let js = &connection.js;
    ensure_one(js, origin, outgoing(ledger, origin, settings)).await?;
    let info = ensure_one(js, origin, incoming(ledger, origin, settings)).await?;
    Ok(created_us(&info))
}

/// Refuses streams that say that they belong to another ledger. One that is missing is not made.
pub async fn check(
    connection: &Connection,
    ledger: &LedgerName,
    origin: &str,
) -> Result<(), StreamError> {
    for name in [ledger.stream_in(), ledger.stream_out()] {
        if let Some(stream) = get(&connection.js, &name).await? {
            refuse_foreign(&stream.cached_info().config, origin)?;
        }
    }
    Ok(())
}

fn refuse_foreign(found: &Config, ours: &str) -> Result<(), StreamError> {
    let said = found.description.as_deref().unwrap_or_default();
    let theirs = match said.strip_prefix(DESCRIBED) {
        Some(origin) if origin == ours => return Ok(()),
        Some(origin) => format!("the ledger of origin {origin:?}"),
        None if said.is_empty() => "somebody else: it does not say to which ledger".to_owned(),
        None => format!("somebody else: it calls itself {said:?}"),
    };
    Err(StreamError::Foreign {
        stream: found.name.clone(),
        ours: ours.to_owned(),
        theirs,
    })
}

/// Makes the incoming stream anew, taking only `subjects`. The old one must be gone.
pub(crate) async fn create_incoming(
    js: &jetstream::Context,
    ledger: &LedgerName,
    origin: &str,
    settings: &StreamSettings,
    subjects: Vec<String>,
) -> Result<(), StreamError> {
    let config = Config {
        subjects,
        ..incoming(ledger, origin, settings)
    };
    create(js, config).await?;
    Ok(())
}

/// Makes a stream that keeps everything, and knows for a day what it was given, if it is not there.
pub(crate) async fn create_keeping(
    js: &jetstream::Context,
    name: &str,
    subjects: Vec<String>,
) -> Result<(), NatsError> {
    if get(js, name).await?.is_none() {
        let config = Config {
            name: name.to_owned(),
            subjects,
            storage: StorageType::File,
            duplicate_window: Duration::from_hours(24),
            num_replicas: 1,
            ..Config::default()
        };
        create(js, config).await?;
    }
    Ok(())
}

/// Lets a stream take these subjects from now on, and no others.
pub(crate) async fn set_subjects(
    js: &jetstream::Context,
    name: &str,
    subjects: Vec<String>,
) -> Result<(), NatsError> {
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| {
        NatsError::refused(format!("change the subjects of stream {name}"), error)
    };
    let stream = js.get_stream(name).await;
    let stream = stream.map_err(|error| refused(error.into()))?;
    let config = Config {
        subjects,
        ..stream.cached_info().config.clone()
    };
    let updated = js.update_stream(config).await;
    updated.map(|_| ()).map_err(|error| refused(error.into()))
}

/// Deletes a stream, if it is there.
pub(crate) async fn delete(js: &jetstream::Context, name: &str) -> Result<(), NatsError> {
    if get(js, name).await?.is_some() {
        let deleted = js.delete_stream(name).await;
        deleted.map_err(|error| NatsError::refused(format!("delete stream {name}"), error))?;
    }
    Ok(())
}

/// Removes the messages of a stream whose number is below `seq`.
pub(crate) async fn purge_below(
    js: &jetstream::Context,
    name: &str,
    seq: u64,
) -> Result<(), NatsError> {
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| {
        NatsError::refused(format!("purge stream {name}"), error)
    };
    let stream = js.get_stream_no_info(name).await;
    let stream = stream.map_err(|error| refused(error.into()))?;
    let purged = stream.purge().sequence(seq).await;
    purged.map(|_| ()).map_err(|error| refused(error.into()))
}

async fn create(js: &jetstream::Context, config: Config) -> Result<Info, NatsError> {
    let name = config.name.clone();
    match js.create_stream(config).await {
        Ok(stream) => Ok(stream.cached_info().clone()),
        Err(error) => Err(NatsError::refused(format!("create stream {name}"), error)),
    }
}

async fn ensure_one(
    js: &jetstream::Context,
    origin: &str,
    wanted: Config,
) -> Result<Info, StreamError> {
    let name = wanted.name.clone();
    let Some(stream) = get(js, &name).await? else {
        return Ok(create(js, wanted).await?);
    };
    let info = stream.cached_info();
    refuse_foreign(&info.config, origin)?;
    let settings = |config: &Config| {
        (
            config.max_age,
            config.max_bytes,
            config.duplicate_window,
            config.num_replicas,
        )
    };
    if settings(&info.config) == settings(&wanted) {
        return Ok(info.clone());
    }
    let changed = Config {
        max_age: wanted.max_age,
        max_bytes: wanted.max_bytes,
        duplicate_window: wanted.duplicate_window,
        num_replicas: wanted.num_replicas,
        ..info.config.clone()
    };
    let updated = js.update_stream(changed).await;
    Ok(updated.map_err(|error| NatsError::refused(format!("update stream {name}"), error))?)
}

/// The stream of this name, or `None` where there is none.
pub(crate) async fn get(js: &jetstream::Context, name: &str) -> Result<Option<Stream>, NatsError> {
    match js.get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(jetstream)
                if jetstream.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            _ => Err(NatsError::refused(format!("find stream {name}"), error)),
        },
    }
}

/// When a stream was created, in µs.
pub(crate) fn created_us(info: &Info) -> i64 {
    let ns = info.created.unix_timestamp_nanos();
    i64::try_from(ns.div_euclid(1000)).unwrap_or(i64::MAX)
}

/// What a stream still keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// `<name>@<its creation time in µs>`.
    pub identity: String,
    /// When the stream was created, in µs.
    pub created_us: i64,
    /// The number of its oldest message; 0 where nothing ever arrived.
    pub first_seq: u64,
    /// When that was stored, in µs; `None` where no message is there.
    pub oldest_us: Option<i64>,
    /// The number of the last message that was ever stored.
    pub last_seq: u64,
    /// The numbers between the first and the last whose messages were deleted.
    pub deleted: Vec<u64>,
}

impl Kept {
    /// The number of the last message that is there; 0 for none. Numbers that are gone from the very end get their
    /// position with the next message.
    pub fn last_there(&self) -> u64 {
        if self.oldest_us.is_none() {
            return 0;
        }
        let gone = |seq: &u64| self.deleted.contains(seq);
        let mut there = (self.first_seq..=self.last_seq).rev().skip_while(gone);
        there.next().unwrap_or(0)
    }

    /// Whether this is the stream `identity`, and so many messages from a number on are all there.
    pub fn has(&self, identity: &str, from: u64, count: u64) -> bool {
        let end = from.saturating_add(count).saturating_sub(1);
        self.identity == identity
            && !self.deleted.iter().any(|seq| (from..=end).contains(seq))
            && self.first_seq <= from
            && self.last_seq >= end
    }
}

/// The same with the numbers of the messages that were deleted, which may be many.
pub async fn kept_in_full(
    connection: &Connection,
    ledger: &LedgerName,
) -> Result<Option<Kept>, NatsError> {
    let Some(kept) = kept(connection, ledger).await? else {
        return Ok(None);
    };
    let name = ledger.stream_in();
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| {
        NatsError::refused(format!("list what stream {name} has lost"), error)
    };
    let stream = connection.js.get_stream_no_info(&name).await;
    let stream = stream.map_err(|error| refused(error.into()))?;
    let info = stream.info_builder().with_deleted(true).fetch().await;
    let info = info.map_err(|error| refused(error.into()))?;
    Ok(Some(Kept {
        deleted: info.info.state.deleted.clone().unwrap_or_default(),
        ..kept
    }))
}

/// What the incoming stream still keeps; `None` where there is no such stream. What was deleted is not listed.
pub async fn kept(connection: &Connection, ledger: &LedgerName) -> Result<Option<Kept>, NatsError> {
    let name = ledger.stream_in();
    let Some(stream) = get(&connection.js, &name).await? else {
        return Ok(None);
    };
    let info = stream.cached_info();
    let first_us = info
        .state
        .first_timestamp
        .unix_timestamp_nanos()
        .div_euclid(1000);
    Ok(Some(Kept {
        identity: api::identity(&name, created_us(info)),
        created_us: created_us(info),
        first_seq: info.state.first_sequence,
        last_seq: info.state.last_sequence,
        deleted: Vec::new(),
        oldest_us: i64::try_from(first_us)
            .ok()
            .filter(|_| info.state.messages > 0),
    }))
}

/// `<name>@<its creation time in µs>`, or `None` where there is no such stream.
pub async fn identity(connection: &Connection, name: &str) -> Result<Option<String>, NatsError> {
    let stream = get(&connection.js, name).await?;
    Ok(stream.map(|stream| api::identity(name, created_us(stream.cached_info()))))
}

#[cfg(test)]
mod tests {
    use super::{Config, refuse_foreign};

    fn said(theirs: Option<&str>) -> String {
        let found = Config {
            name: "LEDGER-main".to_owned(),
            description: theirs.map(str::to_owned),
            ..Config::default()
        };
        let answer = refuse_foreign(&found, "ours.example/main");
        answer.map_or_else(|error| error.to_string(), |()| "ours".to_owned())
    }

    #[test]
    fn a_foreign_stream_is_told_by_its_origin() {
        assert_eq!(said(Some("event ledger ours.example/main")), "ours");
        for (theirs, expected) in [
            (
                Some("event ledger b.example/main"),
                "stream LEDGER-main belongs to the ledger of origin \"b.example/main\", not to the ledger of \
                 origin \"ours.example/main\": choose",
            ),
            (
                Some("orders"),
                "belongs to somebody else: it calls itself \"orders\", not to",
            ),
            (
                None,
                "belongs to somebody else: it does not say to which ledger, not to",
            ),
        ] {
            assert!(said(theirs).contains(expected), "{}", said(theirs));
        }
    }
}
