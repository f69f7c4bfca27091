//! Folds without a database: against plain models, in any cut of a chain, with the load that a sample draws, with every
//! scenario of the rules.

mod came;
mod cuts;
mod database;
mod judged;
mod lamps;
mod lawful;
mod records;
mod scenarios;
