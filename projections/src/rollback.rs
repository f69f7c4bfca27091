//! Which version to go back to: computed from what the ledger knows, never stored.
//!
//! Pure. What was deployed where and how versions are marked goes in; the target, the other candidates and the
//! rejected versions with their reasons come out, in the form of the data of `release.rollback.target_selected`.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version as Semver;
use serde::{Serialize, Serializer};

/// A version of a sub-project, as its tag spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// By precedence (Semantic Versioning 2.0.0, section 11).
    semver: Semver,
    /// The path of the sub-project; empty for the root.
    path: String,
}

impl Version {
    /// Reads `<path>/v1.2.3-beta.1` or `v1.2.3`. `None` for what is no version.
    pub fn parse(full: &str) -> Option<Self> {
        let (path, semver) = full.rsplit_once('/').unwrap_or(("", full));
        Some(Self {
            semver: Semver::parse(semver.strip_prefix('v')?).ok()?,
            path: path.to_owned(),
        })
    }

    /// The path of its sub-project; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole of it, as its tag is called.
    pub fn full(&self) -> String {
        if self.path.is_empty() {
            format!("v{}", self.semver)
        } else {
            format!("{}/v{}", self.path, self.semver)
        }
    }
}

/// The parts of a version, as publishers give them.
#[derive(Serialize)]
struct Parts<'a> {
    full_version: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    sub_project_path: &'a str,
    semver: String,
    major: u64,
    minor: u64,
    patch: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    prerelease: &'a str,
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Parts {
            full_version: self.full(),
            sub_project_path: &self.path,
            semver: format!("v{}", self.semver),
            major: self.semver.major,
            minor: self.semver.minor,
            patch: self.semver.patch,
            prerelease: self.semver.pre.as_str(),
        }
        .serialize(serializer)
    }
}

/// What a state tag says of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// It is known to be good.
    Stable,
    /// It is known to be bad.
    Unstable,
    /// It is no longer to be used.
    Deprecated,
}

impl Mark {
    /// The mark with this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "stable" => Some(Self::Stable),
            "unstable" => Some(Self::Unstable),
            "deprecated" => Some(Self::Deprecated),
            _ => None,
        }
    }

    /// Its name, as state tags end.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Unstable => "unstable",
            Self::Deprecated => "deprecated",
        }
    }

    /// Reads a state tag, `<path>/v1.2.3-stable`. A state's suffix wins over a prerelease of the same name.
    pub fn of_tag(tag: &str) -> Option<(Version, Self)> {
        let (version, mark) = tag.rsplit_once('-')?;
        Some((Version::parse(version)?, Self::parse(mark)?))
    }
}

/// How a target is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Criteria {
    /// A version marked stable goes before all others.
    pub prioritize_stable: bool,
    /// A version marked deprecated is no candidate.
    pub exclude_deprecated: bool,
    /// A version marked unstable is no candidate.
    pub exclude_unstable: bool,
}

impl Default for Criteria {
    fn default() -> Self {
        Self {
            prioritize_stable: true,
            exclude_deprecated: true,
            exclude_unstable: false,
        }
    }
}

/// What is known of a sub-project in an environment.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Every version of the sub-project.
    pub versions: BTreeSet<Version>,
    /// Those that were deployed to the environment with success.
    pub deployed: BTreeSet<Version>,
    /// How they are marked.
    pub marks: BTreeMap<Version, BTreeSet<Mark>>,
}

/// A version, and how its state tags mark it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Marked {
    /// The version.
    #[serde(flatten)]
    pub version: Version,
    /// Each of its state tags that is there, in the order `stable`, `unstable`, `deprecated`; often none.
    pub states: Vec<Mark>,
}

/// A version that is no candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// The version.
    #[serde(flatten)]
    pub marked: Marked,
    /// Why: `not_lower`, `never_deployed`, `deprecated` or `unstable`.
    pub reason: &'static str,
}

/// What was chosen, and from what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// The version that is there.
    pub current_version: Marked,
    /// The version to go back to; `None` where there is none.
    pub target_version: Option<Marked>,
    /// The environment.
    pub environment: String,
    /// How it was chosen.
    pub selection_criteria: Criteria,
    /// Every version that could have been chosen, the best first.
    pub candidate_versions: Vec<Marked>,
    /// The others, the highest first.
    pub rejected_versions: Vec<Rejected>,
}

