//! Signed notes: text with Ed25519 signatures below it (C2SP `signed-note`, <https://c2sp.org/signed-note>), as
//! Go's `golang.org/x/mod/sumdb/note` reads and writes them.
//!
//! Signature types: `0x01`, Ed25519 over the text; and `0x04`, a witness's Ed25519 cosignature with a time (C2SP
//! `tlog-cosignature`), which is only verified here.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::Signer as _;
use sha2::{Digest, Sha256};

/// The largest note that is read, in bytes.
pub const MOST_BYTES: usize = 1 << 20;
/// The most signatures of a note that is read.
pub const MOST_SIGNATURES: usize = 100;

const ED25519: u8 = 0x01;
const COSIGNATURE: u8 = 0x04;
const SECRET_PREFIX: &str = "PRIVATE+KEY+";

/// A key's text that is not one. It never carries the text, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not of the form `<name>+<key id in hex>+<base64>`.
    #[error("a key is written <name>+<8 hex digits>+<base64>; this text is not")]
    Form,
    /// The name of a key is empty, or holds white space, a control character or `+`.
    #[error(
        "{0:?} cannot name a key: a name is not empty and has no white space, no control character, no \"+\""
    )]
    Name(String),
    /// A type other than Ed25519 (1) and cosignatures (4).
    #[error("the key {name} is of type {kind}; types 1 (Ed25519) and 4 (cosignature) are known")]
    Type {
        /// The key's name.
        name: String,
        /// The type's byte.
        kind: u8,
    },
    /// The bytes are no Ed25519 key, or too many or too few.
    #[error("the key {0} holds no Ed25519 key")]
    Bytes(String),
    /// The id does not belong to name and bytes: one of the three was mistyped.
    #[error("the key {name} says id {said:08x}, and its name and bytes give {id:08x}")]
    Id {
        /// The key's name.
        name: String,
        /// The id that its text says.
        said: u32,
        /// The id that follows from name and bytes.
        id: u32,
    },
}

/// Why a note is malformed or not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Larger than [`MOST_BYTES`] or with more than [`MOST_SIGNATURES`] signatures.
    #[error("the note has more than {MOST_BYTES} bytes or {MOST_SIGNATURES} signatures")]
    TooLarge,
    /// Not UTF-8, or with a control character other than a line's end.
    #[error("the note is not UTF-8 text without control characters")]
    Text,
    /// No blank line followed by signature lines to the end.
    #[error("the note does not end in a blank line and one or more whole signature lines")]
    Form,
    /// A signature line that is not `— <name> <base64>`.
    #[error("signature line {0} of the note is not \"— <name> <base64 of id and signature>\"")]
    Line(usize),
    /// A known key's signature does not verify: the text or the signature was changed.
    #[error("the signature by {0} does not verify: text or signature was changed")]
    Signature(String),
    /// None of the keys that were given has signed.
    #[error("no signature is by a key that is trusted; signed by {0}")]
    Unknown(String),
}

fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// First four bytes of `SHA256(name ‖ 0x0A ‖ type ‖ public key)`.
fn key_id(name: &str, kind: u8, public: &[u8; 32]) -> u32 {
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind])
        .chain_update(public)
        .finalize();
    hash.first_chunk().copied().map_or(0, u32::from_be_bytes)
}

/// `<name>+<id>+<base64 of type and key>` taken apart, with the type's byte and the 32 bytes of a key.
fn split_key(text: &str) -> Result<(&str, u32, u8, [u8; 32]), KeyError> {
    let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
    let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
    if !is_key_name(name) {
        return Err(KeyError::Name(name.to_owned()));
    }
    let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if id.len() != 8 || !id.bytes().all(digits) {
        return Err(KeyError::Form);
    }
    let said = u32::from_str_radix(id, 16).map_err(|_| KeyError::Form)?;
    let bytes = BASE64.decode(key).map_err(|_| KeyError::Form)?;
    let (kind, bytes) = bytes.split_first().ok_or(KeyError::Form)?;
    if ![ED25519, COSIGNATURE].contains(kind) {
        return Err(KeyError::Type {
            name: name.to_owned(),
            kind: *kind,
        });
    }
    let bytes = bytes
        .try_into()
        .map_err(|_| KeyError::Bytes(name.to_owned()))?;
    Ok((name, said, *kind, bytes))
}

/// A public key with its name, written `<name>+<key id in hex>+<base64(type ‖ public key)>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: u32,
    kind: u8,
    key: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    /// The key's name: for a ledger's own key its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id, which stands with its name in front of each signature.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether this is a witness's key, whose signatures carry a time.
    pub(crate) fn is_cosigner(&self) -> bool {
        self.kind == COSIGNATURE
    }

    /// The 32 bytes of the Ed25519 key.
    pub fn public(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Checks the bytes that follow the key id. Gives the witness's time in seconds since the Unix epoch for a
    /// cosignature, 0 for a plain signature.
    fn check(&self, text: &str, bytes: &[u8]) -> Option<u64> {
        if self.kind == ED25519 {
            let signature = ed25519_dalek::Signature::from_slice(bytes).ok()?;
            self.key.verify_strict(text.as_bytes(), &signature).ok()?;
            return Some(0);
        }
        let (time, signature) = bytes.split_first_chunk()?;
        let time = u64::from_be_bytes(*time);
        let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
        let message = format!("cosignature/v1\ntime {time}\n{text}");
        self.key
            .verify_strict(message.as_bytes(), &signature)
            .ok()?;
        Some(time)
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, said, kind, bytes) = split_key(text)?;
        let id = key_id(name, kind, &bytes);
        if id != said {
            return Err(KeyError::Id {
                name: name.to_owned(),
                said,
                id,
            });
        }
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes)
            .map_err(|_| KeyError::Bytes(name.to_owned()))?;
        Ok(Self {
            name: name.to_owned(),
            id,
            kind,
            key,
        })
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64.encode(bytes))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({self})")
    }
}

