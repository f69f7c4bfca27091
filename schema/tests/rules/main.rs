//! Rules judged: one kind with its rules, and what events break.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conditions;
mod deadlines;
mod judged;
mod plant;
mod shapes;