/// Chooses. A candidate is lower than the current version, was deployed to the environment with success, and is not
/// excluded by its mark; the highest is the target, a stable one before all others if that is asked for.
pub fn select(
    environment: &str,
    current: &Version,
    criteria: Criteria,
    known: &Known,
) -> Selection {
    let marked = |version: &Version| Marked {
        version: version.clone(),
        states: known
            .marks
            .get(version)
            .map_or_else(Vec::new, |marks| marks.iter().copied().collect()),
    };
    let mut candidates = Vec::new();
    let mut rejected = Vec::new();
    let all: BTreeSet<&Version> = known.versions.union(&known.deployed).collect();
    for version in all.into_iter().rev().filter(|one| *one != current) {
        let marked = marked(version);
        let is = |mark: Mark| marked.states.contains(&mark);
        let reason = if version > current {
            "not_lower"
        } else if criteria.exclude_deprecated && is(Mark::Deprecated) {
            "deprecated"
        } else if criteria.exclude_unstable && is(Mark::Unstable) {
            "unstable"
        } else if known.deployed.contains(version) {
            candidates.push(marked);
            continue;
        } else {
            "never_deployed"
        };
        rejected.push(Rejected { marked, reason });
    }
    if criteria.prioritize_stable {
        // A stable sort: within both parts the highest stays first.
        candidates.sort_by_key(|one| !one.states.contains(&Mark::Stable));
    }
    Selection {
        current_version: marked(current),
        target_version: candidates.first().cloned(),
        environment: environment.to_owned(),
        selection_criteria: criteria,
        candidate_versions: candidates,
        rejected_versions: rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn version(text: &str) -> Version {
        Version::parse(text).expect("a version")
    }

    fn known(deployed: &[&str], others: &[&str], tags: &[&str]) -> Known {
        let mut known = Known {
            versions: others.iter().map(|text| version(text)).collect(),
            deployed: deployed.iter().map(|text| version(text)).collect(),
            ..Known::default()
        };
        for tag in tags {
            let (version, mark) = Mark::of_tag(tag).expect("a state tag");
            known.marks.entry(version).or_default().insert(mark);
        }
        known
    }

    fn full(versions: &[Marked]) -> Vec<String> {
        versions.iter().map(|one| one.version.full()).collect()
    }

    #[test]
    fn the_example_of_the_document() {
        let known = known(
            &["v1.2.3", "v1.2.2", "v1.2.1", "v1.2.0", "v1.1.0"],
            &["v1.3.0", "v1.0.9"],
            &["v1.1.0-deprecated"],
        );
        let chosen = select(
            "production",
            &version("v1.2.3"),
            Criteria::default(),
            &known,
        );
        let target = chosen.target_version.map(|one| one.version);
        assert_eq!(target, Some(version("v1.2.2")));
        assert_eq!(
            full(&chosen.candidate_versions),
            ["v1.2.2", "v1.2.1", "v1.2.0"]
        );
        let rejected: Vec<(String, &str)> = chosen
            .rejected_versions
            .iter()
            .map(|one| (one.marked.version.full(), one.reason))
            .collect();
        let expected = [
            ("v1.3.0".to_owned(), "not_lower"),
            ("v1.1.0".to_owned(), "deprecated"),
            ("v1.0.9".to_owned(), "never_deployed"),
        ];
        assert_eq!(rejected, expected);
    }

    #[test]
    fn a_stable_version_goes_first_and_unstable_ones_can_be_excluded() {
        let known = known(
            &["api/v2.0.0", "api/v1.9.0", "api/v1.8.0", "api/v1.10.0"],
            &[],
            &["api/v1.8.0-stable", "api/v1.10.0-unstable"],
        );
        let choose = |criteria| {
            let chosen = select("staging", &version("api/v2.0.0"), criteria, &known);
            full(&chosen.candidate_versions)
        };
        let mut criteria = Criteria::default();
        assert_eq!(
            choose(criteria),
            ["api/v1.8.0", "api/v1.10.0", "api/v1.9.0"]
        );
        criteria.prioritize_stable = false;
        assert_eq!(
            choose(criteria),
            ["api/v1.10.0", "api/v1.9.0", "api/v1.8.0"]
        );
        criteria.exclude_unstable = true;
        assert_eq!(choose(criteria), ["api/v1.9.0", "api/v1.8.0"]);
    }

    /// Whoever chooses another candidate sees how it is marked, and why others were left out.
    #[test]
    fn every_version_says_how_it_is_marked() {
        let known = known(
            &["v2.0.0", "v1.9.0", "v1.8.0", "v1.7.0"],
            &[],
            &[
                "v1.8.0-stable",
                "v1.7.0-deprecated",
                "v1.7.0-stable",
                "v2.0.0-unstable",
            ],
        );
        let chosen = select("staging", &version("v2.0.0"), Criteria::default(), &known);
        let said = serde_json::to_value(&chosen).expect("JSON");
        assert_eq!(said["current_version"]["states"], json!(["unstable"]));
        assert_eq!(said["target_version"]["full_version"], "v1.8.0");
        assert_eq!(said["target_version"]["states"], json!(["stable"]));
        assert_eq!(said["candidate_versions"][1]["full_version"], "v1.9.0");
        assert_eq!(said["candidate_versions"][1]["states"], json!([]));
        let rejected = &said["rejected_versions"][0];
        assert_eq!(rejected["states"], json!(["stable", "deprecated"]));
        assert_eq!(rejected["reason"], "deprecated");
        for mark in [Mark::Stable, Mark::Unstable, Mark::Deprecated] {
            assert_eq!(Mark::parse(mark.name()), Some(mark));
            assert_eq!(json!(mark), mark.name());
        }
    }

    #[test]
    fn versions_are_what_their_tags_say() {
        assert_eq!(version("a/b/v1.2.3-rc.1").path(), "a/b");
        assert!(version("v1.2.3-rc.1") < version("v1.2.3"));
        assert!(version("v1.2.9") < version("v1.2.10"));
        for no in ["1.2.3", "v1.2", "api/production", "", "v01.2.3"] {
            assert_eq!(Version::parse(no), None, "{no}");
        }
        let parts = serde_json::to_value(version("api/v1.2.3-beta.1")).expect("JSON");
        assert_eq!(
            parts,
            json!({ "full_version": "api/v1.2.3-beta.1", "sub_project_path": "api", "semver": "v1.2.3-beta.1",
                    "major": 1, "minor": 2, "patch": 3, "prerelease": "beta.1" })
        );
        assert_eq!(Mark::of_tag("v1.2.3-beta.1"), None);
    }

    proptest! {
        #[test]
        fn what_is_chosen_keeps_the_rules(
            versions in proptest::collection::vec((0_u64..3, 0_u64..4, 0_u8..3, any::<bool>()), 1..12),
            current in 0_usize..12, stable: bool, deprecated: bool, unstable: bool,
        ) {
            let mut known = Known::default();
            for (minor, patch, mark, deployed) in &versions {
                let version = version(&format!("v1.{minor}.{patch}"));
                let mark = [Mark::Stable, Mark::Unstable, Mark::Deprecated].into_iter().nth(usize::from(*mark));
                known.marks.entry(version.clone()).or_default().extend(mark);
                if *deployed {
                    known.deployed.insert(version.clone());
                }
                known.versions.insert(version);
            }
            let all: Vec<Version> = known.versions.iter().cloned().collect();
            let current = all.get(current % all.len()).cloned().expect("one of them");
            let criteria = Criteria { prioritize_stable: stable, exclude_deprecated: deprecated, exclude_unstable: unstable };
            let chosen = select("staging", &current, criteria, &known);
            prop_assert_eq!(chosen.candidate_versions.len() + chosen.rejected_versions.len() + 1, all.len());
            prop_assert_eq!(chosen.target_version.as_ref(), chosen.candidate_versions.first());
            for one in chosen.candidate_versions.iter().map(|one| &one.version) {
                prop_assert!(*one < current && known.deployed.contains(one));
                prop_assert!(chosen.rejected_versions.iter().all(|other| other.marked.version != *one));
                let marks = known.marks.get(one).expect("marked");
                prop_assert!(!(deprecated && marks.contains(&Mark::Deprecated)));
                prop_assert!(!(unstable && marks.contains(&Mark::Unstable)));
            }
        }
    }
}
