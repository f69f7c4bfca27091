//! Configuration: a file, then `LEDGER_…` variables, then flags; unknown keys are refused with their line.

mod secret;
mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schema::{LedgerName, Name};

pub use secret::Secret;
pub use settings::Settings;
#[cfg(test)]
pub use settings::variable_of;

use crate::exit::Failure;
use crate::tls;

/// Where a setting may be found when no file is named.
const FILE: &str = "ledger.toml";
/// The data folder of `ledger up` when none is named.
pub const DATA_FOLDER: &str = ".ledger";

/// The environment, read once at the start.
pub type Variables = BTreeMap<String, String>;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// How to reach NATS as one user.
#[derive(Debug, Clone, Default)]
pub struct NatsUser {
    /// The user's name.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// A `.creds` file with a JWT and a seed.
    pub credentials: Option<PathBuf>,
    /// Whom TLS trusts, and what it shows.
    pub tls: tls::Files,
}

impl NatsUser {
    /// Whether it is anybody in particular.
    pub fn is_somebody(&self) -> bool {
        self.user.is_some() || self.credentials.is_some() || self.tls.certificate.is_some()
    }
}

/// What the program runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The ledger's name.
    pub ledger: LedgerName,
    /// The name by which the world knows the ledger, where it was said.
    pub origin: Option<String>,
    /// How to reach PostgreSQL.
    pub postgres: Option<Secret>,
    /// Whom TLS to PostgreSQL trusts, and what it shows.
    pub postgres_tls: tls::Files,
    /// How many connections to PostgreSQL at most.
    pub postgres_connections: usize,
    /// Where NATS listens.
    pub nats_url: Option<Secret>,
    /// As whom the ledger itself connects.
    pub nats: NatsUser,
    /// As whom `ledger publish` connects; the ledger's user where there is none.
    pub publish: NatsUser,
    /// A folder with every publisher's own password.
    pub publish_passwords: Option<PathBuf>,
    /// Who may publish to the NATS server of `ledger up`, beside `publisher`.
    pub up_publishers: Vec<Name>,
    /// The publisher that `ledger publish` speaks for.
    pub publisher: Name,
    /// Where `ledger publish` keeps what NATS has not taken.
    pub spool: PathBuf,
    /// Salt keys and the signing key.
    pub keys: PathBuf,
    /// The last signed head, kept outside the database.
    pub head: PathBuf,
    /// A folder of packages beside the built-in ones.
    pub kinds: Option<PathBuf>,
    /// Where `/healthz`, `/readyz`, `/metrics` and the tiles are served.
    pub listen: SocketAddr,
    /// How log lines are written; by default as text on a terminal.
    pub log_format: Option<LogFormat>,
    /// What is logged, e.g. `info` or `warn,ingest=debug`.
    pub log_level: Option<String>,
    /// How often a head is signed at least, while events come.
    pub seal_every: Duration,
    /// How many events without a signed head are too many.
    pub seal_events: u64,
    /// How long the incoming stream keeps a message.
    pub stream_max_age: Duration,
    /// How many bytes the incoming stream keeps.
    pub stream_max_bytes: Option<u64>,
    /// How many NATS servers keep each message.
    pub stream_replicas: u64,
    /// How old a message that looks like a secret is when it is deleted from the stream.
    pub stream_secret_age: Duration,
    /// Publisher names that may acknowledge incidents, place holds and the like.
    pub operators: Vec<String>,
    /// The catalog's other settings: those that rules and retention name.
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// Reads the configuration: the file, then the variables, then `flags`.
pub fn load(
    file: Option<&Path>,
    variables: &Variables,
    flags: Settings,
) -> Result<Config, Failure> {
    let mut settings = match file {
        Some(file) => read(file)?,
        None => Settings::default(),
    };
    settings = Settings::from_variables(variables)?.over(settings);
    settings = flags.over(settings);
    resolve(settings, file)
}

/// The file that is read: `--config`, that of the folder in `--data`, `LEDGER_CONFIG`, `./ledger.toml`, that of
/// `LEDGER_DATA` or `./.ledger`.
pub fn find(
    named: Option<&Path>,
    data: Option<&Path>,
    variables: &Variables,
) -> Result<Option<PathBuf>, Failure> {
    match (named, data) {
        // What was typed wins over what a variable or a folder happens to hold.
        (None, Some(data)) => Ok(Some(data.join(FILE))),
        _ => find_beside(named, &data_folder(data, variables)?, variables),
    }
}

