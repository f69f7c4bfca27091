//! What happened: the chain, the tree over it, and the proof that neither was changed.
//!
//! Times that are hashed are whole microseconds since the Unix epoch in an `i64`; hashed integers are
//! big-endian. The clock, randomness and the network are parameters.

pub mod append;
pub mod bundle;
pub mod checkpoint;
pub mod db;
pub mod digest;
pub mod head;
pub mod head_file;
pub mod identities;
pub mod init;
pub mod keyring;
pub mod migrate;
pub mod note;
pub mod outage;
pub mod proof;
pub mod read;
mod recompute;
pub mod record;
pub mod redaction;
pub mod report;
pub mod restore;
pub mod retention;
mod scan;
pub mod seal;
pub mod succession;
pub mod tile;
pub mod tls;
pub mod tree;
pub mod verify;
pub mod words;

pub use record::{Header, Record};
