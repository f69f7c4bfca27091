//! `/healthz`, `/readyz`, `/metrics`, and the log's tiles as C2SP `tlog-tiles`: read-only, for machines.

pub mod ask;
mod metrics;
mod tiles;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ingest::metrics::State as Consuming;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app;
use crate::exit::Failure;
use crate::roles::board::Standing;
use crate::roles::{Role, Shared};

/// Listens, or says who has the place.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(format!("cannot listen on {address}"))
            .because(error)
            .mend("name another address with --listen or http.listen")
    })
}

/// How long whoever is being answered has when the process is told to stop. Somebody who has sent half a request must not
/// keep it from ending.
const PARTING: Duration = Duration::from_secs(3);

/// Answers until told to stop.
pub async fn serve(
    listener: TcpListener,
    shared: Shared,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let stopped = async |mut stop: watch::Receiver<bool>, more: Duration| {
        ingest::backoff::stopped(&mut stop).await;
        tokio::time::sleep(more).await;
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics::show))
        .route("/checkpoint", get(tiles::checkpoint))
        .route("/tile/{*path}", get(tiles::tile))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz, /metrics, /checkpoint and /tile/…\n",
            )
        })
        .with_state(shared);
    let answering = axum::serve(listener, router)
        .with_graceful_shutdown(stopped(stop.clone(), Duration::ZERO))
        .into_future();
    tokio::select! {
        ended = answering => {
            ended.map_err(|error| Failure::new("cannot answer HTTP").because(error))
        }
        () = stopped(stop, PARTING) => Ok(()),
    }
}

/// Whether every role of this process does its work, and which one does not and why.
/// As JSON, or with `?plain` as lines for people.
async fn readyz(State(shared): State<Shared>, uri: Uri) -> Response {
    let readiness = readiness(&shared);
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let (form, text) = if uri.query() == Some("plain") {
        ("text/plain; charset=utf-8", readiness.plain())
    } else {
        let body = serde_json::to_string_pretty(&readiness).unwrap_or_default();
        ("application/json", format!("{body}\n"))
    };
    (status, [(header::CONTENT_TYPE, form)], text).into_response()
}

/// How every role stands. What is waited for by itself is unready too: nothing is recorded meanwhile.
pub fn standings(shared: &Shared) -> Vec<(Role, Standing, String)> {
    let refine = |(role, (standing, why)): (Role, (Standing, String))| {
        if standing != Standing::Running {
            return (role, standing, why);
        }
        match within(shared, role) {
            Some((standing, why)) => (role, standing, why),
            None => (role, standing, why),
        }
    };
    shared.board.all().into_iter().map(refine).collect()
}

/// What a running role says of itself, where it does not do its work.
fn within(shared: &Shared, role: Role) -> Option<(Standing, String)> {
    let outage = match role {
        Role::Ingest => match shared.metrics.state() {
            Consuming::Running => return None,
            Consuming::Failed => return Some((Standing::Failed, "about to say why".to_owned())),
            Consuming::Opening | Consuming::Stopped | Consuming::Waiting => {
                let opening = || (Standing::Starting, "opening the stream".to_owned());
                let why = shared.metrics.consume_outage.why();
                return Some(why.map_or_else(opening, |why| (Standing::Waiting, why)));
            }
        },
        Role::Project => &shared.folding.project_outage,
        Role::Outbox => &shared.folding.outbox_outage,
        Role::Clock => &shared.folding.clock_outage,
        Role::Notify => &shared.metrics.notify_outage,
        Role::Seal | Role::Retain | Role::Http => return None,
    };
    outage.why().map(|why| (Standing::Waiting, why))
}

/// How a role stands, and why.
#[derive(Debug, Serialize)]
struct RoleState {
    state: &'static str,
    why: String,
}

/// What `/readyz` says.
#[derive(Debug, Serialize)]
struct Readiness {
    ledger: String,
    ready: bool,
    roles: BTreeMap<&'static str, RoleState>,
    /// What is about to be lost, whoever works.
    why: Option<String>,
}

impl Readiness {
    /// The verdict on the first line, then a line a role.
    fn plain(&self) -> String {
        let mut text = if self.ready { "ready\n" } else { "not ready\n" }.to_owned();
        for (role, RoleState { state, why }) in &self.roles {
            let _ = writeln!(text, "{role:<8} {state:<8} {}", why.replace('\n', ";"));
        }
        if let Some(why) = &self.why {
            let _ = writeln!(text, "stream   {why}");
        }
        text
    }
}

fn readiness(shared: &Shared) -> Readiness {
    let standings = standings(shared);
    let works = standings.iter().all(|(_, standing, _)| standing.is_ready());
    let why = about_to_lose(shared);
    Readiness {
        ledger: shared.config.ledger.to_string(),
        ready: works && why.is_none(),
        roles: standings
            .into_iter()
            .map(|(role, standing, why)| {
                let state = standing.as_str();
                (role.as_str(), RoleState { state, why })
            })
            .collect(),
        why,
    }
}

/// Messages that the stream will forget before they are read.
fn about_to_lose(shared: &Shared) -> Option<String> {
    shared.backlog.last()?.complaint(app::now_us())
}
