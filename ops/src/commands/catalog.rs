//! `ledger catalog`: what the ledger knows and judges by.

mod diff;
mod views;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use ingest::publish::{self, Options, Status};
use ledger::read::{ActiveCatalog, Reader};
use projections::query;
use schema::{Activation, Catalog as Known, KindName, Package};
use serde_json::{Value, json};

use crate::app::App;
use crate::cli::text;
use crate::config::{Config, Settings};
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column, Format};
use crate::packages;

const EXAMPLES: &str = "\
Examples:
  ledger catalog list                             every kind that the ledger knows
  ledger catalog show platform.environment        fields, events, the lifecycle drawn
  ledger catalog views                            what Grafana reads: views, one a kind and more
  ledger catalog views platform_environments      its columns, with types and sentences
  ledger catalog validate ./kinds                 check packages of your own, offline
  ledger catalog diff active ./kinds              what activating them would change
  ledger catalog diff 8 4711                      what was activated between two positions
  ledger catalog activate --kinds ./kinds         put them into the chain; they hold from there on";

const COLUMNS: &[Column] = &[
    ("kind", "kind"),
    ("title", "title"),
    ("events", "events"),
    ("states", "states"),
    ("kept", "retention"),
];

/// Show, check and activate what the ledger knows: kinds, their events and lifecycles
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Catalog {
    #[command(subcommand)]
    command: Inner,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// List the kinds: those active in the ledger, or, where none is configured, the built-in ones
    #[command(
        after_help = "Examples:\n  ledger catalog list\n  ledger catalog list --builtin -o json | jq -r '.[].kind'"
    )]
    List {
        /// Those of this program instead of the active ones
        #[arg(long)]
        builtin: bool,
    },
    /// Show a kind: its fields, its events, its lifecycle drawn
    #[command(
        after_help = "Examples:\n  ledger catalog show platform.environment\n  ledger catalog show platform.environment --source      the file that declares it"
    )]
    Show {
        /// The kind, <package>.<entity>
        #[arg(value_parser = kind_name, value_name = "KIND")]
        kind: KindName,
        /// That of this program instead of the active one
        #[arg(long)]
        builtin: bool,
        /// Print the file that declares it
        #[arg(long)]
        source: bool,
    },
    /// List the views in the database that people and dashboards read, or describe one
    #[command(
        after_help = "Examples:\n  ledger catalog views\n  ledger catalog views platform_environments      its columns"
    )]
    Views {
        /// The view, or the kind that it is made from
        #[arg(value_parser = text, value_name = "NAME")]
        name: Option<String>,
        /// Those of this program's kinds instead of the active ones
        #[arg(long)]
        builtin: bool,
    },
    /// Check the packages in a folder, offline, with the built-in ones beside them
    #[command(
        after_help = "Examples:\n  ledger catalog validate ./kinds            every package in it\n  ledger catalog validate ./kinds/plant      one package"
    )]
    Validate {
        /// A package (a folder of <entity>.toml files), or a folder of packages
        folder: PathBuf,
    },
    /// Say what two catalogs say differently: kinds, fields, events, states, edges, rules, settings, authorities
    #[command(
        after_help = "Examples:\n  ledger catalog diff active              what this program would change\n  ledger catalog diff active ./kinds\n  ledger catalog diff 8 4711              between two positions"
    )]
    Diff {
        /// The first: `active`, `program` (what this one would activate), a position, the beginning of an activation's
        /// digest, or a folder of packages beside the built-in ones
        #[arg(value_parser = text, value_name = "FIRST")]
        first: String,
        /// The second, likewise
        #[arg(value_parser = text, value_name = "SECOND", default_value = "program")]
        second: String,
    },
    /// Put what has changed into the chain and activate it; wait until it is there
    #[command(
        after_help = "Examples:\n  ledger catalog activate                     this program's kinds and the configured settings\n  ledger catalog activate --kinds ./kinds     with packages of your own"
    )]
    Activate {
        /// A folder of packages beside the built-in ones
        #[arg(long, value_name = "DIR")]
        kinds: Option<PathBuf>,
        /// Publishers that may acknowledge incidents and place holds, with commas between
        #[arg(long, value_name = "NAMES", value_parser = text)]
        operators: Option<String>,
        /// How long to wait until it is in the chain, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        timeout: u64,
    },
}

/// Reads a kind's name.
pub fn kind_name(value: &str) -> Result<KindName, String> {
    value
        .parse()
        .map_err(|error: schema::name::InvalidName| error.to_string())
}

impl Catalog {
    /// Does what was asked.
    pub async fn run(self, app: &App) -> Outcome {
        match self.command {
            Inner::List { builtin } => list(app, builtin).await,
            Inner::Show {
                kind,
                builtin,
                source,
            } => show(app, &kind, builtin, source).await,
            Inner::Views { name, builtin } => views::run(app, name.as_deref(), builtin).await,
            Inner::Validate { folder } => validate(app, &folder),
            Inner::Diff { first, second } => diff::run(app, &first, &second).await,
            Inner::Activate {
                kinds,
                operators,
                timeout,
            } => {
                let mut flags = Settings::default();
                flags.data.kinds = kinds;
                flags.catalog.operators = operators;
                let config = app.config_with(flags)?;
                activate(app, &config, Duration::from_secs(timeout)).await
            }
        }
    }
}

