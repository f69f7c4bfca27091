//! `deadline`: something happens in time. An event sets when it is due; the first event recorded after that finds
//! it due.

use super::Case;
use crate::cel::Failure;
use crate::cel::check::Scope;
use crate::cel::node::{Node, Root};
use crate::cel::types::{self, Type};
use crate::name::Name;
use crate::rule::compile::{Broken, Compiler};
use crate::rule::declare::{self, Task};

#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    due: Node,
    pub(super) unless: Option<Node>,
    pub(crate) raise: bool,
    pub(crate) task: Option<Task>,
    pub(crate) emit: Option<(Name, Vec<(String, Node)>)>,
}

impl Deadline {
    pub(super) fn compile(
        compiler: &mut Compiler<'_>,
        declared: &declare::Deadline,
        scope: &Scope<'_>,
    ) -> Result<Self, Broken> {
        let arming = scope.with("timer", Type::Time, Root::Timer);
        let due = compiler.moment(&declared.due, &arming)?;
        let scope = Self::when_due(scope);
        let unless = compiler.truth(declared.unless.as_ref(), &scope)?;
        let emit = match &declared.emit {
            None => None,
            Some(emit) => {
                let mut data = Vec::new();
                for (name, condition) in &emit.data {
                    data.push((name.clone(), compiler.expression(condition, &scope)?.0));
                }
                Some((emit.verb.clone(), data))
            }
        };
        Ok(Self {
            due,
            unless,
            raise: declared.raise,
            task: declared.task.clone(),
            emit,
        })
    }

    /// What can be spoken of when it is due: of the event that finds it so only the header is known.
    pub(crate) fn when_due<'s>(scope: &Scope<'s>) -> Scope<'s> {
        scope.with("event", types::event(std::iter::empty()), Root::Event)
    }

    /// When it is due, as an event says; `None` where it is not.
    pub(crate) fn due(&self, case: &mut Case<'_, '_>) -> Result<Option<i64>, Failure> {
        case.moment(&self.due, None)
    }

    /// Whether something excuses from it.
    pub(crate) fn excused(&self, case: &mut Case<'_, '_>) -> Result<bool, Failure> {
        match &self.unless {
            None => Ok(false),
            Some(node) => case.holds(Some(node)),
        }
    }
}
