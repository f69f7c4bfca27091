//! `ledger up`: everything on one machine with nothing configured.

use std::net::SocketAddr;

use clap::Args;

use crate::app::App;
use crate::cli::text;
use crate::config::{self, Settings};
use crate::exit::{Exit, Outcome};
use crate::output::say;
use crate::up::{self, Wanted, nats};

const EXAMPLES: &str = "\
Examples:
  ledger up                        keep everything in ./.ledger
  ledger up --data /srv/ledger     keep it elsewhere
  ledger up --ledger team-a --origin ledger.example/team-a

Stop it with Ctrl-C or SIGTERM: the batch in hand is finished first. Other commands find the running
ledger by the configuration that it writes, <data>/ledger.toml.";

/// Run everything on this machine: a private PostgreSQL, a private NATS server, and the ledger
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Up {
    /// The name by which the world knows the ledger, e.g. ledger.example/main
    #[arg(long, value_name = "NAME", value_parser = text)]
    origin: Option<String>,
    /// The port of the private NATS server [default: 4222 if it is free, else another]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    nats_port: Option<u16>,
    /// Where health, metrics and tiles are served [default: 127.0.0.1:8686 if it is free]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

impl Up {
    /// Starts, serves, and stops when told to.
    pub async fn run(self, app: &App) -> Outcome {
        let data = config::data_folder(app.globals.data.as_deref(), &app.variables)?;
        let config = app.config_with(Settings::default())?;
        let wanted = Wanted {
            data: &data,
            ledger: &config.ledger,
            nats_port: self.nats_port,
        };
        let servers = up::start(&wanted, &app.variables, &|line| {
            say(&format!("ledger: {line}"))
        })
        .await?;
        let listen = self.listen.unwrap_or(config.listen);
        servers.write_config(&config.ledger, &config.origin, &listen.to_string())?;
        let _ = (self.origin, nats::is_free(1), servers.folder());
        tokio::signal::ctrl_c().await?;
        servers.stop().await;
        Ok(Exit::Done)
    }
}
