//! What is known outside of a ledger's own tables: the heads that were let out, and the log that succeeded it.

use ingest::heads;
use ledger::db::Database;
use ledger::head::Head;
use ledger::head_file;
use ledger::read::Reader;
use ledger::record::Record;
use ledger::report::{Report, What};
use ledger::succession;
use schema::LedgerName;
use serde::Deserialize;

use crate::config::Config;
use crate::connect;
use crate::exit::{Context, Failure};

/// What the stored positions are held against, and what is to be said of it.
#[derive(Debug, Default)]
pub struct Outside {
    /// The signed heads.
    pub heads: Vec<String>,
    notes: Vec<String>,
    problem: Option<String>,
}

/// What the second event of a successor says.
#[derive(Debug, Deserialize)]
struct Succeeded {
    predecessor: String,
    kept: u64,
    chain: Option<String>,
}

impl Outside {
    /// Reads the file's head, and the stream's where NATS answers. Those of a log that was succeeded go further than what
    /// is left of it: there the successor has to say so.
    pub async fn look(config: &Config, reader: &Reader, head: &Head) -> Result<Self, Failure> {
        if let Some(successor) = &head.succeeded_by {
            return succeeded(reader.database(), head, successor).await;
        }
        let mut outside = Self::default();
        let filed = head_file::read(&config.head).context(format!(
            "cannot read the last signed head in {}",
            config.head.display()
        ))?;
        match filed {
            Some(note) => outside.heads.push(note),
            None => outside.notes.push(format!(
                "there is no signed head in {}: an end that was cut off is not found by it",
                config.head.display()
            )),
        }
        let published = async {
            let connection = connect::connection(config, "verify").await?;
            Ok::<_, Failure>(heads::last_head_if_any(&connection, &config.ledger).await?)
        };
        match published.await {
            Ok(Some(head)) => outside.heads.push(head.note),
            Ok(None) => outside
                .notes
                .push("there is no signed head on the outgoing stream to compare with".to_owned()),
            // Without NATS the rest can still be verified.
            Err(failure) => outside.notes.push(format!(
                "the head on the outgoing stream is not compared: {}",
                failure.render().replace("\n  ", "; ")
            )),
        }
        Ok(outside)
    }

    /// Puts it into the report.
    pub fn tell(self, report: &mut Report) {
        if let Some(problem) = self.problem {
            report.problem(None, What::RolledBack, problem);
        }
        for note in self.notes {
            report.note(note);
        }
    }
}

/// A log that was succeeded: it is only what the row in the database says. Whoever cuts off the end of a log could write
/// that there; but the successor's chain, which is signed, names what is left.
async fn succeeded(db: &Database, head: &Head, successor: &str) -> Result<Outside, Failure> {
    let mut outside = Outside::default();
    let said = match found(db, head, successor).await? {
        Some(name) => (name.to_string(), second(db, &name).await?),
        None => (String::new(), None),
    };
    outside.problem = match &said {
        (name, _) if name.is_empty() => Some(format!(
            "the database says that it was succeeded by {successor}, and there is no such log in it"
        )),
        (name, Some(said)) if !names(said, head) => Some(format!(
            "the database says that it was succeeded by {successor}, and position 1 of that ({name}) does not say that \
             {} positions of {} are left, with this chain",
            head.size, head.origin
        )),
        (name, None) => Some(format!(
            "the database says that it was succeeded by {successor}, and that ({name}) has not recorded it: ledger serve \
             does"
        )),
        (name, Some(_)) => {
            outside.notes.push(format!(
                "{} was succeeded by {successor}, whose position 1 says what is lost; that is as good as ledger --ledger \
                 {name} verify",
                head.origin
            ));
            None
        }
    };
    Ok(outside)
}

/// The name that the successor has in this database now: it may have been succeeded itself.
async fn found(db: &Database, head: &Head, successor: &str) -> Result<Option<LedgerName>, Failure> {
    if let Some(now) = Head::load(db, &head.ledger).await?
        && now.origin == successor
    {
        return Ok(Some(head.ledger.clone()));
    }
    let retired = succession::retired(db).await?;
    let name = retired.iter().find(|(_, origin, _)| origin == successor);
    Ok(name.and_then(|(name, _, _)| LedgerName::new(name).ok()))
}

async fn second(db: &Database, successor: &LedgerName) -> Result<Option<Record>, Failure> {
    Ok(Reader::open(db, successor).await?.record(1).await?)
}

fn names(record: &Record, head: &Head) -> bool {
    let own = record.header.event_type.strip_suffix(".v1");
    let own = own.unwrap_or(&record.header.event_type) == "ledger.chain.succeeded";
    let data = record.body.as_ref().map(|body| body.data.as_ref());
    let said = data.and_then(|data| serde_json::from_slice::<Succeeded>(data).ok());
    own && record.header.publisher == "ledger"
        && said.is_some_and(|said| {
            said.predecessor == head.origin
                && said.kept == head.size
                && said
                    .chain
                    .is_none_or(|chain| chain == hex::encode(head.chain))
        })
}
