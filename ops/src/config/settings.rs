//! The keys of the configuration, once, for the file, the variables and the reference.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Variables, variable};
use crate::exit::Failure;

/// One key as the reference lists it: its path with dots, and what it means.
#[cfg(test)]
pub type Key = (&'static str, &'static str);

/// Declares a section: every key optional, so that layers can lie over each other.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident, $path:literal, { $( $field:ident: $type:ty, $text:literal; )* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $( #[doc = $text] pub $field: Option<$type>, )*
        }

        impl $name {
            #[cfg(test)]
            const KEYS: &[Key] = &[ $( (concat!($path, stringify!($field)), $text) ),* ];

            #[allow(dead_code, reason = "the top of the file is laid over in place")]
            fn over(self, under: Self) -> Self {
                Self { $( $field: self.$field.or(under.$field) ),* }
            }

            fn from_variables(variables: &Variables) -> Result<Self, Failure> {
                Ok(Self { $( $field: parsed(variables, concat!($path, stringify!($field)))? ),* })
            }
        }
    };
}

section!(
    /// How to reach PostgreSQL.
    Postgres, "postgres.", {
    url: String, "where the database is: a URL or `key=value` words, as libpq takes them, `sslmode` and the like among them";
    ca: PathBuf, "the authorities that may sign the server's certificate (the system's); with one, `sslmode` is `verify-full` unless the URL says another";
    certificate: PathBuf, "the certificate that we show to the server";
    key: PathBuf, "its private key";
    connections: u64, "how many connections at most, 4 or more (8)";
});
section!(
    /// How the ledger itself reaches NATS.
    Nats, "nats.", {
    url: String, "where NATS listens, e.g. `nats://127.0.0.1:4222`; `tls://…` speaks nothing but TLS";
    ca: PathBuf, "the authorities that may sign the servers' certificates (the system's); for publishing, too";
    certificate: PathBuf, "the certificate that we show to the servers";
    key: PathBuf, "its private key";
    user: String, "the ledger's user, the only one that may publish as `ledger`";
    password: String, "its password; better in a file";
    password_file: PathBuf, "a file that holds nothing but the password";
    credentials: PathBuf, "a `.creds` file, instead of user and password";
});
section!(
    /// How `ledger publish` reaches NATS.
    Publish, "publish.", {
    publisher: String, "whom `ledger publish` speaks for (`local`)";
    user: String, "the user for publishing; without one, the ledger's";
    password: String, "its password; better in a file";
    password_file: PathBuf, "a file that holds nothing but the password";
    credentials: PathBuf, "a `.creds` file, instead of user and password";
    passwords: PathBuf, "a folder with a file `NAME.password` a publisher, whose user has its name: each publishes as itself";
    certificate: PathBuf, "the certificate that publishing shows to the servers";
    key: PathBuf, "its private key";
    spool: PathBuf, "where events wait while NATS is away (`.ledger/spool`)";
});
section!(
    /// What `ledger up` alone reads.
    Up, "up.", {
    publishers: String, "tools that may publish to its NATS server, each as itself alone, with commas between";
});
section!(
    /// What lies in files.
    Data, "data.", {
    keys: PathBuf, "the folder of the salt keys and the signing key (`.ledger/keys`)";
    head: PathBuf, "the file of the last signed head, outside the database (`.ledger/head`)";
    kinds: PathBuf, "a folder of packages beside the built-in ones";
});
section!(
    /// The read-only server.
    Http, "http.", {
    listen: String, "where `/healthz`, `/readyz`, `/metrics` and the tiles are served (`127.0.0.1:8686`)";
});
section!(
    /// Log lines.
    Log, "log.", {
    format: String, "`text` or `json`; by default text on a terminal, else JSON";
    level: String, "what is logged, e.g. `info` or `warn,ingest=debug`";
});
section!(
    /// When a head is signed.
    Seal, "seal.", {
    seconds: u64, "a head at least every so many seconds, while events come (1)";
    events: u64, "a head at least every so many events (10000)";
});
section!(
    /// The limits of the incoming stream.
    Stream, "stream.", {
    max_age_days: u64, "how long NATS keeps a message (14)";
    max_bytes: u64, "how many bytes NATS keeps (no limit)";
    replicas: u64, "how many NATS servers keep each message (1)";
    secret_seconds: u64, "how old a message that looks like a secret is when it is deleted from the stream (600)";
});
section!(
    /// The catalog's settings, written into the chain when it is activated.
    Catalog, "catalog.", {
    operators: String, "publishers that may acknowledge incidents and place holds, with commas between";
});
section!(
    /// The top of the file.
    Top, "", {
    ledger: String, "the ledger's name (`main`)";
    origin: String, "the name by which the world knows it, e.g. `ledger.example/main`";
});

