//! Data is kept as long as it must be, is deleted when its time is over, and never where a hold keeps it.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test reports by panicking"
)]

mod lost;
mod redacted;
mod refused;
