//! The private PostgreSQL of `ledger up`: a unix socket inside the data folder and nothing else.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Child;
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

use super::account::Account;
use super::folder::{Folder, last_lines};
use super::process;
use crate::exit::{Context, Failure};

/// The superuser and the database.
const NAME: &str = "ledger";
/// A socket's path must fit into the system's structure for it.
const LONGEST_SOCKET_PATH: usize = 107;
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// How long what is left of a server that was killed may take to go.
const REMAINS: Duration = Duration::from_secs(15);
/// How PostgreSQL says that something of an earlier server is still there.
const REMAINS_SAID: [&str; 2] = [
    "lock file \"postmaster.pid\" already exists",
    "pre-existing shared memory block",
];

/// What makes the server private.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "''"),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "60"),
    ("log_min_messages", "warning"),
    ("logging_collector", "off"),
];

/// What makes it quick enough; the bench measures with the same file.
const TUNING: &str = include_str!("postgresql.conf");

/// The settings of [`TUNING`], as `name = value`.
fn tuning() -> impl Iterator<Item = (&'static str, &'static str)> {
    let settings = TUNING.lines().filter(|line| !line.starts_with('#'));
    settings.filter_map(|line| line.split_once(" = "))
}

/// A running server; whoever has it stops it.
#[derive(Debug)]
pub struct Postgres {
    /// The server's process.
    pub child: Child,
    /// How to connect.
    pub url: String,
    /// The version, for people.
    pub version: String,
    /// The number of the server's process, also when it has ended.
    process: Option<u32>,
    log: PathBuf,
}

/// Makes the cluster if it does not exist, stops a server that an earlier `ledger up` left behind, and starts.
pub async fn start(
    folder: &Folder,
    bin: &Path,
    account: Option<&Account>,
) -> Result<Postgres, Failure> {
    if let Some(account) = account
        && let Some(barrier) = account.barred_from(bin)
    {
        return Err(Failure::new(format!(
            "the user {} may not run {}: it may not enter {}",
            account.name,
            bin.join("postgres").display(),
            barrier.display()
        ))
        .mend("install PostgreSQL for everybody, e.g. apt-get install postgresql"));
    }
    let cluster = folder.join("postgres");
    let socket = own_folder(&folder.join("run"), account)?;
    let logs = own_folder(&folder.join("log"), None)?;
    let log = logs.join("postgres.log");
    let socket_file = socket.join(".s.PGSQL.5432");
    if socket_file.as_os_str().len() > LONGEST_SOCKET_PATH {
        return Err(Failure::usage(format!(
            "the path of PostgreSQL's socket is too long: {}",
            socket_file.display()
        ))
        .mend("choose a folder with a shorter path with --data"));
    }
    stop_left_over(&cluster).await?;
    if !cluster.join("PG_VERSION").exists() {
        initialise(&cluster, bin, account, &log)?;
    }
    let version = fs::read_to_string(cluster.join("PG_VERSION"))
        .unwrap_or_default()
        .trim()
        .to_owned();
    check_version(bin, &version, &cluster)?;
    let until = Instant::now() + REMAINS;
    loop {
        let command = server(bin, &cluster, &socket, account);
        let child = spawn(command, &log).context("cannot start PostgreSQL")?;
        let mut server = Postgres {
            process: child.id(),
            child,
            url: format!("host={} user={NAME} dbname={NAME}", quoted(&socket)),
            version: version.clone(),
            log: log.clone(),
        };
        match server.wait_until_ready(&socket).await {
            Ok(()) => return Ok(server),
            Err(_) if server.met_remains() && Instant::now() < until => {
                sleep(Duration::from_millis(200)).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// The server's command line.
fn server(bin: &Path, cluster: &Path, socket: &Path, account: Option<&Account>) -> Command {
    let mut command = command(&bin.join("postgres"), account);
    command.arg("-D").arg(cluster).arg("-k").arg(socket);
    for (name, value) in SETTINGS.iter().copied().chain(tuning()) {
        command
            .arg("-c")
            .arg(format!("{name}={}", value.trim_matches('\'')));
    }
    command
}

impl Postgres {
    /// Stops the server: connections end, what is committed stays.
    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            // "Fast": SIGTERM would wait for every client to leave.
            let _ = rustix::process::kill_process(pid, Signal::INT);
        }
        let _ = self.child.wait().await;
    }

    /// Whether it ended because of a killed server's remains: a process that nobody has waited for yet, or one that
    /// ends its work. They go by themselves.
    fn met_remains(&mut self) -> bool {
        let ended = matches!(self.child.try_wait(), Ok(Some(_)));
        let words = self.last_words();
        ended && REMAINS_SAID.iter().any(|said| words.contains(said))
    }

    /// Why it ended, for a message.
    pub fn last_words(&self) -> String {
        last_lines(&self.log, self.process)
    }

    async fn wait_until_ready(&mut self, socket: &Path) -> Result<(), Failure> {
        let mut admin = tokio_postgres::Config::new();
        admin
            .host_path(socket)
            .user(NAME)
            .dbname("postgres")
            .connect_timeout(Duration::from_secs(5));
        let until = Instant::now() + START_TIMEOUT;
        let client = loop {
            match admin.connect(NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    break client;
                }
                Err(error) if Instant::now() > until => {
                    return Err(Failure::new("PostgreSQL does not answer")
                        .because(error)
                        .mend(format!("its log is {}", self.log.display())));
                }
                Err(_) => {}
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Failure::new(format!(
                    "PostgreSQL stopped while starting ({status}); its last words:{}",
                    self.last_words()
                )));
            }
            sleep(Duration::from_millis(20)).await;
        };
        let found = client
            .query_opt(include_str!("../sql/database_exists.sql"), &[&NAME])
            .await
            .context("cannot look for the database")?;
        if found.is_none() {
            client
                .batch_execute(include_str!("../sql/create_database.sql"))
                .await
                .context("cannot make the database")?;
        }
        Ok(())
    }
}

