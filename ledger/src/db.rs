//! The way to PostgreSQL: a pool, and errors that name the server.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, PoolError, QueueMode, RecyclingMethod,
};
use rustls::ClientConfig;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls;

/// A pooled connection. It derefs to `tokio_postgres::Client`.
pub type Client = deadpool_postgres::Client;

/// One database of one server. Cloning it shares the pool.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    config: Arc<Config>,
    tls: Option<Arc<ClientConfig>>,
    server: Arc<str>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.server).finish()
    }
}

/// What can go wrong between this program and PostgreSQL.
#[derive(Debug, thiserror::Error)]
#[error("PostgreSQL {server}: {step} failed")]
pub struct DbError {
    server: Arc<str>,
    step: &'static str,
    #[source]
    cause: Cause,
}

/// Where the error came from.
#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("{}", describe(.0))]
    Postgres(#[source] tokio_postgres::Error),
    #[error("the pool gives no connection")]
    Pool(#[source] PoolError),
    #[error("the answer has another form than this version writes: {0}")]
    Form(String),
}

/// PostgreSQL's own message, detail and hint; the driver's text says only "db error".
fn describe(error: &tokio_postgres::Error) -> String {
    let Some(db) = error.as_db_error() else {
        return error.to_string();
    };
    let mut text = format!("{} (SQLSTATE {})", db.message(), db.code().code());
    for more in [db.detail(), db.hint()].into_iter().flatten() {
        text.push_str("; ");
        text.push_str(more);
    }
    text
}

impl DbError {
    /// True where the server was away or cut the connection: the same may succeed later, and whether the
    /// statement took effect is not known.
    pub fn is_unavailable(&self) -> bool {
        match &self.cause {
            Cause::Postgres(error) => is_unavailable(error),
            Cause::Pool(_) => true,
            Cause::Form(_) => false,
        }
    }

    /// Whether the server has no TLS, and we may not do without.
    pub fn lacks_tls(&self) -> bool {
        match &self.cause {
            Cause::Postgres(error) => lacks_tls(error),
            _ => false,
        }
    }

    /// Whether the server is there and does not let us in: the user, the password or the database is not what the
    /// configuration says.
    pub fn is_turned_away(&self) -> bool {
        match &self.cause {
            Cause::Postgres(error) => error.code().map_or_else(
                || is_ours(error),
                |code| code.code().starts_with("28") || *code == SqlState::INVALID_CATALOG_NAME,
            ),
            _ => false,
        }
    }

    /// The server, as `host:port/database`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// PostgreSQL's code for what it refused.
    pub(crate) fn code(&self) -> Option<&SqlState> {
        match &self.cause {
            Cause::Postgres(error) => error.code(),
            _ => None,
        }
    }

    /// The constraint that was broken.
    pub(crate) fn constraint(&self) -> Option<&str> {
        match &self.cause {
            Cause::Postgres(error) => error.as_db_error()?.constraint(),
            _ => None,
        }
    }
}

/// Classes 08 (connection), 53 (resources: memory, disk, connections), 57 (an operator intervened), and
/// a standby that cannot write: none of them is about what was sent.
fn is_unavailable(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        // Nothing that waiting mends: one side does not trust the other.
        None => !lacks_tls(error) && tls::refusal(error).is_none() && !is_ours(error),
        Some(code) => {
            let class = code.code().get(..2);
            matches!(class, Some("08" | "53" | "57" | "58"))
                || *code == SqlState::READ_ONLY_SQL_TRANSACTION
        }
    }
}

/// Whether what is wrong is wrong on this side of the connection, such as a password that the server wants and nobody
/// gave. The driver has no kind for it, only words.
fn is_ours(error: &tokio_postgres::Error) -> bool {
    let said = error.to_string();
    ["invalid configuration", "authentication error"]
        .iter()
        .any(|one| said.starts_with(one))
}

/// The driver has no kind for it, only words.
fn lacks_tls(error: &tokio_postgres::Error) -> bool {
    let said = error.source().map(ToString::to_string);
    said.as_deref() == Some("server does not support TLS")
}

