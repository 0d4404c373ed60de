//! Budgets and the ledger over real sockets: what is refused, what is written, and what a crash leaves.

use crate::process::Serving;
use crate::support::client::{Answer, Client, chat_body};
use crate::support::proxy::{Plan, Proxy};
use crate::support::serving::soon;
use backstay::demo::vendor::{Cuts, Fault, Recording, Setup};
use backstay::dialect::Dialect;
use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const PATH: &str = "/v1/chat/completions";
/// A dollar for a thousand tokens of either kind.
const PRICES: &str = "[deployment.\"first/model-of-first\"]\nprice = { input = 1000, output = 1000 }\n\
                      [deployment.\"second/model-of-second\"]\nprice = { input = 1000, output = 1000 }\n";

/// Two vendors of this dialect with prices, and a key with this budget.
fn plan(dialect: Dialect, budget: &str) -> Plan {
    Plan::two(dialect).patient().with(PRICES).key(&format!("budget = {{ {budget} }}"))
}

fn open(directory: &Path) -> Connection {
    let path = directory.join("state/ledger/ledger.sqlite");
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn rows<T>(directory: &Path, sql: &str, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    open(directory).prepare(sql).unwrap().query_map([], read).unwrap().map(Result::unwrap).collect()
}

/// One entry of the ledger.
#[derive(Debug)]
struct Entry {
    deployment: String,
    class: String,
    outcome: String,
    source: String,
    output: i64,
    cost: Option<i64>,
    reserved: i64,
}

fn entries(directory: &Path) -> Vec<Entry> {
    let sql = "SELECT deployment, class, outcome, usage_source, output, cost_microusd, reserved_microusd FROM entry ORDER BY id";
    rows(directory, sql, |row| {
        Ok(Entry {
            deployment: row.get(0)?,
            class: row.get(1)?,
            outcome: row.get(2)?,
            source: row.get(3)?,
            output: row.get(4)?,
            cost: row.get(5)?,
            reserved: row.get(6)?,
        })
    })
}

/// What is spent and what is leased of an account.
fn account(directory: &Path, account: &str) -> (i64, i64) {
    let sum = |sql: &str| rows(directory, &format!("{sql} WHERE account = '{account}'"), |row| row.get(0))[0];
    (
        sum("SELECT coalesce(sum(spent_microusd), 0) FROM account"),
        sum("SELECT coalesce(sum(max(leased_microusd, 0)), 0) FROM lease"),
    )
}

impl Proxy {
    /// The directory of its files, with everything so far in the ledger.
    fn written(&self) -> std::path::PathBuf {
        self.app.state.ledger.flush();
        self.path("")
    }

    async fn budget(&self, name: &str) -> Value {
        let status = self.status().await;
        let found = status["budgets"].as_array().unwrap().iter().find(|budget| budget["budget"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {status}")).clone()
    }
}

/// What an answer cost, by its header.
fn cost(answer: &Answer) -> u64 {
    let usd: f64 = answer.header("x-backstay-cost-usd").parse().unwrap();
    (usd * 1e6).round() as u64
}

#[tokio::test]
async fn a_spent_budget_refuses_in_the_clients_dialect_and_is_told() {
    let check = async |dialect, path: &str, body: Value, kind: &str| {
        let proxy = plan(dialect, "usd = 0.5, period = \"month\"").start().await;
        let mut served = 0;
        let refused = loop {
            let answer = proxy.client().post(path, &body).await;
            if answer.status != 200 {
                break answer;
            }
            served += cost(&answer);
            assert!(served < 1_000_000, "{dialect:?}: the budget does not end");
        };
        let error = &refused.json()["error"];
        assert_eq!(refused.status, 429, "{}", refused.text());
        assert_eq!((&error["code"], &error["type"]), (&json!("budget_exhausted"), &json!(kind)), "{error}");
        assert_eq!(refused.header("x-should-retry"), "false");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=86_400).contains(&wait), "{wait}");
        assert!(error["message"].as_str().unwrap().contains("budget of key/app is spent"), "{error}");
        let calls = proxy.calls();
        assert_eq!(proxy.client().post(path, &body).await.status, 429);
        assert_eq!(proxy.calls(), calls, "what is refused reaches nobody");
        assert_eq!(account(&proxy.written(), "key/app").0 as u64, served, "{dialect:?}");
        assert_eq!(proxy.metric("backstay_budget_limit_microusd{budget=\"key/app\"}").await, 500_000.0);
        assert_eq!(proxy.metric("backstay_budget_changes_total{budget=\"key/app\",to=\"spent\"}").await, 1.0);
        let budget = proxy.budget("key/app").await;
        assert_eq!((&budget["limit_usd"], &budget["period"]), (&json!(0.5), &json!("month")));
        assert!(budget["gone_usd"].as_f64().unwrap() >= served as f64 / 1e6, "{budget}");
    };
    let chat = json!({ "model": "smart", "max_tokens": 200, "messages": [{ "role": "user", "content": "Hello" }] });
    check(Dialect::OpenaiChat, PATH, chat.clone(), "insufficient_quota").await;
    check(Dialect::Anthropic, "/v1/messages", chat, "rate_limit_error").await;
}

#[tokio::test]
async fn keys_of_one_team_spend_from_one_budget_which_a_restart_remembers() {
    let team = "[team.research]\nbudget = { usd = 0.4, period = \"day\" }\n\
                [key.other]\nsecret = { file = \"secrets/other\" }\nteam = \"research\"\nresidency = \"any\"\ndata = []\n";
    let proxy = Plan::two(Dialect::OpenaiChat)
        .patient()
        .key("team = \"research\"")
        .with(PRICES)
        .with(team)
        .file("secrets/other", "sk-test-other-4411")
        .start()
        .await;
    let other = Client::new(proxy.address(), &proxy.authority, "sk-test-other-4411");
    let body = json!({ "model": "smart", "max_tokens": 100, "messages": [{ "role": "user", "content": "Hello" }] });
    let mut spent = 0;
    for client in [proxy.client(), other.clone()] {
        let answer = client.post(PATH, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        spent += cost(&answer) as i64;
    }
    assert_eq!(account(&proxy.written(), "team/research").0, spent);
    let proxy = proxy.restart().await;
    assert_eq!(account(&proxy.written(), "team/research"), (spent, 0), "what was leased is given back");
    let other = Client::new(proxy.address(), &proxy.authority, "sk-test-other-4411");
    let refused = loop {
        let answer = other.post(PATH, &body).await;
        if answer.status == 429 {
            break answer;
        }
        spent += cost(&answer) as i64;
        assert!(spent < 400_000);
    };
    assert_eq!(refused.json()["error"]["code"], "budget_exhausted");
    assert_eq!(proxy.client().post(PATH, &body).await.status, 429, "the other key's spending counts");
    let report = Command::new(env!("CARGO_BIN_EXE_backstay"))
        .args(["spend", "--by", "key", "--period", "day", "--json", "--config"])
        .arg(proxy.path("backstay.toml"))
        .output()
        .unwrap();
    proxy.written();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let names: Vec<_> = report["spent"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, [json!("other"), json!("app")], "{report}");
    assert_eq!(report["budgets"][0]["budget"], "team/research");
}

#[tokio::test]
async fn a_bound_budget_is_never_overshot_by_calls_at_once() {
    let proxy = plan(Dialect::OpenaiChat, "usd = 9, period = \"day\", reserve = \"bound\"").start().await;
    let body = json!({ "model": "smart", "max_tokens": 200, "messages": [{ "role": "user", "content": "Hello" }] });
    let client = proxy.client();
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let (client, body) = (client.clone(), body.clone());
            tokio::spawn(async move { client.post(PATH, &body).await })
        })
        .collect();
    let (mut served, mut held) = (0, 0);
    for call in calls {
        let answer = call.await.unwrap();
        match answer.status {
            200 => served += 1,
            429 => {
                assert_eq!(answer.json()["error"]["code"], "rate_limited", "{}", answer.text());
                held += 1;
            }
            _ => panic!("{}", answer.text()),
        }
    }
    assert!(served >= 6, "{served} of 40, each of which may cost about 1.3 dollars");
    println!("{served} served, {held} found the rest held back");
    let refused =
        client.post(PATH, &json!({ "model": "smart", "messages": [{ "role": "user", "content": "Hi" }] })).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &json!("policy_denied")));
    assert!(refused.text().contains("set a cap on the answer"), "{}", refused.text());
    let directory = proxy.written();
    assert!(account(&directory, "key/app").0 <= 9_000_000);
    for entry in entries(&directory) {
        assert!(entry.cost.unwrap() <= entry.reserved, "{entry:?}");
    }
}

