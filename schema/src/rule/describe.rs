//! Rules as Markdown, a page a package: for the documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use super::declare::{Incident, On, Rule, Shape, Whom};
use super::demands::demands;
use super::settings::Setting;
use crate::kind::{Kind, Severity};
use crate::package::Package;

/// What the ledger raises beside the rules of kind files: name, severity, what it means, what to do.
pub const OWN: [(&str, Severity, &str, &str); 8] = [
    (
        super::ILLEGAL,
        Severity::Error,
        "An event took an entity a way that its lifecycle does not have, or is about one that was never created. It is recorded, and the state follows it.",
        "Look what published it: either the step was wrong, or the lifecycle lacks a way. Ways are added in the kind's file.",
    ),
    (
        super::FROM_MISMATCH,
        Severity::Error,
        "An event says which status its entity was in, and it was in another.",
        "Look what the publisher did not know: an event that is missing, late, or came from elsewhere.",
    ),
    (
        super::NOT_JUDGED,
        Severity::Warning,
        "A rule could not be judged: a value was not what it expects, there were too many entities, or it took too long. The `detail_key` is the rule's name.",
        "Look at the event; narrow the rule's look-ups (`latest`), or compare with `null` first.",
    ),
    (
        super::NOT_AUTHORIZED,
        Severity::Error,
        "A publisher published a type that the setting `authorities` gives to others.",
        "Publish it from one of those, or name the publisher there.",
    ),
    (
        super::publisher::GAP,
        Severity::Error,
        "A publisher numbers its events with the CloudEvents extension `sequence`, one more each within a source, and a number is missing. The `detail_key` says which.",
        "Look for it where it was sent: a spool, a queue, or `ledger quarantine`. When it arrives, the violation is mended.",
    ),
    (
        super::publisher::SILENT,
        Severity::Error,
        "Nothing was heard of a publisher for as long as the setting `publisher.silent_after` says.",
        "Look whether it runs and reaches NATS. Its next event mends the violation.",
    ),
    (
        "verdict.unexpected",
        Severity::Critical,
        "A verdict in the chain does not follow from the chain, or says something else than follows.",
        "Somebody published as the ledger, or another version judged: `ledger verify` says what the chain holds.",
    ),
    (
        "retention.blocked",
        Severity::Critical,
        "Somebody named data to be deleted that its kind keeps longer (`least`), or that a hold keeps (`hold`). It is not deleted. A hold that was recorded less than a minute before the ledger's own event takes its positions out, too, and is no violation.",
        "Look who published as the ledger.",
    ),
];

/// A rule with the kind that declares it.
type Declared<'p> = (&'p Kind, &'p Rule);

/// The rules of a package by their names.
pub fn rules(package: &Package) -> BTreeMap<&str, Vec<Declared<'_>>> {
    let mut all: BTreeMap<&str, Vec<Declared<'_>>> = BTreeMap::new();
    for kind in package.kinds() {
        for rule in &kind.rules {
            all.entry(&rule.id).or_default().push((kind, rule));
        }
    }
    all
}

/// A package's page: every rule by its name, then every class of incidents. `settings` are those of all packages.
pub fn page(package: &Package, settings: &[Setting]) -> String {
    let mut out = format!(
        "# Rules of package `{0}`\n\nWritten from the files in `schema/kinds/{0}`. What each key means is told in \
         [kind files](../kind-files.md#rules). Rows are those of the [list of demands](../../../tests/scenarios/rules.csv), \
         which says what each demands and in which seed it stands.\n",
        package.name()
    );
    let _ = write_page(&mut out, package, settings);
    out
}

fn write_page(out: &mut String, package: &Package, settings: &[Setting]) -> fmt::Result {
    if package.name().as_str() == crate::package::LEDGER {
        for (name, severity, about, mend) in OWN {
            write!(
                out,
                "\n## `{name}`\n\n{about}\n\n- **Severity:** {severity}\n- **To do:** {mend}\n"
            )?;
        }
    }
    for (name, declared) in rules(package) {
        write!(out, "\n## `{name}`\n")?;
        for (kind, rule) in declared {
            self::rule(out, kind, rule, settings)?;
        }
    }
    let incidents = package
        .kinds()
        .iter()
        .flat_map(|kind| kind.incidents.iter().map(move |one| (kind, one)));
    let mut incidents: Vec<(&Kind, &Incident)> = incidents.collect();
    incidents.sort_by_key(|(_, one)| &one.opening.class);
    if !incidents.is_empty() {
        out.push_str("\n## Incidents\n");
    }
    for (kind, one) in incidents {
        incident(out, kind, one, settings)?;
    }
    Ok(())
}