/// One layer of configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The ledger's name.
    pub ledger: Option<String>,
    /// Its name to the world.
    pub origin: Option<String>,
    /// How to reach PostgreSQL.
    pub postgres: Postgres,
    /// How the ledger reaches NATS.
    pub nats: Nats,
    /// How `ledger publish` reaches NATS.
    pub publish: Publish,
    /// What `ledger up` alone reads.
    pub up: Up,
    /// What lies in files.
    pub data: Data,
    /// The read-only server.
    pub http: Http,
    /// Log lines.
    pub log: Log,
    /// When a head is signed.
    pub seal: Seal,
    /// The limits of the incoming stream.
    pub stream: Stream,
    /// Who may decide what people decide.
    pub catalog: Catalog,
    /// The settings that rules and retention name, as they stand in the file.
    #[allow(
        clippy::struct_field_names,
        reason = "the name that it has in the file"
    )]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

impl Settings {
    /// Every key there is, in the order of the reference.
    #[cfg(test)]
    pub fn keys() -> Vec<Key> {
        [
            Top::KEYS,
            Postgres::KEYS,
            Nats::KEYS,
            Publish::KEYS,
            Up::KEYS,
            Data::KEYS,
            Http::KEYS,
            Log::KEYS,
            Seal::KEYS,
            Stream::KEYS,
            Catalog::KEYS,
        ]
        .concat()
    }

    /// This layer over another one: what it does not say, the other says.
    #[must_use]
    pub fn over(self, under: Self) -> Self {
        Self {
            ledger: self.ledger.or(under.ledger),
            origin: self.origin.or(under.origin),
            postgres: self.postgres.over(under.postgres),
            nats: self.nats.over(under.nats),
            publish: self.publish.over(under.publish),
            up: self.up.over(under.up),
            data: self.data.over(under.data),
            http: self.http.over(under.http),
            log: self.log.over(under.log),
            seal: self.seal.over(under.seal),
            stream: self.stream.over(under.stream),
            catalog: self.catalog.over(under.catalog),
            settings: if self.settings.is_empty() {
                under.settings
            } else {
                self.settings
            },
        }
    }

    /// The layer of the `LEDGER_…` variables: `postgres.url` is `LEDGER_POSTGRES_URL`.
    pub fn from_variables(variables: &Variables) -> Result<Self, Failure> {
        let top = Top::from_variables(variables)?;
        Ok(Self {
            ledger: top.ledger,
            origin: top.origin,
            postgres: Postgres::from_variables(variables)?,
            nats: Nats::from_variables(variables)?,
            publish: Publish::from_variables(variables)?,
            up: Up::from_variables(variables)?,
            data: Data::from_variables(variables)?,
            http: Http::from_variables(variables)?,
            log: Log::from_variables(variables)?,
            seal: Seal::from_variables(variables)?,
            stream: Stream::from_variables(variables)?,
            catalog: Catalog::from_variables(variables)?,
            settings: serde_json::Map::new(),
        })
    }

    /// Refuses empty texts, which never say what was meant.
    pub fn check(&self, place: &str) -> Result<(), Failure> {
        let texts = [
            ("ledger", &self.ledger),
            ("origin", &self.origin),
            ("postgres.url", &self.postgres.url),
            ("nats.url", &self.nats.url),
            ("nats.user", &self.nats.user),
            ("nats.password", &self.nats.password),
            ("publish.publisher", &self.publish.publisher),
            ("publish.user", &self.publish.user),
            ("publish.password", &self.publish.password),
            ("up.publishers", &self.up.publishers),
            ("http.listen", &self.http.listen),
            ("log.level", &self.log.level),
            ("catalog.operators", &self.catalog.operators),
        ];
        match texts.iter().find(|(_, text)| text.as_deref() == Some("")) {
            Some((key, _)) => Err(Failure::usage(format!("{place}: {key} is empty"))
                .mend("give it a value, or take the line out")),
            None => Ok(()),
        }
    }

    /// Paths in a file are relative to the file's folder.
    #[must_use]
    pub fn relative_to(mut self, folder: &Path) -> Self {
        for path in [
            &mut self.postgres.ca,
            &mut self.postgres.certificate,
            &mut self.postgres.key,
            &mut self.nats.ca,
            &mut self.nats.certificate,
            &mut self.nats.key,
            &mut self.publish.passwords,
            &mut self.publish.certificate,
            &mut self.publish.key,
            &mut self.nats.password_file,
            &mut self.nats.credentials,
            &mut self.publish.password_file,
            &mut self.publish.credentials,
            &mut self.publish.spool,
            &mut self.data.keys,
            &mut self.data.head,
            &mut self.data.kinds,
        ] {
            *path = path.take().map(|path| folder.join(path));
        }
        self
    }
}

/// The variable of a key: `postgres.url` is `LEDGER_POSTGRES_URL`; the ledger's name is `LEDGER_LEDGER`.
pub fn variable_of(path: &str) -> String {
    format!("LEDGER_{}", path.replace('.', "_").to_uppercase())
}

fn parsed<T: std::str::FromStr>(variables: &Variables, path: &str) -> Result<Option<T>, Failure> {
    let name = variable_of(path);
    let Some(text) = variable(variables, &name)? else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        Failure::usage(format!("the variable {name} is {text:?}"))
            .mend(format!("{path} is a whole number"))
    })
}
