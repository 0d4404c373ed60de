//! The ledger's file: SQLite with a write-ahead log.
//!
//! A commit is a write to the operating system: a killed process loses nothing of it. Commits that lease are also waited
//! for until they are on the disk, so that a power cut may lose entries, and never the fact that their money was out.

use crate::state::ledger::queue::Batch;
use crate::state::ledger::{Charge, Entry, Lease};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, TransactionBehavior, params};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The layout of the tables below.
const VERSION: i64 = 1;
/// How long another program may hold the file.
const BUSY: Duration = Duration::from_millis(500);
/// Entries that are removed at once, so that no batch waits for long.
const PRUNE_AT_ONCE: i64 = 20_000;
const DAY_S: i64 = 86_400;

/// `entry` has every attempt of the last weeks, `total` what they come to by day; `account` what each budget has spent in
/// each period, and `lease` what is out to a process and not settled. Amounts are micro-dollars, times are seconds since
/// 1970.
const TABLES: &str = "
CREATE TABLE entry (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, request TEXT NOT NULL, attempt INTEGER NOT NULL,
  exchanges INTEGER NOT NULL, attempts INTEGER NOT NULL,
  key TEXT NOT NULL, team TEXT NOT NULL, pool TEXT NOT NULL, deployment TEXT NOT NULL,
  input INTEGER NOT NULL, cached INTEGER NOT NULL, cache_written INTEGER NOT NULL, output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL, usage_source TEXT NOT NULL,
  cost_microusd INTEGER, reserved_microusd INTEGER NOT NULL, class TEXT NOT NULL, outcome TEXT NOT NULL);
CREATE TABLE total (
  day INTEGER NOT NULL, key TEXT NOT NULL, team TEXT NOT NULL, pool TEXT NOT NULL, deployment TEXT NOT NULL,
  exchanges INTEGER NOT NULL, attempts INTEGER NOT NULL, unpriced INTEGER NOT NULL,
  input INTEGER NOT NULL, cached INTEGER NOT NULL, cache_written INTEGER NOT NULL, output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL, cost_microusd INTEGER NOT NULL,
  PRIMARY KEY (day, key, team, pool, deployment)) WITHOUT ROWID;
CREATE TABLE account (
  account TEXT NOT NULL, period INTEGER NOT NULL, until INTEGER NOT NULL, spent_microusd INTEGER NOT NULL,
  PRIMARY KEY (account, period)) WITHOUT ROWID;
CREATE TABLE lease (
  account TEXT NOT NULL, period INTEGER NOT NULL, until INTEGER NOT NULL, process TEXT NOT NULL,
  leased_microusd INTEGER NOT NULL,
  PRIMARY KEY (account, period, process)) WITHOUT ROWID;
CREATE TABLE process (process TEXT PRIMARY KEY, batch INTEGER NOT NULL) WITHOUT ROWID;
";

pub(super) struct Store {
    connection: Connection,
    process: String,
    waits_for_disk: bool,
}

/// Why nothing can be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritable {
    /// What SQLite says.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The tables are of another layout.
    #[error("it was written by another release (layout {0}); use that one, or move the file away to begin anew")]
    Layout(i64),
}

/// What was leased, and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) amount: u64,
    pub(super) left: u64,
}

impl Store {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path, process: &str) -> Result<Self, Unwritable> {
        if let Some(folder) = path.parent() {
            // where this fails, opening says so with the path
            let _ = fs::create_dir_all(folder);
        }
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match transaction.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? {
            0 => {
                transaction.execute_batch(TABLES)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            VERSION => {}
            other => {
                return Err(Unwritable::Layout(other));
            }
        }
        transaction.commit()?;
        Ok(Self { connection, process: process.to_owned(), waits_for_disk: false })
    }