/// The file for whoever makes the data folder: it may have none yet.
pub fn find_beside(
    named: Option<&Path>,
    data: &Path,
    variables: &Variables,
) -> Result<Option<PathBuf>, Failure> {
    if let Some(named) = named {
        return Ok(Some(named.to_owned()));
    }
    if let Some(named) = variable(variables, "LEDGER_CONFIG")? {
        return Ok(Some(PathBuf::from(named)));
    }
    let candidates = [PathBuf::from(FILE), data.join(FILE)];
    Ok(candidates.into_iter().find(|file| file.exists()))
}

/// The data folder of `ledger up`: `--data`, `LEDGER_DATA`, `./.ledger`.
pub fn data_folder(data: Option<&Path>, variables: &Variables) -> Result<PathBuf, Failure> {
    let named = variable(variables, "LEDGER_DATA")?.map(PathBuf::from);
    Ok(data
        .map(Path::to_owned)
        .or(named)
        .unwrap_or_else(|| PathBuf::from(DATA_FOLDER)))
}

/// A variable's value; an empty one is refused, since it never says what was meant.
pub fn variable<'a>(variables: &'a Variables, name: &str) -> Result<Option<&'a str>, Failure> {
    match variables.get(name).map(String::as_str) {
        Some("") => Err(Failure::usage(format!("the variable {name} is empty"))
            .mend(format!("give it a value, or: unset {name}"))),
        other => Ok(other),
    }
}

fn read(file: &Path) -> Result<Settings, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read the configuration {shown}"))
            .because(error)
            .mend("name another file with --config, or make this one readable")
    })?;
    let settings: Settings = toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or(1, |before| before.matches('\n').count() + 1);
        Failure::usage(format!("{shown}:{line}: {}", error.message().trim()))
            .mend("docs/reference/configuration.md lists every key")
    })?;
    let folder = file.parent().unwrap_or(Path::new("."));
    settings.check(&shown.to_string())?;
    Ok(settings.relative_to(folder))
}

fn resolve(settings: Settings, file: Option<&Path>) -> Result<Config, Failure> {
    let name = settings.ledger.unwrap_or_else(|| "main".to_owned());
    let ledger = LedgerName::new(&name).map_err(|error| Failure::usage(error.to_string()))?;
    if let Some(origin) = &settings.origin {
        check_origin(origin)?;
    }
    let publisher = settings
        .publish
        .publisher
        .unwrap_or_else(|| "local".to_owned());
    let publisher = Name::new(&publisher)
        .map_err(|error| Failure::usage(format!("publish.publisher: {error}")))?;
    // Beside the file that was read: from wherever a command is run, it means the same keys.
    let home = file
        .and_then(Path::parent)
        .unwrap_or(Path::new(""))
        .join(DATA_FOLDER);
    let days = positive(
        "stream.max_age_days",
        settings.stream.max_age_days.unwrap_or(14),
    )?;
    let seconds = positive("seal.seconds", settings.seal.seconds.unwrap_or(1))?;
    let connections = settings.postgres.connections.unwrap_or(8);
    if connections < FEWEST_CONNECTIONS {
        return Err(
            Failure::usage(format!("postgres.connections is {connections}")).mend(format!(
                "it is {FEWEST_CONNECTIONS} or more: each would wait for another for ever"
            )),
        );
    }
    Ok(Config {
        ledger,
        origin: settings.origin,
        postgres: settings.postgres.url.map(Secret::new),
        postgres_tls: tls::Files {
            ca: settings.postgres.ca,
            certificate: settings.postgres.certificate,
            key: settings.postgres.key,
        },
        postgres_connections: usize::try_from(connections).unwrap_or(usize::MAX),
        nats_url: settings.nats.url.map(Secret::new),
        nats: user(
            settings.nats.user,
            settings.nats.password,
            settings.nats.password_file,
            settings.nats.credentials,
            tls::Files {
                ca: settings.nats.ca.clone(),
                certificate: settings.nats.certificate,
                key: settings.nats.key,
            },
        )?,
        publish: user(
            settings.publish.user,
            settings.publish.password,
            settings.publish.password_file,
            settings.publish.credentials,
            tls::Files {
                ca: settings.nats.ca,
                certificate: settings.publish.certificate,
                key: settings.publish.key,
            },
        )?,
        publish_passwords: settings.publish.passwords,
        up_publishers: names("up.publishers", settings.up.publishers.as_deref())?,
        publisher,
        spool: settings.publish.spool.unwrap_or_else(|| home.join("spool")),
        keys: settings.data.keys.unwrap_or_else(|| home.join("keys")),
        head: settings.data.head.unwrap_or_else(|| home.join("head")),
        kinds: settings.data.kinds,
        listen: listen(settings.http.listen.as_deref())?,
        log_format: log_format(settings.log.format.as_deref())?,
        log_level: settings.log.level,
        seal_every: Duration::from_secs(seconds),
        seal_events: positive("seal.events", settings.seal.events.unwrap_or(10_000))?,
        stream_max_age: Duration::from_secs(days.saturating_mul(86_400)),
        stream_max_bytes: settings.stream.max_bytes,
        stream_secret_age: Duration::from_secs(positive(
            "stream.secret_seconds",
            settings.stream.secret_seconds.unwrap_or(600),
        )?),
        stream_replicas: positive("stream.replicas", settings.stream.replicas.unwrap_or(1))?,
        settings: settings.settings,
        operators: settings
            .catalog
            .operators
            .map(|names| {
                names
                    .split(',')
                    .map(|name| name.trim().to_owned())
                    .collect()
            })
            .unwrap_or_default(),
    })
}

