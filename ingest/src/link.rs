//! A connection that hands over frames as they are (`wire`), for one reader of one stream.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_nats::ServerAddr;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::nats::{Auth, Nats, NatsError};
use crate::wire::{self, Frame, Op};

/// How much is read at a time.
const READ: usize = 256 << 10;
/// The subscription that answers come to.
const ANSWERS: u64 = 1;

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// What a server says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Info {
    pub server_id: String,
    pub version: String,
    pub client_id: u64,
    pub max_payload: usize,
    nonce: String,
    auth_required: bool,
    tls_required: bool,
}

/// Why a link broke, for the log.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("reading or writing failed")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Malformed(#[from] wire::Malformed),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server says {0}")]
    Said(String),
    #[error("no server answered in time")]
    Timeout,
    #[error("the server wants TLS: write its address as tls://…")]
    NoTls,
    #[error("the credentials hold no user JWT with a usable seed")]
    Credentials,
}

/// An open connection.
pub(crate) struct Link {
    nats: Nats,
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
    /// Frames that came while an answer was waited for.
    held: VecDeque<Frame>,
    inbox: String,
    asked: u64,
    /// About the server that we are connected to.
    pub info: Info,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("nats", &self.nats)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Connects to the first server that lets us in.
    pub async fn connect(nats: &Nats, purpose: &str) -> Result<Self, NatsError> {
        let mut last = Broken::Closed;
        for address in nats.addresses()? {
            match timeout(nats.patience, Self::open(nats, &address, purpose)).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(broken)) => last = broken,
                Err(_) => last = Broken::Timeout,
            }
        }
        let kind = match &last {
            Broken::Said(text) if text.to_lowercase().contains("authorization") => {
                async_nats::ConnectErrorKind::AuthorizationViolation
            }
            Broken::Credentials => async_nats::ConnectErrorKind::Authentication,
            Broken::NoTls => async_nats::ConnectErrorKind::Tls,
            _ => async_nats::ConnectErrorKind::Io,
        };
        Err(NatsError::Connect {
            servers: nats.names(),
            source: async_nats::ConnectError::with_source(kind, last),
        })
    }

    async fn open(nats: &Nats, address: &ServerAddr, purpose: &str) -> Result<Self, Broken> {
        let tcp = TcpStream::connect((address.host(), address.port())).await?;
        tcp.set_nodelay(true)?;
        let mut link = Self {
            nats: nats.clone(),
            stream: Box::new(tcp),
            input: BytesMut::with_capacity(READ),
            output: BytesMut::new(),
            held: VecDeque::new(),
            inbox: String::new(),
            asked: 0,
            info: Info::default(),
        };
        let Op::Info(info) = link.read_op().await? else {
            return Err(Broken::Closed);
        };
        link.info = serde_json::from_slice(&info).map_err(std::io::Error::other)?;
        if address.tls_required() || link.info.tls_required {
            link = link.upgrade(address.host()).await?;
        }
        // The server's id and its number for us make a name that nobody else has, without randomness.
        let (server, client) = (&link.info.server_id, link.info.client_id);
        link.inbox = format!("{}.{server}.{client}", nats.inbox);
        let hello = hello(nats, address, &link.info, purpose)?;
        let subscription = format!("SUB {}.a.* {ANSWERS}\r\nPING\r\n", link.inbox);
        link.output
            .extend_from_slice(format!("CONNECT {hello}\r\n{subscription}").as_bytes());
        link.write_out().await?;
        loop {
            match link.read_op().await? {
                Op::Pong => return Ok(link),
                Op::Error(text) => return Err(Broken::Said(text)),
                _ => {}
            }
        }
    }

    async fn upgrade(mut self, host: &str) -> Result<Self, Broken> {
        let config: Arc<ClientConfig> = self.nats.tls.clone().ok_or(Broken::NoTls)?;
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        let stream = TlsConnector::from(config)
            .connect(name, self.stream)
            .await?;
        self.stream = Box::new(stream);
        Ok(self)
    }

    /// The system that this link goes to.
    pub fn nats(&self) -> &Nats {
        &self.nats
    }

    /// A name below which answers reach this link alone.
    pub fn inbox(&self) -> &str {
        &self.inbox
    }

    /// Subscribes; what comes bears the number `sid`.
    pub fn subscribe(&mut self, subject: &str, sid: u64) {
        self.output
            .extend_from_slice(format!("SUB {subject} {sid}\r\n").as_bytes());
    }

    /// Publishes. Nothing is sent before `flush`.
    pub fn publish(&mut self, subject: &[u8], reply: &[u8], headers: &[u8], payload: &[u8]) {
        wire::encode_publish(&mut self.output, subject, reply, headers, payload);
    }

    /// Sends what was published and subscribed.
    pub async fn flush(&mut self) -> Result<(), NatsError> {
        if self.output.is_empty() {
            return Ok(());
        }
        match timeout(self.nats.patience, self.write_out()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(broken)) => Err(self.broken(&broken)),
            Err(_) => Err(self.broken(&Broken::Timeout)),
        }
    }

    /// The next frame of a subscription. Can be dropped while waiting without losing one.
    pub async fn next(&mut self) -> Result<Frame, NatsError> {
        if let Some(frame) = self.held.pop_front() {
            return Ok(frame);
        }
        self.next_frame().await
    }

    /// A frame that is already here.
    pub fn try_next(&mut self) -> Result<Option<Frame>, NatsError> {
        if let Some(frame) = self.held.pop_front() {
            return Ok(Some(frame));
        }
        loop {
            match wire::decode(&mut self.input) {
                Ok(Some(Op::Message(frame))) => return Ok(Some(frame)),
                Ok(Some(op)) => self.control(op)?,
                Ok(None) => return Ok(None),
                Err(malformed) => return Err(self.broken(&malformed.into())),
            }
        }
    }

    /// Asks and waits for the answer. Frames of subscriptions that come meanwhile are kept for `next`.
    pub async fn request(&mut self, subject: &str, payload: &[u8]) -> Result<Frame, NatsError> {
        self.asked += 1;
        let reply = format!("{}.a.{}", self.inbox, self.asked);
        self.publish(subject.as_bytes(), reply.as_bytes(), b"", payload);
        self.flush().await?;
        let patience = self.nats.patience;
        match timeout(patience, self.answer(&reply)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.nats.timeout(subject)),
        }
    }

    /// Publishes many and waits for every answer: the subject, the header block and the payload of each.
    pub async fn request_all(
        &mut self,
        requests: &[(Bytes, Vec<u8>, Bytes)],
    ) -> Result<Vec<Frame>, NatsError> {
        let mut places = HashMap::new();
        for (at, (subject, headers, payload)) in requests.iter().enumerate() {
            self.asked += 1;
            let reply = format!("{}.a.{}", self.inbox, self.asked);
            self.publish(subject, reply.as_bytes(), headers, payload);
            places.insert(Bytes::from(reply), at);
        }
        self.flush().await?;
        let mut answers = vec![None; requests.len()];
        while !places.is_empty() {
            let frame = match timeout(self.nats.patience, self.next_frame()).await {
                Ok(frame) => frame?,
                Err(_) => return Err(self.nats.timeout("publish")),
            };
            match places
                .remove(&frame.subject)
                .and_then(|at| answers.get_mut(at))
            {
                Some(answer) => *answer = Some(frame),
                None => self.hold(frame),
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    async fn answer(&mut self, reply: &str) -> Result<Frame, NatsError> {
        loop {
            let frame = self.next_frame().await?;
            if frame.sid == ANSWERS && frame.subject == reply.as_bytes() {
                return Ok(frame);
            }
            self.hold(frame);
        }
    }

    /// Keeps a frame, unless it answers a question that nobody waits for any more.
    fn hold(&mut self, frame: Frame) {
        if frame.sid != ANSWERS {
            self.held.push_back(frame);
        }
    }

    async fn next_frame(&mut self) -> Result<Frame, NatsError> {
        loop {
            match self.read_op().await {
                Ok(Op::Message(frame)) => return Ok(frame),
                Ok(op) => {
                    self.control(op)?;
                    self.flush().await?;
                }
                Err(broken) => return Err(self.broken(&broken)),
            }
        }
    }

    fn control(&mut self, op: Op) -> Result<(), NatsError> {
        match op {
            Op::Ping => self.output.extend_from_slice(b"PONG\r\n"),
            Op::Error(text) => return Err(self.broken(&Broken::Said(text))),
            Op::Message(_) | Op::Pong | Op::Ok | Op::Info(_) => {}
        }
        Ok(())
    }

    async fn read_op(&mut self) -> Result<Op, Broken> {
        loop {
            if let Some(op) = wire::decode(&mut self.input)? {
                return Ok(op);
            }
            if self.input.capacity() - self.input.len() < READ / 4 {
                self.input.reserve(READ);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(Broken::Closed);
            }
        }
    }

    async fn write_out(&mut self) -> Result<(), Broken> {
        // Advances as it writes, so that a write that is dropped halfway goes on where it was.
        while !self.output.is_empty() {
            self.stream.write_buf(&mut self.output).await?;
        }
        Ok(self.stream.flush().await?)
    }

    fn broken(&self, why: &Broken) -> NatsError {
        tracing::debug!(servers = %self.nats.names(), "the connection to NATS broke: {why}");
        self.nats.lost()
    }
}

/// The text of `CONNECT`.
fn hello(nats: &Nats, address: &ServerAddr, info: &Info, purpose: &str) -> Result<String, Broken> {
    let mut hello = serde_json::json!({
        "verbose": false, "pedantic": false, "headers": true, "no_responders": true, "protocol": 1,
        "lang": "rust", "version": env!("CARGO_PKG_VERSION"), "name": format!("ledger {purpose}"),
        "tls_required": info.tls_required,
    });
    let Some(fields) = hello.as_object_mut() else {
        return Err(Broken::Credentials);
    };
    match &nats.auth {
        Auth::Password { user, password } => {
            fields.insert("user".into(), user.as_str().into());
            fields.insert("pass".into(), password.as_str().into());
        }
        Auth::Token(token) => {
            fields.insert("auth_token".into(), token.as_str().into());
        }
        Auth::Credentials(text) => {
            let (jwt, seed) = credentials(text).ok_or(Broken::Credentials)?;
            let key = nkeys::KeyPair::from_seed(seed).map_err(|_| Broken::Credentials)?;
            let signed = key
                .sign(info.nonce.as_bytes())
                .map_err(|_| Broken::Credentials)?;
            fields.insert("jwt".into(), jwt.into());
            fields.insert("sig".into(), URL_SAFE_NO_PAD.encode(signed).into());
        }
        Auth::None if info.auth_required => {
            if let (Some(user), Some(password)) = (address.username(), address.password()) {
                fields.insert("user".into(), user.into());
                fields.insert("pass".into(), password.into());
            } else if let Some(token) = address.username() {
                fields.insert("auth_token".into(), token.into());
            }
        }
        Auth::None => {}
    }
    Ok(hello.to_string())
}

/// The JWT and the seed of a `.creds` file: the lines that follow the two `BEGIN` lines.
fn credentials(text: &str) -> Option<(&str, &str)> {
    let after_begin = |which: &str| {
        let mut lines = text.lines();
        lines.find(|line| line.contains("BEGIN") && line.contains(which))?;
        lines.map(str::trim).find(|line| !line.is_empty())
    };
    Some((after_begin("JWT")?, after_begin("SEED")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found() {
        let text = "-----BEGIN NATS USER JWT-----\nabc.def\n------END NATS USER JWT------\n\n\
                    -----BEGIN USER NKEY SEED-----\nSUAM\n------END USER NKEY SEED------\n";
        assert_eq!(credentials(text), Some(("abc.def", "SUAM")));
        assert_eq!(credentials("nothing"), None);
    }
}
