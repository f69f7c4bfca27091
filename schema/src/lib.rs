//! What may happen: names, kinds, lifecycles, and how an inbound message is read.
//!
//! Everything here is pure. There is no clock, no file, no network and no randomness: the same message
//! read with the same catalog gives the same event or the same refusal, on every machine, for ever. The
//! chain rests on that.

pub mod canonical;
pub mod catalog;
mod cel;
mod check;
pub mod describe;
pub mod diagnostic;
pub mod difference;
pub mod draw;
pub mod entity;
pub mod envelope;
pub mod event;
mod example;
pub mod identity;
pub mod indexed;
pub mod json;
pub mod kind;
mod kinds;
pub mod lifecycle;
mod load;
pub mod merge;
pub mod message;
pub mod name;
mod named;
pub mod package;
pub mod read;
pub mod refusal;
pub mod retention;
pub mod rule;
pub mod sample;
pub mod secret;
pub mod time;

pub use catalog::{Activation, Catalog, ENGINE};
pub use diagnostic::Diagnostic;
pub use event::{Event, EventType};
pub use indexed::Indexed;
pub use kind::{EventDef, Field, Kind};
pub use lifecycle::Step;
pub use message::Message;
pub use name::{KindName, LedgerName, Name};
pub use package::Package;
pub use read::read;
pub use refusal::{Reason, Refusal};
pub use retention::{Retention, Retentions, Term};
