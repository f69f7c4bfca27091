//! How we know: private servers, the program itself, and scenarios over both.
//!
//! Nothing here is a mock. A test that needs PostgreSQL or NATS starts the real server from an installed
//! binary, on a socket or a port of its own, and stops it by its process id when the value is dropped.
//! What the harness cannot do it says by panicking: a test has nobody else to tell.
#![allow(
    clippy::panic,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    reason = "a harness reads the environment and the clock, and reports by panicking"
)]

mod account;
pub mod binaries;
pub mod feed;
pub mod installation;
pub mod nats;
pub mod port;
pub mod postgres;
mod process;
pub mod program;
pub mod raw;
pub mod tls;

pub use installation::Installation;
pub use nats::Nats;
pub use postgres::Postgres;
