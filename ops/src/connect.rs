//! The way to the servers that the configuration names, and what is said when one is away.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ingest::Nats;
use ingest::nats::{Auth, Connection, NatsError};
use ingest::streams::StreamSettings;
use ledger::db::{Database, DbError};
use ledger::head::Head;
use ledger::migrate::MigrateError;
use ledger::read::{ReadError, Reader};
use ledger::words;
use rustls::ClientConfig;
use tokio_postgres::config::{Host, SslMode};

use crate::config::{Config, NatsUser, Secret};
use crate::exit::{Context, Exit, Failure};
use crate::output;
use crate::tls::{self, Check, Mode};
use crate::up::publishers::{inbox, password_file};

/// How long to wait for a server to let us in.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a question waits for the fold, which is done with a batch of what only just happened in much less. Where it
/// is far behind, that is said instead.
const FOLDING: Duration = Duration::from_secs(2);

const AWAY: &str =
    "is the server running, and does the configuration lead to it? ledger up runs one here";
const NO_CONFIG: &str =
    "start a ledger here with ledger up, name a configuration with --config, or set";

/// The database of the configuration; nothing is connected yet.
pub fn database(config: &Config) -> Result<Database, Failure> {
    let url = config.postgres.as_ref().ok_or_else(|| {
        Failure::usage("no PostgreSQL is configured (postgres.url)")
            .mend(format!("{NO_CONFIG} LEDGER_POSTGRES_URL"))
    })?;
    let asked = tls::Url::parse(url.reveal())?;
    let mut parsed: tokio_postgres::Config =
        asked.rest.parse().map_err(|error: tokio_postgres::Error| {
            Failure::usage(format!("postgres.url is {url}, which cannot be read"))
                .because(error)
                .mend(
                    "write postgres://user:password@host:5432/database, or host=… user=… dbname=…",
                )
        })?;
    if parsed.get_connect_timeout().is_none() {
        parsed.connect_timeout(PATIENCE);
    }
    if parsed.get_application_name().is_none() {
        parsed.application_name("ledger");
    }
    let tls = postgres_tls(config, &asked, &mut parsed)?;
    Ok(Database::connect_over(
        parsed,
        config.postgres_connections,
        tls,
    ))
}

/// How to speak TLS to PostgreSQL, in libpq's terms: `prefer` where nothing is said, none on a socket of this machine.
fn postgres_tls(
    config: &Config,
    asked: &tls::Url,
    parsed: &mut tokio_postgres::Config,
) -> Result<Option<Arc<ClientConfig>>, Failure> {
    let keys = &config.postgres_tls;
    let files = tls::Files {
        ca: asked.files.ca.clone().or_else(|| keys.ca.clone()),
        certificate: asked
            .files
            .certificate
            .clone()
            .or_else(|| keys.certificate.clone()),
        key: asked.files.key.clone().or_else(|| keys.key.clone()),
    };
    let has_ca = files.ca.is_some();
    let usual = if has_ca {
        Mode::VerifyFull
    } else {
        Mode::Prefer
    };
    let mode = asked.mode.unwrap_or(usual);
    let local = |host: &Host| matches!(host, Host::Unix(_));
    if mode == Mode::Disable || parsed.get_hosts().iter().all(local) {
        parsed.ssl_mode(SslMode::Disable);
        return Ok(None);
    }
    let check = match mode {
        Mode::VerifyFull => Check::Name,
        Mode::VerifyCa => Check::Authority,
        Mode::Require if has_ca => Check::Authority,
        Mode::Prefer if has_ca => {
            return Err(Failure::usage(
                "postgres.url says sslmode=prefer, which verifies nothing, and an authority is given",
            )
            .mend("write sslmode=verify-full, or take the authority out"));
        }
        Mode::Prefer | Mode::Require | Mode::Disable => Check::Nothing,
    };
    parsed.ssl_mode(if mode == Mode::Prefer {
        SslMode::Prefer
    } else {
        SslMode::Require
    });
    tls::client("postgres", &files, check).map(Some)
}

/// The ledger in the database, after comparing origins.
pub async fn reader(config: &Config) -> Result<Reader, Failure> {
    let db = database(config)?;
    let reader = Reader::open(&db, &config.ledger).await?;
    check_origin(config, &reader.head().await?)?;
    Ok(reader)
}

