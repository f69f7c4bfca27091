//! Publishers: the numbers that they give their events, and their silence.

use schema::Catalog;
use schema::rule::publisher::{self, Numbered};
use schema::rule::{Armed, Judged};

use crate::fact::Fact;
use crate::fold::judge::{self, Ask, Outcome};
use crate::fold::needs::Needs;
use crate::fold::{Fold, Scope};

/// A publisher's source, which has numbers of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Numbers {
    /// The publisher.
    pub publisher: String,
    /// The source.
    pub source: String,
}

/// The publisher of an event, where it is not the ledger.
fn publisher_of(fact: &Fact) -> Option<&str> {
    let name = fact.header.publisher.as_str();
    (!name.is_empty() && name != "ledger").then_some(name)
}

/// The number that its publisher gave an event.
fn number_of(fact: &Fact) -> Option<(Numbers, u64)> {
    let publisher = publisher_of(fact)?;
    if !fact.header.context.contains(publisher::SEQUENCE) {
        return None;
    }
    let context = judge::context(&fact.header);
    let number = publisher::number(context.get(publisher::SEQUENCE)?.as_str()?)?;
    let of = Numbers {
        publisher: publisher.to_owned(),
        source: fact.header.source.clone(),
    };
    Some((of, number))
}

impl Fold<'_> {
    /// What an event says of its publisher, or what has to be known first. It stands in the header, so that it makes no
    /// difference whether the data was deleted.
    pub(super) fn heard(&self, fact: &Fact, catalog: &Catalog) -> Result<Outcome, Box<Needs>> {
        let header = &fact.header;
        let hears = |name| catalog.rules().hears(name, header.recorded_us);
        let armed: Option<Armed> = publisher_of(fact).and_then(hears);
        let numbered = number_of(fact);
        if *self.scope != Scope::All || (armed.is_none() && numbered.is_none()) {
            return Ok(Outcome::default());
        }
        let mut judged = Judged::default();
        let mut needs = Needs::default();
        if let Some((of, number)) = numbered {
            match self.world.highest(&of) {
                None => drop(needs.numbers.insert(of)),
                Some(highest) => {
                    let event = Numbered {
                        publisher: &of.publisher,
                        source: &of.source,
                        seq: header.seq,
                        number,
                    };
                    judged = catalog.rules().numbers(event, highest);
                }
            }
        }
        judged.armed.extend(armed);
        let ask = Ask::new(&self.world, catalog);
        // What has to be known for that, `ask` was asked for.
        drop(judged.silence(header.recorded_us, &ask));
        let outcome = judge::outcome(judged, fact, catalog, &ask);
        needs.extend(ask.into_needs());
        if needs.is_empty() {
            Ok(outcome)
        } else {
            Err(Box::new(needs))
        }
    }

    /// Remembers the number that its publisher gave an event.
    pub(super) fn count_number(&mut self, fact: &Fact) {
        if let Some((of, number)) = number_of(fact)
            && *self.scope == Scope::All
        {
            self.world.note_number(of, number);
        }
    }
}
