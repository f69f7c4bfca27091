//! How to reach the servers, and a connection that says when it was lost.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::context::{
    PublishError, PublishErrorKind, RequestError, RequestErrorKind,
};
use async_nats::{ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;
use tokio_rustls::rustls::ClientConfig;

/// Who we are to the server.
#[derive(Clone, Default)]
pub enum Auth {
    /// Nobody in particular, or whom the address names.
    #[default]
    None,
    /// A user with a password.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Token(String),
    /// The text of a `.creds` file: a user JWT and its seed.
    Credentials(String),
}

/// The servers of one NATS system, and how to speak to them.
#[derive(Clone)]
pub struct Nats {
    /// `nats://host:port` or `tls://host:port`, any of which will do.
    pub urls: Vec<String>,
    /// Who we are.
    pub auth: Auth,
    /// With what to speak TLS where the address or the server asks for it.
    pub tls: Option<Arc<ClientConfig>>,
    /// How long to wait for a connection or an answer.
    pub patience: Duration,
    /// What the subjects of answers begin with. Whoever may subscribe to it hears them.
    pub inbox: Cow<'static, str>,
}

impl std::fmt::Debug for Nats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nats")
            .field("urls", &self.names())
            .finish_non_exhaustive()
    }
}

/// NATS is away, or does not let us in.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// An address that cannot be read.
    #[error("{url:?} is not the address of a NATS server: write nats://host:port")]
    Address {
        /// The address as given, without what may be a password.
        url: String,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// The credentials cannot be read.
    #[error("the NATS credentials cannot be read: expected a user JWT and its seed")]
    Credentials(#[source] std::io::Error),
    /// No server can be reached, or none lets us in.
    #[error("cannot connect to NATS at {servers}")]
    Connect {
        /// The addresses tried.
        servers: String,
        /// Why the last of them did not work.
        source: async_nats::ConnectError,
    },
    /// The connection broke.
    #[error("the connection to NATS at {servers} was lost")]
    Lost {
        /// The addresses of the system.
        servers: String,
    },
    /// The server did not answer in time.
    #[error("NATS at {servers} did not answer a request ({what}) within {patience:?}")]
    Timeout {
        /// The addresses of the system.
        servers: String,
        /// What was asked.
        what: String,
        /// How long we waited.
        patience: Duration,
    },
    /// The server runs without `JetStream`, or it is still reading its files.
    #[error("NATS at {servers} has no JetStream (yet)")]
    NoJetStream {
        /// The addresses of the system.
        servers: String,
    },
    /// `JetStream` refused a request.
    #[error("JetStream refused to {what}")]
    Refused {
        /// What was asked.
        what: String,
        /// What it answered.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl NatsError {
    /// Whether waiting may help: the servers are away, not unwilling.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Connect { source, .. } => {
                let barred = matches!(
                    source.kind(),
                    async_nats::ConnectErrorKind::Authentication
                        | async_nats::ConnectErrorKind::Tls
                        | async_nats::ConnectErrorKind::AuthorizationViolation
                );
                !barred && ledger::tls::refusal(source).is_none()
            }
            Self::Lost { .. } | Self::Timeout { .. } | Self::NoJetStream { .. } => true,
            Self::Refused { source, .. } => is_silence(source.as_ref()),
            Self::Address { .. } | Self::Credentials(_) => false,
        }
    }

    pub(crate) fn refused(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Refused {
            what: what.into(),
            source: source.into(),
        }
    }
}

/// Whether what the client library calls a refusal is none: nobody answered, or not in time.
fn is_silence(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        let answer = cause.downcast_ref().map(RequestError::kind);
        if let Some(RequestErrorKind::TimedOut | RequestErrorKind::NoResponders) = answer {
            return true;
        }
        next = cause.source();
    }
    false
}

/// The oldest server that does not lose a whole stream when it is killed.
const SAFE_VERSION: [u64; 3] = [2, 10, 23];

/// Logs a warning where the server is known to lose a stream when killed.
pub(crate) fn warn_of_old_server(version: &str) {
    let mut parts = version
        .split(['.', '-'])
        .map(|part| part.parse().unwrap_or(0_u64));
    let found = [0; 3].map(|_| parts.next().unwrap_or(0));
    if found < SAFE_VERSION {
        tracing::warn!(
            version,
            "NATS server {version} can lose a whole stream when it is killed; use 2.10.23 or newer"
        );
    }
}