#[tokio::test]
async fn an_unknown_price_is_refused_where_there_is_a_budget() {
    let proxy = Plan::two(Dialect::OpenaiChat).key("budget = { usd = 5, period = \"day\" }").start().await;
    let refused = proxy.client().chat(false).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &json!("policy_denied")));
    assert!(refused.text().contains("what this call costs is not known"), "{}", refused.text());
    assert_eq!(proxy.calls(), [0, 0]);
}

/// An answer with this usage.
fn with_usage(usage: Value) -> Arc<Recording> {
    let words = "word ".repeat(100);
    let body = json!({ "id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": words }, "finish_reason": "stop" }] });
    let headers = [
        ("content-type", "application/json"),
        ("x-ratelimit-limit-requests", "5000"),
        ("x-ratelimit-remaining-requests", "4999"),
        ("x-ratelimit-reset-tokens", "12ms"),
        ("anthropic-ratelimit-requests-remaining", "7"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Arc::new(Recording { status: 200, headers, body: Bytes::from(body.to_string()), cuts: Cuts::Whole })
}

#[tokio::test]
async fn f_068_a_usage_that_is_missing_or_nonsense_is_estimated() {
    for usage in [
        Value::Null,
        json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 }),
        json!({ "prompt_tokens": -5, "completion_tokens": -1, "total_tokens": -6 }),
        json!({ "prompt_tokens": 5, "completion_tokens": 99_999_999_999_u64, "total_tokens": 1 }),
    ] {
        let script = |mut setup: Setup| {
            setup.script.replay = Some(with_usage(usage.clone()));
            setup
        };
        let proxy = plan(Dialect::OpenaiChat, "usd = 50, period = \"day\"").setup(0, script).start().await;
        let answer = proxy.client().chat(false).await;
        assert_eq!(answer.status, 200, "{usage}: {}", answer.text());
        let entries = entries(&proxy.written());
        let [entry] = &entries[..] else { panic!("{usage}: {entries:?}") };
        assert_eq!(entry.source, "estimated", "{usage}: {entry:?}");
        let cost = entry.cost.unwrap();
        assert!((50_000..2_000_000).contains(&cost), "{usage}: a hundred words for {cost}");
        assert_eq!(account(&proxy.path(""), "key/app").0, cost);
    }
}

