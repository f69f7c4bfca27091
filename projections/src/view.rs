//! The views that people read: generated from the active kinds, and derived ones over histories.
//!
//! Every kind has one flat view `views.<package>_<read model>` with a column a field. What is here is pure: kinds
//! go in, names, columns and SQL come out ([`of_kind`], [`plan`]). `install` makes them in the projector's
//! transaction, so that the views change with the catalog at its position.

mod column;
mod derived;
mod describe;
mod flat;
mod install;
mod name;
mod plan;
mod query;

pub use column::{Column, ColumnType};
pub use derived::derived;
pub use describe::page;
pub use flat::{Flat, of_kind};
pub(crate) use install::refresh;
pub use plan::{View, catalog, plan};
