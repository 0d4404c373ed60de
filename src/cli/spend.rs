//! `backstay spend`: what was spent, by whom and where, read from the ledger beside a running proxy.

use crate::cli::files;
use crate::snapshot::budget::{Period, Span};
use crate::state::clock::Clock;
use crate::state::ledger::report::{self, Account, Report, Spent};
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is asked of the ledger.
#[derive(Debug, Args)]
pub(super) struct Question {
    /// What sums are made by.
    #[arg(long, value_enum, default_value = "team")]
    by: By,
    /// `day`, `week` or `month` for the one of now; a day as in 2026-11-22; a month as in 2026-11; or `all`.
    #[arg(long, default_value = "month", value_parser = span)]
    period: Span,
    /// The state directory, instead of the one that the config names.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Team,
    Key,
    Deployment,
    Pool,
}

/// Reads and prints.
pub(super) fn run(config: &Path, question: &Question) -> ExitCode {
    match told(config, question) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            if !error.is_empty() {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn told(config: &Path, question: &Question) -> Result<String, String> {
    let directory = match &question.state {
        Some(directory) => directory.clone(),
        // what is wrong with the files is printed already
        None => files::snapshot(config, None).ok_or_else(String::new)?.state_directory,
    };
    let report = Report::open(&directory)?;
    let by = match question.by {
        By::Team => report::By::Team,
        By::Key => report::By::Key,
        By::Deployment => report::By::Deployment,
        By::Pool => report::By::Pool,
    };
    let Span { from, until } = question.period;
    let spent = report.spent(by, (from, until)).map_err(|error| error.to_string())?;
    let accounts = report.accounts(Clock::unix_seconds()).map_err(|error| error.to_string())?;
    if question.json {
        return serde_json::to_string_pretty(&as_json(&spent, &accounts)).map_err(|error| error.to_string());
    }
    Ok(table(question.by, &spent) + &budgets(&accounts))
}

fn as_json(spent: &[Spent], accounts: &[Account]) -> Value {
    let spent: Vec<Value> = spent
        .iter()
        .map(|one| {
            json!({ "name": one.name, "exchanges": one.exchanges, "attempts": one.attempts, "unpriced": one.unpriced,
                "input_tokens": one.input_tokens, "output_tokens": one.output_tokens, "usd": dollars(one.cost_microusd) })
        })
        .collect();
    let budgets: Vec<Value> = accounts
        .iter()
        .map(|account| {
            json!({ "budget": account.account, "from": day(account.from), "until": day(account.until),
                "spent_usd": dollars(account.spent_microusd), "leased_usd": dollars(account.leased_microusd) })
        })
        .collect();
    json!({ "spent": spent, "budgets": budgets })
}

fn table(by: By, spent: &[Spent]) -> String {
    let head = match by {
        By::Team => "team",
        By::Key => "key",
        By::Deployment => "deployment",
        By::Pool => "pool",
    };
    let name = |one: &Spent| if one.name.is_empty() { "(none)".to_owned() } else { one.name.clone() };
    let width = spent.iter().map(|one| name(one).len()).chain([head.len(), 5]).max().unwrap_or(0);
    let line = |name: &str, exchanges: i64, attempts: i64, input: i64, output: i64, microusd: i64| {
        format!(
            "{name:width$}  {exchanges:>10}  {attempts:>10}  {input:>14}  {output:>14}  {:>14.4}\n",
            dollars(microusd)
        )
    };
    let mut text = format!(
        "{head:width$}  {:>10}  {:>10}  {:>14}  {:>14}  {:>14}\n",
        "exchanges", "attempts", "input tokens", "output tokens", "US dollars"
    );
    for one in spent {
        text += &line(&name(one), one.exchanges, one.attempts, one.input_tokens, one.output_tokens, one.cost_microusd);
    }
    let sum = |part: fn(&Spent) -> i64| spent.iter().map(part).sum();
    text += &line(
        "all",
        sum(|one| one.exchanges),
        sum(|one| one.attempts),
        sum(|one| one.input_tokens),
        sum(|one| one.output_tokens),
        sum(|one| one.cost_microusd),
    );
    let unpriced: i64 = sum(|one| one.unpriced);
    if unpriced > 0 {
        text += &format!("{unpriced} attempt(s) at an unknown price are not in the dollars.\n");
    }
    text
}

fn budgets(accounts: &[Account]) -> String {
    let width = accounts.iter().map(|account| account.account.len()).chain([6]).max().unwrap_or(0);
    let mut text = String::new();
    if !accounts.is_empty() {
        text = format!("\n{:width$}  {:>10}  {:>14}  {:>14}\n", "budget", "since", "spent", "leased");
    }
    for account in accounts {
        text += &format!(
            "{:width$}  {:>10}  {:>14.4}  {:>14.4}\n",
            account.account,
            day(account.from),
            dollars(account.spent_microusd),
            dollars(account.leased_microusd)
        );
    }
    text
}

fn dollars(microusd: i64) -> f64 {
    microusd as f64 / 1e6
}

fn day(second: i64) -> String {
    Timestamp::from_second(second).map(|time| time.to_zoned(TimeZone::UTC).date().to_string()).unwrap_or_default()
}

/// The days that are meant, in UTC.
fn span(text: &str) -> Result<Span, String> {
    let now = Clock::unix_seconds();
    let begins = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp().as_second());
    match text {
        "all" => Ok(Span { from: 0, until: i64::MAX }),
        "day" => Ok(Period::Day.around(now)),
        "week" => Ok(Period::Week.around(now)),
        "month" => Ok(Period::Month.around(now)),
        _ => {
            let (date, period) = match text.parse::<Date>() {
                Ok(date) => (Ok(date), Period::Day),
                Err(_) => (format!("{text}-01").parse::<Date>(), Period::Month),
            };
            let first = date.and_then(begins);
            first
                .map(|first| period.around(first))
                .map_err(|_| "write day, week, month, all, 2026-11-22 or 2026-11".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_named_or_dated() {
        let check = |text: &str, from: &str, days: i64| {
            let span = span(text).unwrap();
            assert_eq!((day(span.from), (span.until - span.from) / 86_400), (from.to_owned(), days), "{text}");
        };
        check("2026-11-22", "2026-11-22", 1);
        check("2026-02", "2026-02-01", 28);
        assert!(span("yesterday").is_err_and(|error| error.contains("2026-11")));
        assert!(span("month").is_ok_and(|span| span.has(Clock::unix_seconds())));
    }

    #[test]
    fn the_table_adds_up_and_says_what_has_no_price() {
        let spent = |name: &str, cost_microusd, unpriced| Spent {
            name: name.to_owned(),
            exchanges: 2,
            attempts: 3,
            unpriced,
            input_tokens: 1_000,
            output_tokens: 200,
            cost_microusd,
        };
        let text = table(By::Team, &[spent("research", 1_250_000, 0), spent("", 500, 1)]);
        assert!(text.contains("research") && text.contains("(none)"), "{text}");
        let all = text.lines().find(|line| line.starts_with("all ")).unwrap();
        assert_eq!(all.split_whitespace().collect::<Vec<_>>(), ["all", "4", "6", "2000", "400", "1.2505"]);
        assert!(text.contains("1 attempt(s) at an unknown price"), "{text}");
    }
}
