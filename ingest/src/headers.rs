//! A header block's bytes, read so that no bytes whatever are refused.

use bytes::Bytes;

/// A header block, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Headers {
    /// The number after `NATS/1.0`, by which a server marks what is not a message; 0 where there is none.
    pub status: u16,
    /// Names (bytes that are not UTF-8 have become U+FFFD) and values without white space around them, in
    /// the order received.
    pub fields: Vec<(String, Bytes)>,
}

/// Takes a block apart: lines end in LF or CR LF, a line that begins with a blank goes on with the value
/// before it, and a line without a colon is a name without a value.
pub(crate) fn parse(block: &Bytes) -> Headers {
    let mut headers = Headers::default();
    let mut open: Option<(String, Bytes)> = None;
    for (at, line) in lines(block).enumerate() {
        if at == 0
            && let Some(rest) = line.strip_prefix(b"NATS/1.0")
        {
            headers.status = status(rest);
            continue;
        }
        match (line.first(), &mut open) {
            (None, _) => {}
            (Some(b' ' | b'\t'), Some((_, value))) => {
                *value = [value.as_ref(), line].concat().into();
            }
            _ => {
                close(&mut headers, open.take());
                let (name, value) = match memchr::memchr(b':', line) {
                    Some(colon) => line.split_at(colon),
                    None => (line, &b""[..]),
                };
                let value = value.strip_prefix(b":").unwrap_or(value);
                let name = String::from_utf8_lossy(name).into_owned();
                open = Some((name, block.slice_ref(value)));
            }
        }
    }
    close(&mut headers, open);
    headers
}

fn close(headers: &mut Headers, field: Option<(String, Bytes)>) {
    if let Some((name, value)) = field {
        let trimmed = value.slice_ref(value.trim_ascii());
        headers.fields.push((name, trimmed));
    }
}

fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn status(rest: &[u8]) -> u16 {
    let digits = rest.trim_ascii().split(|byte| *byte == b' ').next();
    digits
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

/// The block without its version line and without what the server itself acts on (`Nats-…` fields): a copy
/// must not repeat what its original asked of the stream that it was sent to.
pub(crate) fn without_requests(block: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(block.len());
    let mut dropped = false;
    for (at, line) in block.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let goes_on = matches!(line.first(), Some(b' ' | b'\t'));
        if !goes_on {
            let version = at == 0 && line.starts_with(b"NATS/1.0");
            dropped = version || starts_with_ignoring_case(line, b"Nats-");
        }
        if !dropped {
            kept.extend_from_slice(line);
        }
    }
    kept
}

fn starts_with_ignoring_case(line: &[u8], prefix: &[u8]) -> bool {
    line.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(block: &'static [u8]) -> Vec<(String, Vec<u8>)> {
        let headers = parse(&Bytes::from_static(block));
        let own = |(name, value): (String, Bytes)| (name, value.to_vec());
        headers.fields.into_iter().map(own).collect()
    }

    fn field(name: &str, value: &[u8]) -> (String, Vec<u8>) {
        (name.to_owned(), value.to_vec())
    }

    #[test]
    fn plain_and_hostile_blocks() {
        assert_eq!(
            fields(b"NATS/1.0\r\nce-id: 1\r\nCE-ID:2 \r\n\r\n"),
            [field("ce-id", b"1"), field("CE-ID", b"2")]
        );
        assert_eq!(
            fields(b"NATS/1.0 503\r\nname with blank:\xff\r\nfolded: a\r\n  b\nlone: a\rb\r\nbare\r\n\r\n"),
            [
                field("name with blank", b"\xff"),
                field("folded", b"a  b"),
                field("lone", b"a\rb"),
                field("bare", b""),
            ]
        );
        assert_eq!(fields(b"no version: 1"), [field("no version", b"1")]);
        assert_eq!(parse(&Bytes::new()), Headers::default());
    }

    #[test]
    fn status_lines() {
        let status = |block: &'static str| parse(&Bytes::from_static(block.as_bytes())).status;
        assert_eq!(status("NATS/1.0 408 Request Timeout\r\n\r\n"), 408);
        assert_eq!(status("NATS/1.0\r\n\r\n"), 0);
        assert_eq!(status("NATS/1.0 x\r\n\r\n"), 0);
    }

    #[test]
    fn requests_to_the_server_are_not_copied() {
        let block = b"NATS/1.0\r\nNats-Msg-Id: a\r\nnats-rollup: all\r\n b\r\nce-id: 1\r\n\r\n";
        assert_eq!(without_requests(block), b"ce-id: 1\r\n\r\n");
        assert_eq!(without_requests(b"NATS/1.0 503\r\nNats-TTL: 1"), b"");
    }

    proptest! {
        #[test]
        fn nothing_panics(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            let block = Bytes::from(block);
            parse(&block);
            without_requests(&block);
        }
    }
}
