//! `unique`: no two entities of a kind have the same values in some fields.

use std::borrow::Cow;

use super::{Broke, Case};
use crate::cel::Failure;
use crate::cel::check::Scope;
use crate::cel::node::{Node, Root};
use crate::cel::types;
use crate::indexed::Path;
use crate::name::KindName;
use crate::rule::MOST_FOUND;
use crate::rule::compile::{Broken, Compiler};
use crate::rule::declare::{Condition, Rule};
use crate::rule::inputs::{Lookup, Need};

#[derive(Debug, Clone)]
pub(crate) struct Unique {
    kind: KindName,
    fields: Vec<Path>,
    /// Which others count.
    among: Option<Node>,
}

impl Unique {
    pub(super) fn compile(
        compiler: &mut Compiler<'_>,
        rule: &Rule,
        fields: &[String],
        among: Option<&Condition>,
        scope: &Scope<'_>,
    ) -> Result<Self, Broken> {
        let kind = compiler.own(rule)?;
        let mut paths = Vec::new();
        for field in fields {
            compiler.indexed_path(kind, field, rule.line)?;
            paths.push(compiler.parsed_path(field, rule.line)?);
        }
        let scope = scope.with("other", types::entity(kind), Root::Other);
        Ok(Self {
            kind: kind.name.clone(),
            fields: paths,
            among: compiler.truth(among, &scope)?,
        })
    }

    pub(super) fn judge<'a>(&'a self, case: &mut Case<'_, 'a>) -> Result<Vec<Broke<'a>>, Failure> {
        let Some(entity) = case.base.entity else {
            return Ok(Vec::new());
        };
        let mut values = Vec::new();
        for field in &self.fields {
            let found = match (&**field.text(), entity.status()) {
                ("status", Some(status)) => vec![Cow::Borrowed(status)],
                _ => field.values(entity.attributes()),
            };
            // What has no value, or several, is like nothing else.
            let [value] = found.as_slice() else {
                return Ok(Vec::new());
            };
            values.push((field.text().clone(), value.to_string()));
        }
        let lookup = Lookup {
            kind: self.kind.clone(),
            fields: values,
            most: MOST_FOUND,
        };
        let Some(others) = case.known.matching(&lookup) else {
            case.needs.insert(Need::Matching(lookup));
            return Ok(Vec::new());
        };
        let mut like = Vec::new();
        for other in others.iter().filter(|other| other.id != entity.id) {
            if case.holds_of(self.among.as_ref(), Some(other))? {
                like.push(other.seq());
            }
        }
        if like.is_empty() {
            return Ok(Vec::new());
        }
        // The oldest say enough.
        like.truncate(16);
        Ok(vec![Broke {
            judged_from: like,
            ..case.broke()
        }])
    }
}
