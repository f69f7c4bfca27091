//! `ledger init`: the streams, the schema, event 0, the keys, and the catalog as the first messages.

use std::path::PathBuf;

use async_nats::jetstream::stream::LastRawMessageErrorKind;
use clap::Args;
use ingest::nats::Connection;
use ingest::publish::{self, Options, Status};
use ingest::streams::{self, StreamError};
use ledger::head::Head;
use ledger::init::InitError;
use ledger::keyring::{Keyring, KeyringError};
use ledger::migrate;
use ledger::read::Reader;
use serde_json::json;

use crate::app::{self, App};
use crate::cli::text;
use crate::config::{Config, Settings};
use crate::exit::{Failure, Outcome};
use crate::released::Released;
use crate::{connect, exit, packages};

const EXAMPLES: &str = "\
Examples:
  ledger init --origin ledger.example/main
  ledger init --keys ./keys-of-the-old-one     the same stream and keys give the same chain

It can be run again: what is there is left as it is, what is missing is made.";

/// Make a ledger: its streams, its schema, its first event, its keys and its catalog
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Init {
    /// The name by which the world knows the ledger, e.g. ledger.example/main
    #[arg(long, value_name = "NAME", value_parser = text)]
    origin: Option<String>,
    /// The folder of its keys; those that are there are used, what is missing is made
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// A folder of packages beside the built-in ones
    #[arg(long, value_name = "DIR")]
    kinds: Option<PathBuf>,
}

impl Init {
    /// Makes what is missing and says what there is.
    pub async fn run(self, app: &App) -> Outcome {
        let mut flags = Settings {
            origin: self.origin,
            ..Settings::default()
        };
        flags.data.keys = self.keys;
        flags.data.kinds = self.kinds;
        let config = app.config_with(flags)?;
        let made = make(&config).await?;
        app.one(&json!({
            "ledger": made.head.ledger.to_string(),
            "origin": made.head.origin,
            "key": made.key,
            "keys": config.keys.display().to_string(),
            "made": made.new,
        }))?;
        Ok(exit::Exit::Done)
    }
}

/// What `init` found or made.
#[derive(Debug)]
pub struct Made {
    /// Where the ledger stands.
    pub head: Head,
    /// The public key that its heads are signed with.
    pub key: String,
    /// Whether event 0 was made now.
    pub new: bool,
}

/// Makes what is missing: the streams first, since event 0 bears the creation of the incoming one.
pub async fn make(config: &Config) -> Result<Made, Failure> {
    let catalog = packages::all(config.kinds.as_deref())?;
    let settings = packages::settings(config);
    packages::compile(&catalog, settings.clone())?;

    let db = connect::database(config)?;
    migrate::CHAIN.run(&db).await?;
    projections::migrate::VIEWS.run(&db).await?;
    let found = Head::load(&db, &config.ledger).await?;
    if let Some(head) = &found {
        connect::check_origin(config, head)?;
    }
    let origin = found
        .as_ref()
        .map_or_else(|| config.origin_to_be(), |head| head.origin.clone());
    let connection = connect::connection(config, "init").await?;
    let stream_settings = connect::stream_settings(config)?;
    let created_us =
        streams::ensure(&connection, &config.ledger, &origin, &stream_settings).await?;
    let keyring = keyring(config)?;
    let new = found.is_none();
    if new {
        refuse_foreign_keys(config, &connection, &keyring, &origin, created_us).await?;
    }
    // The key first: a ledger whose making was interrupted has it, and one that has none gets no other.
    let key = signer(&keyring, &origin, new)?;
    let head = match found {
        Some(head) => head,
        None => ledger::init::create(&db, &config.ledger, &origin, created_us, &keyring).await?,
    };
    let in_chain = Reader::open(&db, &config.ledger)
        .await?
        .catalog_at(u64::MAX)
        .await?
        .is_some();
    // A database that is about to be replayed or filled has its catalog there.
    let replayed = Released::read(config, &connection).await?.size() > head.size;
    if !in_chain && !replayed && !has_activation(&connection, config).await? {
        let messages = packages::messages(&config.ledger, &catalog, settings, &|_| false, "0");
        send(config, messages).await?;
    }
    Ok(Made { head, key, new })
}

