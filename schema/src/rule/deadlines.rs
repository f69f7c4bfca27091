//! Deadlines: an event sets them, and the first event recorded after that finds them due.

use std::collections::BTreeMap;

use super::compiled::Does;
use super::finds::Base;
use super::inputs::Need;
use super::judge::{Armed, Due, Emitted, TaskOpened};
use super::judging::{About, Judging, finding};
use super::opening::{opening, opening_with};
use super::shape::{Case, Deadline, Shape};
use crate::cel::Failure;

impl<'a> Judging<'a, '_> {
    /// Sets the deadlines that an event says.
    pub(super) fn arm(
        &mut self,
        about: &About,
        base: &Base<'a>,
        deadline: &'a Deadline,
    ) -> Result<(), Failure> {
        let Some(by) = self.key() else { return Ok(()) };
        let compiled = self.compiled;
        let mut due = BTreeMap::new();
        let set = |case: &mut Case<'_, 'a>| {
            if !case.holds(compiled.when.then())? {
                return Ok(());
            }
            let Some(set) = case.known.due_us(&by, &about.kind, &about.id, case.key) else {
                let need = Need::Deadlines(about.kind.to_string(), about.id.to_string());
                case.needs.insert(need);
                return Ok(());
            };
            let timed = Base {
                timer: set,
                ..case.base.clone()
            };
            let mut case = Case {
                base: &timed,
                needs: &mut *case.needs,
                budget: &mut *case.budget,
                ..*case
            };
            if let Some(us) = deadline.due(&mut case)? {
                due.insert(case.key.to_owned(), (us, deadline.excused(&mut case)?));
            }
            Ok(())
        };
        let failed = if self.may_begin(base, &compiled.when)? {
            self.cases(base, None, set)?
        } else {
            None
        };
        if let Some(failure) = failed {
            return Err(failure);
        }
        let (kind, id) = (about.kind.clone(), about.id.clone());
        self.judged.armed.push(Armed { by, kind, id, due });
        Ok(())
    }

    /// At the first event that is recorded after it was due.
    pub(super) fn when_due(&mut self, due: &Due) {
        let Does::Judge(shape, opens) = &self.compiled.does else {
            return;
        };
        let Shape::Deadline(deadline) = shape.as_ref() else {
            return;
        };
        let about = About::new(due.kind.as_str().into(), &due.id, self.known);
        let base = Base {
            timer: Some(due.due_us),
            ..self.base()
        };
        let compiled = self.compiled;
        let (mut findings, mut opened, mut emitted) = (Vec::new(), Vec::new(), Vec::new());
        let mut missed = false;
        let failed = self.cases(&base, opens.as_ref(), |case| {
            if case.key != due.key || deadline.excused(case)? {
                return Ok(());
            }
            missed = true;
            let mut broke = case.broke();
            broke.judged_from.push(due.armed_seq);
            if deadline.raise {
                let opens = broke.opens;
                let found = finding(compiled, &about, case, broke)?;
                if !case.is_silenced(&found.rule, &about) {
                    opened.extend(opening_with(&found, opens, &about, case)?);
                }
                findings.push(found);
            } else if !case.is_silenced(broke.rule, &about) {
                opened.extend(opening(broke.opens, &about, broke.rule, case)?);
            }
            if let Some((verb, members)) = &deadline.emit {
                let mut data = serde_json::Map::new();
                for (name, node) in members {
                    let value = case.ask(node, None)?.to_json();
                    if !value.is_null() {
                        data.insert(name.clone(), value);
                    }
                }
                emitted.push((verb.clone(), data));
            }
            Ok(())
        });
        if let Err(failure) | Ok(Some(failure)) = failed {
            return self.not_judged(&about, failure);
        }
        self.judged.findings.append(&mut findings);
        self.judged.opened.append(&mut opened);
        let task = deadline.task.as_ref().filter(|_| missed);
        self.judged.tasks.extend(task.map(|task| TaskOpened {
            class: task.class.clone(),
            kind: due.kind.clone(),
            id: due.id.clone(),
            title: task.title.clone(),
            due_us: due.due_us,
        }));
        self.judged
            .emitted
            .extend(emitted.into_iter().map(|(verb, data)| Emitted {
                event_type: format!("{}.{verb}", due.by.owner),
                subject: due.id.clone(),
                data: serde_json::Value::Object(data),
                by: due.by.clone(),
                due_us: due.due_us,
            }));
    }
}
