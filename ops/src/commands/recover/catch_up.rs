//! From a filled database to one that can serve: the stream's rest, and the tree up to the heads that are out.

use std::time::Duration;

use ingest::streams;
use ledger::head::Head;
use ledger::seal::Sealer;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::exit::Failure;
use crate::released::Released;
use crate::roles::{Shared, ingest_role};
use crate::{connect, output, progress};

/// How often the head is looked at while the stream is replayed.
const POLL: Duration = Duration::from_millis(50);

/// Reads what the stream holds behind the head, as `ledger serve` would, until its last message now has a position;
/// gives how many positions came of it. Without a stream, or with one that does not continue, nothing is read, and
/// what to do is said.
pub async fn replay(shared: &Shared, size: u64, released: &Released) -> Result<u64, Failure> {
    let config = &shared.config;
    let connection = connect::connection(config, "recover").await?;
    let head = load(shared).await?;
    let kept = streams::kept_in_full(&connection, &config.ledger).await?;
    let Some(kept) = kept.filter(|kept| kept.identity == head.stream) else {
        if released.size() > head.size {
            return Err(beyond(released.size(), head.size));
        }
        output::say(
            "the stream is another than the one that the ledger was read from: ledger recover, without --from, makes \
             one that continues; then ledger serve",
        );
        return Ok(0);
    };
    let last = kept.last_there();
    let (tell, told) = watch::channel(false);
    let bar = progress::bar(last.saturating_sub(head.stream_seq), "replaying");
    let reading = ingest_role::run(shared, told);
    tokio::pin!(reading);
    let caught_up = async {
        loop {
            let now = load(shared).await?;
            bar.set_position(now.stream_seq.saturating_sub(head.stream_seq));
            if now.stream != head.stream || now.stream_seq >= last {
                return Ok::<_, Failure>(());
            }
            sleep(POLL).await;
        }
    };
    let ended = tokio::select! {
        ended = &mut reading => ended.and_then(|()| Err(Failure::new("replaying the stream ended too early"))),
        reached = caught_up => {
            tell.send_replace(true);
            let stopped = reading.await;
            reached.and(stopped)
        }
    };
    bar.finish_and_clear();
    ended?;
    let head = load(shared).await?;
    if released.size() > head.size {
        return Err(beyond(released.size(), head.size));
    }
    Ok(head.size.saturating_sub(size))
}

fn beyond(released: u64, size: u64) -> Failure {
    Failure::new(format!(
        "a head of {released} positions was signed, and the bundle and the stream together give {size}"
    ))
    .mend(
        "find a newer export or backup; if there is none, ledger recover --successor NEW-ORIGIN starts another log, \
         and keeps this one",
    )
}

async fn load(shared: &Shared) -> Result<Head, Failure> {
    let head = Head::load(&shared.db, &shared.config.ledger).await?;
    head.ok_or_else(|| Failure::new("the ledger is gone from the database"))
}

/// Grows the tree through every head that was let out, each proved to be a head of what is stored, and notes them in
/// the database. Nothing new is let out: that is `ledger serve`'s. Gives the size that is sealed.
pub async fn grow_tree(shared: &Shared, heads: Vec<String>) -> Result<u64, Failure> {
    let head = load(shared).await?;
    let signer = shared.keyring.signer(&head.origin)?;
    let most = heads.iter().map(|note| super::bundle::size_of(note)).max();
    let db = shared.db.clone();
    let failed = |error: ledger::seal::SealError| {
        let away = error.is_unavailable();
        connect::failed(error, away)
    };
    let mut sealer = Sealer::open(db, &shared.config.ledger, signer, &heads)
        .await
        .map_err(failed)?;
    while sealer.size() < most.unwrap_or(0) {
        let Some(next) = sealer.prepare().await.map_err(failed)? else {
            break;
        };
        sealer.commit(next).await.map_err(failed)?;
    }
    Ok(sealer.size())
}
