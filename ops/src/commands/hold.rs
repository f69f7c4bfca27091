//! `ledger hold`: orders to keep data, whatever its retention class says.

use clap::{Args, Subcommand};
use ledger::redaction::{Coverage, Hold as Held};
use schema::KindName;
use schema::time::format_us;
use serde_json::{Map, Value, json};

use super::catalog::kind_name;
use super::filter::in_order;
use super::incidents;
use super::named::Named;
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::decide::Decider;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column};
use crate::when::Period;

const EXAMPLES: &str = "\
Examples:
  ledger hold place case-2026-14 --kind platform.environment --id production --reason \"An audit\"
  ledger hold place quarter --from 2026-Q3 --to 2026-Q3 --reason \"An audit of the third quarter\"
  ledger hold place outage --incident 5d4140 --reason \"A post-mortem\"
  ledger hold list
  ledger hold release case-2026-14 --why \"The audit is done\"

A hold keeps everything that fits all that is named, and stops retention and
redaction from its position on. It is an event, by a publisher that the setting
`operators` names.";

const COLUMNS: &[Column] = &[
    ("hold", "hold"),
    ("status", "status"),
    ("kind", "scope.kind"),
    ("id", "scope.id"),
    ("from", "from"),
    ("to", "to"),
    ("incident", "scope.incident"),
    ("placed", "placed"),
    ("by", "actor"),
    ("reason", "reason"),
];

/// Place, release and list holds: orders to keep data, whatever its retention class says
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Hold {
    #[command(subcommand)]
    command: Inner,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// Place a hold
    #[command(
        after_help = "Examples:\n  ledger hold place case-14 --kind platform.environment --id production --reason \"An audit\"\n  ledger hold place quarter --from 2026-Q3 --to 2026-Q3 --reason \"An audit\"\n  ledger hold place all-of-it --everything --reason \"A court asked\""
    )]
    Place(Place),
    /// Release a hold: what was due meanwhile may be deleted
    #[command(after_help = "Examples:\n  ledger hold release case-14 --why \"The audit is done\"")]
    Release {
        /// The hold
        #[arg(value_name = "HOLD", value_parser = text)]
        hold: String,
        /// Why it is over
        #[arg(long, value_name = "TEXT", value_parser = text)]
        why: Option<String>,
        #[command(flatten)]
        decider: Decider,
    },
    /// List the holds in force
    #[command(after_help = "Examples:\n  ledger hold list\n  ledger hold list --all -o json")]
    List {
        /// Those that were released, too
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Args)]
struct Place {
    /// The hold's identifier, which releases it
    #[arg(value_name = "HOLD", value_parser = text)]
    hold: String,
    /// Events of this kind
    #[arg(long, value_name = "KIND", value_parser = kind_name)]
    kind: Option<KindName>,
    /// Events of the entity with this identifier
    #[arg(long, value_name = "ID", value_parser = text)]
    id: Option<String>,
    /// Recorded from this time on
    #[arg(long, value_name = "TIME", value_parser = text)]
    from: Option<String>,
    /// Recorded until this time; of a period, until its end
    #[arg(long, value_name = "TIME", value_parser = text)]
    to: Option<String>,
    /// The causes of this incident; the first characters of its identifier will do
    #[arg(long, value_name = "INCIDENT", value_parser = incidents::identifier)]
    incident: Option<String>,
    /// All there is, where nothing else is named
    #[arg(long, conflicts_with_all = ["kind", "id", "from", "to", "incident"])]
    everything: bool,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = text)]
    reason: String,
    #[command(flatten)]
    decider: Decider,
}

impl Hold {
    /// Does what was asked.
    pub async fn run(self, app: &App) -> Outcome {
        match self.command {
            Inner::Place(place) => place.run(app).await,
            Inner::Release { hold, why, decider } => release(app, &hold, why, &decider).await,
            Inner::List { all } => list(app, all).await,
        }
    }
}

