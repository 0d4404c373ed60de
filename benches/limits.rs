//! What limits and a budget cost a call: taking its place, holding money back, settling, and handing its entry to the ledger.

use backstay::base::clock::Moment;
use backstay::base::event::{Counted, NoSink};
use backstay::base::money::Microusd;
use backstay::base::tokens::Tokens;
use backstay::snapshot::budget::{Budget, Period, Reserve};
use backstay::snapshot::key::Limit;
use backstay::state::budget::Need;
use backstay::state::clock::Clock;
use backstay::state::ledger::{Charge, Entry, Ledger};
use backstay::state::limits::{Limiter, Limits};
use backstay::state::purse::{Hold, Purse, Purses};
use criterion::{Criterion, criterion_group, criterion_main};
use std::future::Future;
use std::hint::black_box;
use std::num::{NonZeroU32, NonZeroU64};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const NEED: Need = Need { amount: 900, most: Some(4_000) };

/// A limit that a benchmark does not reach.
fn limiter() -> Arc<Limiter> {
    let limit = Limit {
        requests_per_minute: NonZeroU32::new(u32::MAX),
        tokens_per_minute: NonZeroU64::new(u64::MAX >> 8),
        concurrency: Some(64),
    };
    Limits::default().of(&"key/app".into(), limit).expect("a limit")
}

/// A budget that a benchmark does not spend, with its first lease.
fn purse(ledger: &Arc<Ledger>) -> Arc<Purse> {
    let budget = Budget { most: Microusd(1 << 60), period: Period::Month, reserve: Reserve::Expected };
    let purse = Purses::new(Arc::clone(ledger), Clock::start(), Arc::new(NoSink)).of(&"key/app".into(), budget);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(purse.hold(NEED)).expect("a lease");
    purse
}

/// Holds without waiting, as a call does once a lease is there.
fn hold(purse: &Arc<Purse>) -> Hold {
    match pin!(purse.hold(NEED)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(hold)) => hold,
        Poll::Ready(Err(_)) | Poll::Pending => panic!("there is a lease"),
    }
}

fn entry(charges: Vec<Charge>) -> Entry {
    let name = || Arc::from("name");
    Entry {
        at: 1_795_000_000,
        request: name(),
        attempt: 1,
        exchanges: 1,
        attempts: 1,
        key: name(),
        team: name(),
        pool: name(),
        deployment: name(),
        tokens: Tokens { input: 800, output: 200, ..Tokens::default() },
        counted: Counted::Vendor,
        cost: Some(Microusd(700)),
        reserved: Microusd(900),
        class: "ok",
        outcome: "served",
        charges,
    }
}

fn measure(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = Ledger::start(directory.path(), 1, Arc::new(NoSink)).expect("a thread");
    let (limiter, purse) = (limiter(), purse(&ledger));
    let now = Moment::START + Duration::from_secs(1);
    criterion.bench_function("limits: admit and settle", |bencher| {
        bencher.iter(|| {
            let place = limiter.take(black_box(now)).expect("a place");
            limiter.used(black_box(1_000), now);
            drop(place);
        });
    });
    criterion.bench_function("budget: hold and settle", |bencher| {
        bencher.iter(|| black_box(hold(&purse).settle(Microusd(700))));
    });
    criterion.bench_function("limits and budget: admit and settle", |bencher| {
        bencher.iter(|| {
            let place = limiter.take(black_box(now)).expect("a place");
            let charge = hold(&purse).settle(Microusd(700));
            limiter.used(black_box(1_000), now);
            drop(place);
            black_box(charge)
        });
    });
    criterion.bench_function("ledger: hand an entry over", |bencher| {
        bencher.iter(|| ledger.record(vec![entry(Vec::new())]));
    });
}

criterion_group!(benches, measure);
criterion_main!(benches);
