//! Reading a kind file: strictly, so that a file that loads means what it says.
//!
//! Every message names the file, the line, what is wrong and what would mend it. All that is wrong with a
//! file is said at once.

mod events;
mod fields;
mod lifecycle;
mod links;
mod marks;
mod rules;
mod settings;
pub(crate) mod table;

use toml::de::DeTable;

use crate::diagnostic::Diagnostic;
use crate::identity::Identity;
use crate::kind::{EventDef, Field, Kind};
use crate::name::{KindName, Name};
use crate::package::LEDGER;
use crate::retention::Retention;
pub use settings::settings;
use table::{Source, Table, Text};

/// Reads the text of a kind file of a package.
pub fn kind(package: &Name, file: &str, text: &str) -> Result<Kind, Vec<Diagnostic>> {
    let source = Source::new(format!("{package}/{file}"), text);
    let kind = match DeTable::parse(text) {
        Ok(parsed) => read(&source, package, file, parsed.get_ref()),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let there = text.get(span.clone()).unwrap_or_default();
            let (message, mend) = syntax(error.message(), there);
            source.report(span.start, message, mend);
            None
        }
    };
    match kind {
        Some(kind) if source.is_clean() => Ok(kind),
        _ => Err(source.into_found()),
    }
}

fn syntax(said: &str, there: &str) -> (String, &'static str) {
    if said.contains("duplicate") {
        let mend = "a table or a key stands once in a file: merge the two or rename one";
        return (format!("`{there}` is declared twice"), mend);
    }
    let message = format!("not TOML: {}", said.replace('\n', ", "));
    (message, "mend the TOML there (https://toml.io)")
}

fn read<'a>(
    source: &'a Source,
    package: &Name,
    file: &str,
    parsed: &'a DeTable<'a>,
) -> Option<Kind> {
    let top = Table::new(source, "the file", 0, parsed);
    let name = named(&top, package, file);
    let title = top.need_text(
        "title",
        "say what people call it, e.g. `title = \"Environment\"`",
    );
    let about = top.need_text("about", "say in a sentence what it is");
    let subject = top.need_text("subject", "say in a sentence what identifies one of them");
    let view = top.need_text(
        "view",
        "name its read model, e.g. `view = \"environments\"`",
    );
    let view_name = view.and_then(|view| view_name(source, view));
    let stateless = top.flag("stateless").unwrap_or(false);
    let retention = retention(&top);
    let rows = top.texts("retention_rows");
    let retention_rows = rows.iter().map(|row| row.value.to_owned()).collect();
    let mut references = Vec::new();
    let fields = match top.table("fields") {
        Some(table) => {
            let fields = fields::fields(&table, &mut references);
            links::of_entity(&table, &fields);
            fields
        }
        None => Vec::new(),
    };
    let table = top.table("lifecycle");
    let lifecycle = table.as_ref().map(|table| {
        if stateless {
            let mend = "remove `stateless` or the lifecycle";
            source.report(table.at, "what is `stateless` has no lifecycle", mend);
        }
        lifecycle::lifecycle(table)
    });
    let ledger = package.as_str() == LEDGER;
    let events = events::events(&top, &fields, lifecycle.as_ref(), ledger, &mut references);
    let identity = template(&top, &fields, &events);
    let rules = rules::rules(&top, &events);
    let incidents = rules::incidents(&top, &events);
    if let (Some(table), Some(lifecycle), true) = (table, &lifecycle, source.is_clean()) {
        lifecycle::agree(&table, lifecycle, &events);
    }
    top.finish();
    Some(Kind {
        name: name?,
        title: title?.value.to_owned(),
        about: about?.value.to_owned(),
        subject: subject?.value.to_owned(),
        identity,
        view: view_name?,
        stateless,
        retention: retention?,
        retention_rows,
        additional: events.first().is_none_or(|event| event.members.additional),
        fields,
        events,
        lifecycle,
        rules,
        incidents,
        references: references
            .into_iter()
            .map(|(kind, at)| (kind, source.line(at)))
            .collect(),
        view_line: view.map_or(1, |view| source.line(view.at)),
    })
}

fn view_name(source: &Source, view: Text<'_>) -> Option<String> {
    match Name::new(view.value) {
        Ok(name) => Some(name.to_string()),
        Err(error) => {
            source.report(view.at, error.to_string(), "write e.g. `environments`");
            None
        }
    }
}

/// `kind = "<package>.<entity>"`, in a file `<entity>.toml` of that package.
fn named(top: &Table<'_>, package: &Name, file: &str) -> Option<KindName> {
    let stem = file.strip_suffix(".toml").unwrap_or(file);
    let mend = format!("write `kind = \"{package}.{stem}\"`");
    let text = top.need_text("kind", &mend)?;
    match text.value.parse::<KindName>() {
        Err(error) => {
            top.source.report(text.at, error.to_string(), mend);
            None
        }
        Ok(name) if name.package != *package || name.entity.as_str() != stem => {
            let message = format!("`{name}` stands in `{file}` of package `{package}`");
            let mend = format!(
                "{mend}, or move it to `{}/{}.toml`",
                name.package, name.entity
            );
            top.source.report(text.at, message, mend);
            None
        }
        Ok(name) => Some(name),
    }
}

/// `identity = "<environment>/<role>"`: of the entity's fields, or those of the events of what has no state.
fn template(top: &Table<'_>, fields: &[Field], events: &[EventDef]) -> Option<Identity> {
    let text = top.text("identity")?;
    let mend = "write the field in angle brackets, e.g. `identity = \"<environment>/<role>\"`";
    let Some(identity) = Identity::parse(text.value) else {
        let message = format!("`{}` is no template of an identifier", text.value);
        top.source.report(text.at, message, mend);
        return None;
    };
    let of_events = || events.iter().flat_map(|event| &event.members.fields);
    for name in identity.fields() {
        if !fields
            .iter()
            .chain(of_events())
            .any(|field| field.name == name)
        {
            let message = format!("`identity` names the unknown field `{name}`");
            top.source
                .report(text.at, message, "name a field of this kind");
        }
    }
    Some(identity)
}

fn retention(top: &Table<'_>) -> Option<Retention> {
    let mend =
        "write `\"365d\"` (then it is deleted), `\"365d+\"` (so long at least), or `\"forever\"`";
    let text = top.need_text("retention", mend)?;
    let class = Retention::parse(text.value);
    if class.is_none() {
        let message = format!("`{}` is not a retention class", text.value);
        top.source.report(text.at, message, mend);
    }
    class
}
