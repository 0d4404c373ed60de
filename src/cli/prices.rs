//! `backstay prices import`: price lists of others as a price book.

use crate::catalog::Catalog;
use crate::price::import::{self, Header, Import};
use clap::Subcommand;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

/// Larger lists are none.
const MOST_BYTES: u64 = 64 << 20;
/// Names that are told of what was left out for one reason.
const SHOWN: usize = 5;
/// The beginning of a book that an import made: nothing by hand is lost with it.
const MADE: &str = "# Made by `backstay prices import`";

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Make a price book of models.dev's api.json or LiteLLM's model_prices_and_context_window.json.
    #[command(
        after_help = "Of several files the first one that prices a model holds. What could not be carried is told on standard error. Exit code 0 when there is a book, 1 when not.\n\nExamples:\n  backstay prices import api.json > prices.toml\n  backstay prices import model_prices_and_context_window.json api.json --out prices.toml"
    )]
    Import {
        /// The lists.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Where the book is written; standard output unless given. A book that was written by hand is not replaced.
        #[arg(long)]
        out: Option<PathBuf>,
        /// The day of the prices, as 2026-07-02; the one on which the first file was last changed unless given.
        #[arg(long)]
        as_of: Option<jiff::civil::Date>,
    },
}

pub(super) fn run(act: &Act) -> ExitCode {
    let Act::Import { files, out, as_of } = act;
    match import(files, *as_of).and_then(|(book, import)| {
        tell(&import);
        write(&book, out.as_deref())
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The book of these lists, and what it was made of.
fn import(files: &[PathBuf], as_of: Option<jiff::civil::Date>) -> Result<(String, Import), String> {
    let known: BTreeSet<&str> = Catalog::built_in().vendors().collect();
    let mut all: Option<Import> = None;
    let (mut sources, mut day) = (Vec::new(), as_of);
    for file in files {
        let (json, changed) = read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let import = import::read(&json, &|vendor| known.contains(vendor));
        let import = import.map_err(|error| format!("{}: {error}", file.display()))?;
        sources.push(file.file_name().unwrap_or_default().to_string_lossy().into_owned());
        day = day.or(changed);
        match &mut all {
            None => all = Some(import),
            Some(all) => all.complete(import),
        }
    }
    let day = day.ok_or("the day of the prices is not known; give it with --as-of")?;
    let import = all.unwrap_or_default();
    Ok((import::text(&import, &Header { source: sources.join(", "), as_of: day.to_string() }), import))
}

/// A file's text and the day on which it was last changed, in UTC.
fn read(file: &Path) -> io::Result<(String, Option<jiff::civil::Date>)> {
    let metadata = fs::metadata(file)?;
    if metadata.len() > MOST_BYTES {
        return Err(io::Error::other(format!("it is larger than {} MiB", MOST_BYTES >> 20)));
    }
    let day = |changed: SystemTime| jiff::Timestamp::try_from(changed).ok();
    let changed = metadata.modified().ok().and_then(day).map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date());
    Ok((fs::read_to_string(file)?, changed))
}

/// Says what was not carried, and why.
fn tell(import: &Import) {
    let mut out = io::stderr().lock();
    // a closed standard error leaves nobody to tell
    let _ = writeln!(out, "{} models with prices", import.prices.len());
    for (reason, names) in &import.left_out {
        let more = names.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
        let shown = shown.join(", ").escape_debug().to_string();
        let _ = writeln!(out, "left out: {reason}\n  {} times: {shown}{more}", names.len());
    }
}

fn write(book: &str, out: Option<&Path>) -> Result<(), String> {
    let Some(out) = out else {
        return io::stdout().lock().write_all(book.as_bytes()).map_err(|error| error.to_string());
    };
    let by_hand = fs::read_to_string(out).is_ok_and(|text| !text.is_empty() && !text.starts_with(MADE));
    if by_hand {
        return Err(format!("{} was not made by an import; write to another file, or remove it", out.display()));
    }
    // beside it and then over it: who watches the folder sees the old book or the new one, never half of it
    let part = out.with_extension("toml.part");
    let written = fs::write(&part, book).and_then(|()| fs::rename(&part, out));
    written.map_err(|error| format!("{} cannot be written: {error}", out.display()))
}