/// A secret Ed25519 key with its name. `Debug` shows the public half.
#[derive(Clone)]
pub struct Signer {
    key: ed25519_dalek::SigningKey,
    public: VerifyingKey,
}

impl Signer {
    /// The signer with this name and secret seed (RFC 8032 section 5.1.5).
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name(name.to_owned()));
        }
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = key.verifying_key();
        let id = key_id(name, ED25519, public.as_bytes());
        let public = VerifyingKey {
            name: name.to_owned(),
            id,
            kind: ED25519,
            key: public,
        };
        Ok(Self { key, public })
    }

    /// Reads Go's form `PRIVATE+KEY+<name>+<id>+<base64(0x01 ‖ seed)>`.
    pub(crate) fn from_secret(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix(SECRET_PREFIX).ok_or(KeyError::Form)?;
        let (name, said, kind, seed) = split_key(rest)?;
        if kind != ED25519 {
            return Err(KeyError::Type {
                name: name.to_owned(),
                kind,
            });
        }
        let signer = Self::from_seed(name, &seed)?;
        if signer.public.id != said {
            return Err(KeyError::Id {
                name: name.to_owned(),
                said,
                id: signer.public.id,
            });
        }
        Ok(signer)
    }

    /// Writes Go's form. The caller keeps it secret.
    pub(crate) fn to_secret(&self) -> String {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(self.key.as_bytes());
        let (name, id) = (&self.public.name, self.public.id);
        format!("{SECRET_PREFIX}{name}+{id:08x}+{}", BASE64.encode(bytes))
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.public.name
    }

    /// The public half.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    fn signature(&self, text: &str) -> Signature {
        Signature {
            name: self.public.name.clone(),
            id: self.public.id,
            bytes: self.key.sign(text.as_bytes()).to_vec(),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public)
    }
}

/// One signature line, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The name of the key that is said to have signed.
    pub name: String,
    /// That key's id.
    pub id: u32,
    /// The signature, of a form that depends on the key's type.
    pub bytes: Vec<u8>,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        writeln!(f, "— {} {}", self.name, BASE64.encode(bytes))
    }
}

/// A note as it was read or signed. Reading it proves nothing; [`Note::verify`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, with the end of its last line.
    pub text: String,
    /// The signatures, in their order.
    pub signatures: Vec<Signature>,
}

/// A signature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The key that signed.
    pub key: VerifyingKey,
    /// For a cosignature, when the witness signed, in seconds since the Unix epoch.
    pub time_s: Option<u64>,
}

impl Note {
    /// Reads a note. Strict: a text that this accepts is printed again byte for byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MOST_BYTES {
            return Err(NoteError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        if text.contains(|c: char| c < ' ' && c != '\n') {
            return Err(NoteError::Text);
        }
        let split = text.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, lines) = text.split_at(split + 1);
        let lines = lines.strip_prefix('\n').unwrap_or_default();
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if number >= MOST_SIGNATURES {
                return Err(NoteError::TooLarge);
            }
            signatures.push(parse_signature(line).ok_or(NoteError::Line(number + 1))?);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The signatures by `keys`, verified. Signatures by other keys are passed over, as the specification
    /// demands; a wrong signature by one of `keys` fails the whole note. Only a key's first line counts.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<Vec<Verified>, NoteError> {
        let mut verified: Vec<Verified> = Vec::new();
        for signature in &self.signatures {
            let of = |key: &&VerifyingKey| key.name == signature.name && key.id == signature.id;
            let Some(key) = keys.iter().find(of) else {
                continue;
            };
            if verified.iter().any(|earlier| earlier.key == *key) {
                continue;
            }
            let time = key
                .check(&self.text, &signature.bytes)
                .ok_or_else(|| NoteError::Signature(key.name.clone()))?;
            let time_s = key.is_cosigner().then_some(time);
            verified.push(Verified {
                key: key.clone(),
                time_s,
            });
        }
        if verified.is_empty() {
            let names: Vec<&str> = self.signatures.iter().map(|s| s.name.as_str()).collect();
            return Err(NoteError::Unknown(names.join(", ")));
        }
        Ok(verified)
    }
}

fn parse_signature(line: &str) -> Option<Signature> {
    let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
    let bytes = BASE64.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk()?;
    if !is_key_name(name) || signature.is_empty() {
        return None;
    }
    Some(Signature {
        name: name.to_owned(),
        id: u32::from_be_bytes(*id),
        bytes: signature.to_vec(),
    })
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| write!(f, "{signature}"))
    }
}

/// Signs `text`, which ends in a line's end and holds no other control character and is not empty; anything
/// else is [`NoteError::Text`].
pub fn sign(text: &str, signer: &Signer) -> Result<Note, NoteError> {
    let controls = text.contains(|c: char| c < ' ' && c != '\n');
    if controls || !text.ends_with('\n') {
        return Err(NoteError::Text);
    }
    Ok(Note {
        text: text.to_owned(),
        signatures: vec![signer.signature(text)],
    })
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
