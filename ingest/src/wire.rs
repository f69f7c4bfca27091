//! The NATS protocol, as much of it as reading a stream byte for byte needs.
//!
//! The client library parses headers for its users, and for hostile ones it closes the connection
//! (a subject or header that is not UTF-8), swallows the message (a status line) or panics (a lone carriage
//! return). A ledger must give such a message a position, so it reads the frames itself: subject, header
//! block and payload as bytes. Protocol: <https://docs.nats.io/reference/reference-protocols/nats-protocol>.

use bytes::{Buf, Bytes, BytesMut};

/// The longest control line that is waited for. Servers allow 4 KiB unless configured otherwise.
const LONGEST_LINE: usize = 1 << 20;

/// A message as the server sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Which subscription it belongs to.
    pub sid: u64,
    /// The subject's bytes. The server guarantees no more than that they hold no white space.
    pub subject: Bytes,
    /// Where an answer goes; empty where none is wanted.
    pub reply: Bytes,
    /// The header block with its version line; empty where there is none.
    pub headers: Bytes,
    /// The payload.
    pub payload: Bytes,
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// A message.
    Message(Frame),
    /// Are you there?
    Ping,
    /// I am here.
    Pong,
    /// Nothing of interest.
    Ok,
    /// About the server, in JSON.
    Info(Bytes),
    /// Something is wrong, usually followed by the end.
    Error(String),
}

/// The server said something that is not the protocol.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the server sent a line that is not the NATS protocol: {0:?}")]
pub(crate) struct Malformed(String);

impl Malformed {
    fn line(line: &[u8]) -> Self {
        let shown = line.get(..80).unwrap_or(line);
        Self(String::from_utf8_lossy(shown).into_owned())
    }
}

/// Takes one operation from the front of `buffer`, or nothing while it is not complete.
pub(crate) fn decode(buffer: &mut BytesMut) -> Result<Option<Op>, Malformed> {
    let Some(end) = find_line_end(buffer) else {
        if buffer.len() > LONGEST_LINE {
            return Err(Malformed::line(buffer));
        }
        return Ok(None);
    };
    let line = buffer.get(..end).unwrap_or_default();
    let (verb, rest) = match line.iter().position(|b| *b == b' ') {
        Some(at) => (line.get(..at), line.get(at + 1..)),
        None => (Some(line), None),
    };
    let rest = rest.unwrap_or_default();
    let op = match verb.unwrap_or_default() {
        b"MSG" => return message(buffer, end, false),
        b"HMSG" => return message(buffer, end, true),
        b"PING" => Op::Ping,
        b"PONG" => Op::Pong,
        b"+OK" => Op::Ok,
        b"INFO" => Op::Info(Bytes::copy_from_slice(rest)),
        b"-ERR" => Op::Error(String::from_utf8_lossy(rest).into_owned()),
        _ => return Err(Malformed::line(line)),
    };
    buffer.advance(end + 2);
    Ok(Some(op))
}

fn find_line_end(buffer: &[u8]) -> Option<usize> {
    memchr::memmem::find(buffer, b"\r\n")
}

/// The words and sizes of a `MSG` or `HMSG` line: `<subject> <sid> [reply] [header size] <total size>`.
struct Line {
    sid: u64,
    subject: std::ops::Range<usize>,
    reply: std::ops::Range<usize>,
    header_len: usize,
    total_len: usize,
}

fn message_line(line: &[u8], with_headers: bool) -> Option<Line> {
    let mut words: Vec<std::ops::Range<usize>> = Vec::with_capacity(6);
    let mut start = 0;
    for at in memchr::memchr_iter(b' ', line).chain([line.len()]) {
        words.push(start..at);
        start = at + 1;
    }
    let number = |word: &std::ops::Range<usize>| -> Option<usize> {
        std::str::from_utf8(line.get(word.clone())?)
            .ok()?
            .parse()
            .ok()
    };
    let sizes = if with_headers { 2 } else { 1 };
    let subject = words.get(1)?.clone();
    let sid = u64::try_from(number(words.get(2)?)?).ok()?;
    let (reply, first_size) = match words.len().checked_sub(3 + sizes)? {
        0 => (0..0, 3),
        1 => (words.get(3)?.clone(), 4),
        _ => return None,
    };
    let first = number(words.get(first_size)?)?;
    let (header_len, total_len) = if with_headers {
        (first, number(words.get(first_size + 1)?)?)
    } else {
        (0, first)
    };
    (header_len <= total_len).then_some(Line {
        sid,
        subject,
        reply,
        header_len,
        total_len,
    })
}