#[tokio::test]
async fn f_069_a_stream_that_breaks_is_charged_with_no_less_than_was_held_back() {
    let proxy = plan(Dialect::Anthropic, "usd = 50, period = \"day\"").vendor(0, "").start().await;
    proxy.vendors[0].queue([Some(Fault::CutClose)]);
    let body = json!({ "model": "smart", "stream": true, "max_tokens": 5_000, "messages": [{ "role": "user", "content": "Hi" }] });
    let answer = proxy.client().post("/v1/messages", &body).await;
    assert!(!answer.clean, "{}", answer.text());
    let entries = entries(&proxy.written());
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((&*entry.class, &*entry.outcome, &*entry.source), ("truncated", "broken", "incomplete"), "{entry:?}");
    assert!(entry.output > 1, "{entry:?}");
    assert_eq!(account(&proxy.path(""), "key/app").0, entry.cost.unwrap());
}

#[tokio::test]
async fn f_070_a_failed_attempt_that_may_be_billed_is_in_the_ledger() {
    let proxy =
        Plan::two(Dialect::OpenaiChat).with(PRICES).key("budget = { usd = 50, period = \"day\" }").start().await;
    proxy.vendors[0].set_fault(Fault::HeadersThenSilence);
    let answer = proxy.client().chat(true).await;
    assert!(answer.clean);
    proxy.vendors[0].set_fault(Fault::Refuse);
    assert!(proxy.client().chat(true).await.clean);
    let entries = entries(&proxy.written());
    let told =
        |entry: &Entry| (entry.deployment.clone(), entry.class.clone(), entry.outcome.clone(), entry.source.clone());
    let (first, second) = ("first/model-of-first", "second/model-of-second");
    let expected = [
        (first, "first_content_timeout", "", "estimated"),
        (second, "ok", "served", "vendor"),
        (first, "connect_refused", "", "nothing"),
        (second, "ok", "served", "vendor"),
    ]
    .map(|(deployment, class, outcome, source)| {
        (deployment.to_owned(), class.to_owned(), outcome.to_owned(), source.to_owned())
    });
    assert_eq!(entries.iter().map(told).collect::<Vec<_>>(), expected);
    assert!(entries[0].cost.unwrap() > 0, "what may be billed is no gift");
    assert_eq!(entries[2].cost, Some(0), "what never left costs nothing");
    let line = &proxy.log.wait_for(2).await[0];
    let sum = (entries[0].cost.unwrap() + entries[1].cost.unwrap()) as f64 / 1e6;
    assert!((line["cost_usd"].as_f64().unwrap() - sum).abs() < 1e-9, "{line}");
    assert_eq!(account(&proxy.path(""), "key/app").0, entries.iter().filter_map(|entry| entry.cost).sum::<i64>());
}

