//! `ledger recover --successor NEW-ORIGIN`: another log in the place of one whose end is gone everywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ingest::recover::{self, Succession};
use ingest::streams;
use ledger::checkpoint::Checkpoint;
use ledger::head::Head;
use ledger::head_file;
use ledger::init;
use ledger::migrate;
use ledger::succession;
use serde_json::{Value, json};

use super::alone;
use crate::app::App;
use crate::commands::init as commands_init;
use crate::config::Config;
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::released::Released;
use crate::roles::Shared;
use crate::{connect, output, packages};

/// Freezes the old log and starts its successor. The database changes last, in one transaction; until then all of it
/// can be done again.
pub async fn run(app: &App, config: Config, origin: String) -> Outcome {
    init::check_origin(&origin)?;
    let db = connect::database(&config)?;
    migrate::CHAIN.run(&db).await?;
    projections::migrate::VIEWS.run(&db).await?;
    let keyring = commands_init::keyring(&config)?;
    let shared = Shared::new(config, db, keyring);
    let config = shared.config.clone();
    let old = Head::load(&shared.db, &config.ledger)
        .await?
        .ok_or_else(|| {
            Failure::not_found(format!("there is no ledger {} to succeed", config.ledger))
                .mend("ledger init makes one")
        })?;
    if old.origin == origin {
        return already(app, &shared, &old).await;
    }
    if let Some(configured) = config.origin.as_ref().filter(|ours| **ours != origin) {
        let ours = Some(configured.clone());
        connect::check_origin(
            &Config {
                origin: ours,
                ..(*config).clone()
            },
            &old,
        )?;
    }
    let leases = alone(&shared).await?;
    let lost = lost(&shared, &old).await?;
    let made = streams_of(&shared, &old, &origin, lost.as_ref()).await?;
    let signer = shared.keyring.succeed(&old.origin, &origin)?;
    put_head_aside(&config, &old.origin)?;
    let created_us = created_us(&made.stream)?;
    let new = succession::succeed(&shared.db, &old, &origin, created_us, &shared.keyring).await?;
    for lease in leases {
        lease.release().await;
    }
    output::say(&format!(
        "the log {} is frozen, and can be read as --ledger {}; set origin = {origin:?} in the configuration, give \
         everybody the new public key, then start ledger serve",
        old.origin, new.aside
    ));
    app.one(&json!({
        "recovered": true,
        "origin": origin,
        "key": signer.verifying_key().to_string(),
        "stream": made.stream,
        "copied": made.copied,
        "left_out": made.left_out,
        "predecessor": {
            "origin": old.origin, "ledger": new.aside, "kept": old.size,
            "size": made.data.get("size"), "root": made.data.get("root"),
        },
    }))?;
    Ok(Exit::Done)
}

/// It was done before; where NATS has not got everything back, that is ended.
async fn already(app: &App, shared: &Shared, head: &Head) -> Outcome {
    let retired = succession::retired(&shared.db).await?;
    let before = retired.into_iter().find(|(_, _, by)| *by == head.origin);
    let Some((aside, origin, _)) = before else {
        return Err(Failure::usage(format!(
            "{} is the origin of this ledger already",
            head.origin
        ))
        .mend("give the successor another one, e.g. with -2 at its end"));
    };
    output::say("the succession was made before: nothing is left to do");
    app.one(&json!({
        "recovered": false, "origin": head.origin, "predecessor": {"origin": origin, "ledger": aside},
    }))?;
    Ok(Exit::Done)
}

