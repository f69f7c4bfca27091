//! What a bundle says of itself, and the signature over it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bundle::{BundleError, FORMAT};

/// `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The number of the format.
    pub format: u64,
    /// The ledger's name to the world.
    pub origin: String,
    /// The first position.
    pub from: u64,
    /// The last position.
    pub to: u64,
    /// What was asked for.
    pub query: serde_json::Value,
    /// When it was made, RFC 3339 in UTC.
    pub made_at: String,
    /// The program that made it, with its version.
    pub made_by: String,
    /// The size of the signed head that everything is proved against.
    pub checkpoint_size: u64,
    /// How many events the bundle has.
    pub events: u64,
    /// How many of them are what was asked for; the others are there for completeness.
    pub matching: u64,
    /// How many events are there without their data being shown.
    pub withheld: u64,
    /// How many events have lost their data.
    pub redacted: u64,
    /// Every other file with its SHA-256 in hex.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest. An unknown format is told from a broken manifest.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u64,
        }
        let versioned: Versioned = serde_json::from_slice(bytes)?;
        if versioned.format != FORMAT {
            return Err(ManifestError::Format(versioned.format));
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManifestError {
    #[error("manifest.json has format {0}")]
    Format(u64),
    #[error("manifest.json is not a manifest")]
    Json(#[from] serde_json::Error),
}

impl ManifestError {
    pub(super) fn into_bundle_error(self, path: &std::path::Path) -> BundleError {
        match self {
            Self::Format(found) => BundleError::Format { found },
            Self::Json(error) => {
                let why = format!("its manifest.json: {}", super::quote(&error.to_string()));
                BundleError::NotABundle {
                    path: path.to_owned(),
                    why,
                }
            }
        }
    }
}

/// The text that `manifest.note` signs.
pub(super) fn note_text(origin: &str, manifest: &[u8]) -> String {
    format!(
        "{origin}/manifest\n{}\n",
        hex::encode(Sha256::digest(manifest))
    )
}
