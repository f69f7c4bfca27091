//! `ledger rule`: rules that are silenced for a while.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use projections::query::{self, When, Which};
use schema::KindName;
use schema::rule::describe::OWN;
use schema::rule::silence::NEVER;
use schema::time::format_us;
use serde_json::{Map, Value, json};

use super::catalog::{from_chain, kind_name};
use crate::app::{self, App};
use crate::cli::text;
use crate::connect;
use crate::decide::Decider;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column};

const EXAMPLES: &str = "\
Examples:
  ledger rule silence dashboard.panels_missing --for 2d --reason \"The dashboards are being rebuilt\"
  ledger rule silence drift.report_missing --kind platform.environment --id staging \\
      --until 2026-09-01 --reason \"Plan is off\"
  ledger rule list
  ledger rule unsilence dashboard.panels_missing --reason \"They are done\"

What a silenced rule finds is raised and cleared at once as silenced, and opens
no incident. It ends by itself, with the first event that is recorded at that
time. Both are events, by a publisher that the setting `operators` names.";

const COLUMNS: &[Column] = &[
    ("rule", "rule"),
    ("kind", "kind"),
    ("id", "id"),
    ("until", "until"),
    ("holds", "holds"),
    ("by", "actor"),
    ("reason", "reason"),
];

/// The kind whose entities say which rules are silenced.
const KIND: &str = "ledger.rule";

/// Silence a rule for a while, and list those that are
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Rule {
    #[command(subcommand)]
    command: Inner,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// Let verdicts of a rule wake nobody until a time
    #[command(
        after_help = "Examples:\n  ledger rule silence dashboard.panels_missing --for 2d --reason \"They are being rebuilt\"\n  ledger rule silence drift.report_missing --kind platform.environment --id staging \\\n      --until 2026-09-01 --reason \"Plan is off\""
    )]
    Silence {
        #[command(flatten)]
        about: About,
        /// Until this time; of a period, until its end
        #[arg(long, value_name = "TIME", value_parser = text, required_unless_present = "span")]
        until: Option<String>,
        /// For so long, e.g. `8h` or `2d`
        #[arg(long = "for", id = "span", value_name = "SPAN", value_parser = text, conflicts_with = "until")]
        span: Option<String>,
    },
    /// End a silence before its time
    #[command(
        after_help = "Examples:\n  ledger rule unsilence dashboard.panels_missing --reason \"They are done\""
    )]
    Unsilence {
        #[command(flatten)]
        about: About,
    },
    /// List the rules that are silenced
    #[command(after_help = "Examples:\n  ledger rule list\n  ledger rule list --all")]
    List {
        /// Those whose silence is over, too
        #[arg(long)]
        all: bool,
    },
}

/// Which rule, about what, and why.
#[derive(Debug, Args)]
struct About {
    /// The rule
    #[arg(value_name = "RULE", value_parser = text)]
    rule: String,
    /// Only about entities of this kind
    #[arg(long, value_name = "KIND", value_parser = kind_name)]
    kind: Option<KindName>,
    /// Only about the entity with this identifier
    #[arg(long, value_name = "ID", value_parser = text, requires = "kind")]
    id: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = text)]
    reason: String,
    #[command(flatten)]
    decider: Decider,
}

impl Rule {
    /// Does what was asked.
    pub async fn run(self, app: &App) -> Outcome {
        match self.command {
            Inner::Silence { about, until, span } => {
                let until_us = moment(until.as_deref(), span.as_deref())?;
                about.publish(app, until_us).await
            }
            Inner::Unsilence { about } => about.publish(app, 0).await,
            Inner::List { all } => list(app, all).await,
        }
    }
}

/// The year 10000, in µs since 1970.
const BEYOND_US: i64 = 253_402_300_800_000_000;

/// Until when.
fn moment(until: Option<&str>, span: Option<&str>) -> Result<i64, Failure> {
    let now_us = app::now_us();
    let moment = match (until, span) {
        (Some(until), _) => App::period("--until", until)?.end_us,
        (None, Some(span)) => {
            let us = schema::rule::parse_span_us(span).ok_or_else(|| {
                Failure::usage(format!("--for: {span:?} is no duration"))
                    .mend("write e.g. 8h, 2d or 1h30m")
            })?;
            // What RFC 3339 cannot say is not until some day, but for ever.
            now_us
                .checked_add(us)
                .filter(|us| *us < BEYOND_US)
                .ok_or_else(|| {
                    Failure::usage(format!("--for: {span:?} goes beyond the year 9999")).mend(
                    "name a time that comes, or take the rule out for good: the setting rules.off",
                )
                })?
        }
        // One of the two is demanded.
        (None, None) => now_us,
    };
    if moment <= now_us {
        return Err(Failure::usage(format!("{} has passed", format_us(moment)))
            .mend("name a time that comes; ledger rule unsilence ends a silence"));
    }
    Ok(moment)
}