#[tokio::test]
async fn f_112_who_leaves_a_vendor_that_works_on_pays_what_was_held_back() {
    let slow = |mut setup: Setup| {
        setup.script.words = 3_000;
        setup.script.pause = Duration::from_millis(20);
        setup
    };
    let check = async |profile: &str, charged_reserve: bool| {
        let plan = plan(Dialect::OpenaiChat, "usd = 5000, period = \"day\"").setup(0, slow);
        let proxy = plan.vendor(0, profile).start().await;
        let body = json!({ "model": "smart", "stream": true, "max_tokens": 900, "messages": [{ "role": "user", "content": "Hi" }] });
        let mut stream = proxy.client().begin(PATH, &body).await;
        stream.next().await;
        stream.leave();
        proxy.log.wait_for(1).await;
        let entries = entries(&proxy.written());
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((&*entry.class, &*entry.outcome), ("client_gone", "client_gone"), "{entry:?}");
        assert!(entry.reserved > 800_000, "{entry:?}");
        assert_eq!(entry.cost == Some(entry.reserved), charged_reserve, "{profile}: {entry:?}");
        assert!(entry.cost.unwrap() > 0, "{entry:?}");
        assert_eq!(account(&proxy.path(""), "key/app").0, entry.cost.unwrap());
        assert_eq!(proxy.budget("key/app").await["reserved_usd"], 0.0, "nothing stays held back");
    };
    check("profile = \"mistral\"", true).await;
    check("", false).await;
}

