//! The chain in PostgreSQL: append, seal, verify, and what the database refuses.
#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::too_many_lines,
    clippy::items_after_statements,
    reason = "tests report by panicking, and a table of cases is as long as it is"
)]

mod append;
mod batches;
mod cut_off;
mod deleted;
mod guards;
mod identities;
mod keys;
mod seal;
mod standby;
mod support;
mod vectors;
mod verify;
