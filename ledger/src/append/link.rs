//! Hashing: from settled contents to a chain.

use super::draft::{Draft, Seal};
use crate::digest::{Digests, Hash};
use crate::keyring::{Keyring, KeyringError, month};

/// Computes salts, commitments, headers and links.
#[derive(Debug, Clone)]
pub(super) struct Linker {
    digests: Digests,
    keyring: Keyring,
    /// Positions before this one were signed: the keys of their salts were made then.
    signed: u64,
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
            signed: 0,
            today: None,
            scratch: Vec::new(),
        }
    }

    /// Makes no key for a position before `size`.
    pub fn signed_up_to(&mut self, size: u64) {
        self.signed = size;
    }

    /// Links the drafts behind the head, or behind what was linked last, whose chain value and `recorded_us` are
    /// given, in order.
    pub fn link(
        &mut self,
        previous: Hash,
        recorded_us: i64,
        drafts: &mut [Draft],
    ) -> Result<(), KeyringError> {
        let (mut chain, mut before_us) = (previous, recorded_us);
        for draft in drafts {
            let Some(content) = draft.content() else {
                continue;
            };
            let header = &content.header;
            let key = self.salt_key(header.seq, header.recorded_us, before_us)?;
            before_us = header.recorded_us;
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

    /// A month's key is the same all day; asking the keyring costs a file and the calendar.
    ///
    /// It is made where the chain steps into the month and nobody has signed what follows. Anywhere else a key
    /// that is not there was lost, and another one would give another chain.
    fn salt_key(
        &mut self,
        seq: u64,
        recorded_us: i64,
        before_us: i64,
    ) -> Result<Hash, KeyringError> {
        let day = recorded_us.div_euclid(DAY_US);
        if let Some((known, key)) = self.today
            && known == day
        {
            return Ok(key);
        }
        let key = if seq >= self.signed && month(before_us) != month(recorded_us) {
            self.keyring.create_salt_key(recorded_us)?
        } else {
            self.keyring.salt_key(recorded_us)?
        };
        self.today = Some((day, key));
        Ok(key)
    }
}
