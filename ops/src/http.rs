//! `/healthz`, `/readyz`, `/metrics`, and the log's tiles as C2SP `tlog-tiles`: read-only, for machines.

mod metrics;
mod tiles;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ingest::metrics::State as Consuming;
use serde_json::{Value, json};
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

/// Answers until told to stop.
pub async fn serve(
    listener: TcpListener,
    shared: Shared,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
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
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { ingest::backoff::stopped(&mut stop).await })
        .await
        .map_err(|error| Failure::new("cannot answer HTTP").because(error))
}

/// Whether every role of this process does its work, and which one does not and why.
async fn readyz(State(shared): State<Shared>) -> Response {
    let (ready, body) = readiness(&shared);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let text = format!("{body:#}\n");
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// How every role stands. What is waited for by itself is unready too: nothing is recorded meanwhile.
pub fn standings(shared: &Shared) -> Vec<(Role, Standing, String)> {
    let refine = |(role, (standing, why)): (Role, (Standing, String))| {
        if role != Role::Ingest || standing != Standing::Running {
            return (role, standing, why);
        }
        match shared.metrics.state() {
            Consuming::Running => (role, standing, why),
            Consuming::Waiting => (
                role,
                Standing::Waiting,
                "NATS or PostgreSQL is away".to_owned(),
            ),
            Consuming::Failed => (role, Standing::Failed, why),
            Consuming::Opening | Consuming::Stopped => {
                (role, Standing::Starting, "opening the stream".to_owned())
            }
        }
    };
    shared.board.all().into_iter().map(refine).collect()
}

fn readiness(shared: &Shared) -> (bool, Value) {
    let standings = standings(shared);
    let mut ready = standings.iter().all(|(_, standing, _)| standing.is_ready());
    let roles: serde_json::Map<String, Value> = standings
        .into_iter()
        .map(|(role, standing, why)| {
            (
                role.as_str().to_owned(),
                json!({"state": standing.as_str(), "why": why}),
            )
        })
        .collect();
    let why = about_to_lose(shared);
    ready &= why.is_none();
    let body = json!({
        "ledger": shared.config.ledger.to_string(),
        "ready": ready,
        "roles": roles,
        "why": why,
    });
    (ready, body)
}

/// Messages that the stream will forget before they are read.
fn about_to_lose(shared: &Shared) -> Option<String> {
    use std::sync::atomic::Ordering::Relaxed;
    let oldest_us = shared.metrics.oldest_unread_us.load(Relaxed);
    if oldest_us == 0 {
        return None;
    }
    let age_s = app::now_us().saturating_sub(oldest_us) / 1_000_000;
    let kept_s = i64::try_from(shared.config.stream_max_age.as_secs()).unwrap_or(i64::MAX);
    (age_s > kept_s / 2).then(|| {
        format!("the oldest message that was not read is {age_s} s old, and the stream keeps messages for {kept_s} s")
    })
}
