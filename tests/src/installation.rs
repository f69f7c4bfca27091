//! An installation as somebody would have it: servers of its own, a configuration, keys, in a temporary folder.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::port::free_port;
use crate::process::PATIENCE;
use crate::program::{Begun, Ran, Serving, binary, eventually, finish, finish_within};
use crate::{Nats, Postgres};

/// Servers, a configuration, keys and a ledger's name.
#[derive(Debug)]
pub struct Installation {
    /// The database server.
    pub postgres: Postgres,
    /// The message server.
    pub nats: Nats,
    /// Configuration, keys, the last head, the spool.
    pub folder: TempDir,
    /// The ledger's database.
    pub database: String,
    /// The ledger's name.
    pub ledger: String,
    port: u16,
}

impl Installation {
    /// Starts both servers, writes a configuration and makes the ledger `main`.
    pub async fn start() -> Self {
        let installation = Self::bare(Postgres::start().await, Nats::start().await).await;
        installation.run(["init"]).await.expect(0);
        installation
    }

    /// The same without `ledger init`.
    pub async fn bare(postgres: Postgres, nats: Nats) -> Self {
        let database = postgres.create_database().await;
        let folder = tempfile::Builder::new()
            .prefix("ledger-")
            .tempdir()
            .expect("a folder");
        let mut installation = Self {
            postgres,
            nats,
            folder,
            database,
            ledger: "main".to_owned(),
            port: free_port(),
        };
        installation.configure("ledger.example/main", "");
        installation
    }

    /// Writes the configuration anew; `more` is TOML.
    pub fn configure(&mut self, origin: &str, more: &str) {
        let mut text = format!("ledger = \"{}\"\norigin = \"{origin}\"\n", self.ledger);
        let _ = write!(
            text,
            "[postgres]\nurl = \"{}\"\n[nats]\nurl = \"{}\"\n[http]\nlisten = \"127.0.0.1:{}\"\n\
             [data]\nkeys = \"keys\"\nhead = \"head\"\n[publish]\npublisher = \"terraform\"\nspool = \"spool\"\n{more}\n",
            self.postgres.dsn(&self.database),
            self.nats.url(),
            self.port,
        );
        fs::write(self.config(), text).expect("the configuration can be written");
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("ledger.toml")
    }

    /// Where `/readyz` and the like are served.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A path below the installation's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command
            .env("LEDGER_CONFIG", self.config())
            .current_dir(self.folder.path())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Ran {
        self.run_with(arguments, "").await
    }

    /// Runs a command that may take so long.
    pub async fn run_within<I, S>(&self, arguments: I, limit: Duration) -> Ran
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        finish_within(self.command().args(arguments), "", limit).await
    }

    /// Runs a command to its end with this on its standard input.
    pub async fn run_with<I, S>(&self, arguments: I, input: &str) -> Ran
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        finish(self.command().args(arguments), input).await
    }

    /// Runs a command with `--output json`, which must succeed, and gives what it says.
    pub async fn ask<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Value {
        let mut command = self.command();
        command.args(arguments).args(["--output", "json"]);
        finish(&mut command, "").await.expect(0).json()
    }

    /// Starts `ledger serve` and waits until it is ready.
    pub async fn serve(&self) -> Serving {
        let serving = self.serve_unready();
        eventually("ledger serve is ready", async || {
            self.http("/readyz").await.starts_with("HTTP/1.1 200")
        })
        .await;
        serving
    }

    /// Starts `ledger serve` and does not wait.
    pub fn serve_unready(&self) -> Serving {
        self.serve_roles(&[])
    }

    /// Starts `ledger serve` with these roles alone (none: all of them) and does not wait.
    pub fn serve_roles(&self, roles: &[&str]) -> Serving {
        let roles = roles.iter().flat_map(|role| ["--role", role]);
        self.start_command(["serve"].into_iter().chain(roles))
    }

    /// Starts a command and does not wait; what it says goes to the log of `ledger serve`.
    pub fn start_command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Serving {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("serve.log"));
        let child = self
            .command()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("the log can be written"))
            .spawn()
            .expect("the program can be started");
        Serving { child }
    }

    /// Starts a command and does not wait for its end.
    pub fn begin<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Serving {
        let child = self
            .command()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program can be started");
        Serving { child }
    }

    /// Starts a command whose output is read at its end.
    pub fn start_read<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Begun {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Begun::new(command.spawn().expect("the program can be started"))
    }

    /// What `ledger serve` logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("serve.log")).unwrap_or_default()
    }

    /// The answer to a GET, head and body; empty where nobody answers.
    pub async fn http(&self, path: &str) -> String {
        get(self.port, path).await.unwrap_or_default()
    }

    /// How many positions the chain has.
    pub async fn size(&self) -> u64 {
        let client = self.postgres.connect(&self.database).await;
        let row = client
            .query_one(
                "SELECT size FROM ledger.head WHERE name = $1",
                &[&self.ledger],
            )
            .await
            .expect("a head");
        u64::try_from(row.get::<_, i64>(0)).expect("a size")
    }

    /// Waits until the chain has at least so many positions.
    pub async fn reaches(&self, size: u64) {
        eventually(&format!("the chain reaches {size}"), async || {
            self.size().await >= size
        })
        .await;
    }

    /// Waits until every message that is in the stream now has its position.
    pub async fn catches_up(&self) {
        let stream = self
            .nats
            .jetstream()
            .await
            .get_stream(format!("LEDGER-{}", self.ledger))
            .await;
        let last = stream
            .expect("the stream")
            .cached_info()
            .state
            .last_sequence;
        let client = self.postgres.connect(&self.database).await;
        eventually(&format!("message {last} has a position"), async || {
            let row = client
                .query_one(
                    "SELECT stream_seq FROM ledger.head WHERE name = $1",
                    &[&self.ledger],
                )
                .await
                .expect("a head");
            u64::try_from(row.get::<_, i64>(0)).expect("a number") >= last
        })
        .await;
    }

    /// Waits until everything is in the chain, under a signed head and in the views, what was due has been found, and no
    /// verdict is on its way any more: nothing new for half a second. Gives the size.
    pub async fn settles(&self) -> u64 {
        let client = self.postgres.connect(&self.database).await;
        let deadline = Instant::now() + PATIENCE * 2;
        let mut before = 0;
        loop {
            self.catches_up().await;
            let row = client
                .query_one(
                    "SELECT h.size, least(s.size, coalesce(
                              (SELECT next_seq FROM views.projection p
                                WHERE p.state = 'live' AND p.ledger = h.ledger
                                  AND NOT EXISTS (SELECT FROM views.outbox o WHERE o.projection = p.projection)
                                  AND NOT EXISTS (SELECT FROM views.deadline d
                                                   WHERE d.projection = p.projection AND NOT d.fired
                                                     AND views.at_us(d.due_us) < now() + interval '1 second')), 0))
                       FROM ledger.head h JOIN ledger.sealer s USING (ledger) WHERE h.name = $1",
                    &[&self.ledger],
                )
                .await
                .expect("a head");
            let (size, sealed): (i64, i64) = (row.get(0), row.get(1));
            if size == sealed && size == before {
                return u64::try_from(size).expect("a size");
            }
            assert!(
                Instant::now() < deadline,
                "sealed and folded {sealed} of {size} positions, and no further:\n{}",
                self.log()
            );
            before = size;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

async fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
