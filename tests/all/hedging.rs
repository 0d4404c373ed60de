//! Hedging over real sockets: a deployment that is slow for once gets company, whoever has content first serves, and the
//! other is cancelled at once and charged.

use crate::support::client::Answer;
use crate::support::proxy::{Plan, Proxy};
use backstay::demo::vendor::Fault;
use backstay::dialect::Dialect;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/v1/chat/completions";
const FIRST: &str = "first/model-of-first";
const SECOND: &str = "second/model-of-second";
/// A dollar for a thousand tokens of either kind.
const PRICES: &str = "[deployment.\"first/model-of-first\"]\nprice = { input = 1000, output = 1000 }\n\
                      [deployment.\"second/model-of-second\"]\nprice = { input = 1000, output = 1000 }\n";
/// Nobody may come to the second vendor's door.
const NOT_SECOND: &str = "@id(\"not-second\")\n@reason(\"No test may reach it.\")\n\
    forbid (principal, action, resource in Vendor::\"second\");\n\
    @id(\"all\")\npermit (principal, action, resource);\n";
/// So many quick calls teach what a slow one is.
const LESSONS: usize = 20;

fn streamed() -> Value {
    json!({ "model": "smart", "stream": true, "max_tokens": 50, "messages": [{ "role": "user", "content": "Hello" }] })
}

/// A proxy that hedges, that has learnt how quick its first vendor is with such calls, and that has spent on that.
async fn learnt(plan: Plan, share_percent: u32, body: &Value) -> Proxy {
    let hedge = format!("hedge = {{ share_percent = {share_percent} }}");
    let plan = plan.patient().pool(&hedge).with(PRICES).key("budget = { usd = 5000, period = \"day\" }");
    let proxy = plan.start().await;
    let mut client = proxy.client().kept();
    for _ in 0..LESSONS {
        let answer = client.post(PATH, body).await;
        assert_eq!(answer.header("x-backstay-attempts"), "1", "nothing is hedged before anything is known");
    }
    proxy
}

async fn hedges(proxy: &Proxy, outcome: &str) -> f64 {
    proxy.metric(&format!("backstay_hedges_total{{outcome=\"{outcome}\",pool=\"smart\"}}")).await
}

/// Waits until the vendor has seen its last call cancelled.
async fn cancelled(proxy: &Proxy, vendor: usize) {
    proxy.vendors[vendor].log().wait_for(|entries| entries.calls().last().is_some_and(|call| call.cancelled())).await;
}

/// The deployments, classes and costs of the last exchange in the ledger, and what the key has spent by it.
fn charged(proxy: &Proxy) -> (Vec<(String, String, i64)>, i64, i64) {
    proxy.app.state.ledger.flush();
    let path = proxy.path("state/ledger/ledger.sqlite");
    let ledger = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let last = "SELECT deployment, class, cost_microusd FROM entry \
                WHERE request = (SELECT request FROM entry ORDER BY id DESC LIMIT 1) ORDER BY id";
    let mut last = ledger.prepare(last).unwrap();
    let last = last.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap);
    let sum = |sql| ledger.query_row(sql, [], |row| row.get(0)).unwrap();
    (last.collect(), sum("SELECT sum(spent_microusd) FROM account"), sum("SELECT sum(cost_microusd) FROM entry"))
}

/// What the access log tells of the last exchange's attempts.
async fn attempts(proxy: &Proxy, exchanges: usize) -> Vec<(String, String, bool)> {
    let lines = proxy.log.wait_for(exchanges).await;
    let attempts = lines.last().unwrap()["attempts"].as_array().unwrap();
    let told = |attempt: &Value| {
        let text = |name: &str| attempt[name].as_str().unwrap().to_owned();
        (text("deployment"), text("class"), attempt["hedge"] == true)
    };
    attempts.iter().map(told).collect()
}

fn attempt(deployment: &str, class: &str, hedge: bool) -> (String, String, bool) {
    (deployment.to_owned(), class.to_owned(), hedge)
}

fn served_by(answer: &Answer, deployment: &str) {
    assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
    assert_eq!(answer.header("x-backstay-served-by"), deployment);
}

