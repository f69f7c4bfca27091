//! Classes of data whose time is over, through the whole program: a chain that was begun 420 days ago, taken over today.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test reports by panicking, and this one is about what was recorded long before now"
)]

mod chain;
mod deleted;
