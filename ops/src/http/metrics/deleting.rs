//! What `/metrics` says of deleting.

use super::{Page, seconds};
use crate::roles::Shared;

pub(super) fn deleting(page: &mut Page, shared: &Shared) {
    let deleting = &shared.deleting;
    let (deleted, overwritten) = deleting.done();
    page.counter(
        "ledger_retention_deleted_total",
        "Positions whose data this process has deleted.",
        deleted,
    );
    page.counter(
        "ledger_retention_overwritten_messages_total",
        "Messages of deleted data that this process has overwritten in the stream.",
        overwritten,
    );
    let waiting = deleting.waiting();
    page.gauge(
        "ledger_retention_announced_positions",
        "Positions whose data is announced to be deleted, or asked to be and nobody else has agreed.",
        waiting.announced,
    );
    page.gauge(
        "ledger_retention_due_positions",
        "Positions whose data is to be deleted now, and that no event names yet.",
        waiting.due,
    );
    page.gauge(
        "ledger_retention_held_positions",
        "Of those that are due, the ones that a hold keeps.",
        waiting.held,
    );
    page.gauge(
        "ledger_retention_last_run_timestamp_seconds",
        "When this process last did all that there was to do; 0 for never.",
        seconds(deleting.ran_us()),
    );
}
