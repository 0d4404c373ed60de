//! Reads a ledger for people, beside whatever writes it.

use crate::state::ledger::{FILE, FOLDER};
use rusqlite::{Connection, OpenFlags, Result, Row, params};
use std::path::Path;
use std::time::Duration;

/// What sums are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The team of the key.
    Team,
    /// The key.
    Key,
    /// The deployment that did the work.
    Deployment,
    /// The public model.
    Pool,
}

impl By {
    const fn column(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Key => "key",
            Self::Deployment => "deployment",
            Self::Pool => "pool",
        }
    }
}

/// What was spent under one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// The name; empty for keys without a team.
    pub name: String,
    /// Exchanges that ended there.
    pub exchanges: i64,
    /// Attempts, those that failed included.
    pub attempts: i64,
    /// Attempts at a price that was unknown.
    pub unpriced: i64,
    /// Prompt tokens, those read from and written to caches included.
    pub input_tokens: i64,
    /// Answer tokens.
    pub output_tokens: i64,
    /// Millionths of a US dollar.
    pub cost_microusd: i64,
}

/// How a budget stands in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// `key/NAME` or `team/NAME`.
    pub account: String,
    /// The first second of its period, since 1970.
    pub from: i64,
    /// The first second after it.
    pub until: i64,
    /// What was settled, in millionths of a US dollar.
    pub spent_microusd: i64,
    /// What is leased and not settled: to the running process, or to one that ended without settling.
    pub leased_microusd: i64,
}

/// A ledger that is read.
pub struct Report(Connection);

impl Report {
    /// Opens the ledger of a state directory.
    ///
    /// # Errors
    /// It is not there, or not to be read.
    pub fn open(state_directory: &Path) -> std::result::Result<Self, String> {
        let path = state_directory.join(FOLDER).join(FILE);
        let told = |error: rusqlite::Error| format!("{}: {error}", path.display());
        if !path.exists() {
            return Err(format!("{} is not there: nothing was spent yet, or the state is elsewhere", path.display()));
        }
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(told)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(told)?;
        connection.query_row("SELECT count(*) FROM account", [], |_| Ok(())).map_err(told)?;
        Ok(Self(connection))
    }

    /// What was spent from `from` until before `until`, in seconds since 1970 at midnight UTC, the most first.
    ///
    /// # Errors
    /// The file's.
    pub fn spent(&self, by: By, (from, until): (i64, i64)) -> Result<Vec<Spent>> {
        let column = by.column();
        let sql = format!(
            "SELECT {column}, sum(exchanges), sum(attempts), sum(unpriced), sum(input + cached + cache_written), \
             sum(output), sum(cost_microusd) FROM total WHERE day >= ?1 AND day < ?2 GROUP BY {column} \
             ORDER BY sum(cost_microusd) DESC, {column}"
        );
        let mut rows = self.0.prepare(&sql)?;
        let spent = |row: &Row<'_>| {
            Ok(Spent {
                name: row.get(0)?,
                exchanges: row.get(1)?,
                attempts: row.get(2)?,
                unpriced: row.get(3)?,
                input_tokens: row.get(4)?,
                output_tokens: row.get(5)?,
                cost_microusd: row.get(6)?,
            })
        };
        rows.query_map(params![from, until], spent)?.collect()
    }

    /// How the budgets stand whose period `second` lies in.
    ///
    /// # Errors
    /// The file's.
    pub fn accounts(&self, second: i64) -> Result<Vec<Account>> {
        let mut rows = self.0.prepare(
            "SELECT account, period, max(until), sum(spent), sum(leased) FROM (
               SELECT account, period, until, spent_microusd AS spent, 0 AS leased FROM account
               UNION ALL SELECT account, period, until, 0, max(leased_microusd, 0) FROM lease)
             WHERE period <= ?1 AND until > ?1 GROUP BY account, period ORDER BY account",
        )?;
        let account = |row: &Row<'_>| {
            Ok(Account {
                account: row.get(0)?,
                from: row.get(1)?,
                until: row.get(2)?,
                spent_microusd: row.get(3)?,
                leased_microusd: row.get(4)?,
            })
        };
        rows.query_map([second], account)?.collect()
    }
}
