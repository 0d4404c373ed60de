//! What could not be carried: told once for each reason, with every line that it is about.

use crate::base::diagnostic::{Diagnostic, Place};
use crate::import::yaml::Mark;
use std::path::Path;

/// Lines that are named of one finding.
const SHOWN: usize = 8;

/// What was found so far.
pub(super) struct Findings<'a> {
    file: &'a Path,
    found: Vec<Finding>,
}

struct Finding {
    at: Mark,
    message: String,
    help: String,
    /// Further lines that the same is to be said of.
    lines: Vec<usize>,
    /// The tables of the config that it concerns, as `pool.smart`.
    tables: Vec<String>,
}

impl<'a> Findings<'a> {
    pub(super) const fn new(file: &'a Path) -> Self {
        Self { file, found: Vec::new() }
    }

    /// The file that they are about.
    pub(super) const fn file(&self) -> &'a Path {
        self.file
    }

    /// Says something of the whole config.
    pub(super) fn say(&mut self, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.about(&[], at, message, help);
    }

    /// Says something that also stands above these tables.
    pub(super) fn about(&mut self, tables: &[String], at: Mark, message: impl Into<String>, help: impl Into<String>) {
        let (message, help) = (message.into(), help.into());
        match self.found.iter_mut().find(|found| found.message == message && found.help == help) {
            Some(found) => {
                if found.at.line != at.line && !found.lines.contains(&at.line) {
                    found.lines.push(at.line);
                }
                let new: Vec<_> = tables.iter().filter(|table| !found.tables.contains(table)).cloned().collect();
                found.tables.extend(new);
            }
            None => self.found.push(Finding { at, message, help, lines: Vec::new(), tables: tables.to_vec() }),
        }
    }

    /// What is to be said above a table.
    pub(super) fn notes(&self, table: &str) -> Vec<String> {
        self.by_line().filter(|found| found.tables.iter().any(|about| about == table)).map(Finding::note).collect()
    }

    /// What concerns none of `tables`.
    pub(super) fn general(&self, tables: &[String]) -> Vec<String> {
        let general = |found: &&Finding| !found.tables.iter().any(|about| tables.contains(about));
        self.by_line().filter(general).map(Finding::note).collect()
    }

    /// Everything, by line.
    pub(super) fn diagnostics(&self) -> Vec<Diagnostic> {
        let diagnostic = |found: &Finding| {
            let place = Place { file: self.file.to_owned(), line: found.at.line, column: found.at.column };
            Diagnostic::warning(place, format!("{}{}", found.message, found.elsewhere())).help(found.help.clone())
        };
        self.by_line().map(diagnostic).collect()
    }

    fn by_line(&self) -> impl Iterator<Item = &Finding> {
        let mut all: Vec<&Finding> = self.found.iter().collect();
        all.sort_by_key(|found| found.at);
        all.into_iter()
    }
}

impl Finding {
    fn note(&self) -> String {
        let help = if self.help.is_empty() { String::new() } else { format!(": {}", self.help) };
        format!("line {}: {}{}{help}", self.at.line, self.message, self.elsewhere())
    }

    /// The other lines.
    fn elsewhere(&self) -> String {
        if self.lines.is_empty() {
            return String::new();
        }
        let more = self.lines.len().saturating_sub(SHOWN);
        let lines: Vec<String> = self.lines.iter().take(SHOWN).map(ToString::to_string).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!(" (also on line {}{more})", lines.join(", "))
    }
}