#[tokio::test]
async fn f_070_whoever_is_slow_for_once_is_outrun_cancelled_and_charged() {
    let check = async |body: Value| {
        let proxy = learnt(Plan::two(Dialect::OpenaiChat), 20, &body).await;
        proxy.vendors[0].queue([Some(Fault::Silence)]);
        let answer = proxy.client().post(PATH, &body).await;
        served_by(&answer, SECOND);
        assert_eq!(answer.header("x-backstay-attempts"), "2");
        assert_eq!(answer.said(), proxy.vendors[1].text());
        cancelled(&proxy, 0).await;
        let expected = [attempt(FIRST, "hedge_lost", false), attempt(SECOND, "ok", true)];
        assert_eq!(attempts(&proxy, LESSONS + 1).await, expected);
        let (last, spent, sum) = charged(&proxy);
        let [(first, lost, cost), (second, ok, _)] = &last[..] else { panic!("{last:?}") };
        assert_eq!((&**first, &**lost, &**second, &**ok), (FIRST, "hedge_lost", SECOND, "ok"));
        assert!(*cost > 0, "what was asked of two is paid to two: {last:?}");
        assert_eq!(spent, sum, "and both are taken from the budget");
        assert_eq!(proxy.status().await["budgets"][0]["reserved_usd"], 0.0, "nothing stays held back");
        assert_eq!((hedges(&proxy, "won").await, hedges(&proxy, "lost").await), (1.0, 0.0));
        let moved = proxy.metric("backstay_failovers_total{class=\"hedge_lost\",pool=\"smart\"}").await;
        assert_eq!(moved, 0.0, "nobody failed");
        served_by(&proxy.client().post(PATH, &body).await, FIRST);
    };
    check(streamed()).await;
    let short = json!({ "model": "smart", "max_tokens": 16, "messages": [{ "role": "user", "content": "Hello" }] });
    check(short).await;
}

#[tokio::test]
async fn a_session_goes_on_where_its_hedge_won() {
    let proxy = learnt(Plan::two(Dialect::OpenaiChat).one_tier().pool("order = \"latency\""), 20, &streamed()).await;
    let ask = async || proxy.client().post(PATH, &streamed()).await;
    let home = ask().await.header("x-backstay-served-by").to_owned();
    let (at_home, elsewhere) = if home == FIRST { (0, SECOND) } else { (1, FIRST) };
    proxy.vendors[at_home].queue([Some(Fault::Silence)]);
    served_by(&ask().await, elsewhere);
    for _ in 0..4 {
        served_by(&ask().await, elsewhere);
    }
}

#[tokio::test]
async fn the_first_deployment_may_be_faster_after_all() {
    let plan = Plan::two(Dialect::OpenaiChat).setup(0, |mut setup| {
        setup.script.slow = Duration::from_millis(400);
        setup
    });
    let proxy = learnt(plan, 20, &streamed()).await;
    proxy.vendors[0].queue([Some(Fault::SlowFirstContent)]);
    proxy.vendors[1].queue([Some(Fault::Silence)]);
    let answer = proxy.client().post(PATH, &streamed()).await;
    served_by(&answer, FIRST);
    cancelled(&proxy, 1).await;
    let expected = [attempt(SECOND, "hedge_lost", true), attempt(FIRST, "ok", false)];
    assert_eq!(attempts(&proxy, LESSONS + 1).await, expected);
    assert_eq!(hedges(&proxy, "lost").await, 1.0);
    let (_, spent, sum) = charged(&proxy);
    assert_eq!(spent, sum);
}

#[tokio::test]
async fn a_hedge_that_is_under_way_serves_when_the_first_fails_and_is_no_loss_when_it_fails_itself() {
    let plan =
        Plan::two(Dialect::OpenaiChat).vendor(0, "timeouts = { first_content = \"1s\" }").setup(1, |mut setup| {
            setup.script.slow = Duration::from_millis(1_500);
            setup
        });
    let proxy = learnt(plan, 20, &streamed()).await;
    proxy.vendors[0].queue([Some(Fault::HeadersThenSilence)]);
    proxy.vendors[1].queue([Some(Fault::SlowFirstContent)]);
    let answer = proxy.client().post(PATH, &streamed()).await;
    let expected = [attempt(FIRST, "first_content_timeout", false), attempt(SECOND, "ok", true)];
    assert_eq!(attempts(&proxy, LESSONS + 1).await, expected);
    served_by(&answer, SECOND);

    proxy.vendors[0].change_script(|script| script.slow = Duration::from_millis(200));
    proxy.vendors[0].queue([Some(Fault::SlowFirstContent)]);
    proxy.vendors[1].queue([Some(Fault::Status503)]);
    served_by(&proxy.client().post(PATH, &streamed()).await, FIRST);
    let expected = [attempt(SECOND, "overloaded", true), attempt(FIRST, "ok", false)];
    assert_eq!(attempts(&proxy, LESSONS + 2).await, expected);
    assert_eq!((hedges(&proxy, "won").await, hedges(&proxy, "failed").await), (1.0, 1.0));
}

