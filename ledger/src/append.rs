//! The one append: all that enters the chain enters here, in the order of the stream.
//!
//! Read [`Appender::append`] downwards, then [`Planner::plan`]. What is decided is decided by pure functions over the
//! head, the messages and what the chain holds already; so the same stream gives the same chain, bit for bit, in
//! whatever batches it comes. What is awaited is one look-up, where identities may be taken, and one statement, which
//! is one transaction.

mod commit;
mod draft;
mod error;
mod known;
mod link;
mod plan;

use schema::{Event, LedgerName, Message, Reason, Refusal};
use tracing::{info, warn};

pub use self::error::AppendError;
pub use self::plan::{Plan, Planner};

use self::commit::{Committed, commit, half};
use self::draft::Draft;
use self::known::Known;
use crate::db::{Client, Database, DbError};
use crate::head::{Head, bigint};
use crate::keyring::Keyring;

/// A message of the stream, and what `schema::read` made of it with the catalog of its position.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The message as it lay in the stream.
    pub message: Message,
    /// The event, or why it is none.
    pub read: Result<Event, Refusal>,
}

/// What became of one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The position.
    pub seq: u64,
    /// What stands there.
    pub kind: Kind,
}

/// What stands at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The event itself.
    Recorded,
    /// The same event again.
    Duplicate {
        /// The position of the first one.
        of: u64,
    },
    /// A message that is no event of its own, and why.
    Quarantined(Reason),
    /// Numbers that the stream no longer has.
    Gap,
}

/// The one writer of a ledger, until another takes over.
#[derive(Debug)]
pub struct Appender {
    db: Database,
    /// `None` where the connection was lost.
    client: Option<Client>,
    head: Head,
    planner: Planner,
    /// The first position that has no partition for its data yet.
    room_until: u64,
    /// Identities are looked up before the batch is sent. That costs a round trip, and not doing it costs a
    /// batch where one is taken; so what the last batches held decides.
    look_first: bool,
    /// A batch was sent and its answer not seen: the head may be behind the truth.
    unsettled: bool,
    /// What that batch would be.
    in_doubt: Vec<Outcome>,
}

/// How often a batch is sent whose connection was lost each time, before the caller is told.
const MOST_LOSSES: u32 = 16;

impl Appender {
    /// Takes over appending to a ledger: whoever did so before no longer can. Waits for an append of theirs that
    /// is under way.
    pub async fn take_over(
        db: Database,
        ledger: &LedgerName,
        keyring: Keyring,
    ) -> Result<Self, AppendError> {
        let client = db.client().await?;
        let row = client
            .query_opt(include_str!("sql/take_over.sql"), &[&ledger.as_str()])
            .await
            .map_err(db.error("taking over"))?;
        let Some(row) = row else {
            let server = db.server().to_owned();
            let ledger = ledger.clone();
            return Err(AppendError::NoLedger { ledger, server });
        };
        let head = Head::from_row(&db, row.get("ledger"), &row)?;
        info!(%ledger, epoch = head.epoch, size = head.size, "took over appending to {ledger}");
        Ok(Self {
            db,
            client: Some(client),
            planner: Planner::new(keyring),
            room_until: 0,
            look_first: false,
            unsettled: false,
            in_doubt: Vec::new(),
            head,
        })
    }

    /// Says that heads of up to `size` positions were signed: what this writer appends before that is a replay, for
    /// which no salt key is made.
    pub fn signed_up_to(&mut self, size: u64) {
        self.planner.signed_up_to(size);
    }

    /// The head behind which the next batch goes. After [`AppendError::Unavailable`] it may be behind the truth
    /// until the next append.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Appends messages of one stream, in the order of their numbers, as one batch; gives what stands at each new
    /// position, gaps included. Either all of it is committed or, but for [`AppendError::Refused`], nothing.
    ///
    /// After [`AppendError::Unavailable`] the same messages may be given again: what turns out to have been
    /// committed is reported, never appended twice.
    pub async fn append(
        &mut self,
        stream: &str,
        arrivals: Vec<Arrival>,
    ) -> Result<Vec<Outcome>, AppendError> {
        // Whether the last batch is in may not be known yet.
        let again = self.unsettled;
        let settled = self.settle().await?;
        let arrivals = self.unread(stream, arrivals, again);
        let plan = self.planner.plan(self.head.clone(), stream, arrivals)?;
        let appended = self.append_plan(plan).await;
        match appended {
            Ok(outcomes) => Ok([settled, outcomes].concat()),
            Err(error) => {
                self.in_doubt.splice(0..0, settled);
                Err(error)
            }
        }
    }

