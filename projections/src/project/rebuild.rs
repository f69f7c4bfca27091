//! Making the views again beside the living ones, while the projector goes on.
//!
//! A rebuild folds the chain into a projection of its own, batch by batch, each in a transaction with its checkpoint:
//! killed at any moment, the next one goes on where it was. When it has caught up, one transaction holds the living
//! projection, folds what is missing and puts the new one in its place. The old rows are deleted afterwards, some
//! at a time. What a rebuild derives is not published: the outbox that is published from is the living one's.

use std::time::Duration;

use deadpool_postgres::{Client, Transaction};
use ledger::db::{Database, DbError};
use ledger::read::Reader;
use schema::{LedgerName, Name};
use tokio::time::Instant;

use crate::fact::Fact;
use crate::fold::Scope;
use crate::project::batch::{BATCH, Folding, compile, engine, not_folded};
use crate::project::compare::{Difference, differences};
use crate::project::error::ProjectError;
use crate::project::pipeline::{Pipeline, Source};
use crate::project::sweep::sweep;
use crate::store::{Place, State, bigint};

/// The first of the two numbers of the lock: one rebuild of a ledger at a time.
const LOCK: i32 = 0x7669_6577;
/// How long to wait for the lock: PostgreSQL needs a moment to notice that a connection has ended.
const PATIENCE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(100);
/// How far behind the living projection the switch begins: it stands still while this is folded.
const NEAR: u64 = 8000;

/// What to rebuild.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuild {
    /// The entities, histories and links of this package alone; everything where `None`.
    pub package: Option<Name>,
    /// Begin anew where an earlier rebuild was interrupted, instead of going on.
    pub anew: bool,
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It begins at this position; not 0 where it goes on with an interrupted one.
    From(u64),
    /// So many positions are folded, of so many that the chain has.
    Folded(u64, u64),
    /// The new views are in place, of so many positions.
    Switched(u64),
    /// They were compared with the living ones, of so many positions.
    Compared(u64),
    /// So many old rows are deleted.
    Swept(u64),
}

/// Rebuilds the views of a ledger and gives how many positions they are of.
///
/// It needs nobody to stand still, and may be interrupted at any moment: what was folded until then is not folded
/// again. `told` is told how far it is, after each batch.
pub async fn rebuild(
    db: &Database,
    ledger: &LedgerName,
    what: &Rebuild,
    told: impl FnMut(Progress),
) -> Result<u64, ProjectError> {
    make(db, ledger, what, &mut End::Replace, told).await
}

/// Makes the views of a ledger beside the living ones, gives how many positions they are of and where the two differ, and
/// deletes them again. Nothing that was made before is gone on with: it is no less to be doubted than the living ones.
pub async fn compare(
    db: &Database,
    ledger: &LedgerName,
    told: impl FnMut(Progress),
) -> Result<(u64, Vec<Difference>), ProjectError> {
    let what = Rebuild {
        package: None,
        anew: true,
    };
    let mut end = End::Compare(Vec::new());
    let size = make(db, ledger, &what, &mut end, told).await?;
    match end {
        End::Compare(found) => Ok((size, found)),
        End::Replace => Ok((size, Vec::new())),
    }
}

/// What becomes of views that were made anew.
enum End {
    /// They take the place of the living ones.
    Replace,
    /// They are compared with the living ones, and retired.
    Compare(Vec<Difference>),
}

async fn make(
    db: &Database,
    ledger: &LedgerName,
    what: &Rebuild,
    end: &mut End,
    mut told: impl FnMut(Progress),
) -> Result<u64, ProjectError> {
    let reader = Reader::open(db, ledger).await?;
    let _lock = lock(db, &reader, ledger).await?;
    sweep(db, &reader, &mut told).await?;
    let folding = begin(db, &reader, ledger, what).await?;
    told(Progress::From(folding.next()));
    let mut pipeline = Pipeline::new(folding, State::Building, None);
    let folded = loop {
        let until = until(db, &reader, ledger, what, end).await?;
        match go_on(db, &mut pipeline, what, end, &until).await {
            Ok(Some(size)) => break size,
            Ok(None) => {}
            Err(ProjectError::Redacted { .. }) => found_anew(db, &reader, &mut pipeline).await?,
            Err(error) => return Err(error),
        }
        let next = pipeline.folding.next();
        told(Progress::Folded(next, until.end.max(next)));
    };
    told(match end {
        End::Replace => Progress::Switched(folded),
        End::Compare(_) => Progress::Compared(folded),
    });
    sweep(db, &reader, &mut told).await?;
    Ok(folded)
}

