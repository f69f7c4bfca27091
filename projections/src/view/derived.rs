//! Views that no single kind gives: histories, intervals, and what follows from several entities.

use super::column::{Column, ColumnType};

use ColumnType::{Boolean, Numeric, Text, Timestamptz};

type Documented = (&'static str, ColumnType, &'static str);

/// A view with a query of its own.
#[derive(Debug, Clone, Copy)]
pub struct Derived {
    /// Its name in schema `views`.
    pub name: &'static str,
    /// What a row is, in a sentence or two.
    pub about: &'static str,
    /// The kind whose flat view it stands for, if it does.
    pub replaces: Option<&'static str>,
    /// Its columns, in the order of the query.
    pub columns: &'static [Documented],
    /// The query.
    pub sql: &'static str,
}

/// What the other views read. Not for people: the columns follow the tables.
pub(super) const BASE: &[(&str, &str)] = &[
    ("live", include_str!("../sql/live.sql")),
    ("live_entity", include_str!("../sql/live_entity.sql")),
    ("live_link", include_str!("../sql/live_link.sql")),
    ("live_history", include_str!("../sql/live_history.sql")),
    ("live_fact", include_str!("../sql/live_fact.sql")),
    ("live_event", include_str!("../sql/live_event.sql")),
    ("live_violation", include_str!("../sql/live_violation.sql")),
];

const LEDGER: Documented = ("ledger", Text, "The ledger's name.");

/// Every derived view, in the order of making.
pub fn derived() -> &'static [Derived] {
    DERIVED
}

const DERIVED: &[Derived] = &[
    Derived {
        name: "status_intervals",
        about: "How long every entity was in every status, of every kind that has statuses. Times are those that the events claim.",
        replaces: None,
        columns: &[
            LEDGER,
            ("kind", Text, "The entity's kind."),
            ("id", Text, "The entity's identifier."),
            ("status", Text, "The status that it was in."),
            (
                "from_at",
                Timestamptz,
                "When that began, by the word of the event that led to it.",
            ),
            (
                "until_at",
                Timestamptz,
                "When it ended, by the word of the next one; null while it lasts.",
            ),
            (
                "seconds",
                Numeric,
                "How long it lasted, or has lasted until now; 0 where the next event claims an earlier time.",
            ),
            ("open", Boolean, "Whether it lasts."),
            (
                "from_seq",
                Numeric,
                "The position of the event that led to it.",
            ),
            (
                "until_seq",
                Numeric,
                "The position of the event that ended it.",
            ),
            ("actor", Text, "Who acted in the event that led to it."),
        ],
        sql: include_str!("../sql/view_status_intervals.sql"),
    },
    Derived {
        name: "platform_environment_history",
        about: "Every event of every environment, with the status before and after it.",
        replaces: None,
        columns: &[
            LEDGER,
            ("environment", Text, "The environment."),
            ("seq", Numeric, "The event's position."),
            ("type", Text, "The event's type."),
            ("from_status", Text, "The status before it."),
            ("to_status", Text, "The status after it."),
            (
                "occurred_at",
                Timestamptz,
                "When it happened, by its publisher's word.",
            ),
            ("recorded_at", Timestamptz, "When it was recorded."),
            ("actor", Text, "Who acted."),
            (
                "legal",
                Boolean,
                "Whether the lifecycle has this way; null where that cannot be judged any more.",
            ),
            ("redacted", Boolean, "Whether its data was deleted."),
        ],
        sql: include_str!("../sql/view_platform_environment_history.sql"),
    },
    Derived {
        name: "platform_access_allowed",
        about: "Who was allowed what in which environment, from when to when. At a time T: `valid_from <= T AND (valid_to IS NULL OR valid_to > T)`.",
        replaces: None,
        columns: &[
            LEDGER,
            ("id", Text, "The access policy, `<environment>/<role>`."),
            ("environment", Text, "The environment that it opened."),
            ("role", Text, "The role that it was for."),
            ("holder", Text, "Who held it."),
            ("permissions", Text, "What was allowed, as JSON."),
            (
                "valid_from",
                Timestamptz,
                "From when: the grant's or the change's claimed time.",
            ),
            (
                "valid_to",
                Timestamptz,
                "Until when: the next change, the end of its own, or its revocation; null where no end is known.",
            ),
            (
                "ended_by",
                Text,
                "What ended it: `expiry`, or the event `updated`, `granted`, `expired` or `revoked`.",
            ),
            (
                "seq",
                Numeric,
                "The position of the event that it began with.",
            ),
            ("actor", Text, "Who granted or changed it."),
        ],
        sql: include_str!("../sql/view_platform_access_allowed.sql"),
    },
    Derived {
        name: "ledger_violations",
        about: "Every verdict: which rule was broken, by which event, and what became of it.",
        replaces: Some("ledger.violation"),
        columns: &[
            LEDGER,
            ("violation", Text, "The verdict's identifier."),
            ("rule", Text, "The rule that was broken."),
            (
                "severity",
                Text,
                "`info`, `warning`, `error` or `critical`.",
            ),
            ("status", Text, "`open`, `cleared` or `overridden`."),
            ("kind", Text, "The kind of the entity that it is about."),
            ("id", Text, "That entity's identifier."),
            (
                "cause_seq",
                Numeric,
                "The position of the event that broke the rule.",
            ),
            (
                "seq",
                Numeric,
                "Where the verdict stands in the chain; null while it is on its way.",
            ),
            ("cleared_seq", Numeric, "The position that cleared it."),
            ("type", Text, "The type of the event that broke the rule."),
            (
                "occurred_at",
                Timestamptz,
                "When that happened, by its publisher's word.",
            ),
            ("recorded_at", Timestamptz, "When that was recorded."),
            ("actor", Text, "Who acted."),
            (
                "judged",
                Boolean,
                "False where its facts were deleted before the views were made.",
            ),
            (
                "detail_key",
                Text,
                "Tells verdicts of one rule and cause apart.",
            ),
            ("catalog", Text, "The digest of the catalog that judged."),
        ],
        sql: include_str!("../sql/view_ledger_violations.sql"),
    },
];

impl Derived {
    /// Its columns as those of any view.
    pub(super) fn columns(&self) -> Vec<Column> {
        let columns = self.columns.iter();
        columns
            .map(|(name, column_type, about)| Column::fixed(name, *column_type, about))
            .collect()
    }
}
