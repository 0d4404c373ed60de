//! The ledger over its real file: what a crash, a full disk and another process do to it.

use super::queue::{Batch, CAPACITY, Queue};
use super::report::{By, Report};
use super::store::Store;
use super::*;
use crate::base::event::{Counted, NoSink};
use crate::base::money::Microusd;
use crate::base::tokens::Tokens;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tempfile::TempDir;

const SPAN: Span = Span { from: 1_794_960_000, until: 1_795_046_400 };
const NOW: i64 = 1_795_000_000;

struct Told(Sender<(u64, u64)>);

impl Borrower for Told {
    fn granted(&self, span: Span, amount: u64, left: u64) {
        assert_eq!(span, SPAN);
        self.0.send((amount, left)).unwrap();
    }
}

fn lease(amount: u64, most: u64) -> (Lease, Receiver<(u64, u64)>) {
    let (told, hears) = channel();
    (Lease { account: "key/app".into(), span: SPAN, amount, most, borrower: Arc::new(Told(told)) }, hears)
}

fn entry(cost: u64) -> Entry {
    Entry {
        at: NOW,
        request: "req_1".into(),
        attempt: 1,
        exchanges: 1,
        attempts: 1,
        key: "app".into(),
        team: "research".into(),
        pool: "smart".into(),
        deployment: "openai/gpt".into(),
        tokens: Tokens { input: 10, output: 5, ..Tokens::default() },
        counted: Counted::Vendor,
        cost: Some(Microusd(cost)),
        reserved: Microusd(2 * cost),
        class: "ok",
        outcome: "served",
        charges: vec![Charge { account: "key/app".into(), span: SPAN, cost: Microusd(cost) }],
    }
}

fn batch(entries: Vec<Entry>, leases: Vec<Lease>) -> Batch {
    Batch { entries, leases }
}

/// What is spent, and what is leased, of the account of these tests.
fn stands(directory: &TempDir) -> (i64, i64) {
    let accounts = Report::open(directory.path()).unwrap().accounts(NOW).unwrap();
    accounts.first().map_or((0, 0), |account| (account.spent_microusd, account.leased_microusd))
}

fn open(directory: &TempDir, process: &str) -> Store {
    Store::open(&directory.path().join(FOLDER).join(FILE), process).unwrap()
}

/// Leases so much of 1,000, and gives what was granted and what is left.
fn leased(store: &mut Store, number: i64, amount: u64) -> (u64, u64) {
    let grants = store.write(number, &batch(Vec::new(), vec![lease(amount, 1_000).0]), NOW).unwrap();
    (grants[0].amount, grants[0].left)
}

#[test]
fn f_147_what_was_leased_and_not_settled_counts_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let mut crashed = open(&directory, "a");
    assert_eq!(leased(&mut crashed, 1, 300), (300, 700));
    crashed.write(2, &batch(vec![entry(120)], Vec::new()), NOW).unwrap();
    drop(crashed);
    assert_eq!(stands(&directory), (120, 180));
    let mut next = open(&directory, "b");
    assert_eq!(leased(&mut next, 1, 2_000), (700, 0), "all but what was spent and what was out");
    next.end().unwrap();
    assert_eq!(stands(&directory), (120, 180), "a process that ends in good order gives its own lease back");
}

#[test]
fn what_calls_cost_beyond_their_lease_is_made_up_for_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(&directory, "a");
    assert_eq!(leased(&mut store, 1, 100), (100, 900));
    store.write(2, &batch(vec![entry(250)], Vec::new()), NOW).unwrap();
    assert_eq!(leased(&mut store, 3, 0), (0, 750));
    assert_eq!(leased(&mut store, 4, 150 + 50), (200, 700), "150 are owed, 50 are out");
    assert_eq!(stands(&directory), (250, 50));
    assert_eq!(leased(&mut store, 5, 9_000), (700, 0));
    assert_eq!(leased(&mut store, 6, 1), (0, 0));
}

#[test]
fn a_batch_is_entered_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(&directory, "a");
    for _ in 0..2 {
        store.write(7, &batch(vec![entry(10), entry(20)], Vec::new()), NOW).unwrap();
    }
    assert_eq!(stands(&directory).0, 30);
    let spent = Report::open(directory.path()).unwrap().spent(By::Team, (SPAN.from, SPAN.until)).unwrap();
    assert_eq!((spent.len(), &*spent[0].name, spent[0].exchanges, spent[0].cost_microusd), (1, "research", 2, 30));
}

#[test]
fn entries_are_written_soon_and_borrowers_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::start(directory.path(), 1, Arc::new(NoSink)).unwrap();
    let (asked, hears) = lease(400, 1_000);
    ledger.lease(asked);
    assert_eq!(hears.recv_timeout(Duration::from_secs(30)).unwrap(), (400, 600));
    ledger.record(vec![entry(50)]);
    ledger.flush();
    assert_eq!(stands(&directory), (50, 350));
    ledger.close();
    assert_eq!(stands(&directory), (50, 0));
}

#[test]
fn f_151_a_full_disk_loses_nothing_and_leases_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(&directory, "a");
    store.full_after(2).unwrap();
    let many = |count| (0..count).map(|_| entry(1)).collect();
    let full = store.write(1, &batch(many(5_000), vec![lease(10, 100).0]), NOW);
    assert!(full.is_err(), "{full:?}");
    assert_eq!(stands(&directory), (0, 0), "a batch is written whole or not at all");
    store.full_after(10_000).unwrap();
    store.write(1, &batch(many(5_000), Vec::new()), NOW).unwrap();
    assert_eq!(stands(&directory).0, 5_000);
}

#[test]
fn f_151_what_finds_no_room_is_summed_up_and_no_money_is_lost() {
    let queue = Queue::default();
    queue.record((0..CAPACITY).map(|_| entry(1)).collect());
    assert!(!queue.takes(), "no lease is given while entries lose their detail");
    queue.record((0..500).map(|_| entry(3)).collect());
    assert_eq!(queue.waiting(), CAPACITY + 1);
    let mut taken = Batch::default();
    queue.take(&mut taken, Duration::ZERO);
    assert!(queue.takes());
    let directory = tempfile::tempdir().unwrap();
    open(&directory, "a").write(1, &taken, NOW).unwrap();
    assert_eq!(stands(&directory).0, CAPACITY as i64 + 1_500);
    let spent = Report::open(directory.path()).unwrap().spent(By::Key, (SPAN.from, SPAN.until)).unwrap();
    assert_eq!((spent[0].exchanges, spent[0].cost_microusd), (CAPACITY as i64 + 500, CAPACITY as i64 + 1_500));
}

#[test]
fn what_is_no_ledger_is_told_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FOLDER).join(FILE);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "this is no database, and long enough to be read as one".repeat(20)).unwrap();
    assert!(Store::open(&path, "a").is_err_and(|error| error.to_string().contains("not a database")));
    let ledger = Ledger::start(directory.path(), 1, Arc::new(NoSink)).unwrap();
    ledger.record(vec![entry(1)]);
    ledger.close();
    assert!(!ledger.can_lease());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is no database"));
}
