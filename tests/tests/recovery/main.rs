//! What somebody does at night: servers lose what they had acknowledged, and the program goes on or says why not.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

mod broker;
mod bundle;
mod keys;
mod refused;
mod successor;
mod support;
