//! The shapes as they are judged.

use crate::cel::node::Node;

/// What a rule demands, compiled.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A condition holds.
    Require(Node),
}