/// Names with commas between.
fn names(key: &str, text: Option<&str>) -> Result<Vec<Name>, Failure> {
    text.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| Name::new(name).map_err(|error| Failure::usage(format!("{key}: {error}"))))
        .collect()
}

fn listen(address: Option<&str>) -> Result<SocketAddr, Failure> {
    let address = address.unwrap_or("127.0.0.1:8686");
    address.parse().map_err(|_| {
        Failure::usage(format!(
            "http.listen is {address:?}, which is no address and port"
        ))
        .mend("write it as 127.0.0.1:8686")
    })
}

fn log_format(name: Option<&str>) -> Result<Option<LogFormat>, Failure> {
    match name {
        None => Ok(None),
        Some("text") => Ok(Some(LogFormat::Text)),
        Some("json") => Ok(Some(LogFormat::Json)),
        Some(other) => {
            Err(Failure::usage(format!("log.format is {other:?}")).mend("it is text or json"))
        }
    }
}

impl Config {
    /// The origin that a new ledger gets: the configured one, or one that says that nobody chose it.
    pub fn origin_to_be(&self) -> String {
        self.origin
            .clone()
            .unwrap_or_else(|| format!("ledger.local/{}", self.ledger))
    }
}

/// Appending keeps a connection, and whoever deletes data or makes views reads over a second one within a transaction.
const FEWEST_CONNECTIONS: u64 = 4;

fn positive(key: &str, value: u64) -> Result<u64, Failure> {
    if value == 0 {
        return Err(Failure::usage(format!("{key} is 0")).mend("it is 1 or more"));
    }
    Ok(value)
}

/// An origin has no scheme, no white space and no `+`: it is the name in signed notes and public keys.
pub fn check_origin(origin: &str) -> Result<(), Failure> {
    let legal = !origin.is_empty()
        && origin.len() <= 128
        && origin
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && c != '+')
        && !origin.contains("://");
    if legal {
        return Ok(());
    }
    Err(
        Failure::usage(format!("the origin {origin:?} is not a legal one")).mend(
            "an origin is like ledger.example/main: no scheme, no spaces, no +, at most 128 bytes",
        ),
    )
}

fn user(
    user: Option<String>,
    password: Option<String>,
    password_file: Option<PathBuf>,
    credentials: Option<PathBuf>,
    tls: tls::Files,
) -> Result<NatsUser, Failure> {
    let password = match (password, password_file) {
        (Some(password), _) => Some(Secret::new(password)),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(&file).map_err(|error| {
                Failure::usage(format!("cannot read the password in {}", file.display()))
                    .because(error)
            })?;
            Some(Secret::new(text.trim().to_owned()))
        }
        (None, None) => None,
    };
    Ok(NatsUser {
        user,
        password,
        credentials,
        tls,
    })
}

#[cfg(test)]
mod tests;
