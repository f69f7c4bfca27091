//! `authority`: only some publishers, or some actors, may say this.

use super::{Broke, Case};
use crate::cel::check::Scope;
use crate::cel::node::{Constant, Node};
use crate::cel::types::Type;
use crate::rule::compile::{Broken, Compiler};
use crate::rule::declare::Condition;

#[derive(Debug, Clone)]
pub(crate) struct Authority {
    publishers: Vec<String>,
    actors: Vec<String>,
}

impl Authority {
    pub(super) fn compile(
        compiler: &mut Compiler<'_>,
        publishers: Option<&Condition>,
        actors: Option<&Condition>,
        scope: &Scope<'_>,
    ) -> Result<Self, Broken> {
        let mut names = |setting: Option<&Condition>| {
            let Some(setting) = setting else {
                return Ok(Vec::new());
            };
            if let (
                Node::Constant(Constant::Json(serde_json::Value::Array(items))),
                Type::List(_),
            ) = compiler.expression(setting, scope)?
            {
                let texts = items
                    .iter()
                    .filter_map(|item| item.as_str().map(str::to_owned));
                Ok(texts.collect())
            } else {
                let message = format!("the setting `{}` is no list", setting.text);
                Err(compiler.report(setting.line, message, "declare it with `type = \"texts\"`"))
            }
        };
        let publishers = names(publishers)?;
        Ok(Self {
            publishers,
            actors: names(actors)?,
        })
    }

    /// An empty list turns its half off: nobody was named yet.
    pub(super) fn judge<'a>(&'a self, case: &Case<'_, 'a>) -> Vec<Broke<'a>> {
        let event = &case.base.inputs.event;
        let allowed = |names: &[String], name: &str| {
            names.is_empty() || names.iter().any(|allowed| allowed == name)
        };
        let may = allowed(&self.publishers, event.publisher) && allowed(&self.actors, event.actor);
        if may { Vec::new() } else { vec![case.broke()] }
    }
}
