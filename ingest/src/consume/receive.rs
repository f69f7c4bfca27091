//! The receiving half: frames in, parsed batches out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ledger::append::Arrival;
use schema::{Catalog, LedgerName};
use tokio::sync::mpsc;

use super::Config;
use crate::metrics::Metrics;
use crate::source::{Source, SourceError};

/// How many frames are taken in before what was committed is looked at again.
const TURN: usize = 256;
/// How many batches are handed over before the first of them is committed.
const AHEAD: usize = 2;

/// What is appended at once.
#[derive(Debug)]
pub(super) struct Batch {
    pub arrivals: Vec<Arrival>,
    /// Acknowledges all of it.
    pub ack: Bytes,
    /// The bytes of its messages.
    pub bytes: u64,
}

impl Batch {
    /// The activation of a catalog that this batch is, if it is one. It always stands alone.
    pub fn activation(&mut self) -> Option<&mut Arrival> {
        let first = self.arrivals.first_mut()?;
        (catalog_event(first) == Some(CatalogEvent::Activated)).then_some(first)
    }
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Done {
    pub ack: Bytes,
    /// The catalog to go on with, where it changed.
    pub catalog: Option<Arc<Catalog>>,
}

#[derive(Debug, PartialEq, Eq)]
enum CatalogEvent {
    Recorded,
    Activated,
}

fn catalog_event(arrival: &Arrival) -> Option<CatalogEvent> {
    let event = arrival.read.as_ref().ok()?;
    let kind = event.event_type.kind();
    if (kind.package.as_str(), kind.entity.as_str()) != ("ledger", "catalog") {
        return None;
    }
    match event.event_type.verb().as_str() {
        "recorded" => Some(CatalogEvent::Recorded),
        "activated" => Some(CatalogEvent::Activated),
        _ => None,
    }
}

/// The batch that is being filled.
#[derive(Debug, Default)]
struct Filling {
    arrivals: Vec<Arrival>,
    ack: Bytes,
    bytes: usize,
    /// It ends here, because what follows may have to be read with another catalog.
    ends: bool,
}

/// Reads the stream, parses, and hands over.
#[derive(Debug)]
pub(super) struct Receiver {
    source: Source,
    ledger: LedgerName,
    wake: String,
    catalog: Arc<Catalog>,
    most_messages: usize,
    most_bytes: usize,
    metrics: Arc<Metrics>,
    filling: Filling,
    /// Read already, and to be the first of the next batch.
    carried: Option<(Arrival, Bytes, usize)>,
    /// Handed over and not committed.
    ahead: usize,
    /// A batch that may change the catalog is on its way: nothing is parsed before it is committed.
    waiting: bool,
}

impl Receiver {
    pub fn new(
        source: Source,
        config: &Config,
        ledger: LedgerName,
        catalog: Arc<Catalog>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            source,
            wake: format!("ledger.{ledger}.wake"),
            ledger,
            catalog,
            most_messages: config.batch_messages.max(1),
            most_bytes: config.batch_bytes,
            metrics,
            filling: Filling::default(),
            carried: None,
            ahead: 0,
            waiting: false,
        }
    }

    /// Runs until the stream breaks, or until the other half is gone. Gives why.
    pub async fn run(
        mut self,
        batches: mpsc::Sender<Batch>,
        mut done: mpsc::UnboundedReceiver<Done>,
    ) -> SourceError {
        loop {
            match self.turn(&batches, &mut done).await {
                Ok(true) => {}
                Ok(false) => {
                    // What was committed last is acknowledged as well as can be.
                    let _ = self.source.advance().await;
                    return self.source.again("it was stopped");
                }
                Err(error) => return error,
            }
        }
    }

    async fn turn(
        &mut self,
        batches: &mpsc::Sender<Batch>,
        done: &mut mpsc::UnboundedReceiver<Done>,
    ) -> Result<bool, SourceError> {
        self.source.advance().await?;
        let frame = tokio::select! {
            biased;
            finished = done.recv() => match finished {
                Some(finished) => {
                    self.finished(finished);
                    None
                }
                None => return Ok(false),
            },
            frame = self.source.next() => Some(frame?),
        };
        if let Some(frame) = frame {
            self.source.accept(frame).await?;
        }
        for _ in 0..TURN {
            match self.source.try_next()? {
                Some(frame) => self.source.accept(frame).await?,
                None => break,
            }
        }
        self.metrics
            .pending
            .store(self.source.pending, Ordering::Relaxed);
        self.fill();
        while self.is_ready() {
            if !self.hand_over(batches) {
                return Ok(false);
            }
            self.fill();
        }
        Ok(true)
    }

    fn finished(&mut self, done: Done) {
        self.ahead = self.ahead.saturating_sub(1);
        self.waiting &= self.ahead > 0;
        if let Some(catalog) = done.catalog {
            self.catalog = catalog;
        }
        self.source.acknowledge(&done.ack);
        self.source.tell(&self.wake);
        if self.ahead == 0 && self.filling.arrivals.is_empty() && self.carried.is_none() {
            self.metrics.oldest_unread_us.store(0, Ordering::Relaxed);
        }
    }

    /// Parses what is here, up to a batch.
    fn fill(&mut self) {
        while !self.waiting
            && !self.filling.ends
            && self.filling.arrivals.len() < self.most_messages
            && self.filling.bytes < self.most_bytes
        {
            let Some((arrival, ack, bytes)) = self.carried.take().or_else(|| self.parse()) else {
                return;
            };
            match catalog_event(&arrival) {
                // It is judged by what is committed before it, so it stands alone.
                Some(CatalogEvent::Activated) if !self.filling.arrivals.is_empty() => {
                    self.carried = Some((arrival, ack, bytes));
                    self.filling.ends = true;
                    return;
                }
                Some(_) => self.filling.ends = true,
                None => {}
            }
            self.filling.arrivals.push(arrival);
            self.filling.ack = ack;
            self.filling.bytes += bytes;
        }
    }

    fn parse(&mut self) -> Option<(Arrival, Bytes, usize)> {
        let arrived = self.source.pop()?;
        let read = schema::read(&arrived.message, &self.ledger, self.catalog.as_ref());
        let message = arrived.message;
        Some((Arrival { message, read }, arrived.ack, arrived.bytes))
    }

    /// While nothing is being committed every message is handed over at once; while something is, a full
    /// batch at most, so that batches grow with the load.
    fn is_ready(&self) -> bool {
        let filling = &self.filling;
        let full = filling.ends
            || filling.arrivals.len() >= self.most_messages
            || filling.bytes >= self.most_bytes;
        !filling.arrivals.is_empty() && (self.ahead == 0 || (full && self.ahead < AHEAD))
    }

    /// False when the other half is gone.
    fn hand_over(&mut self, batches: &mpsc::Sender<Batch>) -> bool {
        let filling = std::mem::take(&mut self.filling);
        if self.ahead == 0 {
            let oldest = filling
                .arrivals
                .first()
                .map_or(0, |first| first.message.time_us);
            self.metrics
                .oldest_unread_us
                .store(oldest, Ordering::Relaxed);
        }
        self.waiting = filling.ends;
        self.ahead += 1;
        let batch = Batch {
            arrivals: filling.arrivals,
            ack: filling.ack,
            bytes: u64::try_from(filling.bytes).unwrap_or(u64::MAX),
        };
        // There is room for all that may be ahead.
        batches.try_send(batch).is_ok()
    }
}
