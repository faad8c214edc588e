//! The reference of the manifest, as Markdown tables: generated from the registry for `docs/manifest.md`.

use super::{
    limits,
    setting::{Absent, Table},
    tables::{Admin, GUEST, HTTP, Pool, ROOT, Receipts, Server},
};
use sandbar_call::Resource;
use std::fmt::Write;

/// Every table of a manifest with its keys, as Markdown sections.
pub fn reference() -> String {
    let mut text = String::new();
    for table in [ROOT, Server::TABLE, Admin::TABLE, Receipts::TABLE, Pool::TABLE] {
        section(&mut text, &table);
    }
    limits_section(&mut text);
    section(&mut text, &GUEST);
    grants_section(&mut text);
    section(&mut text, &HTTP);
    text
}

fn section(text: &mut String, table: &Table) {
    heading(text, if table.header.is_empty() { "First keys" } else { table.header }, table.doc);
    head(text, ["key", "value", "default", "meaning"]);
    for setting in table.settings {
        let absent = match setting.absent {
            Absent::Required => "required".to_string(),
            Absent::Default(default) => format!("`{default}`"),
            Absent::Otherwise(words) => words.to_string(),
        };
        row(text, [&format!("`{}`", setting.key), &setting.form.name(), &absent, setting.doc]);
    }
}

fn limits_section(text: &mut String) {
    let doc = "What a call may consume at most; for all guests, or below `[guests.NAME.limits]` for one. `\"none\"` lifts a \
               limit.";
    heading(text, "[limits]", doc);
    head(text, ["key", "value", "default", "meaning"]);
    for &resource in Resource::ALL {
        let default = limits::default_text(resource).map_or_else(|| "none".to_string(), |text| format!("`{text}`"));
        row(text, [&format!("`{}`", resource.key()), &limits::form(resource).name(), &default, resource.doc()]);
    }
}

fn grants_section(text: &mut String) {
    heading(text, "[guests.NAME.grants]", "What a guest may touch outside itself. Nothing is granted by default.");
    head(text, ["key", "value", "example", "meaning"]);
    for option in sandbar_grants::OPTIONS {
        let line = sandbar_grants::suggestion(option.kind, option.example).map_or_else(String::new, |line| line.line);
        let value = match option.value {
            sandbar_grants::Value::List => format!("list of `{}`", option.form),
            sandbar_grants::Value::Word(_) | sandbar_grants::Value::Switch => format!("`{}`", option.form),
        };
        row(text, [&format!("`{}`", option.kind.key()), &value, &format!("`{line}`"), option.help]);
    }
}

fn heading(text: &mut String, title: &str, doc: &str) {
    let gap = if text.is_empty() { "" } else { "\n" };
    let title = if title.starts_with('[') { format!("`{title}`") } else { title.to_string() };
    let _ = writeln!(text, "{gap}### {title}\n\n{}\n", doc.trim());
}

fn head(text: &mut String, titles: [&str; 4]) {
    row(text, titles);
    row(text, ["---"; 4]);
}

fn row(text: &mut String, cells: [&str; 4]) {
    let cells = cells.map(|cell| cell.trim().replace('|', "\\|"));
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}
