//! `settings.toml`: the settings that a package's rules name.

use serde_json::Value;
use toml::de::DeTable;

use super::table::{Source, Table, nearest};
use crate::diagnostic::{Diagnostic, listed};
use crate::name::Name;
use crate::rule::{Holds, Setting};

/// Reads the settings of a package.
pub fn settings(package: &Name, file: &str, text: &str) -> Result<Vec<Setting>, Vec<Diagnostic>> {
    let source = Source::new(format!("{package}/{file}"), text);
    let mut settings: Vec<Setting> = Vec::new();
    match DeTable::parse(text) {
        Err(error) => {
            let at = error.span().unwrap_or(0..0).start;
            let message = format!("not TOML: {}", error.message().replace('\n', ", "));
            source.report(at, message, "mend the TOML there (https://toml.io)");
        }
        Ok(parsed) => {
            let top = Table::new(&source, "the file", 0, parsed.get_ref());
            for table in top.tables("settings") {
                let Some(setting) = setting(&table, format!("{package}/{file}")) else {
                    continue;
                };
                if settings.iter().any(|other| other.name == setting.name) {
                    let message = format!("the setting `{}` stands twice", setting.name);
                    source.report(table.at, message, "remove or rename one of the two");
                }
                settings.push(setting);
            }
            top.finish();
        }
    }
    if source.is_clean() {
        Ok(settings)
    } else {
        Err(source.into_found())
    }
}

fn setting(table: &Table<'_>, file: String) -> Option<Setting> {
    let name = table.need_text("name", "name it, e.g. `name = \"grace.incident_link\"`");
    let name = name.filter(|name| {
        let legal = name.value.split('.').all(|part| Name::new(part).is_ok());
        if !legal {
            let message = format!("`{}` is no setting's name", name.value);
            let mend = "write names with dots, e.g. `grace.incident_link`";
            table.source.report(name.at, message, mend);
        }
        legal
    });
    let words: Vec<&str> = Holds::ALL.iter().map(|(word, _)| *word).collect();
    let mend = format!("write one of {}", listed(words.iter().copied()));
    let word = table.need_text("type", &mend);
    let holds = word.and_then(|word| {
        let holds = Holds::ALL.iter().find(|(known, _)| *known == word.value);
        if holds.is_none() {
            let mend = nearest(word.value, &words).map_or(mend, |near| format!("write `{near}`"));
            table
                .source
                .report(word.at, format!("unknown type `{}`", word.value), mend);
        }
        holds.map(|(_, holds)| *holds)
    });
    let about = table.need_text("about", "say in a sentence what it is for");
    let default = table.json("default");
    if !table.has("default") {
        let message = format!("{} has no `default`", table.name);
        table.source.report(
            table.at,
            message,
            "say what holds where nothing else is said",
        );
    }
    let min = table.json("min");
    let max = table.json("max");
    let off = table.json("off");
    table.finish();
    let (default, at) = default?;
    let of = |bound: Option<(Value, usize)>| bound.map(|(value, _)| value);
    let setting = Setting {
        place: (file, table.source.line(table.at)),
        name: name?.value.to_owned(),
        holds: holds?,
        default,
        min: of(min),
        max: of(max),
        off: of(off),
        about: about?.value.to_owned(),
    };
    if let Some((message, mend)) = setting.wrong(&setting.default) {
        table.source.report(at, message, mend);
    }
    if let Some(off) = setting
        .off
        .as_ref()
        .filter(|off| !setting.holds.accepts(off))
    {
        let message = format!("`off` of `{}` is {off}", setting.name);
        let mend = format!("write {}", setting.holds.wanted());
        table.source.report(table.at, message, mend);
    }
    Some(setting)
}
