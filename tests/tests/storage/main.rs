//! The chain in PostgreSQL: append, seal, verify, and what the database refuses.
#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "tests report by panicking"
)]

mod append;
mod seal;
mod support;
