//! Rows in columns, for people: as text, and as Markdown.

/// A table with a title, which may be empty.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, head: &[&str], rows: Vec<Vec<String>>) -> Table {
        Table { title: title.into(), head: head.iter().map(|name| (*name).to_owned()).collect(), rows }
    }

    /// In columns.
    pub(crate) fn text(&self) -> String {
        let head: Vec<&str> = self.head.iter().map(String::as_str).collect();
        let title = if self.title.is_empty() { String::new() } else { format!("{}\n", self.title) };
        title + &render(&head, self.rows.clone())
    }

    /// As Markdown, the title as a line of its own.
    pub(crate) fn markdown(&self) -> String {
        let title = if self.title.is_empty() { String::new() } else { format!("{}:\n\n", self.title) };
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let under: Vec<String> =
            (0..self.head.len()).map(|at| if at == 0 { "---" } else { "--:" }.to_owned()).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        title + &line(&self.head) + &line(&under) + &rows
    }
}

/// Lines columns up: the first to the left, the others to the right.
pub(crate) fn render(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head = head.iter().map(|title| (*title).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> =
        (0..columns).map(|column| rows.iter().map(|row| cell(row, column)).max().unwrap_or(0)).collect();

    let mut text = String::new();
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match column {
                0 => text.push_str(&format!("{cell:<width$}")),
                _ => text.push_str(&format!("  {cell:>width$}")),
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
