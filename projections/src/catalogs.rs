//! Which catalog judges which position.

use std::collections::BTreeMap;
use std::sync::Arc;

use schema::Catalog;

/// The catalogs of a stretch of the chain. A position is judged by the last activation before it; an
/// activation itself by the one before that.
#[derive(Debug, Clone)]
pub struct Catalogs {
    bootstrap: Arc<Catalog>,
    activated: BTreeMap<u64, Arc<Catalog>>,
}

impl Default for Catalogs {
    fn default() -> Self {
        Self {
            bootstrap: Arc::new(Catalog::bootstrap()),
            activated: BTreeMap::new(),
        }
    }
}

impl Catalogs {
    /// Takes in what the activation at `seq` made active.
    pub fn activate(&mut self, seq: u64, catalog: Arc<Catalog>) {
        self.activated.insert(seq, catalog);
    }

    /// The catalog that judges the position.
    pub fn at(&self, seq: u64) -> &Arc<Catalog> {
        let last = self.activated.range(..seq).next_back();
        last.map_or(&self.bootstrap, |(_, catalog)| catalog)
    }

    /// Whether the activation at this position was taken in.
    pub fn has(&self, seq: u64) -> bool {
        self.activated.contains_key(&seq)
    }

    /// Forgets what judges no position from `seq` on.
    pub fn forget_before(&mut self, seq: u64) {
        let last = self.activated.range(..seq).next_back();
        if let Some(keep) = last.map(|(at, _)| *at) {
            self.activated = self.activated.split_off(&keep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activation_judges_what_comes_after_it() {
        let mut catalogs = Catalogs::default();
        let (one, two) = (
            Arc::new(Catalog::bootstrap()),
            Arc::new(Catalog::bootstrap()),
        );
        catalogs.activate(5, one.clone());
        catalogs.activate(9, two.clone());
        assert!(Arc::ptr_eq(catalogs.at(5), &catalogs.bootstrap));
        assert!(Arc::ptr_eq(catalogs.at(6), &one));
        assert!(Arc::ptr_eq(catalogs.at(9), &one));
        assert!(Arc::ptr_eq(catalogs.at(10), &two));
        catalogs.forget_before(9);
        assert!(Arc::ptr_eq(catalogs.at(9), &one));
        catalogs.forget_before(10);
        assert!(!catalogs.has(5));
        assert!(Arc::ptr_eq(catalogs.at(10), &two));
    }
}
