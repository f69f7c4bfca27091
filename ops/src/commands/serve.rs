//! `ledger serve`: the ledger's roles against the servers in the configuration.

use std::net::SocketAddr;

use clap::Args;
use ledger::head::Head;
use ledger::migrate;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::backlog;
use crate::commands::init;
use crate::config::{Config, Settings};
use crate::exit::{Exit, Failure, Outcome};
use crate::roles::{self, Role, Shared};
use crate::{connect, http, logging, packages, stop};

const EXAMPLES: &str = "\
Examples:
  ledger serve                              all roles
  ledger serve --role ingest,seal,http      some of them; others in other processes
  curl http://127.0.0.1:8686/readyz         which role is not ready, and why

Several processes may have the same role: one is active, the others take over
when it ends. SIGTERM finishes the batch in hand.";

/// Run the ledger against the servers in the configuration
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Serve {
    /// The roles to run [default: all]
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    role: Vec<Role>,
    /// Where health, metrics and tiles are served [default: as configured, else 127.0.0.1:8686]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

impl Serve {
    /// Runs until told to stop.
    pub async fn run(self, app: &App) -> Outcome {
        let mut flags = Settings::default();
        flags.http.listen = self.listen.map(|address| address.to_string());
        let config = app.config_with(flags)?;
        logging::start(
            &config,
            "info,async_nats=warn,deadpool=error",
            app.colour_of_stderr(),
        )?;
        let (_tell, told) = stop::on_signal()?;
        let mut wanted = if self.role.is_empty() {
            Role::ALL.to_vec()
        } else {
            self.role
        };
        wanted.sort_unstable();
        wanted.dedup();
        serve(config, &wanted, None, told).await?;
        Ok(Exit::Done)
    }
}

/// Looks at both servers once, so that a wrong one is refused at the start, then runs the roles. Without a listener
/// it listens at the configured address, once both servers are the right ones.
pub async fn serve(
    config: Config,
    wanted: &[Role],
    listener: Option<TcpListener>,
    told: watch::Receiver<bool>,
) -> Result<(), Failure> {
    // Settings that could not be activated are refused before anything runs.
    packages::compile(
        &packages::all(config.kinds.as_deref())?,
        packages::settings(&config),
    )?;
    let db = connect::database(&config)?;
    {
        let client = db.client().await?;
        migrate::CHAIN.check(&db, &client).await?;
        projections::migrate::VIEWS.check(&db, &client).await?;
    }
    let head = Head::load(&db, &config.ledger)
        .await?
        .ok_or_else(|| no_ledger(&config, db.server()))?;
    connect::check_origin(&config, &head)?;
    let connection = connect::connection(&config, "serve").await?;
    // A stream that is missing is not made here: that is lost, and `ledger recover` mends it.
    ingest::streams::check(&connection, &config.ledger, &head.origin).await?;
    drop(connection);
    let keyring = init::keyring(&config)?;
    let listen = config.listen;
    let shared = Shared::new(config, db, keyring);
    let http = wanted.contains(&Role::Http);
    let listener = match listener {
        None if http => Some(http::bind(listen).await?),
        listener => listener,
    };
    tracing::info!(
        ledger = %shared.config.ledger,
        origin = %head.origin,
        "the ledger {} serves, from position {}",
        shared.config.ledger,
        head.size
    );
    let answering = async {
        match listener {
            Some(listener) => http::serve(listener, shared.clone(), told.clone()).await,
            None => Ok(()),
        }
    };
    // Whoever answers `/readyz` also looks at what waits in the stream.
    let watching = async {
        if http {
            backlog::watch(&shared, told.clone()).await;
        }
    };
    let working = roles::run(shared.clone(), wanted, told.clone());
    let (answered, (), ()) = tokio::join!(answering, working, watching);
    tracing::info!("stopped");
    answered
}

fn no_ledger(config: &Config, server: &str) -> Failure {
    Failure::not_found(format!("there is no ledger {} in {server}", config.ledger))
        .mend("ledger init makes it")
}
