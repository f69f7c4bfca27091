//! The signed heads that were let out, as they are remembered outside the database: what it is held against.

use ingest::heads;
use ingest::nats::Connection;
use ledger::checkpoint::Checkpoint;
use ledger::head_file;

use crate::config::Config;
use crate::exit::{Context, Failure};

/// The last head on the outgoing stream and the one in the head file, where there are any.
#[derive(Debug)]
pub struct Released {
    /// The signed notes.
    pub notes: Vec<String>,
    /// The number of the last head on the outgoing stream; 0 for none.
    pub behind: u64,
}

impl Released {
    /// Reads both.
    pub async fn read(config: &Config, connection: &Connection) -> Result<Self, Failure> {
        let published = heads::last_head_if_any(connection, &config.ledger).await?;
        let filed = head_file::read(&config.head).context(format!(
            "cannot read the last signed head in {}",
            config.head.display()
        ))?;
        let behind = published.as_ref().map_or(0, |head| head.stream_seq);
        let notes = published
            .map(|head| head.note)
            .into_iter()
            .chain(filed)
            .collect();
        Ok(Self { notes, behind })
    }

    /// The size of the largest; 0 for none. The sealer checks their signatures, so a forged one can make us
    /// careful and no more.
    pub fn size(&self) -> u64 {
        self.notes
            .iter()
            .filter_map(|note| Checkpoint::parse_note(note.as_bytes()).ok())
            .map(|(checkpoint, _)| checkpoint.size)
            .max()
            .unwrap_or(0)
    }
}
