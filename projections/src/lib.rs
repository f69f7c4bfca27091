//! What it means: state, history and verdicts, folded from the chain.
//!
//! The fold is pure: no clock, no input or output, and it consumes its state, so that a failure cannot
//! leave half of one. [`fact`] reads a position, [`entity`] advances the state that it is about, [`fold`]
//! does that for a batch and judges.

pub mod catalogs;
pub mod entity;
pub mod fact;
pub mod fold;
pub mod verdict;