/// What every session begins with. Compiling a plan takes longer than any of our statements runs. And where this machine
/// or the network is gone without a word, the server notices within a minute, instead of the two hours that systems take
/// otherwise: until then a session keeps its locks, and nobody can take over from it.
const SESSION: &str = "SET jit = off; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; \
                       SET tcp_keepalives_count = 3";
/// How long a connection is silent before this side asks whether the other is there.
const SILENCE: Duration = Duration::from_secs(30);
/// What the driver takes it to be where nobody says.
const DRIVERS_SILENCE: Duration = Duration::from_hours(2);

impl Database {
    /// Prepares a pool of at most `max` connections without TLS. Nothing is connected until one is asked for.
    pub fn connect(config: Config, max: usize) -> Self {
        Self::connect_over(config, max, None)
    }

    /// The same with TLS; whether it is spoken says `Config::ssl_mode`.
    pub fn connect_over(mut config: Config, max: usize, tls: Option<Arc<ClientConfig>>) -> Self {
        // A network that has gone quiet is noticed, unless the caller knows better.
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_mins(1));
        }
        if config.get_keepalives_idle() == DRIVERS_SILENCE {
            config.keepalives_idle(SILENCE);
        }
        let server = server(&config).into();
        let manager = manager(&config, tls.as_deref());
        let session = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(async move {
                let set = client.batch_execute(SESSION).await;
                set.map_err(HookError::Backend)
            })
        });
        let pool = Pool::builder(manager)
            .max_size(max.max(1))
            // The connection that was used last has the statements prepared, and its process the tables at hand.
            .queue_mode(QueueMode::Lifo)
            .post_create(session)
            .build();
        Self {
            // Building fails only where a timeout is set without a runtime; none is set.
            pool: pool.unwrap_or_else(|_| unreachable!("no timeout is set")),
            config: Arc::new(config),
            tls,
            server,
        }
    }

    /// A connection; it goes back to the pool when it is dropped.
    pub async fn client(&self) -> Result<Client, DbError> {
        self.pool.get().await.map_err(|error| DbError {
            server: self.server.clone(),
            step: "connecting",
            cause: match error {
                // The server's own words; the pool adds nothing to them.
                PoolError::Backend(error)
                | PoolError::PostCreateHook(HookError::Backend(error)) => Cause::Postgres(error),
                other => Cause::Pool(other),
            },
        })
    }

    /// A connection outside the pool that is driven by the caller's own runtime, for a thread that has one.
    pub(crate) async fn connect_alone(&self) -> Result<tokio_postgres::Client, DbError> {
        let failed = self.error("connecting");
        // The connection ends with the client; an error reaches the client as well.
        let client = if let Some(tls) = &self.tls {
            let tls = MakeRustlsConnect::new(tls.as_ref().clone());
            let (client, connection) = self.config.connect(tls).await.map_err(&failed)?;
            tokio::spawn(connection);
            client
        } else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(&failed)?;
            tokio::spawn(connection);
            client
        };
        client.batch_execute(SESSION).await.map_err(&failed)?;
        Ok(client)
    }

    /// The server, as `host:port/database`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Wraps the driver's error with the server and what was being done.
    pub fn error(&self, step: &'static str) -> impl Fn(tokio_postgres::Error) -> DbError + use<> {
        let server = self.server.clone();
        move |error| DbError {
            server: server.clone(),
            step,
            cause: Cause::Postgres(error),
        }
    }

    /// An answer that this version cannot read.
    pub(crate) fn form(&self, step: &'static str, detail: impl Into<String>) -> DbError {
        DbError {
            server: self.server.clone(),
            step,
            cause: Cause::Form(detail.into()),
        }
    }
}

fn manager(config: &Config, tls: Option<&ClientConfig>) -> Manager {
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    match tls {
        Some(tls) => {
            let tls = MakeRustlsConnect::new(tls.clone());
            Manager::from_config(config.clone(), tls, recycling)
        }
        None => Manager::from_config(config.clone(), NoTls, recycling),
    }
}

fn server(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or("");
    format!("{host}:{port}/{database}")
}