impl Place {
    async fn run(self, app: &App) -> Outcome {
        let config = app.config()?;
        let mut scope = Map::new();
        let mut add = |name: &str, value: Option<Value>| {
            scope.extend(value.map(|value| (name.to_owned(), value)));
        };
        let kind = self.kind;
        add("kind", kind.as_ref().map(|kind| json!(kind.to_string())));
        add("id", self.id.map(Value::from));
        let from = self.from.as_deref().map(|from| App::period("--from", from));
        let from_us = from.transpose()?.map(|from| from.start_us);
        let to = self.to.as_deref().map(|to| App::period("--to", to));
        let to_us = to.transpose()?.map(Period::last_us);
        in_order("--from", from_us, "--to", to_us)?;
        add("from_us", from_us.map(Value::from));
        add("to_us", to_us.map(Value::from));
        add("incident", self.incident.clone().map(Value::from));
        if scope.is_empty() && !self.everything {
            return Err(Failure::usage("nothing is named that is to be held")
                .mend("name a --kind, an --id, a time or an --incident, or hold --everything"));
        }
        // Of what nobody knows a hold would keep nothing, and look as if it did. Whoever only publishes cannot ask.
        let asks = config.postgres.is_some();
        if let Some(kind) = kind.as_ref().filter(|_| asks) {
            let named = Named {
                kind: Some(kind),
                ..Named::default()
            };
            named
                .must_be_known(&connect::reader(&config).await?)
                .await?;
        }
        if let Some(incident) = self.incident.as_ref().filter(|_| asks) {
            let whole = incidents::find(&config, incident).await?.incident;
            scope.insert("incident".to_owned(), Value::from(whole));
        }
        let data = json!({"hold": self.hold, "scope": scope, "reason": self.reason});
        let seq = self
            .decider
            .publish(app, "ledger.hold.placed", &self.hold, &data)
            .await?;
        app.one(&json!({"hold": self.hold, "seq": seq, "scope": scope}))?;
        Ok(Exit::Done)
    }
}

async fn release(app: &App, hold: &str, why: Option<String>, decider: &Decider) -> Outcome {
    let reader = connect::reader(&app.config()?).await?;
    let coverage = Coverage::read_all(&reader).await?;
    let in_force = |one: &&Held| one.hold == hold && one.released.is_none();
    if !coverage.holds().all().iter().any(|one| in_force(&one)) {
        return Err(Failure::not_found(format!("no hold {hold:?} is in force"))
            .mend("ledger hold list names those that are"));
    }
    let mut data = json!({"hold": hold});
    if let (Some(why), Some(members)) = (why, data.as_object_mut()) {
        members.insert("why".to_owned(), Value::from(why));
    }
    let seq = decider
        .publish(app, "ledger.hold.released", hold, &data)
        .await?;
    app.one(&json!({"hold": hold, "seq": seq}))?;
    Ok(Exit::Done)
}

async fn list(app: &App, all: bool) -> Outcome {
    let reader = connect::reader(&app.config()?).await?;
    let coverage = Coverage::read_all(&reader).await?;
    let mut rows = app.rows(COLUMNS);
    let holds = coverage.holds().all().iter();
    for hold in holds.filter(|hold| all || hold.released.is_none()) {
        let scope = &hold.scope;
        rows.row(&json!({
            "hold": hold.hold,
            "status": if hold.released.is_none() { "placed" } else { "released" },
            "scope": {"kind": scope.kind, "id": scope.id, "from_us": scope.from_us, "to_us": scope.to_us,
                      "incident": scope.incident},
            "from": scope.from_us.map(format_us),
            "to": scope.to_us.map(format_us),
            "placed": hold.placed,
            "placed_at": format_us(hold.recorded_us),
            "released": hold.released,
            "actor": hold.actor,
            "reason": hold.reason,
        }))?;
    }
    if rows.finish()? == 0 {
        output::say("nothing is held");
    }
    Ok(Exit::Done)
}
