//! The highest numbers of publishers, of those that were asked for.

use super::World;
use crate::fold::changes::Changes;
use crate::fold::publishers::Numbers;

/// The highest number of a publisher and source, if there is one.
#[derive(Debug, Default)]
pub(super) struct Highest {
    now: Option<u64>,
    /// As the batch before left it.
    old: Option<u64>,
}

/// How many are remembered from batch to batch.
const MOST: usize = 10_000;

impl World {
    /// The highest number so far: `None` where that is not known here, `Some(None)` where there is none.
    #[expect(
        clippy::option_option,
        reason = "not loaded and not there are different things"
    )]
    pub(in crate::fold) fn highest(&self, of: &Numbers) -> Option<Option<u64>> {
        self.numbers.get(of).map(|one| one.now)
    }

    pub(super) fn supply_number(&mut self, of: Numbers, highest: Option<u64>) {
        let found = Highest {
            now: highest,
            old: highest,
        };
        self.numbers.entry(of).or_insert(found);
    }

    /// Notes a number; a lower one than the highest changes nothing.
    pub(in crate::fold) fn note_number(&mut self, of: Numbers, number: u64) {
        let one = self.numbers.entry(of).or_default();
        one.now = one.now.max(Some(number));
    }

    pub(super) fn finish_numbers(&mut self, changes: &mut Changes) {
        let raised = self
            .numbers
            .iter_mut()
            .filter(|(_, one)| one.now != one.old);
        for (of, one) in raised {
            one.old = one.now;
            let highest = one.now.map(|number| (of.clone(), number));
            changes.numbers.extend(highest);
        }
        changes.numbers.sort();
        if self.numbers.len() > MOST {
            self.numbers.clear();
        }
    }
}
