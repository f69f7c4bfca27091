//! `/metrics`, in the text form of Prometheus.

mod deleting;

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schema::Reason;

use super::standings;
use crate::app;
use crate::roles::Shared;
use crate::roles::board::Standing;

struct Page {
    text: String,
    ledger: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let comma = if labels.is_empty() { "" } else { "," };
        let _ = writeln!(
            self.text,
            "{name}{{ledger=\"{}\"{comma}{labels}}} {value}",
            self.ledger
        );
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, "", value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        self.sample(name, "", value);
    }
}

/// What this process counts; positions of the database as the roles last saw them.
pub async fn show(State(shared): State<Shared>) -> Response {
    let text = render(&shared);
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
        .into_response()
}

fn folding(page: &mut Page, shared: &Shared) {
    let folding = &shared.folding;
    page.gauge(
        "ledger_folded_size",
        "Positions that are folded into the views.",
        folding.next_seq.load(Relaxed),
    );
    page.counter(
        "ledger_folded_total",
        "Events folded by this process.",
        folding.events.load(Relaxed),
    );
    page.counter(
        "ledger_verdicts_total",
        "Verdicts derived by this process.",
        folding.verdicts.load(Relaxed),
    );
    page.counter(
        "ledger_verdicts_unexpected_total",
        "Verdicts in the chain that do not follow from it.",
        folding.unexpected.load(Relaxed),
    );
    page.family(
        "ledger_incidents_open",
        "gauge",
        "Incidents that are not resolved, by severity, as the views have them.",
    );
    for (severity, open) in folding.open() {
        let labels = format!("severity=\"{severity}\"");
        page.sample("ledger_incidents_open", &labels, open);
    }
    page.gauge(
        "ledger_outbox_messages",
        "Verdicts on their way into the chain.",
        folding.outbox.load(Relaxed),
    );
    page.counter(
        "ledger_clock_ticks_total",
        "Ticks that the clock of this process published because something was due.",
        folding.ticks.load(Relaxed),
    );
    page.gauge(
        "ledger_outbox_refused_messages",
        "Verdicts that the ledger itself has refused, and that are not sent again under this catalog.",
        folding.refused.load(Relaxed),
    );
}

fn render(shared: &Shared) -> String {
    let mut page = Page {
        text: String::new(),
        ledger: shared.config.ledger.to_string(),
    };
    receiving(&mut page, shared);
    folding(&mut page, shared);
    sealing(&mut page, shared);
    deleting::deleting(&mut page, shared);
    roles(&mut page, shared);
    page.text
}

fn receiving(page: &mut Page, shared: &Shared) {
    let metrics = &shared.metrics;
    page.family(
        "ledger_messages_total",
        "counter",
        "Messages of the stream that have a position, by what became of them.",
    );
    for (what, counter) in [
        ("recorded", &metrics.recorded),
        ("duplicate", &metrics.duplicates),
        ("gap", &metrics.gaps),
    ] {
        page.sample(
            "ledger_messages_total",
            &format!("outcome=\"{what}\""),
            counter.load(Relaxed),
        );
    }
    page.family(
        "ledger_quarantined_total",
        "counter",
        "Messages that were not understood, by reason.",
    );
    for reason in Reason::ALL {
        let labels = format!("reason=\"{}\"", reason.as_str());
        page.sample(
            "ledger_quarantined_total",
            &labels,
            metrics.quarantined(reason),
        );
    }
    page.counter(
        "ledger_batches_total",
        "Batches committed.",
        metrics.batches.load(Relaxed),
    );
    page.counter(
        "ledger_bytes_total",
        "Bytes of messages committed.",
        metrics.bytes.load(Relaxed),
    );
    page.counter(
        "ledger_stream_opened_total",
        "How often the stream was opened.",
        metrics.opened.load(Relaxed),
    );
    page.counter(
        "ledger_receipts_total",
        "Receipts published.",
        metrics.receipts.load(Relaxed),
    );
    page.gauge(
        "ledger_size",
        "Positions of the chain, as ingest last saw it.",
        metrics.size.load(Relaxed),
    );
    page.gauge(
        "ledger_stream_position",
        "The stream's number of the last position.",
        metrics.stream_seq.load(Relaxed),
    );
    page.gauge(
        "ledger_pending_messages",
        "Messages of the stream that have no position yet.",
        metrics.pending.load(Relaxed),
    );
    page.gauge(
        "ledger_receipt_position",
        "The position of the last receipt.",
        metrics.receipt_seq.load(Relaxed),
    );
    page.gauge(
        "ledger_oldest_unread_age_seconds",
        "The age of the oldest message that was not read.",
        age(oldest_unread_us(shared)),
    );
    let backlog = shared.backlog.last().unwrap_or_default();
    page.gauge(
        "ledger_stream_max_age_seconds",
        "How long the stream keeps a message; 0 for as long as there is room.",
        seconds(backlog.kept_us),
    );
    page.gauge(
        "ledger_stream_expired_messages",
        "Messages that the stream no longer has and that nobody read.",
        backlog.expired,
    );
    page.gauge(
        "ledger_head_message_timestamp_seconds",
        "When NATS stored the last position's message.",
        seconds(metrics.message_us.load(Relaxed)),
    );
}

fn sealing(page: &mut Page, shared: &Shared) {
    page.gauge(
        "ledger_sealed_size",
        "The size of the last signed head of this process.",
        shared.sealed.size(),
    );
    page.gauge(
        "ledger_sealed_timestamp_seconds",
        "When this process last signed a head.",
        seconds(shared.sealed.at_us()),
    );
    page.counter(
        "ledger_heads_total",
        "Heads signed by this process.",
        shared.sealed.heads(),
    );
}

fn roles(page: &mut Page, shared: &Shared) {
    page.family(
        "ledger_role",
        "gauge",
        "How each role stands: 1 for its state, 0 for the others.",
    );
    for (role, standing, _) in standings(shared) {
        for one in Standing::ALL {
            let labels = format!("role=\"{}\",state=\"{}\"", role.as_str(), one.as_str());
            page.sample("ledger_role", &labels, u8::from(one == standing));
        }
    }
    page.family(
        "ledger_role_failures_total",
        "counter",
        "How often each role was stopped by something that somebody must mend.",
    );
    for (role, ..) in standings(shared) {
        let labels = format!("role=\"{}\"", role.as_str());
        let failures = shared.board.failures(role);
        page.sample("ledger_role_failures_total", &labels, failures);
    }
    page.family("ledger_build_info", "gauge", "The program's version.");
    page.sample(
        "ledger_build_info",
        &format!("version=\"{}\"", env!("CARGO_PKG_VERSION")),
        1,
    );
}

/// Microseconds as seconds with a fraction.
fn seconds(us: i64) -> String {
    format!(
        "{}.{:06}",
        us.div_euclid(1_000_000),
        us.rem_euclid(1_000_000)
    )
}

/// As ingest of this process knows it, or, where that does not work, as was seen in the stream.
fn oldest_unread_us(shared: &Shared) -> i64 {
    match shared.metrics.oldest_unread_us.load(Relaxed) {
        0 => shared
            .backlog
            .last()
            .and_then(|seen| seen.oldest_us)
            .unwrap_or(0),
        known => known,
    }
}

fn age(oldest_us: i64) -> String {
    if oldest_us == 0 {
        "0".to_owned()
    } else {
        seconds(app::now_us().saturating_sub(oldest_us).max(0))
    }
}
