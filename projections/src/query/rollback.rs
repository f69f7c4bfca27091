//! What the ledger knows of versions, tags and deployments, for choosing a rollback's target.

use ledger::db::Database;
use schema::LedgerName;
use serde::Serialize;
use serde_json::Value;

use crate::query::{QueryError, StateRow, States, When, Which, states};
use crate::rollback::{Criteria, Known, Mark, Selection, Version, select};

const VERSION: &str = "release.version";
const TAG: &str = "release.git_tag";
const DEPLOYMENT: &str = "release.deployment";

/// What was chosen, with what told which version is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rollback {
    /// What was chosen, and from what.
    #[serde(flatten)]
    pub selection: Selection,
    /// What told the current version.
    pub based_on: BasedOn,
}

/// The entity that told the current version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BasedOn {
    /// `release.deployment` or `release.git_tag`.
    pub kind: &'static str,
    /// Its identifier.
    pub id: String,
    /// The position of the event that made it so.
    pub seq: u64,
}

/// Chooses the version that an environment could go back to, by what the ledger knows, now or in the past. `path` is
/// the sub-project's, empty for the root. `None` where no version is known to be there.
///
/// The current version is that of the last deployment that succeeded there, or, where the environment's tag was moved
/// later, the one with that tag's commit.
pub async fn rollback(
    db: &Database,
    ledger: &LedgerName,
    path: &str,
    environment: &str,
    criteria: Criteria,
    when: When,
) -> Result<Option<Rollback>, QueryError> {
    let read = async |kind: &str| {
        let asked = States {
            which: Which {
                kind: Some(kind),
                id: None,
            },
            ..States::default()
        };
        Ok::<_, QueryError>(states(db, ledger, &asked, when).await?.rows)
    };
    let facts = Facts {
        path,
        environment,
        versions: read(VERSION).await?,
        tags: read(TAG).await?,
        deployments: read(DEPLOYMENT).await?,
    };
    let Some((current, based_on)) = facts.current() else {
        return Ok(None);
    };
    let selection = select(environment, &current, criteria, &facts.known());
    Ok(Some(Rollback {
        selection,
        based_on,
    }))
}

struct Facts<'a> {
    path: &'a str,
    environment: &'a str,
    versions: Vec<StateRow>,
    tags: Vec<StateRow>,
    deployments: Vec<StateRow>,
}

fn text<'a>(row: &'a StateRow, field: &str) -> Option<&'a str> {
    row.attributes.get(field).and_then(Value::as_str)
}

impl Facts<'_> {
    /// A version of the sub-project; `None` for one of another.
    fn own(&self, full: &str) -> Option<Version> {
        Version::parse(full).filter(|version| version.path() == self.path)
    }

    /// The tags that are there.
    fn tags(&self, tag_type: &str) -> impl Iterator<Item = &StateRow> {
        self.tags.iter().filter(move |row| {
            text(row, "tag_type") == Some(tag_type) && row.status.as_deref() != Some("deleted")
        })
    }

    /// The deployments of the sub-project that succeeded in the environment.
    fn succeeded(&self) -> impl Iterator<Item = (&StateRow, Version)> {
        let there = self.deployments.iter().filter(|row| {
            row.status.as_deref() == Some("succeeded")
                && text(row, "environment") == Some(self.environment)
        });
        there.filter_map(|row| Some((row, self.own(text(row, "version")?)?)))
    }

    fn current(&self) -> Option<(Version, BasedOn)> {
        let deployed = self
            .succeeded()
            .filter_map(|(row, version)| Some((row.status_seq?, row, version)))
            .max_by_key(|(seq, ..)| *seq)
            .map(|(seq, row, version)| {
                let id = row.id.clone();
                let kind = DEPLOYMENT;
                (version, BasedOn { kind, id, seq })
            });
        let name = match self.path {
            "" => self.environment.to_owned(),
            path => format!("{path}/{}", self.environment),
        };
        let tagged = self
            .tags("environment")
            .find(|row| row.id == name)
            .and_then(|row| {
                let version = self.at_commit(text(row, "commit_sha")?)?;
                let (kind, id) = (TAG, row.id.clone());
                // The last event that said where it points; one that says nothing new changes nothing here.
                let seq = row.status_seq.unwrap_or(row.seq);
                Some((version, BasedOn { kind, id, seq }))
            });
        match (deployed, tagged) {
            (Some(deployed), Some(tagged)) => {
                let moved = tagged.1.seq > deployed.1.seq && tagged.0 != deployed.0;
                Some(if moved { tagged } else { deployed })
            }
            (deployed, tagged) => deployed.or(tagged),
        }
    }

    /// The version that a commit carries: by its tag, its own record, or a deployment of it.
    fn at_commit(&self, commit: &str) -> Option<Version> {
        let carries = |row: &&StateRow| text(row, "commit_sha") == Some(commit);
        let tags = self.tags("version").filter(carries);
        let versions = self.versions.iter().filter(carries);
        let deployments = self.deployments.iter().filter(carries);
        tags.chain(versions)
            .filter_map(|row| self.own(&row.id))
            .chain(deployments.filter_map(|row| self.own(text(row, "version")?)))
            .max()
    }

    fn known(&self) -> Known {
        let tags = self.tags("version").chain(&self.versions);
        let mut known = Known {
            versions: tags.filter_map(|row| self.own(&row.id)).collect(),
            deployed: self.succeeded().map(|(_, version)| version).collect(),
            ..Known::default()
        };
        let others = self.deployments.iter();
        known
            .versions
            .extend(others.filter_map(|row| self.own(text(row, "version")?)));
        for (version, mark) in self.tags("state").filter_map(|row| Mark::of_tag(&row.id)) {
            if version.path() == self.path {
                known.marks.entry(version).or_default().insert(mark);
            }
        }
        known
    }
}
