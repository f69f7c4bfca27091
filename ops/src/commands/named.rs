//! Names that were asked for and of which nothing was found: a name that nobody knows is refused, since an empty list would
//! say that all is well with it.

use ledger::read::Reader;
use schema::kind::Kind;
use schema::rule::describe::OWN;
use schema::{Catalog as Known, EventType, KindName};

use super::catalog::from_chain;
use crate::exit::Failure;

/// What was named.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    /// A kind.
    pub kind: Option<&'a KindName>,
    /// A type, `<package>.<entity>.<verb>`.
    pub event_type: Option<&'a str>,
    /// A status, of that kind where one was named.
    pub status: Option<&'a str>,
    /// A rule.
    pub rule: Option<&'a str>,
    /// A class of incidents.
    pub class: Option<&'a str>,
}

impl Named<'_> {
    /// Refuses, with exit 5, the first of them that the active catalog does not have.
    pub async fn must_be_known(&self, reader: &Reader) -> Result<(), Failure> {
        let Some((known, _)) = from_chain(reader, u64::MAX).await? else {
            return Ok(());
        };
        match self.unknown(&known) {
            None => Ok(()),
            Some((what, name, mend)) => {
                let said = format!("the active catalog has no {what} {name}");
                Err(Failure::not_found(said).mend(mend))
            }
        }
    }

    fn unknown(&self, known: &Known) -> Option<(&'static str, String, &'static str)> {
        let kind_of = "ledger catalog list names every kind";
        let show = "ledger catalog show KIND names what a kind has: its events, its statuses and its rules";
        if let Some(kind) = self.kind
            && known.kind(kind).is_none()
        {
            return Some(("kind", kind.to_string(), kind_of));
        }
        let of_kind = |kind: &&Kind| self.kind.is_none_or(|wanted| kind.name == *wanted);
        if let Some(name) = self.event_type
            && !is_type(known, name)
        {
            return Some(("event", name.to_owned(), show));
        }
        if let Some(name) = self.status
            && !known
                .kinds()
                .filter(of_kind)
                .any(|kind| is_status(kind, name))
        {
            return Some(("status", name.to_owned(), show));
        }
        if let Some(name) = self.rule
            && !is_rule(known, name)
        {
            return Some(("rule", name.to_owned(), show));
        }
        if let Some(name) = self.class
            && !known.kinds().any(|kind| is_class(kind, name))
        {
            return Some(("class of incidents", name.to_owned(), show));
        }
        None
    }
}

fn is_type(known: &Known, name: &str) -> bool {
    EventType::parse(name).is_some_and(|wanted| {
        let kind = known.kind(wanted.kind());
        kind.is_some_and(|kind| kind.event(wanted.verb()).is_some())
    })
}

fn is_status(kind: &Kind, name: &str) -> bool {
    let mut states = kind
        .lifecycle
        .iter()
        .flat_map(|lifecycle| &lifecycle.states);
    states.any(|state| state.name == name)
}

fn is_rule(known: &Known, name: &str) -> bool {
    let mut rules = known.kinds().flat_map(|kind| &kind.rules);
    OWN.iter().any(|(own, ..)| *own == name) || rules.any(|one| one.names().contains(name))
}

fn is_class(kind: &Kind, name: &str) -> bool {
    let mut rules = kind.rules.iter();
    rules.any(|rule| rule.classes().contains(name))
        || kind.incidents.iter().any(|one| one.opening.class == name)
}
