//! Tasks: which are open, of those that were asked for.

use super::World;
use super::seen::Of;
use crate::fold::changes::Changes;
use crate::fold::tasks::{Task, TaskOf};

/// The open task of a class and entity, or that there is none.
#[derive(Debug, Default)]
pub(super) struct Open {
    now: Option<Task>,
    /// As the batch before left it.
    old: Option<Task>,
    used: u64,
}

impl World {
    /// Whether it is known here which task is open, if any is.
    pub(in crate::fold) fn knows_task(&self, of: &TaskOf) -> bool {
        self.tasks.contains_key(of) || self.never(Of::Task(of))
    }

    /// The open task, where that is known here and there is one.
    pub(in crate::fold) fn task(&self, of: &TaskOf) -> Option<&Task> {
        self.tasks.get(of)?.now.as_ref()
    }

    pub(super) fn supply_task(&mut self, of: TaskOf, found: Option<Task>) {
        let open = Open {
            old: found.clone(),
            now: found,
            used: self.batch,
        };
        self.tasks.entry(of).or_insert(open);
    }

    /// Notes that a task is open from here on, or none.
    pub(in crate::fold) fn note_task(&mut self, of: TaskOf, task: Option<Task>) {
        self.see(Of::Task(&of));
        let open = self.tasks.entry(of).or_default();
        open.now = task;
        open.used = self.batch;
    }

    /// Writes down what changed of them. What the last batches used is kept: they may not be written yet.
    pub(super) fn finish_tasks(&mut self, changes: &mut Changes) {
        let otherwise = self.tasks.values_mut().filter(|one| one.now != one.old);
        for one in otherwise {
            let old = std::mem::replace(&mut one.old, one.now.clone());
            changes.tasks_closed.extend(old);
            changes.tasks_opened.extend(one.now.clone());
        }
        let of = |one: &Task| one.of.clone();
        changes.tasks_closed.sort_by_key(of);
        changes.tasks_opened.sort_by_key(of);
        let oldest = self.unwritten();
        self.tasks.retain(|_, one| one.used >= oldest);
    }
}
