//! Conditions: expressions of the Common Expression Language (CEL), read, checked and judged.
//!
//! The language is CEL's (<https://github.com/google/cel-spec/blob/master/doc/langdef.md>); the reader and the
//! evaluator are this program's, since a verdict has to come out the same for as long as the chain is kept, whatever
//! a library makes of the language in the meantime, and since every evaluation has a budget. A test holds both
//! against the `cel` crate. What is left out: bytes, unsigned integers, maps and messages written as literals.
//!
//! What is not there is `null`, at any depth: a declared field that an event did not carry, a member of one, a key of
//! a map, an entity that nobody created. `null` counts as an empty list where it is gone through or measured and as
//! text that nothing matches; it equals only `null`. Anything else done with it (compared by size, added) fails, and
//! the rule is not judged.

pub(crate) mod ast;
mod call;
pub(crate) mod check;
mod eval;
pub(crate) mod function;
mod lex;
pub(crate) mod node;
pub(crate) mod parse;
#[cfg(test)]
mod tests;
pub(crate) mod types;
pub(crate) mod value;

pub use crate::entity::View;
pub use eval::{BUDGET, Failure};
pub(crate) use eval::{Frame, evaluate, truth};
pub(crate) use value::Value;
pub use value::parse_span_us;
