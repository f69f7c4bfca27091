//! The private NATS server of `ledger up`: JetStream on files, on this machine's own address alone.
//!
//! Users even here: `ledger` may do everything, and every publisher has one of its own (`publishers`), which has
//! no JetStream API and cannot hear the ledger's replies, whose inbox has a prefix of its own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use schema::{LedgerName, Name};
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use super::folder::{Folder, last_lines, write_private};
use super::postgres::{own_folder, spawn};
use super::process;
use super::publishers::{Home, password};
use crate::config::{NatsUser, Secret};
use crate::exit::{Context, Failure};

/// The port that everybody tries first.
pub const USUAL_PORT: u16 = 4222;
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How many ports are tried, where each turns out to be somebody else's.
const MOST_PORTS: u32 = 8;

/// A running server; whoever has it stops it.
#[derive(Debug)]
pub struct Nats {
    /// The server's process.
    pub child: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The file with the ledger's password.
    pub ledger_password: PathBuf,
    log: PathBuf,
}

/// Stops a server that an earlier `ledger up` left behind, and starts one.
pub async fn start(
    folder: &Folder,
    program: &Path,
    ledger: &LedgerName,
    publishers: &[Name],
    wanted_port: Option<u16>,
) -> Result<Nats, Failure> {
    let home = own_folder(&folder.join("nats"), None)?;
    let log = own_folder(&folder.join("log"), None)?.join("nats.log");
    let users = Home::of(folder.path());
    let config = users.config();
    stop_left_over(&home, &config).await?;
    let ledger_password = users.ledger_password();
    users.add(publishers)?;
    users.write_users(ledger)?;
    let mut tries = 0;
    loop {
        let port = choose_port(wanted_port, &home.join("port"))?;
        write_private(&config, &config_text(&home, port))?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&config).stdin(Stdio::null());
        let child = spawn(command, &log).context(format!("cannot start {}", program.display()))?;
        let mut server = Nats {
            child,
            port,
            ledger_password: ledger_password.clone(),
            log: log.clone(),
        };
        tries += 1;
        match server.wait_until_ready().await {
            Ok(()) => {
                write_private(&home.join("port"), &format!("{port}\n"))?;
                return Ok(server);
            }
            // It was free a moment ago, and somebody else was faster.
            Err(_) if wanted_port.is_none() && tries < MOST_PORTS && server.lost(port) => {}
            Err(failure) => {
                server.stop().await;
                return Err(failure);
            }
        }
    }
}

impl Nats {
    /// Where it listens.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The ledger's user.
    pub fn ledger_user(&self) -> Result<NatsUser, Failure> {
        user("ledger", &self.ledger_password)
    }

    /// Stops the server; it writes down what it has first.
    pub async fn stop(mut self) {
        if let Some(pid) = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait().await;
    }

    /// Why it ended, for a message.
    pub fn last_words(&self) -> String {
        last_lines(&self.log, None)
    }

    /// Whether it has ended and another listens on its port.
    fn lost(&mut self, port: u16) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_))) && !is_free(port)
    }

    /// It is ready when it lets the ledger in, which also proves that the port is not somebody else's.
    async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let secret = password(&self.ledger_password)?;
        let until = Instant::now() + START_TIMEOUT;
        loop {
            let options =
                async_nats::ConnectOptions::with_user_and_password("ledger".into(), secret.clone())
                    .connection_timeout(Duration::from_secs(2));
            match options.connect(self.url()).await {
                Ok(client) => {
                    let _ = client.drain().await;
                    return Ok(());
                }
                Err(error) if Instant::now() > until => {
                    return Err(Failure::new("the NATS server does not answer")
                        .because(error)
                        .mend(format!("its log is {}", self.log.display())));
                }
                Err(_) => {}
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Failure::new(format!(
                    "the NATS server stopped while starting ({status}); its last words:{}",
                    self.last_words()
                )));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn user(name: &str, file: &Path) -> Result<NatsUser, Failure> {
    Ok(NatsUser {
        user: Some(name.to_owned()),
        password: Some(Secret::new(password(file)?)),
        ..NatsUser::default()
    })
}

/// The wanted port; else the one of last time, the usual one, any free one.
fn choose_port(wanted: Option<u16>, last: &Path) -> Result<u16, Failure> {
    if let Some(port) = wanted {
        return if is_free(port) {
            Ok(port)
        } else {
            Err(Failure::usage(format!("port {port} on 127.0.0.1 is taken"))
                .mend("name another with --nats-port, or none"))
        };
    }
    let last = fs::read_to_string(last)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    if let Some(port) = last
        .into_iter()
        .chain([USUAL_PORT])
        .find(|port| is_free(*port))
    {
        return Ok(port);
    }
    free_port().context("no port is free on 127.0.0.1")
}

/// Whether nobody listens on the port of this machine's own address.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port that was free a moment ago.
pub fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

async fn stop_left_over(home: &Path, config: &Path) -> Result<(), Failure> {
    let argument = config.to_string_lossy().into_owned();
    match process::left_over(&home.join("nats.pid"), |pid| {
        process::has_argument(pid, &argument)
    }) {
        Some(pid) => process::stop(pid, Signal::TERM, "the NATS server").await,
        None => Ok(()),
    }
}

/// The payload limit leaves room for the receipt of the largest message that was refused, which carries it
/// and its headers as base64.
fn config_text(home: &Path, port: u16) -> String {
    let path = |name: &str| {
        home.join(name)
            .to_string_lossy()
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
    };
    format!(
        r#"# Written by `ledger up` at every start.
server_name: "ledger-up"
listen: "127.0.0.1:{port}"
pid_file: "{pid}"
max_payload: 8388608
max_pending: 134217728
jetstream {{ store_dir: "{store}", max_file_store: 64GB }}
authorization {{ include "users.conf" }}
"#,
        pid = path("nats.pid"),
        store = path("jetstream"),
    )
}
