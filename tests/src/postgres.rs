//! A private PostgreSQL: its own data folder, a unix socket, and a port only where a test is about ports.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls};

use crate::account::Account;
use crate::binaries;
use crate::port::free_port;
use crate::process::{self, PATIENCE, Running};
use crate::tls::{Pair, write_private};

/// The superuser of every private server.
pub const SUPERUSER: &str = "postgres";

/// A running server. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    account: Option<Account>,
    folder: TempDir,
    settings: Vec<String>,
    port: u16,
    child: Running,
}

/// Numbers the databases that this process makes.
static DATABASES: AtomicU32 = AtomicU32::new(0);
static SHARED: Mutex<Weak<Postgres>> = Mutex::const_new(Weak::new());

impl Postgres {
    /// Starts a server of the caller's own, with fsync on as in life.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with further settings, each `name=value`.
    pub async fn start_with(settings: &[&str]) -> Self {
        Self::start_in(&std::env::temp_dir(), settings).await
    }

    /// Starts a server whose data lies below `parent`, for measurements on a chosen disk.
    pub async fn start_in(parent: &Path, settings: &[&str]) -> Self {
        let mut server = Self::prepare(parent, settings);
        server.launch().await;
        server
    }

    /// Starts a server that listens on a port of the loopback, too.
    pub async fn start_tcp() -> Self {
        let mut server = Self::prepare(&std::env::temp_dir(), &[]);
        server.listen();
        server.launch().await;
        server
    }

    /// The same with TLS, as whom the certificate says. With `clients`, only who shows a certificate of that
    /// authority is let in by the port.
    pub async fn start_tls(pair: &Pair, clients: Option<&Path>) -> Self {
        let mut server = Self::prepare(&std::env::temp_dir(), &[]);
        server.listen();
        server.set("ssl=on");
        server.give("ssl_cert_file", &pair.certificate);
        server.give("ssl_key_file", &pair.key);
        if let Some(clients) = clients {
            server.give("ssl_ca_file", clients);
            let rules = server.folder.path().join("rules");
            let text =
                "local all all trust\nhostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n";
            fs::write(&rules, text).expect("written");
            server.give("hba_file", &rules);
        }
        server.launch().await;
        server
    }

    fn listen(&mut self) {
        self.port = free_port();
        self.set("listen_addresses=127.0.0.1");
        self.set(&format!("port={}", self.port));
    }

    fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// A copy of the file that is the server's own, named in a setting.
    fn give(&mut self, setting: &str, file: &Path) {
        let copy = self.folder.path().join(setting);
        write_private(&copy, &fs::read_to_string(file).expect("it can be read"));
        Account::own(self.account, &copy);
        self.set(&format!("{setting}={}", copy.display()));
    }