/// The same for questions to the views: they have all that the chain has now, or it is said that they have not.
/// Whoever saw an event recorded finds it.
pub async fn views(config: &Config) -> Result<Reader, Failure> {
    let reader = reader(config).await?;
    let size = reader.head().await?.size;
    let until = tokio::time::Instant::now() + FOLDING;
    loop {
        let folded = projections::query::folded(&reader).await?;
        if folded >= size {
            return Ok(reader);
        }
        if tokio::time::Instant::now() > until {
            output::say(&format!(
                "the views have {folded} of the chain's {size} positions, so this may be old: ledger status says whether the role \
                 project is at work"
            ));
            return Ok(reader);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A database that holds another ledger under our name is refused.
pub fn check_origin(config: &Config, head: &Head) -> Result<(), Failure> {
    match &config.origin {
        // A log that was succeeded is read under the name that it was given then.
        _ if head.succeeded_by.is_some() => Ok(()),
        Some(ours) if *ours != head.origin => Err(Failure::usage(format!(
            "the database holds the ledger {} of origin {:?}, and the configuration says origin {ours:?}",
            head.ledger, head.origin
        ))
        .mend("use the database that belongs to this ledger, or correct origin")),
        _ => Ok(()),
    }
}

/// NATS as the ledger itself.
pub fn nats(config: &Config) -> Result<Nats, Failure> {
    let mut nats = nats_as(config, &config.nats)?;
    // Publishers may hear `_INBOX`: what the ledger is answered is not for them.
    nats.inbox = "_LEDGER_INBOX".into();
    Ok(nats)
}

/// NATS as whoever publishes: the user that is configured for it, else the publisher's own, else the ledger's.
pub fn nats_publisher(config: &Config) -> Result<Nats, Failure> {
    let publish = &config.publish;
    let own;
    let publish = match &config.publish_passwords {
        Some(folder) if !publish.is_somebody() => {
            own = own_user(config, folder)?;
            &own
        }
        _ => publish,
    };
    let user = if publish.is_somebody() {
        publish
    } else {
        &config.nats
    };
    let mut nats = nats_as(config, user)?;
    // Servers that know publishers let each hear its own answers alone.
    nats.inbox = inbox(&config.publisher).into();
    Ok(nats)
}

/// The user of the publisher's own name.
fn own_user(config: &Config, folder: &Path) -> Result<NatsUser, Failure> {
    let publisher = &config.publisher;
    let file = password_file(folder, publisher);
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Failure::usage(format!(
            "there is no password for the publisher {publisher} in {}",
            folder.display()
        ))
        .because(error)
        .mend(format!(
            "ledger publishers lists those there are; ledger publishers add {publisher} makes one of ledger up"
        ))
    })?;
    Ok(NatsUser {
        user: Some(publisher.to_string()),
        password: Some(Secret::new(text.trim().to_owned())),
        ..config.publish.clone()
    })
}

fn nats_as(config: &Config, user: &NatsUser) -> Result<Nats, Failure> {
    let url = config.nats_url.as_ref().ok_or_else(|| {
        Failure::usage("no NATS is configured (nats.url)")
            .mend(format!("{NO_CONFIG} LEDGER_NATS_URL"))
    })?;
    let auth = match (&user.credentials, &user.user) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("cannot read the credentials in {}", file.display()))
                    .because(error)
            })?;
            Auth::Credentials(text)
        }
        (None, Some(name)) => Auth::Password {
            user: name.clone(),
            password: user
                .password
                .as_ref()
                .map(|word| word.reveal().to_owned())
                .unwrap_or_default(),
        },
        (None, None) => Auth::None,
    };
    let urls = url.reveal().split(',').map(|one| one.trim().to_owned());
    let mut nats = Nats::new(urls);
    nats.auth = auth;
    if !user.tls.is_empty() || nats.urls.iter().any(|url| url.starts_with("tls:")) {
        nats.tls = Some(tls::client("nats", &user.tls, Check::Name)?);
    }
    nats.patience = PATIENCE;
    Ok(nats)
}

/// A connection to NATS as the ledger itself.
pub async fn connection(config: &Config, purpose: &str) -> Result<Connection, Failure> {
    Ok(nats(config)?.connect(purpose).await?)
}

/// How the streams are kept.
pub fn stream_settings(config: &Config) -> Result<StreamSettings, Failure> {
    let mut settings = StreamSettings {
        max_age: config.stream_max_age,
        replicas: usize::try_from(config.stream_replicas)
            .context("stream.replicas is too large")?,
        ..StreamSettings::default()
    };
    if let Some(bytes) = config.stream_max_bytes {
        settings.max_bytes_in = i64::try_from(bytes).context("stream.max_bytes is too large")?;
    }
    Ok(settings)
}

/// A failure of a server: away is exit 6, anything else exit 1.
pub fn failed(error: impl Error + Send + Sync + 'static, away: bool) -> Failure {
    let exit = if away { Exit::Away } else { Exit::Failed };
    let failure = Failure::with(exit, error.to_string());
    match words::because(&error) {
        Some(causes) => failure.because(causes),
        None => failure,
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        let away = error.is_unavailable();
        let mend = if error.lacks_tls() {
            Some("turn ssl on in the server's postgresql.conf, or write sslmode=disable".to_owned())
        } else if error.is_turned_away() {
            Some("correct the user, the password or the database in postgres.url".to_owned())
        } else {
            tls::mend("postgres", &error)
        };
        refused(failed_or_away(error, away), mend)
    }
}

/// One side of a connection does not trust the other: no server is away, the configuration of one is wrong.
fn refused(failure: Failure, mend: Option<String>) -> Failure {
    match mend {
        Some(mend) => failure.exit_with(Exit::Usage).mend(mend),
        None => failure,
    }
}

fn failed_or_away(error: impl Error + Send + Sync + 'static, away: bool) -> Failure {
    let failure = failed(error, away);
    if away { failure.mend(AWAY) } else { failure }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NoLedger { .. } => Failure::not_found(error.to_string()),
            ReadError::Database(error) => error.into(),
        }
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Database(error) => error.into(),
            newer @ MigrateError::Newer { .. } => Failure::usage(newer.to_string()),
            other => failed(other, false),
        }
    }
}

impl From<NatsError> for Failure {
    fn from(error: NatsError) -> Self {
        let away = error.is_unavailable();
        let mend = tls::mend("nats", &error);
        let settings = matches!(error, NatsError::Address { .. } | NatsError::Credentials(_));
        let failure = if settings {
            Failure::usage(error.to_string())
        } else {
            failed_or_away(error, away)
        };
        refused(failure, mend)
    }
}
