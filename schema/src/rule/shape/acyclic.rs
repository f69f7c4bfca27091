//! `acyclic`: references between entities of a kind lead nowhere in a circle.

use std::collections::BTreeMap;

use super::{Broke, Case};
use crate::cel::{Failure, View};
use crate::name::KindName;
use crate::rule::compile::{Broken, Compiler};
use crate::rule::declare::Rule;
use crate::rule::index_values;
use crate::rule::inputs::{Lookup, Need};

/// How many entities are gone through at most.
const MOST: usize = 2000;

#[derive(Debug, Clone)]
pub(crate) struct Acyclic {
    kind: KindName,
    field: String,
    /// Whether the field is declared as a reference: then who names an entity was always written down.
    named: bool,
}

impl Acyclic {
    pub(super) fn compile(
        compiler: &mut Compiler<'_>,
        rule: &Rule,
        field: &str,
    ) -> Result<Self, Broken> {
        let kind = compiler.own(rule)?;
        compiler.path(kind, field, rule.line)?;
        if let Some(Some(other)) = kind.at_path(field)
            && *other != kind.name
        {
            let message = format!("`{field}` names a `{other}`, and that leads to no circle");
            let mend = format!("name a field whose `reference` is `{}`", kind.name);
            return Err(compiler.report(rule.line, message, mend));
        }
        let named = matches!(kind.at_path(field), Some(Some(_)));
        if named {
            compiler.indexed_path(kind, field, rule.line)?;
        }
        Ok(Self {
            kind: kind.name.clone(),
            field: field.to_owned(),
            named,
        })
    }

    /// Goes from the entity along its references until it comes back or nothing is left. Whoever closes the circle is
    /// who breaks the rule. Nothing comes back to what nobody names, which is most of what is new.
    pub(super) fn judge<'a>(&'a self, case: &mut Case<'_, 'a>) -> Result<Vec<Broke<'a>>, Failure> {
        let Some(start) = case.base.entity.filter(|one| self.leads_on(one)) else {
            return Ok(Vec::new());
        };
        if self.named {
            let naming = Lookup {
                kind: self.kind.clone(),
                fields: vec![(self.field.clone(), start.id.to_owned())],
                most: 1,
            };
            match case.known.count(&naming) {
                None => {
                    case.needs.insert(Need::Count(naming));
                    return Ok(Vec::new());
                }
                Some(0) => return Ok(Vec::new()),
                Some(_) => {}
            }
        }
        // What was reached, its position, and from where.
        let mut reached: BTreeMap<String, (u64, String)> = BTreeMap::new();
        let mut next: Vec<View<'_>> = vec![start];
        while let Some(view) = next.pop() {
            for id in index_values(view.attributes, &self.field) {
                if id == start.id {
                    let judged_from = way(&reached, view.id);
                    return Ok(vec![Broke {
                        judged_from,
                        ..case.broke()
                    }]);
                }
                if reached.contains_key(&id) {
                    continue;
                }
                if reached.len() >= MOST {
                    return Err(Failure::TooMany);
                }
                match case.known.entity(&self.kind, &id) {
                    None => {
                        case.needs.insert(Need::Entity(self.kind.clone(), id));
                    }
                    Some(Some(one)) => {
                        reached.insert(id, (one.seq, view.id.to_owned()));
                        next.push(one);
                    }
                    // Nothing leads on from what is not there.
                    Some(None) => {}
                }
            }
        }
        Ok(Vec::new())
    }

    fn leads_on(&self, entity: &View<'_>) -> bool {
        !index_values(entity.attributes, &self.field).is_empty()
    }
}

/// The positions on the way to an entity.
fn way(reached: &BTreeMap<String, (u64, String)>, last: &str) -> Vec<u64> {
    let mut positions = Vec::new();
    let mut at = last;
    while let Some((seq, from)) = reached.get(at) {
        positions.push(*seq);
        if positions.len() >= 64 {
            break;
        }
        at = from;
    }
    positions
}
