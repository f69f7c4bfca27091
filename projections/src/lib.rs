//! What it means: state, history and verdicts, folded from the chain.
//!
//! The fold is pure: no clock, no input or output, and it consumes its state, so that a failure cannot
//! leave half of one. Everything in schema `views` follows from the chain and can be made again.
//!
//! The way of an event through here: [`fact`] reads it, [`entity`] advances the state that it is about,
//! [`fold`] does that for a batch and judges, `store` writes the changes with the checkpoint in one
//! transaction, [`project`] does that for ever, [`outbox`] publishes verdicts until they are in the chain, [`clock`]
//! sees to it that what is due is found, and [`query`] answers. [`view`] makes the views that people read from the
//! active kinds.

pub mod catalogs;
pub mod clock;
pub mod derived;
pub mod entity;
pub mod fact;
pub mod fold;
pub mod incident;
pub mod metrics;
pub mod migrate;
pub mod outbox;
pub mod project;
pub mod query;
pub mod rejudge;
pub mod retention;
pub mod rollback;
mod send;
mod store;
pub mod verdict;
pub mod view;

pub use metrics::Metrics;
pub use project::ProjectError;