    /// What plans batches for [`Appender::append_plan`].
    pub fn planner(&self) -> Planner {
        self.planner.clone()
    }

    /// Appends a batch that was planned behind this head, or behind what this head was expected to become. The same
    /// is guaranteed as by [`Appender::append`]; where another head came, nothing is appended and the error is
    /// [`AppendError::OutOfOrder`].
    pub async fn append_plan(&mut self, plan: Plan) -> Result<Vec<Outcome>, AppendError> {
        let Plan { behind, mut drafts } = plan;
        let chain = behind.chain;
        if self.unsettled
            || (Head {
                chain,
                ..self.head.clone()
            }) != behind
        {
            return Err(AppendError::OutOfOrder {
                expected: self.head.stream_seq + 1,
                arrived: behind.stream_seq + 1,
            });
        }
        self.make_room(drafts.len()).await?;
        if self.look_first {
            let known = self.look_up(&drafts).await?;
            self.planner.decide(&self.head, &mut drafts, &known)?;
        } else if chain != self.head.chain {
            self.planner
                .decide(&self.head, &mut drafts, &Known::default())?;
        }
        // One transaction. What became of each message is final only after it.
        let result = self.commit(&mut drafts).await;
        let outcomes = drafts.iter().filter_map(Draft::outcome).collect();
        if let Err(error) = result {
            self.unsettled = true;
            self.in_doubt = outcomes;
            return Err(error);
        }
        Ok(outcomes)
    }

    /// After a loss: reads the head anew, and gives what the batch in doubt has become, if it is in.
    async fn settle(&mut self) -> Result<Vec<Outcome>, AppendError> {
        if self.unsettled {
            self.reload().await?;
        }
        let mut outcomes = std::mem::take(&mut self.in_doubt);
        outcomes.retain(|outcome| outcome.seq < self.head.size);
        Ok(outcomes)
    }

    /// What is left to append of messages that are given again.
    fn unread(&self, stream: &str, mut arrivals: Vec<Arrival>, again: bool) -> Vec<Arrival> {
        if again && stream == self.head.stream {
            arrivals.retain(|arrival| arrival.message.stream_seq > self.head.stream_seq);
        }
        arrivals
    }

    /// Sees to it that the next positions' data has partitions to lie in.
    async fn make_room(&mut self, positions: usize) -> Result<(), AppendError> {
        let end = self.head.size + u64::try_from(positions).unwrap_or(u64::MAX);
        while self.room_until < end {
            let from = bigint(self.room_until.max(self.head.size));
            let (id, failed) = (self.head.id, self.db.error("making a partition for data"));
            let client = self.client().await?;
            let row = client
                .query_one(include_str!("sql/make_room.sql"), &[&id, &from])
                .await
                .map_err(failed)?;
            self.room_until = u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
        }
        Ok(())
    }

    /// Looks up which of the claimed identities are taken.
    async fn look_up(&mut self, drafts: &[Draft]) -> Result<Known, AppendError> {
        let claims: Vec<_> = drafts.iter().filter_map(|d| d.claim.as_ref()).collect();
        let (db, ledger) = (self.db.clone(), self.head.id);
        let known = Known::look_up(&db, self.client().await?, ledger, &claims).await?;
        self.look_first = known.len() > 0;
        Ok(known)
    }

