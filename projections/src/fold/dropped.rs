//! What an activation drops: rules that are judged no more, and classes of incidents that nothing opens or resolves.
//!
//! Nothing could mend what they have left open, so it ends at the activation.

use std::collections::BTreeSet;

use schema::Catalog;
use schema::rule::{Compiled, Resolved};

use crate::fact::Fact;
use crate::fold::{Clearing, Fold, Known, Needs, Scope, is_activation};
use crate::incident::LET_GO;
use crate::verdict::How;

/// What an activation drops.
#[derive(Debug, Clone, Default)]
pub(super) struct Dropped {
    /// The rules that clear what they raise, as verdicts remember them.
    rules: BTreeSet<String>,
    /// The classes of incidents.
    classes: BTreeSet<String>,
}

impl Fold<'_> {
    /// What a fact drops; nothing, unless it is an activation.
    pub(super) fn dropped(&self, fact: &Fact, catalog: &Catalog) -> Dropped {
        if !is_activation(fact) || *self.scope != Scope::All {
            return Dropped::default();
        }
        let active = self.catalogs.at(fact.header.seq + 1);
        let named = |catalog: &Catalog| -> BTreeSet<String> {
            let clears = |one: &&Compiled| one.rule.as_ref().is_some_and(|rule| rule.clears);
            let clearing = catalog.rules().all().filter(clears);
            clearing
                .filter_map(|one| one.key.as_ref().map(ToString::to_string))
                .collect()
        };
        let kept = active.rules().classes();
        let classes = catalog.rules().classes().into_iter();
        let classes = classes.filter(|class| !kept.contains(class));
        Dropped {
            rules: &named(catalog) - &named(active),
            classes: classes.map(str::to_owned).collect(),
        }
    }

    /// What has to be known of that first.
    pub(super) fn lacks_dropped(&self, dropped: &Dropped) -> Needs {
        let lacks = self.world.lacks(Needs {
            dropped: dropped.rules.clone(),
            classes: dropped.classes.clone(),
            ..Needs::default()
        });
        if !lacks.is_empty() || dropped.classes.is_empty() {
            return lacks;
        }
        let about = self.world.of_classes().into_iter();
        self.world.lacks(Needs {
            entities: about.collect(),
            ..Needs::default()
        })
    }

    /// Clears what rules have found that are judged no more from a fact on, and resolves their incidents.
    pub(super) fn let_go(&mut self, dropped: &Dropped, fact: &Fact) {
        let by_seq = fact.header.seq;
        if !dropped.rules.is_empty() {
            for (violation, known) in self.world.open_of(&dropped.rules) {
                let clearing = Clearing {
                    by_seq,
                    how: How::Silenced,
                    seq: None,
                };
                let cleared = Known {
                    cleared: Some(clearing),
                    ..known
                };
                self.world.note(violation, cleared);
            }
        }
        if dropped.classes.is_empty() {
            return;
        }
        for about in self.world.of_classes() {
            for class in &dropped.classes {
                let resolved = Resolved {
                    class: class.clone(),
                    kind: about.kind().to_owned(),
                    id: about.id().to_owned(),
                    redacted: false,
                };
                self.resolve_incident(&resolved, LET_GO, fact);
            }
        }
    }
}
