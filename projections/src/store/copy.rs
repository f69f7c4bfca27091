//! Rows in the form of PostgreSQL's binary COPY: the cheapest way to bring many into a table. A few are inserted instead:
//! a COPY has the connection for itself for the time of a way there and back, and what is inserted goes with the rest.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use deadpool_postgres::Transaction;
use futures_util::SinkExt as _;
use futures_util::future::try_join_all;
use tokio_postgres::Error;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// How much is sent at a time, in bytes.
const PART: usize = 1 << 18;
/// The object identifier of type `bigint`.
const BIGINT: i32 = 20;

/// How many rows are inserted one by one.
const FEW: usize = 16;
/// What stands before the first row.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Rows on their way into a table.
pub(super) struct Rows {
    columns: i16,
    count: usize,
    buffer: BytesMut,
}

/// A value as it stands in a row, which is the form that a parameter has as well.
#[derive(Debug)]
struct Value(Option<Bytes>);

impl ToSql for Value {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match &self.0 {
            None => IsNull::Yes,
            Some(bytes) => {
                out.put_slice(bytes);
                IsNull::No
            }
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Rows {
    /// For rows of so many columns.
    pub(super) fn new(columns: i16) -> Self {
        let mut buffer = BytesMut::with_capacity(1 << 16);
        buffer.put_slice(HEADER);
        Self {
            columns,
            count: 0,
            buffer,
        }
    }

    /// Begins a row. Its columns follow, each once, in their order.
    pub(super) fn row(&mut self) -> &mut Self {
        self.buffer.put_i16(self.columns);
        self.count += 1;
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
        if self.count <= FEW {
            return self.insert(tx, statement).await;
        }
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

    /// Inserts them into what `copy` is a COPY into, all sent at once.
    async fn insert(self, tx: &Transaction<'_>, copy: &str) -> Result<(), Error> {
        let statement = tx.prepare_cached(&insert(copy, self.columns)).await?;
        let rows = self.values();
        let inserted = rows.iter().map(|row| tx.execute_raw(&statement, row));
        try_join_all(inserted).await?;
        Ok(())
    }

    /// The values of each row.
    fn values(self) -> Vec<Vec<Value>> {
        let mut rest = self.buffer.freeze();
        rest.advance(HEADER.len());
        let mut rows = Vec::with_capacity(self.count);
        for _ in 0..self.count {
            let mut row = Vec::new();
            for _ in 0..rest.get_i16() {
                // A length below zero is that of no value.
                let length = usize::try_from(rest.get_i32()).ok();
                row.push(Value(length.map(|length| rest.split_to(length))));
            }
            rows.push(row);
        }
        rows
    }
}

/// The INSERT of one row into the columns of a COPY.
fn insert(copy: &str, columns: i16) -> String {
    let into = copy.split_once("COPY ").map_or("", |(_, into)| into);
    let into = into.split_once("FROM STDIN").map_or(into, |(into, _)| into);
    let values: Vec<String> = (1..=columns).map(|number| format!("${number}")).collect();
    format!("INSERT INTO {} VALUES ({})", into.trim(), values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_rows_have_the_values_that_many_would() {
        let mut rows = Rows::new(3);
        rows.row().integer(7).text("a").bigint(None);
        rows.row().integer(-1).optional_text(None).bigint(1 << 40);
        let values = rows.values();
        let bytes = |value: &Value| value.0.as_ref().map(|bytes| bytes.to_vec());
        let values: Vec<Vec<Option<Vec<u8>>>> = values
            .iter()
            .map(|row| row.iter().map(bytes).collect())
            .collect();
        assert_eq!(
            values,
            [
                [Some(vec![0, 0, 0, 7]), Some(b"a".to_vec()), None],
                [Some(vec![255; 4]), None, Some(vec![0, 0, 1, 0, 0, 0, 0, 0])],
            ]
        );
    }

    #[test]
    fn the_insert_names_the_columns_of_the_copy() {
        let copy = "-- copy_links: new.\nCOPY views.link (projection,\n  kind) FROM STDIN (FORMAT binary)\n";
        let insert = insert(copy, 2);
        assert_eq!(
            insert,
            "INSERT INTO views.link (projection,\n  kind) VALUES ($1, $2)"
        );
    }
}