impl Nats {
    /// These servers, without credentials or TLS, with ten seconds of patience.
    pub fn new(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            auth: Auth::None,
            tls: None,
            patience: Duration::from_secs(10),
            inbox: Cow::Borrowed("_INBOX"),
        }
    }

    /// The addresses for people: without the user or password that may stand in them.
    pub fn names(&self) -> String {
        let name = |url: &String| match url.parse::<ServerAddr>() {
            Ok(address) => format!("{}:{}", address.host(), address.port()),
            Err(_) => "an unreadable address".to_owned(),
        };
        self.urls.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn addresses(&self) -> Result<Vec<ServerAddr>, NatsError> {
        let parse = |url: &String| {
            url.parse().map_err(|source| NatsError::Address {
                url: without_password(url),
                source,
            })
        };
        self.urls.iter().map(parse).collect()
    }

    pub(crate) fn lost(&self) -> NatsError {
        NatsError::Lost {
            servers: self.names(),
        }
    }

    pub(crate) fn timeout(&self, what: impl Into<String>) -> NatsError {
        NatsError::Timeout {
            servers: self.names(),
            what: what.into(),
            patience: self.patience,
        }
    }

    fn options(&self) -> Result<ConnectOptions, NatsError> {
        let options = match &self.auth {
            Auth::None => ConnectOptions::new(),
            Auth::Password { user, password } => {
                ConnectOptions::with_user_and_password(user.clone(), password.clone())
            }
            Auth::Token(token) => ConnectOptions::with_token(token.clone()),
            Auth::Credentials(text) => {
                ConnectOptions::with_credentials(text).map_err(NatsError::Credentials)?
            }
        };
        let options = match &self.tls {
            Some(tls) => options.tls_client_config(tls.as_ref().clone()),
            None => options,
        };
        Ok(options
            .custom_inbox_prefix(&*self.inbox)
            .connection_timeout(self.patience)
            .request_timeout(Some(self.patience)))
    }

    /// Connects once; `purpose` names the connection to whoever looks at the server.
    ///
    /// The connection is not kept alive over a loss: what was in flight then has an unknown outcome, and
    /// only who sent it knows how to find out. It says that it was lost (`Connection::lost`), and a new
    /// one is made.
    pub async fn connect(&self, purpose: &str) -> Result<Connection, NatsError> {
        let addresses = self.addresses()?;
        let (tell, lost) = watch::channel(false);
        let options = self
            .options()?
            .name(format!("ledger {purpose}"))
            // Bounds how long the library itself tries on after a loss, when nobody listens any more.
            .max_reconnects(16)
            .event_callback(move |event| {
                if matches!(event, Event::Disconnected | Event::Closed) {
                    tell.send_replace(true);
                }
                std::future::ready(())
            });
        let client = options
            .connect(addresses)
            .await
            .map_err(|source| NatsError::Connect {
                servers: self.names(),
                source,
            })?;
        let mut js = jetstream::new(client.clone());
        js.set_timeout(self.patience);
        Ok(Connection {
            nats: self.clone(),
            client,
            js,
            lost,
        })
    }
}

/// One connection, from its making to its first loss.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) nats: Nats,
    /// The client.
    pub client: async_nats::Client,
    /// `JetStream` over it.
    pub js: jetstream::Context,
    lost: watch::Receiver<bool>,
}

impl Connection {
    /// Whether the connection was lost since it was made.
    pub fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Waits until the connection is lost.
    pub async fn lost(&self) {
        let mut lost = self.lost.clone();
        // An error means that the client is gone, which is a loss as well.
        let _ = lost.wait_for(|lost| *lost).await;
    }

    /// Does something over this connection, for as long as it stands: what the library would hold back until
    /// it has reconnected fails at once instead.
    pub(crate) async fn hold<T>(&self, doing: impl Future<Output = T>) -> Result<T, NatsError> {
        tokio::select! {
            done = doing => Ok(done),
            () = self.lost() => Err(self.lost_error()),
        }
    }

    /// What it means that a message was not taken.
    pub(crate) fn untaken(&self, what: &str, error: PublishError) -> NatsError {
        match error.kind() {
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => {
                self.nats.timeout(format!("publish {what}"))
            }
            _ => NatsError::refused(format!("take {what}"), error),
        }
    }

    /// That the connection was lost.
    pub fn lost_error(&self) -> NatsError {
        self.nats.lost()
    }
}

/// An address that cannot be read, for people. Where its password ends is not known, but for the last `@` behind it.
fn without_password(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_answer_refuses_nothing() {
        use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind};
        let of = |kind| {
            let cause = RequestError::new(kind);
            let error = GetStreamError::with_source(GetStreamErrorKind::Request, cause);
            NatsError::refused("find stream LEDGER-main", error)
        };
        assert!(of(RequestErrorKind::TimedOut).is_unavailable());
        assert!(of(RequestErrorKind::NoResponders).is_unavailable());
        assert!(!of(RequestErrorKind::InvalidSubject).is_unavailable());
    }

    #[test]
    fn no_password_is_shown_of_an_address_that_cannot_be_read() {
        for (url, shown) in [
            ("nats://u:p/w@host:4222", "…@host:4222"),
            ("nats://u:pw@host:42x2", "…@host:42x2"),
            ("nats://u:p@w@host:x", "…@host:x"),
            ("nats://host:x", "nats://host:x"),
        ] {
            let refused = Nats::new([url]).addresses().expect_err(url).to_string();
            assert!(
                refused.starts_with(&format!("{shown:?} is not")),
                "{refused}"
            );
        }
    }
}