    /// Takes a batch in, once, and leases what there is. Grants are in the order of the batch's leases.
    pub(super) fn write(&mut self, number: i64, batch: &Batch, now: i64) -> Result<Vec<Grant>> {
        self.wait_for_disk(batch.leases.iter().any(|lease| lease.amount > 0))?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = "SELECT batch FROM process WHERE process = ?1";
        let mut known = transaction.prepare_cached(known)?;
        let last: Option<i64> = known.query_row([&self.process], |row| row.get(0)).optional()?;
        // a commit may have come through although it was reported as failed
        if last.is_none_or(|last| last < number) {
            enter(&transaction, &batch.entries, now)?;
            settle(&transaction, &self.process, batch.entries.iter().flat_map(|entry| &entry.charges))?;
        }
        let grants = batch.leases.iter().map(|asked| lease(&transaction, &self.process, asked));
        let grants = grants.collect::<Result<Vec<_>>>()?;
        let noted = "INSERT INTO process VALUES (?1, ?2) ON CONFLICT DO UPDATE SET batch = excluded.batch";
        transaction.prepare_cached(noted)?.execute(params![self.process, number])?;
        drop(known);
        transaction.commit()?;
        Ok(grants)
    }

    /// Whether commits from here on are on the disk when they return.
    fn wait_for_disk(&mut self, waits: bool) -> Result<()> {
        if self.waits_for_disk != waits {
            self.connection.pragma_update(None, "synchronous", if waits { "FULL" } else { "NORMAL" })?;
            self.waits_for_disk = waits;
        }
        Ok(())
    }

    /// Removes entries from before `second`, and periods that have long been over.
    pub(super) fn prune(&mut self, second: i64) -> Result<()> {
        let oldest = "DELETE FROM entry WHERE at < ?1 AND id IN (SELECT id FROM entry ORDER BY id LIMIT ?2)";
        self.connection.execute(oldest, params![second, PRUNE_AT_ONCE])?;
        self.connection.execute("DELETE FROM lease WHERE until < ?1", [second])?;
        Ok(())
    }

    /// The process ends in good order: nothing is out to it any more.
    pub(super) fn end(&mut self) -> Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM lease WHERE process = ?1", [&self.process])?;
        transaction.execute("DELETE FROM process WHERE process = ?1", [&self.process])?;
        transaction.commit()
    }

    /// Lets the file grow to so many pages more: a disk that fills up.
    #[cfg(test)]
    pub(super) fn full_after(&self, pages: i64) -> Result<()> {
        let count: i64 = self.connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        self.connection.query_row(&format!("PRAGMA max_page_count = {}", count + pages), [], |_| Ok(()))
    }
}

/// Keeps each entry, and adds to the totals what all of them come to.
fn enter(transaction: &Transaction<'_>, entries: &[Entry], now: i64) -> Result<()> {
    let mut single = transaction.prepare_cached(
        "INSERT INTO entry (at, request, attempt, exchanges, attempts, key, team, pool, deployment, input, cached,
           cache_written, output, reasoning, usage_source, cost_microusd, reserved_microusd, class, outcome)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?;
    let mut totals: HashMap<Whose<'_>, Total> = HashMap::new();
    for entry in entries {
        let tokens = tokens(entry);
        let [input, cached, written, output, reasoning] = tokens;
        let cost = entry.cost.map(|cost| signed(cost.0));
        let (exchanges, attempts) = (signed(entry.exchanges), signed(entry.attempts));
        single.execute(params![
            entry.at,
            entry.request,
            entry.attempt,
            exchanges,
            attempts,
            entry.key,
            entry.team,
            entry.pool,
            entry.deployment,
            input,
            cached,
            written,
            output,
            reasoning,
            entry.counted.label(),
            cost,
            signed(entry.reserved.0),
            entry.class,
            entry.outcome,
        ])?;
        // an entry that waited for long belongs to the day on which it ended
        let day = entry.at.min(now).div_euclid(DAY_S) * DAY_S;
        let total = totals.entry((day, &entry.key, &entry.team, &entry.pool, &entry.deployment)).or_default();
        total.add([exchanges, attempts, if cost.is_none() { attempts } else { 0 }], tokens, cost.unwrap_or(0));
    }
    add_up(transaction, &totals)
}

/// Day, key, team, pool and deployment.
type Whose<'a> = (i64, &'a str, &'a str, &'a str, &'a str);

/// What some entries come to.
#[derive(Default)]
struct Total {
    /// Exchanges, attempts, and those of them at an unknown price.
    counts: [i64; 3],
    tokens: [i64; 5],
    cost: i64,
}

