//! `ledger recover --from BUNDLE`: an empty or shorter database is filled, then the stream's rest is replayed.

use std::path::PathBuf;

use ledger::checkpoint::Checkpoint;
use ledger::head::Head;
use ledger::migrate;
use ledger::note::VerifyingKey;
use ledger::restore::{self, Against, RestoreError, Surveyed};
use serde_json::json;

use super::{alone, catch_up};
use crate::app::App;
use crate::commands::init;
use crate::config::Config;
use crate::exit::{Exit, Failure, Outcome};
use crate::released::Released;
use crate::roles::Shared;
use crate::{connect, output, progress};

/// Verifies, fills, replays, and grows the tree to the heads that were let out.
pub async fn run(app: &App, config: Config, path: PathBuf, keys: Vec<VerifyingKey>) -> Outcome {
    if !path.exists() {
        return Err(Failure::not_found(format!(
            "there is no bundle {}",
            path.display()
        )));
    }
    let db = connect::database(&config)?;
    migrate::CHAIN.run(&db).await?;
    projections::migrate::VIEWS.run(&db).await?;
    let keyring = init::keyring(&config)?;
    let shared = Shared::new(config, db, keyring);
    let config = shared.config.clone();
    let leases = alone(&shared).await?;
    let connection = connect::connection(&config, "recover").await?;
    let released = Released::read(&config, &connection).await?;
    let before = Head::load(&shared.db, &config.ledger).await?;
    if let Some(head) = &before {
        connect::check_origin(&config, head)?;
    }
    let surveyed = survey(&shared, path.clone(), keys, before.as_ref(), &released).await?;
    ingest::streams::check(&connection, &config.ledger, &surveyed.origin).await?;
    drop(connection);

    let bar = progress::bar(surveyed.size, "filling");
    let shown = bar.clone();
    let filled = restore::fill(&shared.db, &config.ledger, &path, &surveyed, &|size| {
        shown.set_position(size);
    })
    .await;
    bar.finish_and_clear();
    let head = filled.map_err(failed)?;
    let stored = before.as_ref().map_or(0, |head| head.size);
    let from_bundle = surveyed.size.saturating_sub(stored);
    output::say(&format!(
        "the database holds all {} positions of the bundle ({from_bundle} of them new)",
        surveyed.size
    ));
    let nats = connect::nats(&config)?;
    if let Some(time_us) = ingest::recover::message_time(&nats, &config.ledger, &head).await? {
        head.correct_message_time(&shared.db, time_us).await?;
    }
    let replayed = Box::pin(catch_up::replay(&shared, head.size, &released)).await?;
    let mut notes = released.notes.clone();
    notes.push(surveyed.checkpoint);
    let sealed = catch_up::grow_tree(&shared, notes).await?;
    for lease in leases {
        lease.release().await;
    }
    let head = Head::load(&shared.db, &config.ledger).await?;
    let head = head.ok_or_else(|| Failure::new("the ledger is gone again"))?;
    app.one(&json!({
        "recovered": true,
        "origin": head.origin,
        "size": head.size,
        "chain": hex::encode(head.chain),
        "from_bundle": from_bundle,
        "replayed": replayed,
        "released_size": released.size().max(surveyed.released),
        "sealed_size": sealed,
    }))?;
    Ok(Exit::Done)
}

/// Holds the bundle against the database and the heads that were let out; it reads files, so it runs where it may
/// block.
async fn survey(
    shared: &Shared,
    path: PathBuf,
    mut keys: Vec<VerifyingKey>,
    before: Option<&Head>,
    released: &Released,
) -> Result<Surveyed, Failure> {
    let origin = before
        .map(|head| head.origin.clone())
        .or_else(|| shared.config.origin.clone());
    // The ledger goes on with its own key; a bundle that another has signed is not its.
    let signer = match &origin {
        Some(origin) => shared.keyring.signer(origin)?,
        None => shared.keyring.any_signer()?,
    };
    keys.push(signer.verifying_key().clone());
    let stored = before.map(|head| (head.size, head.chain));
    let notes = released.notes.clone();
    let bar = progress::bar(0, "verifying");
    let shown = bar.clone();
    let surveyed = tokio::task::spawn_blocking(move || {
        let against = Against {
            origin: origin.as_deref(),
            keys: &keys,
            released: &notes,
            stored,
        };
        restore::survey(&path, &against, &|done| shown.set_position(done))
    })
    .await;
    bar.finish_and_clear();
    let surveyed =
        surveyed.map_err(|error| Failure::new("the verification broke off").because(error))?;
    surveyed.map_err(failed)
}

fn failed(error: RestoreError) -> Failure {
    use RestoreError as E;
    match error {
        E::Database(error) => error.into(),
        E::Bundle(error) => {
            Failure::with(Exit::Unproved, "the bundle cannot be read").because(error)
        }
        E::Unproved { .. } | E::Fork { .. } | E::OtherHistory { .. } | E::Head(_) => {
            let mut causes = Failure::with(Exit::Unproved, error.to_string());
            if let Some(source) = std::error::Error::source(&error) {
                causes = causes.because(source.to_string());
            }
            causes
        }
        E::OtherOrigin { .. } | E::Part { .. } | E::Withheld { .. } => {
            Failure::usage(error.to_string())
        }
        other => connect::failed(other, false),
    }
}

/// The size of a signed head; 0 for what is none.
pub fn size_of(note: &str) -> u64 {
    Checkpoint::parse_note(note.as_bytes()).map_or(0, |(head, _)| head.size)
}