/// The active catalog and its packages; those of this program where no ledger is configured.
async fn active(app: &App, builtin: bool) -> Result<(Known, Vec<Package>), Failure> {
    let config = app.config()?;
    if !builtin && config.postgres.is_some() {
        let reader = connect::reader(&config).await?;
        if let Some(active) = from_chain(&reader, u64::MAX).await? {
            return Ok(active);
        }
    }
    let packages = packages::all(config.kinds.as_deref())?;
    let known = packages::compile(&packages, packages::settings(&config))?;
    Ok((known, packages))
}

/// The catalog that holds after a position.
pub async fn from_chain(
    reader: &Reader,
    seq: u64,
) -> Result<Option<(Known, Vec<Package>)>, Failure> {
    let found = reader.catalog_at(seq).await?;
    found.as_ref().map(read).transpose()
}

/// An activation of the chain, compiled.
fn read(found: &ActiveCatalog) -> Result<(Known, Vec<Package>), Failure> {
    let broken = |why: String| {
        Failure::new(format!(
            "the catalog activated at position {} cannot be used: {why}",
            found.seq
        ))
        .mend("use a newer version of this program")
    };
    let activation = Activation::from_data(&found.activation)
        .map_err(|at| broken(format!("its data is not understood at {at:?}")))?;
    let known = Known::compile(&activation, &found.texts)
        .map_err(|wrong| broken(wrong.first().map(ToString::to_string).unwrap_or_default()))?;
    let packages = activation
        .packages
        .iter()
        .filter_map(|(name, digest)| Package::from_text(name, found.texts.get(digest)?).ok())
        .collect();
    Ok((known, packages))
}

async fn list(app: &App, builtin: bool) -> Outcome {
    let (known, _) = active(app, builtin).await?;
    let mut rows = app.rows(COLUMNS);
    for kind in known.kinds() {
        let verbs: Vec<&str> = kind
            .events
            .iter()
            .map(|event| event.verb.as_str())
            .collect();
        let states: Vec<&str> = kind
            .lifecycle
            .iter()
            .flat_map(|lifecycle| lifecycle.states.iter().map(|state| state.name.as_str()))
            .collect();
        let people = matches!(app.format(), Format::Table | Format::Csv | Format::Markdown);
        rows.row(&json!({
            "kind": kind.name.to_string(),
            "title": kind.title,
            "about": kind.about,
            "events": if people { json!(verbs.join(" ")) } else { json!(verbs) },
            "states": if people { json!(states.join(" ")) } else { json!(states) },
            "retention": kind.retention.to_string(),
        }))?;
    }
    rows.finish()?;
    Ok(Exit::Done)
}

async fn show(app: &App, name: &KindName, builtin: bool, source: bool) -> Outcome {
    let (known, packages) = active(app, builtin).await?;
    let Some(kind) = known.kind(name) else {
        let inside: Vec<String> = known
            .kinds()
            .filter(|kind| kind.name.package == name.package)
            .map(|kind| kind.name.to_string())
            .collect();
        let failure = Failure::not_found(format!("there is no kind {name}"));
        return Err(failure.mend(if inside.is_empty() {
            "ledger catalog list names every one".to_owned()
        } else {
            format!("package {} has {}", name.package, inside.join(", "))
        }));
    };
    if source {
        let file = format!("{}.toml", name.entity);
        let text = packages
            .iter()
            .find(|package| *package.name() == name.package)
            .and_then(|package| package.file(&file));
        output::text(text.unwrap_or_default())?;
        return Ok(Exit::Done);
    }
    match app.format() {
        Format::Table | Format::Markdown => output::text(&schema::describe::kind(kind))?,
        _ => app.one(&describe(kind))?,
    }
    Ok(Exit::Done)
}

fn describe(kind: &schema::Kind) -> Value {
    let field = |field: &schema::Field| json!({"name": field.name, "type": schema::describe::type_text(&field.shape), "about": field.about});
    let events: Vec<Value> = kind
        .events
        .iter()
        .map(|event| {
            json!({
                "type": format!("{}.{}", kind.name, event.verb),
                "about": event.about,
                "creates": event.creates,
                "to": event.to,
                "fields": event.members.fields.iter().map(field).collect::<Vec<_>>(),
            })
        })
        .collect();
    let lifecycle = kind.lifecycle.as_ref().map(|lifecycle| {
        json!({
            "judged": lifecycle.judged,
            "start": lifecycle.start,
            "states": lifecycle.states.iter().map(|state| json!({
                "name": state.name, "about": state.about, "terminal": state.terminal,
            })).collect::<Vec<_>>(),
            "edges": lifecycle.edges.iter().map(|edge| json!({
                "from": edge.from, "to": edge.to, "when": edge.when,
            })).collect::<Vec<_>>(),
        })
    });
    json!({
        "kind": kind.name.to_string(),
        "title": kind.title,
        "about": kind.about,
        "subject": kind.subject,
        "retention": kind.retention.to_string(),
        "fields": kind.fields.iter().map(field).collect::<Vec<_>>(),
        "events": events,
        "lifecycle": lifecycle,
    })
}

