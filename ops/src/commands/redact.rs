//! `ledger redact`: asks for the data of single events to be deleted before its time.

use clap::Args;
use ledger::read::Reader;
use ledger::redaction::{Coverage, Spot};
use serde_json::json;

use super::catalog::from_chain;
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::decide::{Decider, identifier};
use crate::exit::{Exit, Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  ledger redact 4711 --reason \"A customer's name was published by mistake\" --approved-by bob
  ledger redact 4711 4715 --reason \"As above\" --approved-by bob --by alice

The request is an event, by a publisher that the setting `operators` names; the
ledger answers it by ledger.retention.applied of class `redaction`, and then
deletes the data from the database, the views and the stream. With the setting
`retention.four_eyes` somebody else has to agree; both names are as they are
claimed here, and stand in the chain for ever. Header and digests stay, and the
chain verifies as before. A hold on an event stops it until it is
released. The reason stays in the chain for ever: it must not repeat what is to
go.";

/// Ask for the data of single events to be deleted before its time
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Redact {
    /// The positions
    #[arg(value_name = "SEQ", required = true)]
    seqs: Vec<u64>,
    /// Why, without the data itself
    #[arg(long, value_name = "TEXT", value_parser = text)]
    reason: String,
    /// Who agreed to it, somebody other than who asks
    #[arg(long, value_name = "WHO", value_parser = text)]
    approved_by: String,
    #[command(flatten)]
    decider: Decider,
}

impl Redact {
    /// Publishes the request and says at which position it is.
    pub async fn run(self, app: &App) -> Outcome {
        let reader = connect::reader(&app.config()?).await?;
        self.asked_by_two(app, &reader).await?;
        let coverage = Coverage::read_all(&reader).await?;
        for seq in &self.seqs {
            let record = reader
                .record(*seq)
                .await?
                .ok_or_else(|| Failure::not_found(format!("the chain has no position {seq}")))?;
            let spot = Spot::from(&record.header);
            if spot.is_permanent() {
                return Err(Failure::usage(format!(
                    "position {seq} is a {}, whose data explains the rest and is kept for ever",
                    record.header.event_type
                )));
            }
            if let Some(hold) = coverage.holds().now(&spot) {
                crate::output::say(&format!(
                    "position {seq} is kept by the hold {:?}: it is redacted once that is released",
                    hold.hold
                ));
            }
        }
        let data =
            json!({"seqs": self.seqs, "reason": self.reason, "approved_by": self.approved_by});
        let request = identifier()?;
        let seq = self
            .decider
            .publish(app, "ledger.redaction.requested", &request, &data)
            .await?;
        app.one(&json!({"request": request, "seq": seq, "seqs": self.seqs}))?;
        Ok(Exit::Done)
    }

    /// A request that nobody else agreed to would wait for ever.
    async fn asked_by_two(&self, app: &App, reader: &Reader) -> Result<(), Failure> {
        let four_eyes = from_chain(reader, u64::MAX)
            .await?
            .is_none_or(|(catalog, _)| catalog.retentions().four_eyes());
        let by = self.decider.actor(app)?;
        if four_eyes && by == self.approved_by {
            let message = format!("{by:?} asks for it and agrees to it: that is one person");
            return Err(Failure::usage(message)
                .mend("let somebody else agree, or turn the setting `retention.four_eyes` off"));
        }
        Ok(())
    }
}
