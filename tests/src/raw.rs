//! The NATS client protocol without manners: what a well-behaved client refuses to send.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::Nats;

/// A connection that sends bytes as they are.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Raw {
    /// Connects without credentials.
    pub fn connect(nats: &Nats) -> Self {
        let address = nats.url().replace("nats://", "");
        let stream = TcpStream::connect(address).expect("the private server accepts connections");
        let mut answers = BufReader::new(stream.try_clone().expect("a socket can be shared"));
        answers.read_line(&mut String::new()).expect("INFO");
        let mut raw = Self { stream, answers };
        raw.send(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"lang\":\"raw\",\"version\":\"1\"}\r\n");
        raw
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Publishes; `head` is everything from `NATS/1.0` to the empty line, or empty for none.
    pub fn publish(&mut self, subject: &[u8], head: &[u8], body: &[u8]) {
        let mut frame = Vec::new();
        frame.extend_from_slice(if head.is_empty() { b"PUB " } else { b"HPUB " });
        frame.extend_from_slice(subject);
        if !head.is_empty() {
            frame.extend_from_slice(format!(" {}", head.len()).as_bytes());
        }
        frame.extend_from_slice(format!(" {}\r\n", head.len() + body.len()).as_bytes());
        frame.extend_from_slice(head);
        frame.extend_from_slice(body);
        frame.extend_from_slice(b"\r\n");
        self.send(&frame);
    }

    /// Waits until the server has taken everything so far. Panics with what it objects to.
    pub fn flush(&mut self) {
        self.send(b"PING\r\n");
        loop {
            let mut line = Vec::new();
            self.answers
                .read_until(b'\n', &mut line)
                .expect("the server answers");
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if line == "PONG" {
                return;
            }
            assert!(
                !line.starts_with("-ERR") && !line.is_empty(),
                "the server says {line:?}"
            );
        }
    }
}

/// A block of headers as it goes over the wire.
pub fn head(headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut head = b"NATS/1.0\r\n".to_vec();
    for (name, value) in headers {
        head.extend_from_slice(name);
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}