fn validate(app: &App, folder: &std::path::Path) -> Outcome {
    let mut packages = packages::builtin()?;
    let mut found = Vec::new();
    let mut own = Vec::new();
    for folder in packages::folders(folder)? {
        match packages::parse(&folder)? {
            Ok(package) => own.push(package),
            Err(wrong) => found.extend(wrong),
        }
    }
    if found.is_empty() {
        packages.retain(|known| own.iter().all(|package| package.name() != known.name()));
        packages.extend(own.iter().cloned());
        let settings = packages::settings(&app.config()?);
        found.extend(Known::of(&packages, settings).err().into_iter().flatten());
    }
    let mut rows = app.rows(&[
        ("file", "file"),
        ("line", "line"),
        ("message", "message"),
        ("mend", "mend"),
    ]);
    for wrong in &found {
        rows.row(&json!({
            "file": wrong.file, "line": wrong.line, "message": wrong.message, "mend": wrong.mend,
        }))?;
    }
    rows.finish()?;
    if found.is_empty() {
        let kinds = own.iter().map(|package| package.kinds().len()).sum();
        output::say(&format!(
            "{} with {}: all well",
            output::counted(own.len(), "package"),
            output::counted(kinds, "kind")
        ));
        return Ok(Exit::Done);
    }
    output::say(&format!("{} found", output::counted(found.len(), "fault")));
    Ok(Exit::Usage)
}

async fn activate(app: &App, config: &Config, patience: Duration) -> Outcome {
    let reader = connect::reader(config).await?;
    let packages = packages::all(config.kinds.as_deref())?;
    let settings = packages::settings(config);
    packages::compile(&packages, settings.clone())?;
    let wanted = Activation::of(&packages, settings.clone());
    let active = reader.catalog_at(u64::MAX).await?;
    let before = active
        .as_ref()
        .and_then(|active| Activation::from_data(&active.activation).ok());
    if before
        .as_ref()
        .is_some_and(|before| before.digest() == wanted.digest())
    {
        output::say("this catalog is active already");
        app.one(&json!({"digest": wanted.digest(), "seq": active.map(|active| active.seq), "changed": false}))?;
        return Ok(Exit::Done);
    }
    // Of every package that ever was recorded the text is there: an earlier catalog needs its activation alone.
    let recorded = reader.packages_at(u64::MAX).await?;
    let known = |digest: &str| recorded.contains_key(digest);
    let attempt = active.as_ref().map_or(0, |active| active.seq).to_string();
    let messages = packages::messages(&config.ledger, &packages, settings, &known, &attempt);
    let status = publish_and_wait(config, messages, patience).await?;
    match status {
        Status::Settled(publish_fate) => match publish_fate {
            ingest::Fate::Recorded { seq } => {
                app.one(&json!({"digest": wanted.digest(), "seq": seq, "changed": true}))?;
                Ok(Exit::Done)
            }
            // Somebody else activated the same at the same time.
            ingest::Fate::Duplicate { of } => {
                app.one(&json!({"digest": wanted.digest(), "seq": of, "changed": false}))?;
                Ok(Exit::Done)
            }
            ingest::Fate::Quarantined { seq, reason, at } => Err(Failure::new(format!(
                "the activation was refused at position {seq}: {}",
                query::refusal(Some(&reason), &at)
            ))
            .mend(format!("ledger quarantine {seq} shows it"))),
        },
        Status::Failed(why) => Err(Failure::new(format!(
            "NATS did not take the activation: {why}"
        ))),
        _ => Err(Failure::new(format!(
            "the activation is not in the chain after {}",
            shown(patience)
        ))
        .mend("is ledger serve running? ledger status says what it does")),
    }
}

/// Publishes as the ledger, waits, and gives what became of the last message.
pub async fn publish_and_wait(
    config: &Config,
    messages: Vec<publish::Outbound>,
    patience: Duration,
) -> Result<Status, Failure> {
    let options = Options {
        nats: connect::nats(config)?,
        ledger: config.ledger.clone(),
        in_flight: 1,
        spool: None,
        wait: Some(patience),
    };
    let last = messages.len().saturating_sub(1);
    let mut status = Status::Spooled;
    publish::publish(&options, messages, |at, _, became| {
        if at == last {
            status = became;
        }
    })
    .await?;
    Ok(status)
}

fn shown(patience: Duration) -> String {
    format!("{} s", patience.as_secs())
}