impl Total {
    fn add(&mut self, counts: [i64; 3], tokens: [i64; 5], cost: i64) {
        let add = |sum: &mut i64, more: i64| *sum = sum.saturating_add(more);
        self.counts.iter_mut().zip(counts).for_each(|(sum, more)| add(sum, more));
        self.tokens.iter_mut().zip(tokens).for_each(|(sum, more)| add(sum, more));
        add(&mut self.cost, cost);
    }
}

fn add_up(transaction: &Transaction<'_>, totals: &HashMap<Whose<'_>, Total>) -> Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO total VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT DO UPDATE SET exchanges = exchanges + excluded.exchanges, attempts = attempts + excluded.attempts,
           unpriced = unpriced + excluded.unpriced, input = input + excluded.input, cached = cached + excluded.cached,
           cache_written = cache_written + excluded.cache_written, output = output + excluded.output,
           reasoning = reasoning + excluded.reasoning, cost_microusd = cost_microusd + excluded.cost_microusd",
    )?;
    for ((day, key, team, pool, deployment), Total { counts, tokens, cost }) in totals {
        let [exchanges, attempts, unpriced] = counts;
        let [input, cached, written, output, reasoning] = tokens;
        statement.execute(params![
            day, key, team, pool, deployment, exchanges, attempts, unpriced, input, cached, written, output, reasoning,
            cost
        ])?;
    }
    Ok(())
}

fn tokens(entry: &Entry) -> [i64; 5] {
    let tokens = &entry.tokens;
    [tokens.input, tokens.cached, tokens.cache_written, tokens.output, tokens.reasoning].map(signed)
}

/// What was out is spent now, account by account.
fn settle<'a>(transaction: &Transaction<'_>, process: &str, charges: impl Iterator<Item = &'a Charge>) -> Result<()> {
    let mut accounts: HashMap<_, i64> = HashMap::new();
    for Charge { account, span, cost } in charges {
        let spent = accounts.entry((account, span.from, span.until)).or_default();
        *spent = spent.saturating_add(signed(cost.0));
    }
    let mut spend = transaction.prepare_cached(
        "INSERT INTO account VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET spent_microusd = spent_microusd + excluded.spent_microusd",
    )?;
    for ((account, from, until), cost) in accounts {
        spend.execute(params![account, from, until, cost])?;
        change_lease(transaction, process, account, (from, until), -cost)?;
    }
    Ok(())
}

/// Leases what there is, up to what is asked for.
fn lease(transaction: &Transaction<'_>, process: &str, asked: &Lease) -> Result<Grant> {
    let Lease { account, span, amount, most, .. } = asked;
    let (spent, out): (i64, i64) = transaction.query_row(
        "SELECT (SELECT coalesce(sum(spent_microusd), 0) FROM account WHERE account = ?1 AND period = ?2),
                (SELECT coalesce(sum(max(leased_microusd, 0)), 0) FROM lease WHERE account = ?1 AND period = ?2)",
        params![account, span.from],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let own = "SELECT leased_microusd FROM lease WHERE account = ?1 AND period = ?2 AND process = ?3";
    let own: Option<i64> =
        transaction.query_row(own, params![account, span.from, process], |row| row.get(0)).optional()?;
    // what calls have cost beyond their lease is spent already: a lease makes up for it first
    let (owed, most) = (own.unwrap_or(0).min(0).saturating_neg(), signed(*most));
    let left = most.saturating_sub(spent).saturating_sub(out).max(0);
    let granted = signed(*amount).min(left.saturating_add(owed));
    if left == 0 || granted <= 0 {
        return Ok(Grant { amount: 0, left: left.unsigned_abs() });
    }
    change_lease(transaction, process, account, (span.from, span.until), granted)?;
    let left = left - (granted - owed).clamp(0, left);
    Ok(Grant { amount: granted.unsigned_abs(), left: left.unsigned_abs() })
}

fn change_lease(
    transaction: &Transaction<'_>,
    process: &str,
    account: &str,
    (from, until): (i64, i64),
    change: i64,
) -> Result<()> {
    let sql = "INSERT INTO lease VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET leased_microusd = leased_microusd + excluded.leased_microusd";
    transaction.prepare_cached(sql)?.execute(params![account, from, until, process, change]).map(drop)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