/// The folder of keys, made if it does not exist.
pub fn keyring(config: &Config) -> Result<Keyring, Failure> {
    Ok(Keyring::open(&config.keys, draw)?)
}

/// Fills with random bytes. On failure they stay as they are, which the keyring notices.
fn draw(bytes: &mut [u8]) {
    if app::random(bytes).is_err() {
        bytes.fill(0);
    }
}

/// The public key. Only a new ledger gets a new signing key: another one would not be the ledger's.
fn signer(keyring: &Keyring, origin: &str, new: bool) -> Result<String, Failure> {
    let signer = match keyring.signer(origin) {
        Err(KeyringError::NoSigningKey { .. }) if new => keyring.create_signer(origin)?,
        other => other?,
    };
    Ok(signer.verifying_key().to_string())
}

/// A stream that heads were signed for is replayed with the keys of those heads, or not at all: other salt keys
/// would give another chain.
async fn refuse_foreign_keys(
    config: &Config,
    connection: &Connection,
    keyring: &Keyring,
    origin: &str,
    created_us: i64,
) -> Result<(), Failure> {
    let size = Released::read(config, connection).await?.size();
    if size == 0 {
        return Ok(());
    }
    let first_salt = keyring.salt_key(created_us).map(|_| ());
    let missing = keyring.signer(origin).map(|_| ()).and(first_salt);
    match missing {
        Ok(()) => Ok(()),
        Err(
            why @ (KeyringError::NoSigningKey { .. }
            | KeyringError::OtherOrigin { .. }
            | KeyringError::NoSaltKey { .. }
            | KeyringError::Destroyed { .. }),
        ) => Err(Failure::usage(format!(
            "a head of {size} events was signed for the ledger {} before, and not all of its keys are in {}",
            config.ledger,
            config.keys.display()
        ))
        .because(why)
        .mend(
            "give the folder of its keys with --keys; take the events from an export with ledger recover --from \
             BUNDLE; or use another NATS server or another name for a new ledger",
        )),
        Err(other) => Err(other.into()),
    }
}

/// Whether the stream holds an activation already: one that is replayed brings its own catalog.
async fn has_activation(connection: &Connection, config: &Config) -> Result<bool, Failure> {
    let name = config.ledger.stream_in();
    let unreadable = |error: &dyn std::error::Error| {
        Failure::new(format!("stream {name} cannot be read: {error}"))
    };
    let stream = connection
        .js
        .get_stream(&name)
        .await
        .map_err(|error| unreadable(&error))?;
    let subject = format!(
        "ledger.{}.ingest.ledger.ledger.catalog.activated",
        config.ledger
    );
    match stream.get_last_raw_message_by_subject(&subject).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(false),
        Err(error) => Err(unreadable(&error)),
    }
}

async fn send(config: &Config, messages: Vec<publish::Outbound>) -> Result<(), Failure> {
    let options = Options {
        nats: connect::nats(config)?,
        ledger: config.ledger.clone(),
        // One after the other: the activation must not overtake what it names.
        in_flight: 1,
        spool: None,
        wait: None,
    };
    let mut refused = None;
    publish::publish(&options, messages, |_, _, status| {
        if let Status::Failed(why) = status {
            refused = Some(why);
        }
    })
    .await?;
    match refused {
        None => Ok(()),
        Some(why) => Err(
            Failure::new(format!("NATS did not take the catalog: {why}"))
                .mend("ledger init again publishes it again"),
        ),
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Nats(error) => error.into(),
            foreign @ StreamError::Foreign { .. } => Failure::usage(foreign.to_string()),
        }
    }
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        match error {
            InitError::Database(error) => error.into(),
            InitError::Keys(error) => error.into(),
            other => Failure::usage(other.to_string()),
        }
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        connect::failed(error, false)
    }
}
