//! `reference`: what a field names is there. It is mended when the target arrives.

use super::{Broke, Case};
use crate::cel::check::Scope;
use crate::cel::node::{Node, Root};
use crate::cel::{Failure, View, types};
use crate::indexed::Path;
use crate::name::KindName;
use crate::rule::MOST_ITEMS;
use crate::rule::compile::{Broken, Compiler};
use crate::rule::declare::{Condition, Rule};
use crate::rule::inputs::Need;

#[derive(Debug, Clone)]
pub(crate) struct Reference {
    /// The kind of what is named.
    pub(crate) kind: KindName,
    pub(crate) field: Path,
    /// Whether the field is the event's own, which the entity does not keep.
    of_event: bool,
    /// What the target has to be besides.
    pub(crate) is: Option<Node>,
}

impl Reference {
    pub(super) fn compile(
        compiler: &mut Compiler<'_>,
        rule: &Rule,
        field: &str,
        kind: Option<&KindName>,
        is: Option<&Condition>,
        scope: &Scope<'_>,
    ) -> Result<Self, Broken> {
        let (said, of_event) = compiler.named_by(rule, field)?;
        let Some(kind) = kind.or(said) else {
            let message = format!("nothing says of which kind `{field}` names an entity");
            let mend = "write `kind = \"<package>.<entity>\"`, or `reference` at the field";
            return Err(compiler.report(rule.line, message, mend));
        };
        let target = compiler.kind(kind, rule.line)?;
        if target.stateless {
            let message = format!("`{kind}` has no entities that could be there");
            return Err(compiler.report(rule.line, message, "its kind is `stateless`"));
        }
        let scope = scope.with("target", types::entity(target), Root::Other);
        Ok(Self {
            kind: kind.clone(),
            field: compiler.parsed_path(field, rule.line)?,
            of_event,
            is: compiler.truth(is, &scope)?,
        })
    }

    pub(super) fn judge<'a>(&'a self, case: &mut Case<'_, 'a>) -> Result<Vec<Broke<'a>>, Failure> {
        let of_entity = case.base.entity.map(|entity| entity.attributes());
        let members = if self.of_event {
            case.base.inputs.event.data.as_object()
        } else {
            of_entity
        };
        let mut named = members.map_or_else(Vec::new, |all| self.field.values(all));
        named.sort();
        named.dedup();
        if named.len() > MOST_ITEMS {
            return Err(Failure::TooMany);
        }
        let mut broken = Vec::new();
        for (place, id) in named.iter().enumerate() {
            let Some(target) = case.known.entity(&self.kind, id) else {
                case.needs
                    .insert(Need::Entity(self.kind.clone(), id.to_string()));
                continue;
            };
            let there = match &target {
                Some(view) => case.holds_of(self.is.as_ref(), Some(view))?,
                None => false,
            };
            if !there {
                let short = id.chars().count() <= 128;
                let detail_key = if short {
                    id.to_string()
                } else {
                    format!("#{place}")
                };
                let judged_from = target.iter().map(View::seq).collect();
                broken.push(Broke {
                    detail_key,
                    judged_from,
                    ..case.broke()
                });
            }
        }
        Ok(broken)
    }
}
