//! When a rule is judged at all: mostly the event alone says that it is not, and then nothing is looked up.

use crate::cel::node::{Node, Root};
use crate::cel::{Failure, Frame, evaluate, truth};

/// A condition, as far as it can be told before anything is looked up, and what is asked after that.
#[derive(Debug, Clone, Default)]
pub(super) struct When {
    first: Option<Node>,
    then: Option<Node>,
}

impl When {
    pub(super) fn new(node: Option<Node>) -> Self {
        match node {
            None => Self::default(),
            Some(node) if is_told_first(&node) => Self {
                first: Some(node),
                then: None,
            },
            Some(Node::And(parts)) => {
                let first = parts.iter().filter(|one| is_told_first(one));
                let first: Vec<Node> = first.cloned().collect();
                Self {
                    first: Some(first).filter(|all| !all.is_empty()).map(Node::And),
                    then: Some(Node::And(parts)),
                }
            }
            then => Self { first: None, then },
        }
    }

    /// Whether it may hold, by what is known before anything is looked up.
    pub(super) fn may_hold<'a>(&'a self, frame: &mut Frame<'a>) -> Result<bool, Failure> {
        let Some(first) = &self.first else {
            return Ok(true);
        };
        match evaluate(first, frame).and_then(|value| truth(&value)) {
            // Another part may decide (CEL, "Logical operators"); all of it is asked again.
            Err(failure) if self.then.is_some() && failure != Failure::Budget => Ok(true),
            answer => answer,
        }
    }

    /// All of it.
    pub(super) fn whole(&self) -> Option<&Node> {
        self.then.as_ref().or(self.first.as_ref())
    }

    /// What is to be asked of it once everything was looked up.
    pub(super) fn then(&self) -> Option<&Node> {
        self.then.as_ref()
    }
}

/// Whether it speaks of nothing but the event and its entity.
fn is_told_first(node: &Node) -> bool {
    let later = |root| {
        matches!(
            root,
            Root::Found(_) | Root::Item | Root::Other | Root::Timer
        )
    };
    !node.mentions(&later)
}
