//! Rows in the form of PostgreSQL's binary COPY: the cheapest way to bring many into a table.

use bytes::{BufMut, Bytes, BytesMut};
use deadpool_postgres::Transaction;
use futures_util::SinkExt as _;
use tokio_postgres::Error;

/// How much is sent at a time, in bytes.
const PART: usize = 1 << 18;
/// The object identifier of type `bigint`.
const BIGINT: i32 = 20;

/// Rows on their way into a table.
pub(super) struct Rows {
    columns: i16,
    buffer: BytesMut,
}

impl Rows {
    /// For rows of so many columns.
    pub(super) fn new(columns: i16) -> Self {
        let mut buffer = BytesMut::with_capacity(1 << 16);
        buffer.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        Self { columns, buffer }
    }

    /// Begins a row. Its columns follow, each once, in their order.
    pub(super) fn row(&mut self) -> &mut Self {
        self.buffer.put_i16(self.columns);
        self
    }

    pub(super) fn integer(&mut self, value: i32) -> &mut Self {
        self.buffer.put_i32(4);
        self.buffer.put_i32(value);
        self
    }

    pub(super) fn bigint(&mut self, value: impl Into<Option<i64>>) -> &mut Self {
        match value.into() {
            None => self.buffer.put_i32(-1),
            Some(value) => {
                self.buffer.put_i32(8);
                self.buffer.put_i64(value);
            }
        }
        self
    }

    pub(super) fn boolean(&mut self, value: impl Into<Option<bool>>) -> &mut Self {
        match value.into() {
            None => self.buffer.put_i32(-1),
            Some(value) => {
                self.buffer.put_i32(1);
                self.buffer.put_u8(u8::from(value));
            }
        }
        self
    }

    /// A text, or what has the form of one: JSON, and bytes as they are.
    pub(super) fn bytes<'a>(&mut self, value: impl Into<Option<&'a [u8]>>) -> &mut Self {
        match value.into() {
            None => self.buffer.put_i32(-1),
            Some(value) => {
                // PostgreSQL takes no row of 2³¹ bytes, and says so.
                self.buffer
                    .put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
                self.buffer.put_slice(value);
            }
        }
        self
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub(super) fn optional_text(&mut self, value: Option<&str>) -> &mut Self {
        self.bytes(value.map(str::as_bytes))
    }

    pub(super) fn bigints(&mut self, values: impl ExactSizeIterator<Item = i64>) -> &mut Self {
        let count = i32::try_from(values.len()).unwrap_or(i32::MAX);
        let dimensions = i32::from(count > 0);
        self.buffer.put_i32(12 + dimensions * 8 + count * 12);
        self.buffer.put_i32(dimensions);
        // No nulls.
        self.buffer.put_i32(0);
        self.buffer.put_i32(BIGINT);
        if dimensions > 0 {
            self.buffer.put_i32(count);
            self.buffer.put_i32(1);
        }
        for value in values {
            self.bigint(value);
        }
        self
    }

    /// Sends them; `statement` is a COPY.
    pub(super) async fn send(mut self, tx: &Transaction<'_>, statement: &str) -> Result<(), Error> {
        self.buffer.put_i16(-1);
        let statement = tx.prepare_cached(statement).await?;
        let sink = tx.copy_in::<_, Bytes>(&statement).await?;
        let mut sink = std::pin::pin!(sink);
        let mut rest = self.buffer.freeze();
        while !rest.is_empty() {
            let part = rest.split_to(rest.len().min(PART));
            sink.send(part).await?;
        }
        sink.finish().await?;
        Ok(())
    }
}
