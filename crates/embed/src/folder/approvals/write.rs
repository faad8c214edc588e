//! Writes the file of approvals: one plugin's tables anew, and every other line as somebody left it.

use super::{Approval, Approvals, Ask, FolderError, Scope, plugins, table};
use crate::folder::place::write_file;
use std::collections::BTreeMap;
use toml::Value;

const HEAD: &str = "\
# What the plugins of a folder may do: one table for each plugin. It may be edited by hand.
#
# `digest` lets the plugin do what stands here as long as its guest and its manifest stay as they were; `key` lets any version
# within `versions` that this key signed. What a plugin asks for and does not stand here, it is not loaded with.
# `enabled = false` keeps a plugin from being loaded.
";

impl Approvals {
    /// Sets what is approved for a plugin, and writes the file.
    pub(crate) fn set(&mut self, name: &str, approval: Approval) -> Result<(), FolderError> {
        let mut plugins = self.plugins.clone();
        plugins.insert(name.to_owned(), approval);
        let text = self.edited(name, &plugins);
        write_file(&self.path, text.as_bytes())?;
        (self.text, self.plugins) = (text, plugins);
        Ok(())
    }

    /// The text with one plugin's tables anew. Where its lines can't be told from others, all of it is written anew.
    fn edited(&self, name: &str, wanted: &BTreeMap<String, Approval>) -> String {
        let written = wanted.get(name).map(|approval| tables(name, approval)).unwrap_or_default();
        let edited =
            if self.text.trim().is_empty() { format!("{HEAD}\n{written}") } else { self.spliced(name, &written) };
        let read = table::parse(edited.as_bytes()).and_then(plugins);
        if read.as_ref() == Ok(wanted) {
            return edited;
        }
        wanted.iter().fold(HEAD.to_owned(), |text, (name, approval)| format!("{text}\n{}", tables(name, approval)))
    }

    fn spliced(&self, name: &str, written: &str) -> String {
        let (own, below) = (format!("[{name}]"), format!("[{name}."));
        let mut edited = String::with_capacity(self.text.len() + written.len());
        let mut place = None;
        let mut is_own = false;
        // Comments at the end of its own lines, which are about the table that comes next.
        let mut open = String::new();
        for line in self.text.split_inclusive('\n') {
            let is_remark = line.trim().is_empty() || line.trim_start().starts_with('#');
            if line.starts_with('[') {
                is_own = line.starts_with(&own) || line.starts_with(&below);
            }
            match (is_own, is_remark) {
                (false, _) => edited.push_str(&format!("{}{line}", std::mem::take(&mut open))),
                (true, true) if open.is_empty() && line.trim().is_empty() => {}
                (true, true) => open.push_str(line),
                (true, false) => {
                    place.get_or_insert(edited.len());
                    open.clear();
                }
            }
        }
        edited.push_str(&open);
        if !edited.is_empty() && !edited.ends_with('\n') {
            edited.push('\n');
        }
        match place.filter(|place| *place < edited.len()) {
            Some(place) => edited.insert_str(place, &format!("{written}\n")),
            None => {
                let gap = if edited.is_empty() || edited.ends_with("\n\n") { "" } else { "\n" };
                edited.push_str(&format!("{gap}{written}"));
            }
        }
        edited
    }
}

/// The tables of a plugin, with what each line means.
fn tables(name: &str, approval: &Approval) -> String {
    let mut text = format!("[{name}]\n");
    if !approval.enabled {
        text.push_str("enabled = false\n");
    }
    match &approval.scope {
        None => {}
        Some(Scope::Digest(digest)) => text.push_str(&format!("digest = \"{digest}\"\n")),
        Some(Scope::Key { key, versions }) => {
            text.push_str(&format!("key = \"{key}\"\nversions = {}\n", Value::String(versions.to_string())));
        }
    }
    let of = |table| approval.asks.0.iter().filter(move |ask| ask.table() == table);
    of(None).for_each(|ask| text.push_str(&format!("# {}\n{}\n", ask.help(), ask.line())));
    for table in ["grants", "limits"] {
        if of(Some(table)).next().is_some() {
            text.push_str(&format!("\n[{name}.{table}]\n"));
        }
        for (help, line) in lines(of(Some(table))) {
            text.push_str(&format!("# {help}\n{line}\n"));
        }
    }
    text
}

/// The lines of a table. Entries of one list make one.
fn lines<'a>(asks: impl Iterator<Item = &'a Ask>) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    for ask in asks {
        let line = ask.line();
        let parts = |line: &str| line.split_once(" = [").map(|(key, _)| key.to_owned());
        let same = lines.iter_mut().find(|(_, other)| parts(other).is_some() && parts(other) == parts(&line));
        match (same, line.split_once(" = [")) {
            (Some((_, other)), Some((_, entry))) => {
                other.truncate(other.len() - 1);
                other.push_str(&format!(", {entry}"));
            }
            _ => lines.push((ask.help(), line)),
        }
    }
    lines
}
