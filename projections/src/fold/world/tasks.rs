//! Tasks: which are open, of those that were asked for.

use super::World;
use super::seen::Of;
use crate::fold::changes::Changes;
use crate::fold::tasks::{Task, TaskOf};

/// How many are remembered from batch to batch; beyond it only those of the last batches are. Deadlines that are missed
/// again and again ask for the same ones.
const MOST: usize = 1 << 16;

/// The open task of a class and entity, or that there is none.
#[derive(Debug, Default)]
pub(super) struct Open {
    now: Option<Task>,
    /// The last batch that loaded or changed it.
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

    pub(super) fn supply_task(&mut self, of: TaskOf, now: Option<Task>) {
        let used = self.batch;
        self.tasks.entry(of).or_insert(Open { now, used });
    }

    /// Notes that a task is open from here on, or none.
    pub(in crate::fold) fn note_task(&mut self, of: TaskOf, task: Option<Task>) {
        self.see(Of::Task(&of));
        let open = self.tasks.entry(of.clone()).or_default();
        let before = std::mem::replace(&mut open.now, task);
        open.used = self.batch;
        self.tasks_changed.entry(of).or_insert(before);
    }

    /// Writes down what changed of them. What the last batches changed is kept: they may not be written yet.
    pub(super) fn finish_tasks(&mut self, changes: &mut Changes) {
        for (of, before) in std::mem::take(&mut self.tasks_changed) {
            let now = self.task(&of).cloned();
            if now != before {
                changes.tasks_closed.extend(before);
                changes.tasks_opened.extend(now);
            }
        }
        if self.tasks.len() > MOST {
            let oldest = self.unwritten();
            self.tasks.retain(|_, one| one.used >= oldest);
        }
    }
}