#[tokio::test]
async fn a_client_that_leaves_a_race_cancels_both() {
    let proxy = learnt(Plan::two(Dialect::OpenaiChat), 20, &streamed()).await;
    proxy.vendors.iter().for_each(|vendor| vendor.set_fault(Fault::Silence));
    let client = proxy.client();
    let call = tokio::spawn(async move { client.begin(PATH, &streamed()).await });
    proxy.vendors[1].log().wait_for(|entries| entries.calls().count() == 1).await;
    call.abort();
    cancelled(&proxy, 0).await;
    cancelled(&proxy, 1).await;
    let expected = [attempt(SECOND, "client_gone", true), attempt(FIRST, "client_gone", false)];
    assert_eq!(attempts(&proxy, LESSONS + 1).await, expected);
}

#[tokio::test]
async fn no_more_than_the_share_is_hedged() {
    let plan = Plan::two(Dialect::OpenaiChat).setup(0, |mut setup| {
        setup.script.slow = Duration::from_millis(200);
        setup
    });
    let proxy = learnt(plan, 5, &streamed()).await;
    proxy.vendors[0].set_fault(Fault::SlowFirstContent);
    served_by(&proxy.client().post(PATH, &streamed()).await, SECOND);
    served_by(&proxy.client().post(PATH, &streamed()).await, FIRST);
    assert_eq!((hedges(&proxy, "won").await, hedges(&proxy, "capped").await), (1.0, 1.0));
    assert_eq!(proxy.calls(), [LESSONS + 2, 1], "one in twenty");
}

#[tokio::test]
async fn what_acts_at_a_vendor_is_long_or_has_nobody_else_is_never_asked_twice() {
    let slow = |mut setup: backstay::demo::vendor::Setup| {
        setup.script.slow = Duration::from_millis(100);
        setup
    };
    let check = async |plan: Plan, change: Value| {
        let mut body = streamed();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let proxy = learnt(plan.setup(0, slow), 20, &body).await;
        proxy.vendors[0].set_fault(Fault::SlowFirstContent);
        served_by(&proxy.client().post(PATH, &body).await, FIRST);
        assert_eq!(proxy.calls().iter().sum::<usize>(), LESSONS + 1, "{change}");
        assert!(!proxy.admin("/metrics").await.contains("backstay_hedges_total{"), "{change}");
    };
    let two = || Plan::two(Dialect::OpenaiChat);
    check(two(), json!({ "store": true })).await;
    check(two(), json!({ "web_search_options": {} })).await;
    check(two(), json!({ "reasoning_effort": "high" })).await;
    check(two(), json!({ "stream": false, "max_tokens": 1_000 })).await;
    // the other one is of the pool, and policy excludes it
    check(two().policy("seats.cedar", NOT_SECOND), json!({})).await;
}

#[tokio::test]
async fn policy_is_asked_again_before_the_second_is_contacted() {
    let alone = "@id(\"first-attempts-alone\")\n@reason(\"Whoever is asked later is elsewhere.\")\n\
        forbid (principal, action, resource in Vendor::\"second\") when { context.attempt > 0 };\n\
        @id(\"all\")\npermit (principal, action, resource);\n";
    let plan = Plan::two(Dialect::OpenaiChat).policy("alone.cedar", alone).setup(0, |mut setup| {
        setup.script.slow = Duration::from_millis(200);
        setup
    });
    let proxy = learnt(plan, 20, &streamed()).await;
    proxy.vendors[0].set_fault(Fault::SlowFirstContent);
    served_by(&proxy.client().post(PATH, &streamed()).await, FIRST);
    assert_eq!(hedges(&proxy, "refused").await, 1.0);
    assert_eq!(proxy.vendors[1].log().ask(|entries| entries.connections.len()), 0);
}
