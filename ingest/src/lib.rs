//! How it arrives: NATS `JetStream`, from the streams to the one append, and out again.
//!
//! In: [`streams`] makes them, [`consume`] reads, appends and acknowledges, [`publish`] and [`spool`] are the
//! publishers' side, [`recover`] goes on after the server lost what it had acknowledged, and [`scrub`] deletes
//! what must not stay. Out: [`outgoing`] for every position, [`heads`] for what is signed.

mod api;
pub mod backoff;
pub mod checks;
pub mod cloudevent;
pub mod consume;
mod follow;
mod headers;
pub mod heads;
mod link;
pub mod metrics;
pub mod nats;
pub mod outgoing;
pub mod publish;
pub mod recover;
pub mod scrub;
mod source;
pub mod spool;
pub mod streams;
mod wire;

pub use backoff::Backoff;
pub use consume::IngestError;
pub use follow::Fate;
pub use metrics::Metrics;
pub use nats::Nats;