/// Folds a batch, or puts the new views in place where they are near enough: then gives of how many positions they are.
async fn go_on(
    db: &Database,
    pipeline: &mut Pipeline,
    what: &Rebuild,
    end: &mut End,
    until: &Until,
) -> Result<Option<u64>, ProjectError> {
    if pipeline.folding.next().saturating_add(NEAR) >= until.live {
        pipeline.settle().await?;
        pipeline.let_go().await;
        if let Some(size) = switch(db, &mut pipeline.folding, what, end).await? {
            return Ok(Some(size));
        }
    }
    pipeline.advance(until.end).await?;
    Ok(None)
}

/// Data was deleted: goes on from where the new views are, and reads what comes anew.
async fn found_anew(
    db: &Database,
    reader: &Reader,
    pipeline: &mut Pipeline,
) -> Result<(), ProjectError> {
    pipeline.let_go().await;
    let ours = pipeline.folding.place.projection;
    match Place::read(db, reader.id(), State::Building).await? {
        Some(place) if place.projection == ours => {
            pipeline.folding.found(place);
            Ok(())
        }
        theirs => Err(pipeline.folding.fenced(theirs.as_ref())),
    }
}

/// How far there is to fold.
struct Until {
    /// Where the living projection stands, as far as the chain goes.
    live: u64,
    /// How far may be folded before the switch.
    end: u64,
}

async fn until(
    db: &Database,
    reader: &Reader,
    ledger: &LedgerName,
    what: &Rebuild,
    end: &End,
) -> Result<Until, ProjectError> {
    let size = reader.head().await?.size;
    let live = Place::read(db, reader.id(), State::Live).await?;
    let next = live.map(|live| live.checkpoint.next);
    match (&what.package, next) {
        (None, next) => {
            let live = next.unwrap_or(size).min(size);
            // What is compared is of exactly as many positions.
            let end = match end {
                End::Replace => size,
                End::Compare(_) => live,
            };
            Ok(Until { live, end })
        }
        // The package's rows go in among the living ones: they are of exactly as many positions.
        (Some(_), Some(next)) => Ok(Until {
            live: next,
            end: next,
        }),
        (Some(_), None) => Err(ProjectError::NothingLives {
            ledger: ledger.clone(),
        }),
    }
}