#[tokio::test]
async fn f_151_while_the_ledger_cannot_be_written_leases_are_used_up_and_nothing_is_lost() {
    let proxy = plan(Dialect::OpenaiChat, "usd = 100, period = \"day\"")
        .with("[key.free]\nsecret = { file = \"secrets/free\" }\nresidency = \"any\"\ndata = []\n")
        .file("secrets/free", "sk-test-free-0815")
        .start()
        .await;
    let body = json!({ "model": "smart", "max_tokens": 100, "messages": [{ "role": "user", "content": "Hello" }] });
    let mut spent = cost(&proxy.client().post(PATH, &body).await);
    let held = Connection::open(proxy.written().join("state/ledger/ledger.sqlite")).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (mut served, mut refused) = (1_usize, None);
    while refused.is_none() {
        let answer = proxy.client().post(PATH, &body).await;
        match answer.status {
            200 => {
                spent += cost(&answer);
                served += 1;
            }
            _ => refused = Some(answer),
        }
        assert!(spent < 5_000_000, "far more than a lease of a hundredth was spent");
    }
    let refused = refused.unwrap();
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (503, &json!("ledger_unavailable")),
        "{}",
        refused.text()
    );
    assert!((1..=60).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    let free = Client::new(proxy.address(), &proxy.authority, "sk-test-free-0815");
    assert_eq!(free.post(PATH, &body).await.status, 200, "who has no budget is served");
    served += 1;
    soon("the ledger is told to be failing", async {
        while proxy.metric("backstay_ledger_writable").await != 0.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    held.execute_batch("ROLLBACK").unwrap();
    soon("calls are served again", async {
        loop {
            let answer = proxy.client().post(PATH, &body).await;
            if answer.status == 200 {
                spent += cost(&answer);
                served += 1;
                return;
            }
        }
    })
    .await;
    let directory = proxy.written();
    assert_eq!(entries(&directory).len(), served, "every call is there");
    assert_eq!(account(&directory, "key/app").0 as u64, spent);
    assert_eq!(proxy.metric("backstay_ledger_writable").await, 1.0);
}

#[tokio::test]
async fn f_152_a_disk_that_is_slow_keeps_no_call_waiting() {
    let proxy = plan(Dialect::OpenaiChat, "usd = 10000, period = \"day\"").start().await;
    let body = json!({ "model": "smart", "max_tokens": 100, "messages": [{ "role": "user", "content": "Hello" }] });
    let mut spent = cost(&proxy.client().post(PATH, &body).await);
    // whatever is written from here on waits for this, as for a sync that takes its time
    let held = Connection::open(proxy.written().join("state/ledger/ledger.sqlite")).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut client = proxy.client().kept();
    for _ in 0..50 {
        let answer = client.post(PATH, &body).await;
        assert_eq!(answer.status, 200, "what was leased before pays: {}", answer.text());
        spent += cost(&answer);
    }
    assert!(proxy.metric("backstay_ledger_lag_entries").await > 0.0);
    assert_eq!(entries(&proxy.path("")).len(), 1, "nothing is written yet");
    held.execute_batch("ROLLBACK").unwrap();
    let directory = proxy.written();
    assert_eq!(entries(&directory).len(), 51);
    assert_eq!(account(&directory, "key/app").0 as u64, spent, "all of it is written when the disk is back");
    assert_eq!(proxy.metric("backstay_ledger_lag_entries").await, 0.0);
}

/// Calls until the connection breaks; gives what the whole answers cost.
async fn spend(client: Client) -> Vec<u64> {
    let mut costs = Vec::new();
    let (mut kept, body) = (client.kept(), chat_body(false));
    while let Some(answer) = kept.try_post(PATH, &body).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
        costs.push(cost(&answer));
    }
    costs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_147_kill_9_under_load_loses_no_settled_record_and_no_more_than_what_was_leased() {
    let prepared = plan(Dialect::OpenaiChat, "usd = 20000, period = \"month\"").prepare().await;
    let directory = prepared.directory.path().to_owned();
    let mut known = 0;
    for round in 1..=3 {
        let serving = Serving::start(&prepared);
        let clients: Vec<_> = (0..8).map(|_| tokio::spawn(spend(serving.client().clone()))).collect();
        let before = prepared.vendors[0].log().calls();
        prepared.vendors[0].log().wait_for(|entries| entries.calls().count() >= before + 150).await;
        let settled = entries(&directory);
        serving.kill();
        let mut answered = Vec::new();
        for client in clients {
            answered.extend(client.await.unwrap());
        }
        assert!(answered.len() > 100, "{} answers", answered.len());
        let after = entries(&directory);
        assert!(after.len() >= settled.len(), "a record that was written is gone");
        let (spent, leased) = account(&directory, "key/app");
        assert_eq!(spent, after.iter().map(|entry| entry.cost.unwrap()).sum::<i64>(), "records and sums agree");
        known += answered.iter().sum::<u64>() as i64;
        let unwritten = known - spent;
        println!(
            "round {round}: {} answers, {} records, {spent} spent, {leased} leased, {unwritten} answered and not written",
            answered.len(),
            after.len()
        );
        assert!(spent + leased >= known, "{known} were paid, {spent} are spent and {leased} leased");
        assert!(leased <= round * 210_000_000, "a lease is a hundredth of the budget, and one is asked for ahead");
    }
    let serving = Serving::start(&prepared);
    let answer = serving.client().chat(false).await;
    assert_eq!(answer.status, 200, "it starts again: {}", answer.text());
    serving.end().await;
    let (spent, leased) = account(&directory, "key/app");
    assert!(spent + leased >= known + cost(&answer) as i64, "what the dead had leased stays counted");
}