/// `initdb`, into a folder beside that is renamed when it is complete: a start that is killed leaves nothing half.
fn initialise(
    cluster: &Path,
    bin: &Path,
    account: Option<&Account>,
    log: &Path,
) -> Result<(), Failure> {
    let beside = cluster.with_extension("new");
    if beside.exists() {
        fs::remove_dir_all(&beside).context(format!("cannot remove {}", beside.display()))?;
    }
    own_folder(&beside, account)?;
    let mut initdb = command(&bin.join("initdb"), account);
    // Who may pass through the folder of the socket, 0700, may connect: a password beside it would add nothing.
    initdb.arg("-D").arg(&beside).args([
        "-U",
        NAME,
        "--auth=trust",
        "-E",
        "UTF8",
        "--no-locale",
        "--data-checksums",
    ]);
    let output = initdb
        .output()
        .context(format!("cannot run {}", bin.join("initdb").display()))?;
    let _ = fs::write(log, &output.stdout);
    if !output.status.success() {
        return Err(Failure::new(format!(
            "initdb failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    fs::rename(&beside, cluster).context(format!("cannot make {}", cluster.display()))
}

/// A cluster is read by the version that made it.
fn check_version(bin: &Path, made_by: &str, cluster: &Path) -> Result<(), Failure> {
    let output = Command::new(bin.join("postgres"))
        .arg("--version")
        .output()
        .context(format!("cannot run {}", bin.join("postgres").display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let ours = said.split_whitespace().nth(2).unwrap_or_default();
    if ours.split(['.', 'b', 'r', 'd']).next() == Some(made_by) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} was made by PostgreSQL {made_by}, and the one found in {} is {ours}",
        cluster.display(),
        bin.display()
    ))
    .mend(format!("install PostgreSQL {made_by}, or name its folder in LEDGER_POSTGRES_BIN; or upgrade the cluster with pg_upgrade")))
}

/// A server that an earlier `ledger up` of this folder started and did not live to stop.
async fn stop_left_over(cluster: &Path) -> Result<(), Failure> {
    let argument = cluster.to_string_lossy().into_owned();
    let ours = |pid| process::runs(pid, "postgres") && process::has_argument(pid, &argument);
    match process::left_over(&cluster.join("postmaster.pid"), ours) {
        Some(pid) => process::stop(pid, Signal::INT, "PostgreSQL").await,
        None => Ok(()),
    }
}

fn command(program: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .env_clear()
        .env("LC_ALL", "C");
    // Of the environment, nothing that speaks of another database may count.
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// Starts a server in a process group of its own, so that a Ctrl-C meant for us does not stop it before us.
pub fn spawn(mut command: Command, log: &Path) -> std::io::Result<Child> {
    let file = File::options().create(true).append(true).open(log)?;
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    tokio::process::Command::from(command).spawn()
}

/// A folder that only the account may enter.
pub fn own_folder(path: &Path, account: Option<&Account>) -> Result<PathBuf, Failure> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o700)))
        .context(format!("cannot make the folder {}", path.display()))?;
    if let Some(account) = account {
        account.own(path)?;
    }
    Ok(path.to_owned())
}

/// A value in libpq's `key=value` form.
fn quoted(path: &Path) -> String {
    let text = path
        .to_string_lossy()
        .replace('\\', "\\\\")
        .replace('\'', "\\'");
    format!("'{text}'")
}