    /// A data folder, and nothing that runs yet.
    fn prepare(parent: &Path, settings: &[&str]) -> Self {
        let (bin, account) = (binaries::postgres_bin(), Account::needed());
        let folder = tempfile::Builder::new()
            .prefix("lpg-")
            .tempdir_in(parent)
            .expect("a temporary folder can be made");
        Account::own(account, folder.path());
        let template = template(&bin, account);
        // A copy takes a tenth of the time of initdb.
        let copied = Command::new("cp")
            .args(["-a", "--reflink=auto"])
            .arg(&template)
            .arg(folder.path().join("data"))
            .status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "copying {} failed",
            template.display()
        );
        let settings = settings.iter().map(|&text| text.to_owned()).collect();
        Self {
            bin,
            account,
            folder,
            settings,
            port: 5432,
            child: Running::default(),
        }
    }

    /// Its port, which also names its socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server that the tests of this process share; it stops with the last of them. Each takes a
    /// database of its own from [`Postgres::create_database`].
    pub async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let server = Arc::new(Self::start().await);
        *shared = Arc::downgrade(&server);
        server
    }

    /// The folder of the socket and the data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How to connect to a database as superuser.
    pub fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(self.folder.path())
            .port(self.port)
            .user(SUPERUSER)
            .dbname(database);
        config
    }

    /// The same as a `key=value` connection string.
    pub fn dsn(&self, database: &str) -> String {
        format!(
            "host={} port={} user={SUPERUSER} dbname={database}",
            self.folder.path().display(),
            self.port
        )
    }

    /// Connects as superuser.
    pub async fn connect(&self, database: &str) -> Client {
        self.try_connect(database)
            .await
            .expect("the private server accepts connections")
    }

    async fn try_connect(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config(database).connect(NoTls).await?;
        // The connection ends with its client; an error reaches the client as well.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(client)
    }

    /// Makes an empty database and gives its name.
    pub async fn create_database(&self) -> String {
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}_{number}", std::process::id());
        let admin = self.connect("postgres").await;
        admin
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a new database");
        name
    }

    /// Stops the server as an administrator would: clients are cut off, everything is written.
    pub fn stop(&mut self) {
        self.child.stop(Signal::INT);
    }

    /// Kills the server outright, as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Starts a stopped or killed server again, over the same data, and waits until it answers.
    pub async fn restart(&mut self) {
        self.stop();
        self.launch().await;
    }

    /// Starts a standby that follows this server under this name, as `pg_basebackup` makes one.
    pub async fn standby(&self, name: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("lpg-")
            .tempdir()
            .expect("a temporary folder can be made");
        Account::own(self.account, folder.path());
        let from = format!("{} application_name={name}", self.dsn("postgres"));
        let made = Account::command(self.account, &self.bin.join("pg_basebackup"))
            .args([
                "--wal-method=stream",
                "--checkpoint=fast",
                "--write-recovery-conf",
                "--no-sync",
            ])
            .args(["--dbname", &from])
            .arg("--pgdata")
            .arg(folder.path().join("data"))
            .output()
            .expect("pg_basebackup can be started");
        assert!(
            made.status.success(),
            "pg_basebackup failed: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let mut standby = Self {
            bin: self.bin.clone(),
            account: self.account,
            port: self.port,
            folder,
            settings: self.settings.clone(),
            child: Running::default(),
        };
        standby.launch().await;
        standby
    }

    /// Keeps a copy of the data as it is now, as a backup of the files would.
    pub async fn save(&mut self) {
        self.stop();
        process::save(self.folder.path(), "data");
        self.launch().await;
    }

    /// Puts the copy in the place of the data: an older backup was restored.
    pub async fn roll_back(&mut self) {
        self.stop();
        process::roll_back(self.folder.path(), "data");
        self.launch().await;
    }

    fn spawn(&self) -> Child {
        let mut command = Account::command(self.account, &self.bin.join("postgres"));
        command.arg("-D").arg(self.folder.path().join("data"));
        let socket = format!("unix_socket_directories={}", self.folder.path().display());
        let fixed = [
            "listen_addresses=",
            "max_connections=100",
            "log_min_messages=warning",
            &socket,
        ];
        for setting in fixed
            .into_iter()
            .chain(self.settings.iter().map(String::as_str))
        {
            command.arg("-c").arg(setting);
        }
        command
            .stdout(Stdio::null())
            .stderr(process::log(self.folder.path()))
            .spawn()
            .expect("postgres can be started")
    }

    async fn launch(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let mut child = self.spawn();
        while self.try_connect("postgres").await.is_err() {
            // After a kill the old backends may still hold the shared memory for a moment: try again.
            if child.try_wait().expect("the server is our child").is_some() {
                child = self.spawn();
            }
            if Instant::now() > deadline {
                let log = process::logged(self.folder.path());
                process::end(&mut child, Signal::QUIT);
                panic!("PostgreSQL did not become ready within {PATIENCE:?}; its log:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.child = Running(Some(child));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The data goes with the folder: there is nothing to write in order.
        self.child.stop(Signal::QUIT);
    }
}

/// A fresh data folder of this version, made once on this machine.
fn template(bin: &Path, account: Option<Account>) -> PathBuf {
    let version = Command::new(bin.join("postgres")).arg("--version").output();
    let version = version.expect("postgres --version runs").stdout;
    let version: String = String::from_utf8_lossy(&version)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
        .collect();
    let ours = fs::metadata("/proc/self").expect("/proc is mounted").uid();
    let cache = std::env::temp_dir().join(format!("ledger-tests-{ours}"));
    fs::create_dir_all(&cache).expect("the cache folder can be made");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755))
        .expect("the cache folder is ours");
    let ready = cache.join(format!("{version}-2"));
    if ready.is_dir() {
        return ready;
    }
    let making = tempfile::tempdir_in(&cache).expect("a temporary folder can be made");
    Account::own(account, making.path());
    let data = making.path().join("data");
    let made = Account::command(account, &bin.join("initdb"))
        .arg("-D")
        .arg(&data)
        .args([
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            // As `ledger up` has it, so that what is measured is what runs.
            "--data-checksums",
            "--no-sync",
        ])
        .output()
        .expect("initdb can be started");
    assert!(
        made.status.success(),
        "initdb failed: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    // Whoever renames first wins; the others' work is the same and goes away with its folder.
    if fs::rename(&data, &ready).is_err() {
        assert!(
            ready.is_dir(),
            "{} can neither be made nor found",
            ready.display()
        );
    }
    ready
}