/// The largest signed head of the old log that the database contradicts or does not reach, after making sure that
/// nothing else would bring it back. `None` where the streams were made by an earlier run.
async fn lost(shared: &Shared, old: &Head) -> Result<Option<(Checkpoint, String)>, Failure> {
    let config = &shared.config;
    let nats = connect::nats(config)?;
    if recover::is_succeeded(&nats, &config.ledger, old).await? {
        return Ok(None);
    }
    let connection = connect::connection(config, "recover").await?;
    let released = Released::read(config, &connection).await?;
    let key = shared.keyring.signer(&old.origin)?.verifying_key().clone();
    let mut largest: Option<(Checkpoint, String)> = None;
    for note in &released.notes {
        let (head, _) = Checkpoint::open(note.as_bytes(), std::slice::from_ref(&key))
            .context("a signed head that was let out is not believed: is this the right file, stream and key?")?;
        if largest
            .as_ref()
            .is_none_or(|(most, _)| most.size < head.size)
        {
            largest = Some((head, note.clone()));
        }
    }
    let Some((head, note)) = largest.filter(|(head, _)| head.size > old.size) else {
        return Err(Failure::usage(format!(
            "no head of more than the {} positions in the database was let out: nothing of this log is lost",
            old.size
        ))
        .mend("where only NATS lost something, ledger recover goes on with the same log"));
    };
    let missing = head.size - old.size;
    if let Some(kept) = streams::kept_in_full(&connection, &config.ledger).await?
        && kept.has(&old.stream, old.stream_seq + 1, missing)
    {
        return Err(Failure::usage(format!(
            "the stream still has the {missing} messages that the database lacks"
        ))
        .mend("start ledger serve: it reads them again, bit for bit"));
    }
    Ok(Some((head, note)))
}

/// The successor's streams: what the old log does not hold of the old one goes into the new one, behind what says
/// where it comes from.
async fn streams_of(
    shared: &Shared,
    old: &Head,
    origin: &str,
    lost: Option<&(Checkpoint, String)>,
) -> Result<recover::Succeeded, Failure> {
    let config = &shared.config;
    let nats = connect::nats(config)?;
    let settings = connect::stream_settings(config)?;
    let catalog = packages::all(config.kinds.as_deref())?;
    let messages = packages::messages(
        &config.ledger,
        &catalog,
        packages::settings(config),
        &|_| false,
        "0",
    );
    let data = lost.map_or(Value::Null, |(head, note)| {
        json!({
            "predecessor": old.origin, "size": head.size, "root": BASE64.encode(head.root), "checkpoint": note,
            "kept": old.size, "chain": hex::encode(old.chain), "stream": old.stream, "last": old.stream_seq,
        })
    });
    let succession = Succession {
        origin: origin.to_owned(),
        data,
        catalog: messages
            .into_iter()
            .map(|message| (message.subject, message.body))
            .collect(),
    };
    let made = recover::succeed(&nats, &config.ledger, old, &settings, succession).await?;
    let aside = format!(
        "{}-SUCCEEDED-{}",
        config.ledger.stream_out(),
        created_us(&made.stream)?
    );
    recover::retire_outgoing(&nats, &config.ledger, &old.origin, &aside).await?;
    let connection = connect::connection(config, "recover").await?;
    streams::ensure(&connection, &config.ledger, origin, &settings).await?;
    Ok(made)
}

/// The number behind the `@`.
fn created_us(stream: &str) -> Result<i64, Failure> {
    let number = stream
        .rsplit_once('@')
        .and_then(|(_, number)| number.parse().ok());
    number.ok_or_else(|| {
        Failure::new("the successor's stream is gone again").mend("it can be run again")
    })
}

/// The last head of the old log is evidence; the file is the successor's from now on.
fn put_head_aside(config: &Config, old: &str) -> Result<(), Failure> {
    let doing = format!(
        "cannot put the last signed head aside from {}",
        config.head.display()
    );
    let Some(note) = head_file::read(&config.head).context(doing.clone())? else {
        return Ok(());
    };
    let ours = Checkpoint::parse_note(note.as_bytes()).is_ok_and(|(head, _)| head.origin == old);
    if !ours {
        return Ok(());
    }
    let mut aside = config.head.clone().into_os_string();
    aside.push(format!(".{}", super::bundle::size_of(&note)));
    std::fs::rename(&config.head, aside).context(doing)
}