fn message(buffer: &mut BytesMut, end: usize, headers: bool) -> Result<Option<Op>, Malformed> {
    let text = buffer.get(..end).unwrap_or_default();
    let line = message_line(text, headers).ok_or_else(|| Malformed::line(text))?;
    let needed = end + 2 + line.total_len + 2;
    if buffer.len() < needed {
        buffer.reserve(needed - buffer.len());
        return Ok(None);
    }
    let whole = buffer.split_to(needed).freeze();
    let body = end + 2;
    Ok(Some(Op::Message(Frame {
        sid: line.sid,
        subject: whole.slice(line.subject),
        reply: whole.slice(line.reply),
        headers: whole.slice(body..body + line.header_len),
        payload: whole.slice(body + line.header_len..body + line.total_len),
    })))
}

/// Appends a publication.
pub(crate) fn encode_publish(
    into: &mut BytesMut,
    subject: &[u8],
    reply: &[u8],
    headers: &[u8],
    payload: &[u8],
) {
    let verb: &[u8] = if headers.is_empty() { b"PUB" } else { b"HPUB" };
    into.extend_from_slice(verb);
    for word in [subject, reply] {
        if !word.is_empty() {
            into.extend_from_slice(b" ");
            into.extend_from_slice(word);
        }
    }
    if !headers.is_empty() {
        into.extend_from_slice(format!(" {}", headers.len()).as_bytes());
    }
    into.extend_from_slice(format!(" {}\r\n", headers.len() + payload.len()).as_bytes());
    into.extend_from_slice(headers);
    into.extend_from_slice(payload);
    into.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(input: &[u8]) -> Result<Vec<Op>, Malformed> {
        let mut buffer = BytesMut::from(input);
        let mut ops = Vec::new();
        while let Some(op) = decode(&mut buffer)? {
            ops.push(op);
        }
        Ok(ops)
    }

    #[test]
    fn messages_keep_their_bytes() {
        let ops = all(b"MSG a.\xff.b 1 4\r\n\x00\r\n\x01\r\nHMSG s\xc2\xa0x 7 $JS.ACK.1 6 8\r\nabc\r\n\xfe\r\n\r\nPING\r\n");
        let ops = ops.expect("legal");
        let frame = |sid,
                     subject: &'static [u8],
                     reply: &'static str,
                     headers: &'static [u8],
                     payload: &'static [u8]| {
            Op::Message(Frame {
                sid,
                subject: Bytes::from_static(subject),
                reply: Bytes::from_static(reply.as_bytes()),
                headers: Bytes::from_static(headers),
                payload: Bytes::from_static(payload),
            })
        };
        assert_eq!(
            ops,
            [
                frame(1, b"a.\xff.b", "", b"", b"\x00\r\n\x01"),
                frame(7, b"s\xc2\xa0x", "$JS.ACK.1", b"abc\r\n\xfe", b"\r\n"),
                Op::Ping,
            ]
        );
    }

    #[test]
    fn what_is_not_the_protocol_is_refused() {
        for line in [
            "MSG a b c\r\n",
            "MSG a 1\r\n",
            "HMSG a 1 9 3\r\n",
            "HELLO\r\n",
            "\r\n",
        ] {
            assert!(all(line.as_bytes()).is_err(), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = all(&input);
        }

        #[test]
        fn what_is_written_is_read(
            subject in "[a-z.]{1,20}", reply in "[a-z.]{0,20}",
            headers in proptest::collection::vec(any::<u8>(), 0..40),
            payload in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = BytesMut::new();
            encode_publish(&mut bytes, subject.as_bytes(), reply.as_bytes(), &headers, &payload);
            // A server answers with the same line, but for the verb and a subscription's number.
            let text = bytes.to_vec();
            let split = text.iter().position(|b| *b == b'\r').expect("a line");
            let line = String::from_utf8(text[..split].to_vec()).expect("text");
            let mut words: Vec<&str> = line.split(' ').collect();
            words[0] = if headers.is_empty() { "MSG" } else { "HMSG" };
            words.insert(2, "5");
            let mut input = words.join(" ").into_bytes();
            input.extend_from_slice(&text[split..]);
            let ops = all(&input).expect("legal");
            let Op::Message(frame) = &ops[0] else { panic!("a message") };
            prop_assert_eq!(frame.payload.as_ref(), &payload[..]);
            prop_assert_eq!(frame.headers.as_ref(), &headers[..]);
        }
    }
}
