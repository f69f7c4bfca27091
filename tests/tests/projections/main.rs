//! States, histories and verdicts on a real PostgreSQL, fed by the real appender.

mod asked;
mod deadlines;
mod derived;
mod fold;
mod incidents;
mod links;
mod outbox;
mod rejudged;
mod retention;
mod support;
mod verdicts;
mod views;
