//! `ledger publishers`: who may publish to the NATS server of `ledger up`, and what to write into one's own.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use schema::Name;
use serde::Serialize;

use crate::app::App;
use crate::config;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column, say};
use crate::up::publishers::{self, Home};

const EXAMPLES: &str = "\
Examples:
  ledger publishers add ci argo        two more, also while ledger up runs
  ledger publishers                    who there is, and where the passwords lie
  ledger publishers permissions ci     what to write into the configuration of your own NATS server

A publisher may publish below its own name and hear its own receipts; nothing
else.";

const COLUMNS: &[Column] = &[
    ("publisher", "publisher"),
    ("password file", "password_file"),
];

/// List, add and remove the publishers of `ledger up`, or print the permissions for a NATS server of your own
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Publishers {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Who may publish
    #[command(
        after_help = "Examples:\n  ledger publishers list\n  ledger publishers list -o json | jq -r '.[].publisher'"
    )]
    List,
    /// Let more tools publish
    #[command(
        after_help = "Examples:\n  ledger publishers add ci argo      also while ledger up runs; nobody is cut off"
    )]
    Add {
        /// Their names
        #[arg(required = true, value_name = "NAME", value_parser = name)]
        names: Vec<Name>,
    },
    /// Let tools publish no more; what they have published stays
    #[command(after_help = "Examples:\n  ledger publishers remove argo")]
    Remove {
        /// Their names
        #[arg(required = true, value_name = "NAME", value_parser = name)]
        names: Vec<Name>,
    },
    /// Print the users for the configuration of a NATS server of your own
    #[command(
        after_help = "Examples:\n  ledger publishers permissions ci argo      paste it, and fill in the passwords"
    )]
    Permissions {
        /// The publishers' names
        #[arg(required = true, value_name = "NAME", value_parser = name)]
        names: Vec<Name>,
    },
}

#[derive(Debug, Serialize)]
struct Item {
    publisher: String,
    password_file: PathBuf,
}

/// A publisher's name on the command line.
pub fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

impl Publishers {
    /// Does it.
    pub fn run(self, app: &App) -> Outcome {
        let ledger = app.config()?.ledger;
        match self.action.unwrap_or(Action::List) {
            Action::Permissions { names } => {
                let users: String = names
                    .iter()
                    .map(|name| publishers::user(&ledger, name, "…"))
                    .collect();
                let text = format!(
                    "authorization {{\n  users: [\n    {{ user: \"ledger\", password: \"…\" }}\n{users}  ]\n}}\n"
                );
                output::text(&text)?;
            }
            Action::List => list(app, &home(app)?)?,
            Action::Add { names } => {
                let home = home(app)?;
                home.add(&names)?;
                home.write_users(&ledger)?;
                tell(&home);
                list(app, &home)?;
            }
            Action::Remove { names } => {
                let home = home(app)?;
                for name in &names {
                    if !home.remove(name)? {
                        return Err(Failure::not_found(format!("there is no publisher {name}"))
                            .mend("ledger publishers lists those there are"));
                    }
                }
                home.write_users(&ledger)?;
                tell(&home);
                list(app, &home)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn list(app: &App, home: &Home) -> Result<(), Failure> {
    let mut rows = app.rows(COLUMNS);
    for publisher in home.list()? {
        rows.row(&Item {
            password_file: home.password_of(&publisher),
            publisher: publisher.to_string(),
        })?;
    }
    rows.finish().map(drop)
}

fn tell(home: &Home) {
    if !home.reload() {
        say("ledger up does not run here now: it counts from its next start");
    }
}

/// The data folder that was named, or where the configuration lies that `ledger up` has written.
fn home(app: &App) -> Result<Home, Failure> {
    let data = app.globals.data.as_deref();
    let named = config::find(app.globals.config.as_deref(), data, &app.variables)?;
    let beside = named.and_then(|file| file.parent().map(PathBuf::from));
    let usual = config::data_folder(data, &app.variables)?;
    let folders = [beside, Some(usual.clone())];
    let mut homes = folders
        .into_iter()
        .flatten()
        .filter_map(|folder| std::path::absolute(folder).ok())
        .map(|folder| Home::of(&folder.canonicalize().unwrap_or(folder)));
    homes.find(|home| home.config().exists()).ok_or_else(|| {
        Failure::not_found(format!("there is no data folder of ledger up in {}", usual.display())).mend(
            "name it with --data; for a NATS server of your own: ledger publishers permissions NAME",
        )
    })
}