impl About {
    async fn publish(&self, app: &App, until_us: i64) -> Outcome {
        // One that was published otherwise can still be taken back.
        if until_us > 0 && NEVER.contains(&self.rule.as_str()) {
            return Err(Failure::usage(format!(
                "{} cannot be silenced: it says that somebody acts as the ledger, and whoever does could silence it first",
                self.rule
            ))
            .mend("look at the violation with ledger violations, and acknowledge what follows from it"));
        }
        self.is_known(app).await?;
        let kind = self.kind.as_ref().map(ToString::to_string);
        let named = [Some(self.rule.clone()), kind.clone(), self.id.clone()];
        let subject: Vec<String> = named.into_iter().flatten().collect();
        let mut data = Map::new();
        data.insert("rule".to_owned(), json!(self.rule));
        for (name, value) in [("kind", kind), ("id", self.id.clone())] {
            data.extend(value.map(|value| (name.to_owned(), Value::from(value))));
        }
        data.insert("until_us".to_owned(), json!(until_us));
        data.insert("reason".to_owned(), json!(self.reason));
        let seq = self
            .decider
            .publish(
                app,
                "ledger.rule.silenced",
                &subject.join("/"),
                &Value::Object(data),
            )
            .await?;
        let until = (until_us > 0).then(|| format_us(until_us));
        app.one(
            &json!({"rule": self.rule, "kind": self.kind.as_ref().map(ToString::to_string),
            "id": self.id, "until": until, "seq": seq}),
        )?;
        Ok(Exit::Done)
    }

    /// A rule that is judged now; a name that nothing has would silence nothing.
    async fn is_known(&self, app: &App) -> Result<(), Failure> {
        let reader = connect::reader(&app.config()?).await?;
        let Some((catalog, _)) = from_chain(&reader, u64::MAX).await? else {
            return Ok(());
        };
        let rules = catalog.kinds().flat_map(|kind| &kind.rules);
        let mut names: BTreeSet<&str> = rules.flat_map(schema::rule::Rule::names).collect();
        names.extend(OWN.iter().map(|(name, ..)| *name));
        if names.contains(self.rule.as_str()) {
            return Ok(());
        }
        let begins = self.rule.split('.').next().unwrap_or_default();
        let near: Vec<&str> = names
            .into_iter()
            .filter(|name| name.split('.').next() == Some(begins))
            .collect();
        let failure = Failure::not_found(format!("there is no rule {}", self.rule));
        Err(failure.mend(if near.is_empty() {
            "docs/reference/rules lists them".to_owned()
        } else {
            format!("there are {}", near.join(", "))
        }))
    }
}

async fn list(app: &App, all: bool) -> Outcome {
    let config = app.config()?;
    let reader = connect::reader(&config).await?;
    let which = Which {
        kind: Some(KIND),
        id: None,
    };
    let states = query::state(reader.database(), &config.ledger, which, When::Now).await?;
    let (mut rows, mut over) = (app.rows(COLUMNS), 0_usize);
    for state in &states {
        let said = |name: &str| state.attributes.get(name).cloned().unwrap_or(Value::Null);
        let until = said("until_us").as_i64();
        let holds = until.is_none_or(|until| app::now_us() < until);
        if !holds && !all {
            over += 1;
            continue;
        }
        let line = query::history(
            reader.database(),
            &config.ledger,
            &projections::entity::Key::new(KIND, state.id.as_str()),
            When::Now,
        )
        .await?;
        rows.row(&json!({
            "rule": said("rule"), "kind": said("kind"), "id": said("id"),
            "until": until.filter(|until| *until > 0).map(format_us), "holds": holds,
            "seq": state.seq, "reason": said("reason"), "actor": line.last().map(|line| &line.actor),
        }))?;
    }
    if rows.finish()? == 0 {
        output::say("no rule is silenced");
    }
    if over > 0 {
        output::say(&format!(
            "{} over: --all lists them",
            output::counted(over, "silence")
        ));
    }
    Ok(Exit::Done)
}
