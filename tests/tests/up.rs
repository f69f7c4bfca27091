//! `ledger up`: a publisher may publish as itself, and nothing else.
#![allow(clippy::indexing_slicing, reason = "a test reports by panicking")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use async_nats::{Client, ConnectOptions, Event};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tests::binaries;
use tests::feed;
use tests::port::free_port;
use tests::program::{Ran, binary, eventually, run_in};
use tokio::process::{Child, Command};

/// A running `ledger up`; dropping it stops it in order, since its servers are children of it and not of ours.
struct Up {
    child: Child,
    folder: TempDir,
}

impl Up {
    async fn start(arguments: &[&str]) -> Self {
        let nats_port = free_port().to_string();
        let listen = format!("127.0.0.1:{}", free_port());
        let ports = ["--nats-port", &nats_port, "--listen", &listen];
        let mut up = Self::begin(Self::folder(), &[arguments, &ports].concat());
        up.runs().await;
        up
    }

    /// An empty folder.
    fn folder() -> TempDir {
        let folder = tempfile::Builder::new().prefix("lup-").tempdir();
        let folder = folder.expect("a folder");
        // The database's own user must be able to pass.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).expect("it is ours");
        folder
    }

    fn begin(folder: TempDir, arguments: &[&str]) -> Self {
        let child = Self::spawn(folder.path(), arguments);
        Self { child, folder }
    }

    fn spawn(folder: &Path, arguments: &[&str]) -> Child {
        let log = fs::File::create(folder.join("log")).expect("a log");
        Command::new(binary())
            .args(["up", "--data"])
            .arg(folder.join("data"))
            .args(arguments)
            .env("LEDGER_NATS_SERVER", binaries::nats_server())
            .env("LEDGER_POSTGRES_BIN", binaries::postgres_bin())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program can be started")
    }

    fn tell(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid.and_then(Pid::from_raw).expect("it runs");
        kill_process(pid, signal).expect("it is ours");
    }

    /// The processes of both servers.
    fn servers(&self) -> [Pid; 2] {
        ["postgres/postmaster.pid", "nats/nats.pid"].map(|file| {
            let text = fs::read_to_string(self.data().join(file)).expect("a pid file");
            let number = text
                .lines()
                .next()
                .and_then(|line| line.trim().parse().ok());
            number.and_then(Pid::from_raw).expect("a process")
        })
    }

