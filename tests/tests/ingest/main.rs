//! From the stream to the chain and out again, on real servers that are killed and lose things.
#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests report by panicking, and read the environment and the clock"
)]

mod catalogs;
mod faults;
mod hostile;
mod outgoing;
mod publish;
mod recover;
mod secure;
mod support;
