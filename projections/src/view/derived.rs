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
    ("live_incident", include_str!("../sql/live_incident.sql")),
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
        name: "cluster_provisioning_run_nodes",
        about: "The nodes that took part in every provisioning run, with the role that each had then.",
        replaces: None,
        columns: &[
            LEDGER,
            ("run_id", Text, "The run."),
            (
                "place",
                Numeric,
                "The node's place in the run's list, from 1.",
            ),
            ("node_id", Text, "The node."),
            ("role", Text, "Its role during the run."),
            (
                "role_now",
                Text,
                "Its role now; null where the node is not known.",
            ),
            ("trigger_type", Text, "What the run was for."),
            ("status", Text, "The run's status."),
            ("started_at", Timestamptz, "When the run began."),
            ("completed_at", Timestamptz, "When it ended."),
            ("seq", Numeric, "The position of the run's last event."),
        ],
        sql: include_str!("../sql/view_cluster_provisioning_run_nodes.sql"),
    },
    Derived {
        name: "release_deployment_queues",
        about: "What runs in every environment and what waits for it, derived from the deployments.",
        replaces: None,
        columns: &[
            LEDGER,
            ("environment", Text, "The environment."),
            (
                "position",
                Numeric,
                "The place in its queue, from 1, in the order of the chain; 0 runs.",
            ),
            ("deployment_id", Text, "The deployment."),
            ("version", Text, "What it deploys."),
            ("status", Text, "`queued` or `in_progress`."),
            (
                "since",
                Timestamptz,
                "Since when it waits or runs, by the word of its event.",
            ),
            (
                "locked_at",
                Timestamptz,
                "When the queue was locked for it; null while it waits.",
            ),
            (
                "claimed_position",
                Numeric,
                "The place that its publisher gave it.",
            ),
            ("workflow_run_id", Text, "The workflow run that does it."),
            ("triggered_by", Text, "Who asked for it."),
            ("seq", Numeric, "The position of its last event."),
        ],
        sql: include_str!("../sql/view_release_deployment_queues.sql"),
    },
    Derived {
        name: "release_tag_history",
        about: "Every commit that every tag pointed to, and for how long.",
        replaces: None,
        columns: &[
            LEDGER,
            ("tag_name", Text, "The tag."),
            ("tag_type", Text, "`version`, `environment` or `state`."),
            ("seq", Numeric, "The event's position."),
            ("event", Text, "`created`, `moved` or `deleted`."),
            (
                "commit_before",
                Text,
                "The commit that it pointed to, by the event's word or the ledger's knowledge.",
            ),
            (
                "commit_after",
                Text,
                "The commit that it points to from then on; null where it was deleted.",
            ),
            (
                "from_at",
                Timestamptz,
                "When that happened, by its publisher's word.",
            ),
            (
                "until_at",
                Timestamptz,
                "When the next event of the tag happened; null where there is none.",
            ),
            ("current", Boolean, "Whether no event came after it."),
            ("recorded_at", Timestamptz, "When it was recorded."),
            ("actor", Text, "Who acted."),
            (
                "deployment_id",
                Text,
                "The deployment that it belongs to, where the event says so.",
            ),
            (
                "legal",
                Boolean,
                "Whether the lifecycle has this way; null where that cannot be judged any more.",
            ),
            ("redacted", Boolean, "Whether its data was deleted."),
        ],
        sql: include_str!("../sql/view_release_tag_history.sql"),
    },
    Derived {
        name: "rotations_due",
        about: "What is to be rotated next, and by when: secrets of the cluster by scope, items of secrets bundles, credential sets in use.",
        replaces: None,
        columns: &[
            LEDGER,
            ("kind", Text, "The kind of what says so."),
            (
                "id",
                Text,
                "Its identifier: the last rotation, the bundle or the set.",
            ),
            (
                "scope",
                Text,
                "What is to be rotated: the scope, the item's or the key's name.",
            ),
            (
                "last_at",
                Timestamptz,
                "When it was rotated last, or made, by the word of that event.",
            ),
            ("due_at", Timestamptz, "When it is due."),
            ("overdue", Boolean, "Whether that is past."),
        ],
        sql: include_str!("../sql/view_rotations_due.sql"),
    },
    Derived {
        name: "reviews_due",
        about: "What somebody is to look at next, and by when: access policies and alert routes each `quarter`, critical alert routes by a test every `interval.alert_route_test`, overrides within `grace.emergency_review`, as the active settings say.",
        replaces: None,
        columns: &[
            LEDGER,
            ("kind", Text, "Its kind."),
            ("id", Text, "Its identifier."),
            ("what", Text, "What is due: `review` or `test`."),
            (
                "last_at",
                Timestamptz,
                "When that was done last, or when it began, by the word of that event.",
            ),
            ("due_at", Timestamptz, "When it is due."),
            ("overdue", Boolean, "Whether that is past."),
        ],
        sql: include_str!("../sql/view_reviews_due.sql"),
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
    Derived {
        name: "ledger_incidents",
        about: "Every incident: what it is about, who looks after it, and what became of it.",
        replaces: Some("ledger.incident"),
        columns: &[
            LEDGER,
            ("incident", Text, "The incident's identifier."),
            ("class", Text, "What kind of trouble it is."),
            (
                "severity",
                Text,
                "`info`, `warning`, `error` or `critical`.",
            ),
            ("status", Text, "`open`, `acknowledged` or `resolved`."),
            ("kind", Text, "The kind of the entity that it is about."),
            ("id", Text, "That entity's identifier."),
            (
                "rule",
                Text,
                "The rule that opened it; empty where none did.",
            ),
            (
                "opened_at",
                Timestamptz,
                "When its first cause was recorded.",
            ),
            (
                "acknowledged_at",
                Timestamptz,
                "When somebody said that they look after it.",
            ),
            ("acknowledged_by", Text, "Who."),
            (
                "resolved_at",
                Timestamptz,
                "When what ended it was recorded.",
            ),
            (
                "resolved_by",
                Text,
                "Who resolved it; null where a rule did.",
            ),
            ("causes", Numeric, "How many causes it has."),
            ("opened_seq", Numeric, "The position of its first cause."),
            ("last_cause_seq", Numeric, "The position of its last cause."),
            (
                "seq",
                Numeric,
                "Where the event stands that says that it opened; null while it is on its way.",
            ),
            (
                "acknowledged_seq",
                Numeric,
                "The position of the event by which somebody acknowledged it.",
            ),
            (
                "resolved_seq",
                Numeric,
                "The position of the event by which somebody resolved it, or of what mended it.",
            ),
            (
                "reopens",
                Text,
                "The incident of the same class about the same entity before it.",
            ),
            (
                "judged",
                Boolean,
                "False where its facts were deleted before the views were made.",
            ),
        ],
        sql: include_str!("../sql/view_ledger_incidents.sql"),
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

#[cfg(test)]
mod tests {
    use schema::{Catalog, Package};
    use serde_json::{Value, json};

    /// Where the activation says nothing, a view goes by the default that the settings declare.
    #[test]
    fn what_is_due_has_the_defaults_of_the_settings() {
        let sql = include_str!("../sql/view_reviews_due.sql");
        let words: Vec<&str> = sql.split('\'').collect();
        let catalog = Catalog::of(
            &Package::builtin().expect("the built-in packages load"),
            json!({}),
        )
        .expect("they compile");
        let mut found = 0;
        for (at, path) in words.iter().enumerate() {
            let Some(path) = path
                .strip_prefix('{')
                .and_then(|path| path.strip_suffix('}'))
            else {
                continue;
            };
            let setting = path.replace(',', ".");
            let declared = catalog.rules().settings().get(&setting);
            let otherwise = words.get(at + 2).copied();
            assert_eq!(declared.and_then(Value::as_str), otherwise, "{setting}");
            found += 1;
        }
        assert_eq!(found, 4);
    }
}