    async fn runs(&mut self) {
        eventually("ledger up is running", async || {
            let ended = self.child.try_wait().expect("it is ours");
            assert!(ended.is_none(), "it ended:\n{}", self.log());
            self.log().contains("ledger: running")
        })
        .await;
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Ran {
        let data = self.data();
        run_in(&data, &data.join("ledger.toml"), arguments, input).await
    }

    async fn publish(&self, publisher: &str, id: &str) -> Ran {
        let arguments = [
            "publish",
            "--wait",
            "-o",
            "ndjson",
            "--publisher",
            publisher,
            "-",
        ];
        self.run(&arguments, &feed::created(id, id)).await
    }

    /// A connection as a publisher, and what the server refused it.
    async fn connect(&self, publisher: &str) -> (Client, Arc<Mutex<Vec<String>>>) {
        let text = |path: &Path| {
            fs::read_to_string(path)
                .expect("readable")
                .trim()
                .to_owned()
        };
        let port = text(&self.data().join("nats/port"));
        let password = text(
            &self
                .data()
                .join(format!("nats/publishers/{publisher}.password")),
        );
        let refused = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&refused);
        let client = ConnectOptions::with_user_and_password(publisher.to_owned(), password)
            .custom_inbox_prefix(format!("_INBOX.{publisher}"))
            .event_callback(move |event| {
                if let Event::ServerError(error) = event {
                    heard
                        .lock()
                        .expect("whole")
                        .push(error.to_string().to_lowercase());
                }
                std::future::ready(())
            })
            .connect(format!("nats://127.0.0.1:{port}"))
            .await;
        (client.expect("it is let in"), refused)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()) else {
            return;
        };
        if let Some(pid) = Pid::from_raw(pid) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while matches!(self.child.try_wait(), Ok(None)) && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[tokio::test]
async fn a_publisher_speaks_for_itself_alone() {
    let up = Up::start(&["--publisher", "ci", "--publisher", "argo"]).await;
    for (publisher, id) in [("ci", "one"), ("argo", "two"), ("local", "three")] {
        let said = up.publish(publisher, id).await.expect(0);
        assert!(said.out.contains("recorded"), "{}\n{}", said.out, up.log());
    }
    let unknown = up.publish("flux", "four").await.expect(2);
    assert!(
        unknown.err.contains("ledger publishers add flux"),
        "{}",
        unknown.err
    );

    let (ci, refused) = up.connect("ci").await;
    let others = [
        "ledger.main.ingest.argo.platform.environment.created",
        "ledger.main.ingest.ledger.ledger.beat.ticked",
        "ledger.main.event.ci.platform.environment.created",
        "ledger.main.checkpoint",
        "$JS.API.INFO",
        "$JS.API.STREAM.MSG.GET.LEDGER-main",
        "$JS.API.CONSUMER.CREATE.LEDGER-main",
    ];
    for subject in others {
        ci.publish(subject, "{}".into()).await.expect("sent");
    }
    let theirs = [
        ">",
        "ledger.main.ingest.>",
        "ledger.main.event.>",
        "ledger.main.event.argo.>",
        "ledger.main.quarantine.argo",
        "_INBOX.>",
        "_INBOX.argo.>",
        "_LEDGER_INBOX.>",
        "$JS.>",
    ];
    for subject in theirs {
        drop(ci.subscribe(subject).await.expect("asked"));
    }
    let own = ci.subscribe("ledger.main.event.ci.>").await.expect("asked");
    ci.flush().await.expect("flushed");
    eventually("every one is refused", async || {
        let refused = refused.lock().expect("whole").join("\n");
        let named = |subject: &&str| refused.contains(&format!("\"{}\"", subject.to_lowercase()));
        others.iter().chain(&theirs).all(named)
    })
    .await;
    let refused = refused.lock().expect("whole").clone();
    assert_eq!(refused.len(), others.len() + theirs.len(), "{refused:?}");
    drop(own);

    // The head of now, which covers what was published.
    let head = up
        .run(&["checkpoint", "--wait", "-o", "json"], "")
        .await
        .expect(0)
        .json();
    assert!(head["size"].as_u64() >= Some(10), "{head}");

    // What was refused left nothing: three events of the tools, and the ledger's own.
    let log = up.run(&["log", "-o", "ndjson"], "").await.expect(0);
    assert_eq!(
        log.out
            .matches("\"type\":\"platform.environment.created\"")
            .count(),
        3,
        "{}",
        log.out
    );
}

#[tokio::test]
async fn a_publisher_comes_and_goes_while_it_runs() {
    let up = Up::start(&[]).await;
    let added = up
        .run(&["publishers", "add", "ci", "-o", "ndjson"], "")
        .await;
    let added = added.expect(0);
    assert!(
        added.out.contains("ci.password") && added.err.is_empty(),
        "{added:?}"
    );
    let file = up.data().join("nats/publishers/ci.password");
    for private in [&file, &up.data().join("nats/users.conf")] {
        let mode = fs::metadata(private)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{}", private.display());
    }
    // The server reads its users on a signal, a moment later.
    eventually("ci may publish", async || {
        up.publish("ci", "one").await.out.contains("recorded")
    })
    .await;
    let (ci, _) = up.connect("ci").await;
    up.run(&["publishers", "remove", "ci"], "").await.expect(0);
    eventually("ci is cut off", async || {
        ci.connection_state() != async_nats::connection::State::Connected
    })
    .await;
    up.publish("ci", "two").await.expect(2);
    up.run(&["publishers", "remove", "ci"], "").await.expect(5);
    up.run(&["publishers", "add", "ledger"], "").await.expect(2);
    let still = up.publish("local", "three").await.expect(0);
    assert!(
        still.out.contains("recorded"),
        "nobody else was cut off: {}",
        still.out
    );
}

#[tokio::test]
async fn who_wants_the_same_ports_at_the_same_time_gets_others() {
    let (port, listen) = (free_port(), free_port());
    let mut all: Vec<Up> = (0..3)
        .map(|_| {
            let folder = Up::folder();
            let data = folder.path().join("data");
            // As if the port had been theirs the last time.
            fs::create_dir_all(data.join("nats")).expect("made");
            fs::write(data.join("nats/port"), port.to_string()).expect("written");
            let config = folder.path().join("wanted.toml");
            let text = format!("[http]\nlisten = \"127.0.0.1:{listen}\"\n");
            fs::write(&config, text).expect("written");
            let config = config.display().to_string();
            Up::begin(folder, &["--config", &config])
        })
        .collect();
    for up in &mut all {
        up.runs().await;
    }
    for (number, up) in all.iter().enumerate() {
        let said = up.publish("local", &format!("of-{number}")).await.expect(0);
        assert!(said.out.contains("recorded"), "{}\n{}", said.out, up.log());
        // A busy machine may take longer to answer than status waits.
        eventually("its own process answers", async || {
            let status = up.run(&["status", "-o", "json"], "").await.expect(0).json();
            status["ready"] == true
        })
        .await;
        let asked = ["log", "--kind", "platform.environment", "-o", "json"];
        let events = up.run(&asked, "").await.expect(0).list();
        assert_eq!(events.len(), 1, "its own event alone");
    }
}

#[tokio::test]
async fn one_wish_that_arrives_twice_stops_the_servers_too() {
    let mut up = Up::start(&[]).await;
    let servers = up.servers();
    // As of a Ctrl-C that the terminal sends to all, and a script around us passes on in its way.
    up.tell(Signal::INT);
    up.tell(Signal::TERM);
    up.tell(Signal::INT);
    let status = up.child.wait().await.expect("it was ours");
    assert!(status.success(), "{status}:\n{}", up.log());
    assert!(up.log().contains("ledger: stopped"), "{}", up.log());
    for server in servers {
        assert!(rustix::process::test_kill_process(server).is_err());
    }
}

#[tokio::test]
async fn killed_with_its_servers_it_starts_again_at_once() {
    let mut up = Up::start(&[]).await;
    up.publish("local", "before").await.expect(0);
    for _ in 0..3 {
        for server in up.servers() {
            kill_process(server, Signal::KILL).expect("it runs");
        }
        up.child.kill().await.expect("it is ours");
        up.child = Up::spawn(up.folder.path(), &[]);
        up.runs().await;
    }
    let again = up.publish("local", "before").await.expect(0).json();
    assert_eq!(again["status"], "duplicate", "{again}");
    up.run(&["verify"], "").await.expect(0);
}

#[tokio::test]
async fn the_permissions_for_a_server_of_ones_own_are_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("ledger.toml");
    fs::write(&config, "ledger = \"team-a\"\n").expect("written");
    let arguments = ["publishers", "permissions", "ci", "argo"];
    let printed = run_in(folder.path(), &config, &arguments, "")
        .await
        .expect(0)
        .out;
    // A server takes it as it is.
    let nats = tests::Nats::start_with(&printed.replace('…', "secret")).await;
    let options = ConnectOptions::with_user_and_password("argo".into(), "secret".into());
    let connected = options.connect(nats.url()).await;
    connected.expect("the publisher is let in");
    assert!(
        printed.contains("ledger.team-a.ingest.ci.*.*.*"),
        "{printed}"
    );
}
