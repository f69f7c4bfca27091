//! `ledger up`: everything on one machine with nothing configured.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use schema::Name;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::app::App;
use crate::cli::text;
use crate::commands::publishers::name;
use crate::commands::{init, serve};
use crate::config::{self, Config, NatsUser, Secret, Settings};
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::output::say;
use crate::roles::Role;
use crate::up::{self, Servers, Wanted};
use crate::{http, logging, stop};

const EXAMPLES: &str = "\
Examples:
  ledger up                        keep everything in ./.ledger
  ledger up --data /srv/ledger     keep it elsewhere
  ledger up --publisher ci --publisher argo     let these tools publish, beside `local`
  ledger up --ledger team-a --origin ledger.example/team-a

Stop it with Ctrl-C or SIGTERM: the batch in hand is finished first. Other
commands find the running ledger by the configuration that it writes,
<data>/ledger.toml.";

/// How long after a failure a server's end may be noticed.
const MOMENT: Duration = Duration::from_millis(300);

/// Run everything on this machine: a private PostgreSQL, a private NATS server, and the ledger
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Up {
    /// The name by which the world knows the ledger, e.g. ledger.example/main
    #[arg(long, value_name = "NAME", value_parser = text)]
    origin: Option<String>,
    /// A tool that may publish, as itself alone; again for more. Those of earlier starts stay
    #[arg(long, value_name = "NAME", value_parser = name)]
    publisher: Vec<Name>,
    /// The port of the private NATS server [default: 4222 if it is free, else another]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    nats_port: Option<u16>,
    /// Where health, metrics and tiles are served [default: 127.0.0.1:8686 if it is free, else another port]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

impl Up {
    /// Starts, serves, and stops when told to.
    pub async fn run(self, app: &App) -> Outcome {
        let data = config::data_folder(app.globals.data.as_deref(), &app.variables)?;
        let config = self.configured(app, &data)?;
        logging::start(
            &config,
            "warn,deadpool=error,ledger::roles=info",
            app.colour_of_stderr(),
        )?;
        let (tell, told) = stop::on_signal()?;
        let publishers = [
            std::slice::from_ref(&config.publisher),
            &config.up_publishers,
            &self.publisher,
        ]
        .concat();
        let wanted = Wanted {
            data: &data,
            ledger: &config.ledger,
            publishers: &publishers,
            nats_port: self.nats_port,
        };
        let servers = up::start(&wanted, &app.variables, &|line| {
            say(&format!("ledger: {line}"));
        })
        .await?;
        let mut servers = servers;
        let ended = if *told.borrow() {
            Ok(())
        } else {
            let listen = self.listen;
            Box::pin(run_ledger(config, listen, &mut servers, &tell, told)).await
        };
        servers.stop().await;
        ended.map(|()| {
            say("ledger: stopped");
            Exit::Done
        })
    }

    /// The configuration for what is not a server: those of `up` are its own. The file that `up` itself writes
    /// counts where it exists, and is not missed where it does not yet.
    fn configured(&self, app: &App, data: &Path) -> Result<Config, Failure> {
        let own = data.join("ledger.toml");
        let named = config::find_beside(app.globals.config.as_deref(), data, &app.variables)?;
        let same = |file: &Path| std::path::absolute(file).ok() == std::path::absolute(&own).ok();
        let file = named.filter(|file| !same(file) || file.exists());
        let flags = Settings {
            origin: self.origin.clone(),
            ..Settings::default()
        };
        app.config_from(file.as_deref(), flags)
    }
}

/// Makes the ledger if it does not exist, and serves it until told to stop or until a server ends.
async fn run_ledger(
    config: Config,
    listen: Option<SocketAddr>,
    servers: &mut Servers,
    tell: &watch::Sender<bool>,
    told: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let listener = listening(listen, config.listen).await?;
    let config = Config {
        listen: listener
            .local_addr()
            .context("cannot tell the port that we listen on")?,
        ..servers.config(config)?
    };
    let made = tokio::select! {
        made = init::make(&config) => made?,
        failure = servers.ended() => return Err(failure),
    };
    let config = Config {
        origin: Some(made.head.origin.clone()),
        ..config
    };
    let file = servers.write_config(
        &config.ledger,
        &made.head.origin,
        &config.listen.to_string(),
        &config.operators,
    )?;
    say(&format!(
        "ledger: ledger {} of origin {}, key {}",
        config.ledger, made.head.origin, made.key
    ));
    say(&format!(
        "ledger: health and metrics on http://{}",
        config.listen
    ));
    say(&format!(
        "ledger: other commands find it by {}",
        shown(&file)
    ));
    say("ledger: running; stop it with Ctrl-C");
    let serving = serve::serve(config, &Role::ALL, Some(listener), told);
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => match served {
            Ok(()) => Ok(()),
            // Where a server has just ended, that is the reason.
            Err(failure) => Err(timeout(MOMENT, servers.ended()).await.unwrap_or(failure)),
        },
        failure = servers.ended() => {
            tell.send_replace(true);
            let _ = serving.await;
            Err(failure)
        }
    }
}

/// How others would name the file: nothing to say where they look anyway.
fn shown(file: &Path) -> String {
    let usual = std::path::absolute(config::DATA_FOLDER)
        .ok()
        .map(|dir| dir.join("ledger.toml"));
    let here = usual
        .and_then(|usual| usual.canonicalize().ok())
        .is_some_and(|usual| usual == file);
    if here {
        format!("{} when they run in this folder", file.display())
    } else {
        format!("{0}: export LEDGER_CONFIG={0}", file.display())
    }
}

/// Listens at the wanted address; at the configured one if it is free, else at another port. It is held from here on:
/// a port that is only looked at may be somebody else's a moment later.
async fn listening(
    wanted: Option<SocketAddr>,
    configured: SocketAddr,
) -> Result<TcpListener, Failure> {
    if let Some(wanted) = wanted {
        return http::bind(wanted).await;
    }
    match TcpListener::bind(configured).await {
        Ok(listener) => Ok(listener),
        Err(_) => http::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await,
    }
}

impl Servers {
    /// The configuration with these servers in it.
    fn config(&self, config: Config) -> Result<Config, Failure> {
        // Whoever runs all of it may also decide, unless the configuration names others.
        let mut operators = config.operators.clone();
        if operators.is_empty() {
            operators.push(config.publisher.to_string());
        }
        Ok(Config {
            operators,
            postgres: Some(Secret::new(self.postgres.url.clone())),
            nats_url: Some(Secret::new(self.nats.url())),
            nats: self.nats.ledger_user()?,
            publish: NatsUser::default(),
            publish_passwords: Some(self.folder().join("nats/publishers")),
            keys: self.folder().join("keys"),
            head: self.folder().join("head"),
            spool: self.folder().join("spool"),
            ..config
        })
    }
}
