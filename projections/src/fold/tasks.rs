//! What a deadline that was missed has the ledger publish: tasks, one open a class and entity, and events of other kinds.

use ledger::digest;
use schema::rule::{Due, Emitted, TaskOpened};
use serde_json::json;

use crate::derived::Derived;
use crate::fact::Fact;
use crate::fold::Fold;

/// A task that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What it is about: the class, and the kind and identifier of the entity.
    pub of: TaskOf,
    /// Its identifier.
    pub task: String,
    /// The position that opened it.
    pub cause_seq: u64,
}

/// What a task is about; one is open at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskOf {
    /// The class.
    pub class: String,
    /// The kind of the entity.
    pub kind: String,
    /// That entity.
    pub id: String,
}

impl TaskOf {
    pub(super) fn new(task: &TaskOpened) -> Self {
        Self {
            class: task.class.clone(),
            kind: task.kind.clone(),
            id: task.id.clone(),
        }
    }
}

/// What is published because a deadline was missed.
#[derive(Debug, Default)]
pub(super) struct Missed {
    pub(super) tasks: Vec<TaskOpened>,
    pub(super) emitted: Vec<Emitted>,
}

impl Fold<'_> {
    /// Publishes what a deadline has published, with the position at hand as its cause. Which tasks are open is loaded.
    pub(super) fn missed(&mut self, missed: Missed, due: &Due, seq: u64) {
        for task in missed.tasks {
            let of = TaskOf::new(&task);
            if self.world.task(&of).is_none() {
                self.open_task(of, &task, seq);
            }
        }
        for event in missed.emitted {
            let by = due.by.to_string();
            let id = digest::emitted_id(&by, &due.kind, &due.id, &due.key, seq);
            let (id, data) = (hex::encode(id), &event.data);
            self.emit(Derived::new(seq, event.event_type, id, event.subject, data));
        }
    }

    fn open_task(&mut self, of: TaskOf, opened: &TaskOpened, seq: u64) {
        let TaskOf { class, kind, id } = &of;
        let task = hex::encode(digest::task_id(class, kind, id, seq));
        let data = json!({
            "task": task, "class": class, "kind": kind, "id": id, "cause_seq": seq,
            "due_us": opened.due_us, "title": opened.title,
        });
        self.emit(Derived::new(seq, "ledger.task.opened", &task, &task, &data));
        let open = Task {
            of: of.clone(),
            task,
            cause_seq: seq,
        };
        self.world.note_task(of, Some(open));
    }

    /// What the task is about that an event closes; `None` for any other event, and where that is not known any more.
    pub(super) fn closes(&self, fact: &Fact) -> Option<TaskOf> {
        if !fact.is_own("task", "closed") {
            return None;
        }
        let task = self.world.entity(fact.key.as_ref()?.by_ref()).flatten()?;
        let text = |name: &str| Some(task.attributes.get(name)?.as_str()?.to_owned());
        Some(TaskOf {
            class: text("class")?,
            kind: text("kind")?,
            id: text("id")?,
        })
    }

    /// Somebody closed a task: another of its class may be opened about the entity.
    pub(super) fn close_task(&mut self, fact: &Fact) {
        let Some(of) = self.closes(fact) else {
            return;
        };
        let open = self.world.task(&of);
        if open.is_some_and(|open| open.task == fact.header.subject) {
            self.world.note_task(of, None);
        }
    }
}
