//! What may happen: names, kinds, lifecycles, and how an inbound message is read.
//!
//! Everything here is pure. There is no clock, no file, no network and no randomness: the same message
//! read with the same catalog gives the same event or the same refusal, on every machine, for ever. The
//! chain rests on that.

pub mod event;
pub mod message;
pub mod name;
pub mod refusal;

pub use event::{Event, EventType};
pub use message::Message;
pub use name::{KindName, LedgerName, Name};
pub use refusal::{Reason, Refusal};
