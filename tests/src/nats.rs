//! A private NATS server: `JetStream` on files in a folder of its own, a port of the loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::binaries;
use crate::process::{self, PATIENCE, Running};

/// A running server. Dropping it stops it and removes its store.
#[derive(Debug)]
pub struct Nats {
    binary: PathBuf,
    folder: TempDir,
    extra: String,
    /// 0 until the first start has found a free one; kept afterwards, so that clients find it again.
    port: u16,
    child: Running,
}

impl Nats {
    /// Starts the server that [`binaries::nats_server`] finds.
    pub async fn start() -> Self {
        Self::start_binary(&binaries::nats_server(), "").await
    }

    /// Starts a server with further lines of configuration (users, limits).
    pub async fn start_with(extra: &str) -> Self {
        Self::start_binary(&binaries::nats_server(), extra).await
    }

    /// Starts this very program: another version, say.
    pub async fn start_binary(binary: &Path, extra: &str) -> Self {
        Self::start_in(&std::env::temp_dir(), binary, extra).await
    }

    /// The same with the store below `parent`, for measurements on a chosen disk.
    pub async fn start_in(parent: &Path, binary: &Path, extra: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("lnats-")
            .tempdir_in(parent)
            .expect("a temporary folder can be made");
        let mut server = Self {
            binary: binary.to_path_buf(),
            folder,
            extra: extra.to_owned(),
            port: 0,
            child: Running::default(),
        };
        server.launch().await;
        server
    }

    /// `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the store, the configuration and the log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Connects without credentials.
    pub async fn connect(&self) -> async_nats::Client {
        async_nats::connect(self.url())
            .await
            .expect("the private server accepts connections")
    }

    /// A `JetStream` context on a connection of its own.
    pub async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.connect().await)
    }

    /// Stops the server in order.
    pub fn stop(&mut self) {
        self.child.stop(Signal::TERM);
    }

    /// Kills the server outright: what `JetStream` had not synced may be lost.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Starts a stopped or killed server again, on the same port and over the same store.
    pub async fn restart(&mut self) {
        self.stop();
        self.launch().await;
    }

    /// Keeps a copy of the store as it is now.
    pub async fn save(&mut self) {
        self.stop();
        process::save(self.folder.path(), "store");
        self.launch().await;
    }

    /// Puts the copy in the place of the store: a broker that lost what it had acknowledged since.
    pub async fn roll_back(&mut self) {
        self.stop();
        process::roll_back(self.folder.path(), "store");
        self.launch().await;
    }

    /// Stops the server and empties its store: a broker that was lost.
    pub fn wipe(&mut self) {
        self.stop();
        let store = self.folder.path().join("store");
        fs::remove_dir_all(store).expect("the store can be removed");
    }

    fn spawn(&self) -> Child {
        let folder = self.folder.path().display();
        let port = if self.port == 0 {
            "-1".to_owned()
        } else {
            self.port.to_string()
        };
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nports_file_dir: \"{folder}\"\n\
             jetstream {{ store_dir: \"{folder}/store\", max_file_store: 64GB }}\n{}\n",
            self.extra
        );
        let path = self.folder.path().join("nats.conf");
        fs::write(&path, config).expect("the configuration can be written");
        Command::new(&self.binary)
            .arg("-c")
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(process::log(self.folder.path()))
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.binary.display()))
    }

    async fn launch(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let mut child = self.spawn();
        loop {
            if let Some(port) = self.announced(child.id())
                && tokio::net::TcpStream::connect(("127.0.0.1", port))
                    .await
                    .is_ok()
            {
                self.port = port;
                break;
            }
            let ended = child.try_wait().expect("the server is our child").is_some();
            if ended || Instant::now() > deadline {
                let log = process::logged(self.folder.path());
                process::end(&mut child, Signal::TERM);
                panic!("NATS did not become ready within {PATIENCE:?}; its log:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.child = Running(Some(child));
    }

    /// The port that the server wrote down once it listened (`JetStream` is ready before that).
    fn announced(&self, pid: u32) -> Option<u16> {
        let name = self.binary.file_name()?.to_str()?;
        let path = self.folder.path().join(format!("{name}_{pid}.ports"));
        let ports: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let url = ports.get("nats")?.get(0)?.as_str()?;
        url.rsplit(':').next()?.parse().ok()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
