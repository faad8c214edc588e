//! What is wrong with a manifest, shown at the place where it is wrong.
//!
//! Problems are gathered and shown together, so that one run finds them all. The picture of a problem is drawn by
//! `annotate-snippets`, the renderer of rustc, which also defuses control characters and cuts long lines.

use super::value::shown;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};
use std::{fmt, ops::Range, sync::Arc};

/// How many problems are shown; the rest is counted.
pub const PROBLEMS_SHOWN_MAX: usize = 10;

/// A value and where it stands in the manifest, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place, quotes included. Empty where a flag or a default gave the value.
    pub at: Range<usize>,
}

/// The text of a manifest and the name it goes by.
#[derive(Default, PartialEq, Eq)]
pub struct Source {
    /// Its path, as the user gave it.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// The text as it may be shown, of the same length: values of environment variables are starred out.
    pub(crate) shown: String,
}

/// One thing that is wrong, and what to type instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the manifest can be used all the same.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, in bytes; `None` where it is the file as a whole.
    pub at: Option<Range<usize>>,
    /// What was expected and what was found there.
    pub label: String,
    /// The line to type.
    pub hint: Option<String>,
}

/// Whether a manifest with a problem can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It can't.
    Error,
    /// It can, but is hardly what was meant.
    Warning,
}

/// Whether a text for people carries colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Off,
    /// ANSI escape codes.
    On,
}

/// Problems of one manifest, with its text to show them in. [`fmt::Display`] shows them without colours.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems {
    source: Arc<Source>,
    list: Vec<Problem>,
}

/// Why a manifest can't be used: at least one error, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestErrors(pub Problems);

impl Problem {
    /// Describes an error at a place: what is wrong, and what was expected and found.
    pub fn error(message: impl Into<String>, at: Range<usize>, label: impl Into<String>) -> Problem {
        let (message, label) = (message.into(), label.into());
        Problem { severity: Severity::Error, message, at: Some(at), label, hint: None }
    }

    /// Describes something that is hardly meant.
    pub fn warning(message: impl Into<String>, at: Range<usize>, label: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(message, at, label) }
    }

    /// Describes an error of the file as a whole.
    pub fn whole(message: impl Into<String>) -> Problem {
        Problem { at: None, ..Problem::error(message, 0..0, "") }
    }

    /// Adds the line to type.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }
}

impl ManifestErrors {
    /// Gathers errors of one manifest.
    pub fn of(source: Arc<Source>, list: impl IntoIterator<Item = Problem>) -> ManifestErrors {
        ManifestErrors(Problems { source, list: list.into_iter().collect() })
    }
}

impl Problems {
    /// Starts without a problem.
    pub fn none(source: Arc<Source>) -> Problems {
        Problems { source, list: Vec::new() }
    }

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// The problems, in the order they were found.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Parts errors from warnings: the errors where there is one, else the warnings.
    pub(crate) fn decide(mut self) -> Result<Problems, ManifestErrors> {
        self.list.sort_by_key(|problem| problem.at.as_ref().map(|at| at.start));
        let (errors, warnings): (Vec<_>, Vec<_>) =
            self.list.into_iter().partition(|problem| problem.severity == Severity::Error);
        match errors.is_empty() {
            true => Ok(Problems { source: self.source, list: warnings }),
            false => Err(ManifestErrors(Problems { source: self.source, list: errors })),
        }
    }

    /// Shows them as text that ends with a line break.
    pub fn render(&self, colour: Colour) -> String {
        let mut text = String::new();
        for problem in self.list.iter().take(PROBLEMS_SHOWN_MAX) {
            text.push_str(&self.render_one(problem, colour));
            text.push_str("\n\n");
        }
        match self.list.len().saturating_sub(PROBLEMS_SHOWN_MAX) {
            0 => {}
            more => text.push_str(&format!("… and {more} more\n")),
        }
        text.truncate(text.trim_end().len());
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    fn render_one(&self, problem: &Problem, colour: Colour) -> String {
        let renderer = match colour {
            Colour::Off => Renderer::plain(),
            Colour::On => Renderer::styled(),
        };
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(problem.message.as_str()));
        if let Some(at) = &problem.at {
            let mut place = AnnotationKind::Primary.span(self.shown_range(at));
            if !problem.label.is_empty() {
                place = place.label(problem.label.as_str());
            }
            let snippet = Snippet::source(self.source.shown.as_str()).path(self.source.name.as_str());
            group = group.element(snippet.annotation(place));
        }
        if let Some(hint) = &problem.hint {
            group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
        }
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }

    /// Keeps a place within the text, on its first line, and on whole characters.
    fn shown_range(&self, at: &Range<usize>) -> Range<usize> {
        let text = &self.source.shown;
        let start = text.floor_char_boundary(at.start.min(text.len()));
        let end = text.ceil_char_boundary(at.end.clamp(start, text.len()));
        let line = text.get(start..end).and_then(|part| part.lines().next()).map_or(0, str::len);
        start..start + line
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Colour::Off))
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for ManifestErrors {}

impl Spanned<String> {
    /// The place of a part of the text, for an error that whoever reads the text found in it. It is the whole place where
    /// the text stands escaped in the manifest.
    pub fn part(&self, source: &Source, part: Range<usize>) -> Range<usize> {
        let inner = source.text.get(self.at.clone()).and_then(|raw| raw.find(&self.value));
        match (inner, self.value.get(part.clone())) {
            (Some(inner), Some(_)) => self.at.start + inner + part.start..self.at.start + inner + part.end,
            _ => self.at.clone(),
        }
    }
}

/// Reports what the TOML parser found. After an error it guesses on, so that only the first error of a line is told.
pub(crate) fn syntax(errors: &[toml::de::Error], problems: &mut Problems) {
    let source = problems.source.clone();
    let mut last_line = None;
    for error in errors {
        let at = error.span().unwrap_or(source.text.len()..source.text.len());
        let line = source.text.get(..at.start).map(|before| before.matches('\n').count());
        if line != last_line {
            last_line = line;
            problems.push(syntax_problem(error.message(), at, &source.shown));
        }
    }
}

fn syntax_problem(message: &str, at: Range<usize>, text: &str) -> Problem {
    let part = text.get(at.clone()).unwrap_or_default();
    if message == "duplicate key" {
        let message = format!("the key {} is here twice", shown(part));
        return Problem::error(message, at, "said before in the same table").hint("keep one of the two lines");
    }
    if message.starts_with("string values must be quoted") {
        let problem = Problem::error("not TOML: a value is missing or not in quotes", at.clone(), "expected a value");
        let line = text.get(..at.start).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
        // A line that could be typed: hints are printed as they are.
        let helps = line.contains('=') && !part.is_empty() && !line.chars().chain(part.chars()).any(char::is_control);
        return if helps { problem.hint(format!("{line}\"{part}\"")) } else { problem };
    }
    match message.split_once(", expected ") {
        Some((message, expected)) => Problem::error(format!("not TOML: {message}"), at, format!("expected {expected}")),
        None => Problem::error(format!("not TOML: {message}"), at, ""),
    }
}
