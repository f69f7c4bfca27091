//! Signed heads: C2SP `tlog-checkpoint` (<https://c2sp.org/tlog-checkpoint>) without extension lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::digest::Hash;
use crate::note::{Note, NoteError, Signer, Verified, VerifyingKey, sign};

/// How many entries a log had, and the root of the tree over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger's name to the world.
    pub origin: String,
    /// The number of entries; at most `i64::MAX`, which is what others' readers hold it in.
    pub size: u64,
    /// The tree's root.
    pub root: Hash,
}

/// Why a text is no signed head, or one that is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not the three lines that a head has.
    #[error(
        "a head is three lines, origin, size and base64 of the root, without anything more; this has {0}"
    )]
    Lines(usize),
    /// The origin is empty.
    #[error("the head's first line, its origin, is empty")]
    Origin,
    /// The size is not a plain decimal number.
    #[error("the head's size {0:?} is not a decimal number without leading zeros up to 2^63−1")]
    Size(String),
    /// The root is not base64 of 32 bytes.
    #[error("the head's root {0:?} is not base64 of 32 bytes")]
    Root(String),
    /// Another ledger's head.
    #[error("the head is of {found:?}, not of {expected:?}")]
    OtherOrigin {
        /// The origin that it says.
        found: String,
        /// The origin that it should say.
        expected: String,
    },
    /// Signed by keys that are trusted, but not by a key of its origin.
    #[error("no key named {0} has signed the head; only witnesses have")]
    NotByOrigin(String),
    /// The note around it.
    #[error("the note of the head is malformed or not believed")]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            BASE64.encode(self.root)
        )
    }

    /// Reads the text of a head. Strict: what is accepted is printed again byte for byte.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root, ""] = lines.as_slice() else {
            return Err(CheckpointError::Lines(lines.len().saturating_sub(1)));
        };
        if origin.is_empty() {
            return Err(CheckpointError::Origin);
        }
        let plain =
            size.bytes().all(|b| b.is_ascii_digit()) && (*size == "0" || !size.starts_with('0'));
        let number = size
            .parse::<i64>()
            .ok()
            .filter(|_| plain)
            .and_then(|n| u64::try_from(n).ok());
        let size = number.ok_or_else(|| CheckpointError::Size((*size).to_owned()))?;
        let root = BASE64
            .decode(root)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| CheckpointError::Root((*root).to_owned()))?;
        Ok(Self {
            origin: (*origin).to_owned(),
            size,
            root,
        })
    }

    /// The head as a note signed by `signer`, whose name is the origin.
    pub fn sign(&self, signer: &Signer) -> Result<Note, CheckpointError> {
        // What cannot be read again must not be signed.
        Self::parse(&self.text())?;
        if signer.name() != self.origin {
            return Err(CheckpointError::OtherOrigin {
                found: signer.name().to_owned(),
                expected: self.origin.clone(),
            });
        }
        Ok(sign(&self.text(), signer)?)
    }

    /// Reads a signed head without believing it: no signature is checked.
    pub fn parse_note(bytes: &[u8]) -> Result<(Self, Note), CheckpointError> {
        let note = Note::parse(bytes)?;
        Ok((Self::parse(&note.text)?, note))
    }

    /// Reads a signed head and believes it: at least one of `keys` is named as its origin and has signed.
    /// Gives all signatures by `keys`, witnesses' among them.
    pub fn open(
        bytes: &[u8],
        keys: &[VerifyingKey],
    ) -> Result<(Self, Vec<Verified>), CheckpointError> {
        let (checkpoint, note) = Self::parse_note(bytes)?;
        let verified = note.verify(keys)?;
        let own = |v: &Verified| v.key.name() == checkpoint.origin && !v.key.is_cosigner();
        if !verified.iter().any(own) {
            return Err(CheckpointError::NotByOrigin(checkpoint.origin));
        }
        Ok((checkpoint, verified))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head() -> Checkpoint {
        Checkpoint {
            origin: "ledger.example/main".into(),
            size: 8,
            root: [3; 32],
        }
    }

    #[test]
    fn a_head_is_opened_by_its_own_key_alone() {
        let signer = Signer::from_seed("ledger.example/main", &[1; 32]).unwrap();
        let note = head().sign(&signer).unwrap().to_string();
        let (opened, by) =
            Checkpoint::open(note.as_bytes(), &[signer.verifying_key().clone()]).unwrap();
        assert_eq!((opened, by.len()), (head(), 1));
        let other = Signer::from_seed("other.example", &[1; 32]).unwrap();
        assert!(head().sign(&other).is_err());
        let foreign = sign(&head().text(), &other).unwrap().to_string();
        assert_eq!(
            Checkpoint::open(foreign.as_bytes(), &[other.verifying_key().clone()]),
            Err(CheckpointError::NotByOrigin("ledger.example/main".into()))
        );
    }

    #[test]
    fn malformed_heads_are_refused() {
        let root = BASE64.encode([3; 32]);
        for wrong in [
            String::new(),
            "a\n1\n".into(),
            format!("a\n1\n{root}"),
            format!("a\n1\n{root}\n\n"),
            format!("a\n1\n{root}\nextension\n"),
            format!("\n1\n{root}\n"),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            format!("a\n\n{root}\n"),
            format!("a\n9223372036854775808\n{root}\n"),
            format!("a\r\n1\n{root}\r\n"),
            "a\n1\nAAAA\n".into(),
        ] {
            assert!(Checkpoint::parse(&wrong).is_err(), "{wrong:?}");
        }
        let broken = Checkpoint {
            origin: "a\nb".into(),
            ..head()
        };
        assert!(
            broken
                .sign(&Signer::from_seed("a", &[1; 32]).unwrap())
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn what_is_accepted_prints_as_it_was(text in "(\\PC{0,9}\n){0,2}([0-9]{0,3}\n)?([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\n)?") {
            if let Ok(checkpoint) = Checkpoint::parse(&text) {
                prop_assert_eq!(checkpoint.text(), text);
            }
        }

        #[test]
        fn every_head_round_trips(origin in "[a-z./]{1,20}", size in 0..=i64::MAX, root: Hash) {
            let head = Checkpoint { origin, size: u64::try_from(size).unwrap(), root };
            prop_assert_eq!(Checkpoint::parse(&head.text()), Ok(head));
        }
    }
}