/// Sees to it that nobody else rebuilds, as long as the connection is there.
async fn lock(
    db: &Database,
    reader: &Reader,
    ledger: &LedgerName,
) -> Result<deadpool_postgres::ClientWrapper, ProjectError> {
    // Out of the pool for good: the lock goes with the connection.
    let client = deadpool_postgres::Object::take(db.client().await?);
    let patience = Instant::now() + PATIENCE;
    loop {
        let row = client
            .query_one(
                include_str!("../sql/lock_rebuild.sql"),
                &[&LOCK, &reader.id()],
            )
            .await
            .map_err(db.error("asking whether somebody else rebuilds"))?;
        if row.get(0) {
            return Ok(client);
        }
        if Instant::now() > patience {
            return Err(ProjectError::Rebuilding {
                ledger: ledger.clone(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Goes on with what was interrupted, or begins anew.
async fn begin(
    db: &Database,
    reader: &Reader,
    ledger: &LedgerName,
    what: &Rebuild,
) -> Result<Folding, ProjectError> {
    if let Some(name) = &what.package {
        check_package(db, reader, ledger, name).await?;
    }
    let scope = || match &what.package {
        Some(name) => Scope::Package(name.clone()),
        None => Scope::All,
    };
    let package = what.package.as_ref().map(Name::as_str);
    let failed = db.error("beginning to rebuild");
    let client = db.client().await?;
    let continued = client
        .query_opt(
            include_str!("../sql/continue_building.sql"),
            &[&reader.id()],
        )
        .await
        .map_err(&failed)?;
    if let Some(place) = continued.as_ref().map(Place::from_row) {
        let same = place.package.as_deref() == package && !what.anew;
        let projection = place.projection;
        if same {
            match Folding::resume(reader.clone(), ledger, place, scope()).await {
                Err(ProjectError::OtherChain { .. } | ProjectError::OtherEngine { .. }) => {}
                resumed => return resumed,
            }
        }
        client
            .execute(include_str!("../sql/retire.sql"), &[&projection])
            .await
            .map_err(&failed)?;
    }
    let row = client
        .query_one(
            include_str!("../sql/begin_building.sql"),
            &[&reader.id(), &engine(), &package],
        )
        .await
        .map_err(&failed)?;
    Folding::resume(reader.clone(), ledger, Place::from_row(&row), scope()).await
}

/// The package is one of the catalog's, and the living views that its rows go into are of this chain and engine.
async fn check_package(
    db: &Database,
    reader: &Reader,
    ledger: &LedgerName,
    name: &Name,
) -> Result<(), ProjectError> {
    let nothing = || ProjectError::NothingLives {
        ledger: ledger.clone(),
    };
    let live = Place::read(db, reader.id(), State::Live).await?;
    let live = live.ok_or_else(nothing)?;
    Folding::resume(reader.clone(), ledger, live, Scope::All).await?;
    let active = reader.catalog_at(reader.head().await?.size).await?;
    let catalog = match &active {
        Some(active) => compile(active)?,
        None => schema::Catalog::bootstrap(),
    };
    if catalog.kinds().any(|kind| kind.name.package == *name) {
        return Ok(());
    }
    Err(ProjectError::NoPackage {
        ledger: ledger.clone(),
        package: name.clone(),
    })
}

async fn fence(
    tx: &Transaction<'_>,
    folding: &mut Folding,
    failed: &impl Fn(tokio_postgres::Error) -> DbError,
) -> Result<(), ProjectError> {
    let place = Place::fence(tx, folding.place.projection, State::Building)
        .await
        .map_err(failed)?;
    match place {
        Some(place) if place.epoch == folding.place.epoch => {
            folding.heed(&place);
            Ok(())
        }
        theirs => Err(folding.fenced(theirs.as_ref())),
    }
}

/// Folds at most `limit` positions within a transaction, and gives how many.
async fn fold(
    tx: &Transaction<'_>,
    folding: &mut Folding,
    limit: u64,
    failed: &impl Fn(tokio_postgres::Error) -> DbError,
) -> Result<usize, ProjectError> {
    if limit == 0 {
        return Ok(0);
    }
    let records = folding.reader.records(folding.next(), limit).await?;
    let mut ahead = Fact::read_all(records)?;
    let read = ahead.len();
    while !ahead.is_empty() {
        let mut facts = folding.cut(&mut ahead).await?;
        let changes = folding.fold(&facts, &mut Source::Within(tx)).await?;
        folding.write(tx, &changes, failed).await?;
        // Should the transaction fail, so does the rebuild, and the next one reads where it stands.
        folding.committed(changes.checkpoint);
        let mut rest = not_folded(&mut facts, &changes);
        rest.append(&mut ahead);
        ahead = rest;
    }
    Ok(read)
}

/// Folds what is missing to the living projection, which stands still meanwhile, and takes its place. `None` where too
/// much was missing.
async fn switch(
    db: &Database,
    folding: &mut Folding,
    what: &Rebuild,
    end: &mut End,
) -> Result<Option<u64>, ProjectError> {
    let failed = db.error("putting the rebuilt views in place");
    let live = Place::read(db, folding.reader.id(), State::Live).await?;
    let mut client: Client = db.client().await?;
    let tx = client.transaction().await.map_err(&failed)?;
    let live = match live {
        None => None,
        Some(live) => Place::fence(&tx, live.projection, State::Live)
            .await
            .map_err(&failed)?,
    };
    fence(&tx, folding, &failed).await?;
    let until = live.as_ref().map_or(u64::MAX, |live| live.checkpoint.next);
    if live.is_some() && until.saturating_sub(folding.next()) > 2 * NEAR {
        let size = folding.reader.head().await?.size;
        if size.saturating_sub(folding.next()) > 2 * NEAR {
            return Ok(None);
        }
    }
    loop {
        let limit = until.saturating_sub(folding.next()).min(BATCH);
        if fold(&tx, folding, limit, &failed).await? == 0 {
            break;
        }
    }
    let new = folding.place.projection;
    if let End::Compare(found) = end {
        let live = live.ok_or_else(|| ProjectError::NothingLives {
            ledger: folding.ledger.clone(),
        })?;
        let compared = differences(&tx, live.projection, new).await;
        *found = compared.map_err(db.error("comparing the views"))?;
        if live.checkpoint.next != folding.next() {
            found.insert(0, Difference::of_place(live.checkpoint.next));
        }
        let retire = include_str!("../sql/retire.sql");
        tx.execute(retire, &[&new]).await.map_err(&failed)?;
        tx.commit().await.map_err(&failed)?;
        return Ok(Some(folding.next()));
    }
    match (&what.package, &live) {
        (None, live) => replace(&tx, folding, live.as_ref(), &failed).await?,
        (Some(package), Some(live)) if live.checkpoint.next == folding.next() => {
            insert(&tx, new, live.projection, package)
                .await
                .map_err(&failed)?;
        }
        (Some(_), live) => return Err(folding.fenced(live.as_ref())),
    }
    tx.commit().await.map_err(&failed)?;
    Ok(Some(folding.next()))
}

/// The new projection lives, the old one is retired.
async fn replace(
    tx: &Transaction<'_>,
    folding: &Folding,
    old: Option<&Place>,
    failed: &impl Fn(tokio_postgres::Error) -> DbError,
) -> Result<(), ProjectError> {
    let new = folding.place.projection;
    if let Some(old) = old {
        // What this program derives and the old views did not is known from here on, but nobody is told of it: it is
        // about the past. Only views of another chain said nothing about this one.
        let next = old.checkpoint.next;
        let same = match next.checked_sub(1) {
            None => true,
            Some(last) => {
                let record = folding.reader.record(last).await?;
                record.map(|record| record.chain) == old.checkpoint.chain
            }
        };
        if same {
            tx.execute(
                include_str!("../sql/hush_outbox.sql"),
                &[&new, &old.projection, &bigint(next)],
            )
            .await
            .map_err(failed)?;
        }
        tx.execute(include_str!("../sql/retire.sql"), &[&old.projection])
            .await
            .map_err(failed)?;
    }
    tx.execute(include_str!("../sql/make_live.sql"), &[&new])
        .await
        .map_err(failed)?;
    Ok(())
}

/// The package's rows of the new projection take the place of those of the living one.
async fn insert(
    tx: &Transaction<'_>,
    new: i32,
    live: i32,
    package: &Name,
) -> Result<(), tokio_postgres::Error> {
    // Kinds are `<package>.<entity>`, and `/` follows `.`.
    let (from, to) = (format!("{package}."), format!("{package}/"));
    for statement in [
        include_str!("../sql/drop_package_history.sql"),
        include_str!("../sql/drop_package_link.sql"),
        include_str!("../sql/drop_package_entity.sql"),
    ] {
        tx.execute(statement, &[&live, &from, &to]).await?;
    }
    for statement in [
        include_str!("../sql/move_entity.sql"),
        include_str!("../sql/move_history.sql"),
        include_str!("../sql/move_link.sql"),
        include_str!("../sql/retire.sql"),
    ] {
        let parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)] = if statement.contains("$2")
        {
            &[&new, &live]
        } else {
            &[&new]
        };
        tx.execute(statement, parameters).await?;
    }
    Ok(())
}
