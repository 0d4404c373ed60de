//! Diagnostics on a terminal: colours where somebody looks, plain lines in a pipe.

use crate::base::diagnostic::{Diagnostic, Severity};
use std::io::{IsTerminal, Write, stderr};

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// Prints findings on standard error, errors last, so that they are what is read first.
pub(super) fn diagnostics(diagnostics: &[Diagnostic]) {
    let colours = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut sorted: Vec<_> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| std::cmp::Reverse(diagnostic.severity));
    let mut out = stderr().lock();
    for diagnostic in sorted {
        // a closed standard error leaves nobody to tell
        let _ = if colours { coloured(&mut out, diagnostic) } else { writeln!(out, "{diagnostic}") };
    }
}

fn coloured(out: &mut impl Write, diagnostic: &Diagnostic) -> std::io::Result<()> {
    let (colour, word) = match diagnostic.severity {
        Severity::Error => (RED, "error"),
        Severity::Warning => (YELLOW, "warning"),
    };
    writeln!(
        out,
        "{colour}{word}{RESET}{BOLD}: {}{RESET}\n  {DIM}--> {}{RESET}",
        diagnostic.message, diagnostic.place
    )?;
    if !diagnostic.help.is_empty() {
        writeln!(out, "  {BOLD}help{RESET}: {}", diagnostic.help)?;
    }
    Ok(())
}

/// Findings as JSON.
pub(super) fn as_json(diagnostics: &[Diagnostic]) -> serde_json::Value {
    diagnostics
        .iter()
        .map(|diagnostic| {
            serde_json::json!({
                "severity": match diagnostic.severity { Severity::Error => "error", Severity::Warning => "warning" },
                "file": diagnostic.place.file,
                "line": diagnostic.place.line,
                "column": diagnostic.place.column,
                "message": diagnostic.message,
                "help": diagnostic.help,
            })
        })
        .collect()
}
