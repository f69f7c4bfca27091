//! `ledger up`'s two private servers, and the folder that holds all of it.

mod account;
mod binaries;
mod folder;
pub mod nats;
mod postgres;
mod process;
pub mod publishers;

use std::path::{Path, PathBuf};

use schema::{LedgerName, Name};

use crate::config::Variables;
use crate::exit::Failure;

use folder::Folder;
use nats::Nats;
use postgres::Postgres;

/// Both servers, running, and the folder, held.
#[derive(Debug)]
pub struct Servers {
    /// The database.
    pub postgres: Postgres,
    /// The broker.
    pub nats: Nats,
    folder: Folder,
}

/// What the private servers are started with.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The data folder.
    pub data: &'a Path,
    /// The ledger, for whose subjects NATS gives rights.
    pub ledger: &'a LedgerName,
    /// Who may publish, beside those of earlier starts.
    pub publishers: &'a [Name],
    /// NATS's port, where one was asked for.
    pub nats_port: Option<u16>,
}

/// Starts both servers. `told` receives what the user should know.
pub async fn start(
    wanted: &Wanted<'_>,
    variables: &Variables,
    told: &dyn Fn(&str),
) -> Result<Servers, Failure> {
    let postgres_bin = binaries::postgres(variables)?;
    let nats_program = binaries::nats(variables)?;
    let account = account::needed()?;
    let folder = Folder::take(wanted.data, account.as_ref(), told)?;
    let postgres = postgres::start(&folder, &postgres_bin, account.as_ref()).await?;
    let user = account
        .map(|account| format!(" as the user {}", account.name))
        .unwrap_or_default();
    told(&format!(
        "PostgreSQL {} on a socket in {}{user}",
        postgres.version,
        folder.join("run").display()
    ));
    let started = nats::start(
        &folder,
        &nats_program,
        wanted.ledger,
        wanted.publishers,
        wanted.nats_port,
    );
    let nats = match started.await {
        Ok(nats) => nats,
        Err(failure) => {
            postgres.stop().await;
            return Err(failure);
        }
    };
    told(&format!("NATS with JetStream on {}", nats.url()));
    if wanted.nats_port.is_none() && nats.port != nats::USUAL_PORT {
        told(&format!(
            "  (port {} was taken, or another was used last time)",
            nats::USUAL_PORT
        ));
    }
    Ok(Servers {
        postgres,
        nats,
        folder,
    })
}

impl Servers {
    /// The data folder without links.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the configuration by which every other command finds the running ledger.
    pub fn write_config(
        &self,
        ledger: &LedgerName,
        origin: &str,
        listen: &str,
        operators: &[String],
    ) -> Result<PathBuf, Failure> {
        let file = self.folder.join("ledger.toml");
        let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
        let contents = format!(
            "# Written by `ledger up` at every start: how the other commands find it.\n\
             ledger = {}\norigin = {}\n\n\
             [postgres]\nurl = {}\n\n\
             [nats]\nurl = {}\nuser = \"ledger\"\npassword_file = \"nats/ledger.password\"\n\n\
             [publish]\npasswords = \"nats/publishers\"\nspool = \"spool\"\n\n\
             [data]\nkeys = \"keys\"\nhead = \"head\"\n\n\
             [http]\nlisten = {}\n\n\
             # Publishers that may acknowledge and resolve incidents, and place holds.\n\
             [catalog]\noperators = {}\n",
            text(ledger.as_str()),
            text(origin),
            text(&self.postgres.url),
            text(&self.nats.url()),
            text(listen),
            text(&operators.join(",")),
        );
        folder::write_private(&file, &contents)?;
        Ok(file)
    }

    /// Waits until one of the servers ends by itself and says which and why.
    pub async fn ended(&mut self) -> Failure {
        let (name, status, words) = tokio::select! {
            status = self.postgres.child.wait() => ("PostgreSQL", status, self.postgres.last_words()),
            status = self.nats.child.wait() => ("the NATS server", status, self.nats.last_words()),
        };
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        Failure::new(format!(
            "{name} stopped by itself ({status}); its last words:{words}"
        ))
        .mend("ledger up starts it again; nothing that was acknowledged is lost")
    }

    /// Stops both: first who gives, then who keeps. The configuration stays: it names where the data are.
    pub async fn stop(self) {
        self.nats.stop().await;
        self.postgres.stop().await;
    }
}