fn rule(out: &mut String, kind: &Kind, rule: &Rule, settings: &[Setting]) -> fmt::Result {
    write!(out, "\n{} {}\n\n", rule.about, rule.why)?;
    write!(out, "- **Severity:** {}", rule.severity)?;
    if let Shape::Precedes(one) = &rule.shape {
        for (how, outcome) in [
            ("missing", &one.missing),
            ("after", &one.after),
            ("backdated", &one.backdated),
        ] {
            if let Some(outcome) = outcome.as_ref().filter(|one| one.id != rule.id) {
                write!(out, "; {how}: `{}`, {}", outcome.id, outcome.severity)?;
            }
        }
    }
    let part = if rule.part.is_empty() {
        String::new()
    } else {
        format!(", part `{}`", rule.part)
    };
    let page = format!("../kinds/{}/{}.md", kind.name.package, kind.name.entity);
    let whose = whose(rule.whom.as_ref());
    write!(
        out,
        "\n- **About:** [`{}`]({page}){whose}{part}\n",
        kind.name
    )?;
    let how = if matches!(rule.shape, Shape::Deadline(_)) {
        "Set at"
    } else {
        "Judged at"
    };
    writeln!(
        out,
        "- **{how}:** {} (`{}`)",
        On::words(&rule.on),
        rule.shape.as_str()
    )?;
    if let Some(when) = &rule.when {
        writeln!(out, "- **When:** {}", code(&when.text))?;
    }
    demands(out, kind, rule)?;
    let how = if rule.clears {
        "when it holds again"
    } else {
        "never: it is a fact"
    };
    writeln!(out, "- **Cleared:** {how}")?;
    let classes: BTreeSet<&str> = rule.classes();
    if !classes.is_empty() {
        writeln!(out, "- **Incident:** {}", quoted(classes))?;
    }
    named(out, &rule.rows, &rule.settings(), settings)?;
    writeln!(out, "- **To do:** {}", rule.mend)
}

fn incident(out: &mut String, kind: &Kind, one: &Incident, settings: &[Setting]) -> fmt::Result {
    let opening = &one.opening;
    write!(
        out,
        "\n### `{}`\n\n{} {}\n\n",
        opening.class, one.about, one.why
    )?;
    writeln!(
        out,
        "- **About:** [`{0}`](../kinds/{1}/{2}.md){3}",
        kind.name,
        kind.name.package,
        kind.name.entity,
        whose(one.whom.as_ref())
    )?;
    if one.on.is_empty() {
        writeln!(out, "- **Opens:** by rules that name it")?;
    } else {
        write!(
            out,
            "- **Opens:** {}, at {}",
            opening.severity,
            On::words(&one.on)
        )?;
        if let Some(when) = &opening.when {
            write!(out, " when {}", code(&when.text))?;
        }
        out.push('\n');
    }
    if let Some(resolve) = &one.resolve {
        write!(
            out,
            "- **Resolved by itself:** at {}{}",
            On::words(&resolve.on),
            whose(resolve.whom.as_ref())
        )?;
        if let Some(when) = &resolve.when {
            write!(out, " when {}", code(&when.text))?;
        }
        out.push('\n');
    }
    named(out, &one.rows, &one.settings(), settings)?;
    writeln!(out, "- **To do:** {}", one.mend)
}

/// Which entities are meant, where it is not the event's own.
fn whose(whom: Option<&Whom>) -> String {
    match whom {
        None => String::new(),
        Some(Whom::Id(id)) => format!(", at events of other kinds that of {}", code(&id.text)),
        Some(Whom::Where { fields, latest }) => {
            let same = fields
                .iter()
                .map(|(field, value)| format!("`{field}` is {}", code(&value.text)));
            let last = latest.map_or_else(String::new, |last| format!(", the last {last}"));
            format!(
                ", also those whose {}{last}",
                same.collect::<Vec<_>>().join(" and ")
            )
        }
    }
}

/// Rows and settings.
fn named(
    out: &mut String,
    rows: &[String],
    names: &BTreeSet<String>,
    settings: &[Setting],
) -> fmt::Result {
    if !rows.is_empty() {
        writeln!(out, "- **Rows:** {}", rows.join(", "))?;
    }
    let known: Vec<String> = settings
        .iter()
        .filter(|setting| names.contains(&setting.name))
        .map(|setting| match &setting.default {
            serde_json::Value::String(text) => format!("`{}` ({text})", setting.name),
            other => format!("`{}` (`{other}`)", setting.name),
        })
        .collect();
    if !known.is_empty() {
        writeln!(out, "- **Settings:** {}", known.join(", "))?;
    }
    Ok(())
}

pub(super) fn quoted<'s>(names: impl IntoIterator<Item = &'s str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// A condition in one line of Markdown.
pub(super) fn code(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("`{line}`")
}

/// The index over all packages: every name with its severity and where it is told of.
pub fn index(packages: &[Package]) -> String {
    let mut out = String::from(
        "# Rules\n\nEvery rule that the ledger judges by from the start: its name, how bad it is, what opens. Written by \
         `LEDGER_BLESS=1 cargo test -p schema` from the files in `schema/kinds`. `ledger violations --rule NAME` lists \
         what broke one.\n",
    );
    for package in packages {
        let (name, rules) = (package.name(), rules(package));
        let own = if name.as_str() == crate::package::LEDGER {
            &OWN[..]
        } else {
            &[]
        };
        if rules.is_empty() && own.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "\n## [Package `{name}`]({name}.md)\n\n| rule | severity | incident | what it demands |\n|---|---|---|---|\n"
        );
        for (id, severity, about, _) in own {
            let _ = writeln!(out, "| `{id}` | {severity} | | {about} |");
        }
        for (id, declared) in rules {
            let mut severities: Vec<Severity> =
                declared.iter().map(|(_, one)| one.severity).collect();
            severities.sort_unstable();
            severities.dedup();
            let severities: Vec<&str> = severities.into_iter().map(Severity::as_str).collect();
            let classes: BTreeSet<&str> =
                declared.iter().flat_map(|(_, one)| one.classes()).collect();
            let about = declared.first().map_or("", |(_, one)| one.about.as_str());
            let _ = writeln!(
                out,
                "| `{id}` | {} | {} | {} |",
                severities.join(", "),
                quoted(classes),
                about.replace('|', "\\|")
            );
        }
    }
    out
}
