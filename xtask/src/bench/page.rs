//! Writes what was measured into `docs/performance.md`: each part between its marks, its plots beside it.

use std::fs;

use anyhow::{Context, Result};

use super::{Section, figures, usage};
use crate::workspace::Workspace;

const PAGE: &str = "docs/performance.md";
const PLOTS: &str = "docs/performance";

/// Puts sections into the page, in place of what was there of them.
pub(super) fn write(workspace: &Workspace, sections: &[Section]) -> Result<()> {
    let path = workspace.path(PAGE);
    let mut page = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    fs::create_dir_all(workspace.path(PLOTS))?;
    for section in sections {
        for (name, plot) in &section.plots {
            fs::write(workspace.path(PLOTS).join(format!("{name}.svg")), plot)?;
        }
        page = replaced(&page, section.name, &markdown(section))?;
    }
    fs::write(&path, page).with_context(|| format!("cannot write `{}`", path.display()))
}

fn markdown(section: &Section) -> String {
    let machine = usage::machine();
    let told = |key: &str| machine.get(key).map(|value| value.to_string().replace('"', "")).unwrap_or_default();
    let mut parts = vec![format!("{}, {} cores, Linux {}.", told("cpu"), told("cores"), told("kernel"))];
    parts.extend(section.tables.iter().map(|table| table.markdown().trim_end().to_owned()));
    parts.extend(section.plots.iter().map(|(name, _)| format!("![{name}](performance/{name}.svg)")));
    parts.push(figures([section]).markdown().trim_end().to_owned());
    parts.join("\n\n")
}

/// The page with another text between the marks of a part.
fn replaced(page: &str, part: &str, text: &str) -> Result<String> {
    let (from, to) = (format!("<!-- bench {part} -->"), format!("<!-- /bench {part} -->"));
    let (before, rest) = page.split_once(&from).with_context(|| format!("`{PAGE}` has no line `{from}`"))?;
    let (_, after) = rest.split_once(&to).with_context(|| format!("`{PAGE}` has no line `{to}`"))?;
    Ok(format!("{before}{from}\n{text}\n{to}{after}"))
}

#[cfg(test)]
mod tests {
    use super::{super::PARTS, *};

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = "a\n<!-- bench x -->\nold\n<!-- /bench x -->\nb\n";
        assert_eq!(replaced(page, "x", "new").unwrap(), "a\n<!-- bench x -->\nnew\n<!-- /bench x -->\nb\n");
        assert!(replaced(page, "y", "new").is_err());
    }

    #[test]
    fn every_part_has_its_place() {
        let page = fs::read_to_string(Workspace::find().unwrap().path(PAGE)).unwrap();
        for part in PARTS {
            replaced(&page, part.name, "").unwrap();
        }
    }
}
