//! States, histories and verdicts on a real PostgreSQL, fed by the real appender.

mod asked;
mod asking;
mod deadlines;
mod derived;
mod fold;
mod house;
mod incidents;
mod kept;
mod links;
mod outbox;
mod rejudged;
mod retention;
mod support;
mod verdicts;
mod views;