    /// Commits the drafts, as one batch if possible, and moves the head. On each turn the head says how much of
    /// them is in, so that nothing is in twice whatever happened to a connection.
    async fn commit(&mut self, drafts: &mut [Draft]) -> Result<(), AppendError> {
        let (mut looked, mut losses, mut most) = (self.look_first, 0, usize::MAX);
        loop {
            let rest = remaining(&self.head, drafts)?;
            let part = rest.get(..most.min(rest.len())).unwrap_or_default();
            if part.is_empty() {
                return Ok(());
            }
            let (db, head) = (self.db.clone(), self.head.clone());
            self.unsettled = true;
            let committed = commit(&db, self.client().await?, &head, part).await;
            // Not reached where the caller gave up waiting.
            self.unsettled = false;
            match committed {
                Committed::Yes(head) => {
                    self.head = head;
                    (losses, most) = (0, usize::MAX);
                }
                Committed::Taken if !looked => {
                    looked = true;
                    let known = self.look_up(rest).await?;
                    self.planner.decide(&self.head, rest, &known)?;
                }
                Committed::Taken => {
                    return Err(AppendError::Corrupt(
                        "ledger.seen holds an identity whose event ledger.event does not hold"
                            .into(),
                    ));
                }
                Committed::Refused(source) => {
                    most = half(part).ok_or_else(|| refused(part, source))?;
                    warn!(
                        "PostgreSQL refused a batch of {}; trying {most}",
                        part.len()
                    );
                }
                Committed::Unknown(source) => {
                    losses += 1;
                    if losses > MOST_LOSSES {
                        return Err(AppendError::Unavailable(source));
                    }
                    warn!(%source, losses, "an append was not answered; reading the head");
                    // A batch that brings the server down, or runs into a limit of time, gets smaller too.
                    most = half(part).unwrap_or(part.len());
                    self.client = None;
                    self.reload().await?;
                }
                Committed::Moved => {
                    self.reload().await?;
                    if self.head == head {
                        return Err(AppendError::Corrupt(
                            "the head is as expected and yet does not move".into(),
                        ));
                    }
                }
                Committed::Failed(source) => return Err(AppendError::Database(source)),
            }
        }
    }

    /// Reads the head, once an append on a lost connection has ended, and stops where another has taken over.
    async fn reload(&mut self) -> Result<(), AppendError> {
        let id = self.head.id;
        let db = self.db.clone();
        let row = self
            .client()
            .await?
            .query_opt(include_str!("sql/settle.sql"), &[&id])
            .await
            .map_err(db.error("reading the head again"))?;
        let Some(row) = row else {
            return Err(AppendError::Corrupt("the head's row is gone".into()));
        };
        let head = Head::from_row(&db, id, &row)?;
        if head.epoch != self.head.epoch {
            return Err(AppendError::Fenced {
                ours: self.head.epoch,
                theirs: head.epoch,
            });
        }
        self.head = head;
        self.unsettled = false;
        Ok(())
    }

    async fn client(&mut self) -> Result<&Client, AppendError> {
        let client = match self.client.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => self.db.client().await?,
        };
        Ok(self.client.insert(client))
    }
}

/// The drafts that stand behind the head. Those before it must be the ones that it holds.
fn remaining<'d>(head: &Head, drafts: &'d mut [Draft]) -> Result<&'d mut [Draft], AppendError> {
    let Some(first) = drafts.first().and_then(Draft::content) else {
        return Ok(drafts);
    };
    let arrived = first.header.stream_seq;
    let done = head.size.checked_sub(first.header.seq);
    let done = done.and_then(|done| usize::try_from(done).ok());
    let Some(done) = done.filter(|done| *done <= drafts.len()) else {
        let expected = head.stream_seq + 1;
        return Err(AppendError::OutOfOrder { expected, arrived });
    };
    let last = done.checked_sub(1).and_then(|last| drafts.get(last));
    if last.is_some_and(|last| last.seal.chain != head.chain) {
        return Err(AppendError::Corrupt(format!(
            "position {} holds another event than the one this writer appended there",
            head.size - 1
        )));
    }
    Ok(drafts.get_mut(done..).unwrap_or_default())
}

/// The error for the one message (and the gap before it) that PostgreSQL does not take.
fn refused(part: &[Draft], source: DbError) -> AppendError {
    let content = part.last().and_then(Draft::content);
    AppendError::Refused {
        seq: content.map_or(0, |content| content.header.seq),
        stream_seq: content.map_or(0, |content| content.header.stream_seq),
        source,
    }
}
