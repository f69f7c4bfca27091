//! Hashing: from settled contents to a chain.

use super::draft::{Draft, Seal};
use crate::digest::{Digests, Hash};
use crate::keyring::{Keyring, KeyringError};

/// Computes salts, commitments, headers and links.
#[derive(Debug, Clone)]
pub(super) struct Linker {
    digests: Digests,
    keyring: Keyring,
    /// The key in use, and the day (counted from the epoch) for which it was asked.
    today: Option<(i64, Hash)>,
    scratch: Vec<u8>,
}

const DAY_US: i64 = 86_400_000_000;

impl Linker {
    pub fn new(keyring: Keyring) -> Self {
        Self {
            digests: Digests::default(),
            keyring,
            today: None,
            scratch: Vec::new(),
        }
    }

    /// Links the drafts behind a chain value, in order.
    pub fn link(&mut self, previous: Hash, drafts: &mut [Draft]) -> Result<(), KeyringError> {
        let mut chain = previous;
        for draft in drafts {
            let Some(content) = draft.content() else {
                continue;
            };
            let header = &content.header;
            let key = self.salt_key(header.recorded_us)?;
            let salt = self.digests.salt(&key, &header.stream, header.stream_seq);
            let data_commitment = self.digests.data_commitment(&salt, &content.data);
            let event_hash = self
                .digests
                .event_hash(header, &data_commitment, &mut self.scratch);
            chain = self.digests.chain(header.seq, &chain, &event_hash);
            draft.seal = Seal {
                salt,
                data_commitment,
                event_hash,
                chain,
            };
        }
        Ok(())
    }

    /// A month's key is the same all day; asking the keyring costs a lock and the calendar.
    fn salt_key(&mut self, recorded_us: i64) -> Result<Hash, KeyringError> {
        let day = recorded_us.div_euclid(DAY_US);
        if let Some((known, key)) = self.today
            && known == day
        {
            return Ok(key);
        }
        let key = self.keyring.salt_key(recorded_us)?;
        self.today = Some((day, key));
        Ok(key)
    }
}
