//! Recomputing a stored position. Each hash is computed from what is stored one layer below it and compared with
//! what is stored in its place: where no layer disagrees, all of it is as it was hashed; where one does, only
//! that one is named, and what follows can still be checked.

use crate::digest::{self, Digests, Hash};
use crate::report::What;
use crate::scan::Row;
use crate::tree::leaf_hash;

/// Recomputes rows one after the other.
#[derive(Debug, Default)]
pub(crate) struct Recompute {
    digests: Digests,
}

impl Recompute {
    /// Tells `problem` what of a row does not follow from the rest and from the chain's value before it; gives the
    /// leaf of the tree.
    pub fn row(
        &mut self,
        row: &Row,
        previous: &Hash,
        mut problem: impl FnMut(What, String),
    ) -> Hash {
        let seq = row.seq;
        match (&row.salt, &row.data) {
            (Some(salt), Some(data)) => {
                let commitment = self.digests.data_commitment(salt, data);
                differs(&commitment, &row.data_commitment, |detail| {
                    problem(
                        What::Data,
                        format!("salt and data give the commitment {detail}"),
                    );
                });
            }
            (None, None) => {}
            _ => problem(
                What::Data,
                "salt and data are not deleted together".to_owned(),
            ),
        }
        let event = self
            .digests
            .stored_event_hash(&row.header(), &row.data_commitment);
        differs(&event, &row.event_hash, |detail| {
            problem(
                What::Header,
                format!("the header gives the event hash {detail}"),
            );
        });
        let chain = self.digests.chain(seq, previous, &row.event_hash);
        differs(&chain, &row.chain, |detail| {
            problem(
                What::Chain,
                format!("the link to the position before gives {detail}"),
            );
        });
        leaf_hash(&digest::entry(seq, &row.event_hash, &row.chain))
    }
}

fn differs(computed: &Hash, stored: &Hash, tell: impl FnOnce(String)) {
    if computed != stored {
        let (computed, stored) = (hex::encode(computed), hex::encode(stored));
        tell(format!("{computed}, and {stored} is stored"));
    }
}
