//! What a call costs decides where it goes and what is booked; price lists of others become a price book.

use crate::support::client::chat_body;
use crate::support::proxy::{Plan, Prepared, Proxy};
use backstay::demo::vendor::Setup;
use backstay::dialect::Dialect;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const BACKSTAY: &str = env!("CARGO_BIN_EXE_backstay");
const PATH: &str = "/v1/chat/completions";
/// `first` is cheap for short prompts and dear for long ones, `second` is in between.
const TIERS: &str = r#"
[price."first/model-of-first"]
input = 1
output = 1
tiers = [{ above = 1000, input = 10, output = 10 }]
[price."second/model-of-second"]
input = 2
output = 2
"#;

/// A call of a pool whose prompt has roughly so many tokens.
fn call(model: &str, tokens: usize) -> Value {
    json!({ "model": model, "max_tokens": 16, "messages": [{ "role": "user", "content": "word ".repeat(tokens) }] })
}

fn tiers(table: &str) -> Plan {
    let plan = Plan::two(Dialect::OpenaiChat).file("prices.toml", TIERS);
    plan.with(&format!("[pool.tried]\n{table}\n"))
}

#[tokio::test]
async fn the_cheapest_for_this_call_is_asked_first() {
    let both = "deployments = [[\"second/model-of-second\", \"first/model-of-first\"]]\norder = \"price\"";
    let proxy = tiers(both).start().await;
    for (tokens, expected) in [(10, "first/model-of-first"), (5_000, "second/model-of-second")] {
        let answer = proxy.client().post(PATH, &call("tried", tokens)).await;
        assert_eq!((answer.status, answer.header("x-backstay-served-by")), (200, expected), "{}", answer.text());
    }
}

#[tokio::test]
async fn ceilings_are_compared_with_what_this_call_is_charged() {
    let proxy = tiers("deployments = [\"first/model-of-first\"]\nmax_price = { input = 5 }").start().await;
    let short = proxy.client().post(PATH, &call("tried", 10)).await;
    assert_eq!(short.status, 200, "{}", short.text());
    let long = proxy.client().post(PATH, &call("tried", 5_000)).await;
    assert_eq!(long.status, 403, "{}", long.text());
    assert!(long.text().contains("costs more"), "{}", long.text());
    // a call's own ceiling moves it to whoever is cheaper for it
    let capped = [("x-backstay-max-price", "input=5,output=5")];
    for (tokens, expected) in [(10, "first/model-of-first"), (5_000, "second/model-of-second")] {
        let answer = proxy.client().post_with(PATH, call("smart", tokens).to_string(), &capped).await;
        assert_eq!((answer.status, answer.header("x-backstay-served-by")), (200, expected), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_call_keeps_the_price_that_it_began_with() {
    let slow = |mut setup: Setup| {
        setup.script.words = 20;
        setup.script.pause = Duration::from_millis(40);
        setup
    };
    let book = |output: &str| format!("[price.\"first/model-of-first\"]\ninput = 1\noutput = {output}\n");
    let proxy = Plan::two(Dialect::OpenaiChat).setup(0, slow).file("prices.toml", &book("50")).start().await;
    let began = proxy.client().begin(PATH, &chat_body(true)).await;
    proxy.change(|proxy| proxy.write("prices.toml", &book("500"))).await;
    assert!(began.finish().await.clean);
    assert!(proxy.client().begin(PATH, &chat_body(true)).await.finish().await.clean);
    let lines = proxy.log.wait_for(2).await;
    let costs: Vec<f64> = lines.iter().map(|line| line["cost_usd"].as_f64().unwrap()).collect();
    assert!(costs[0] > 0.0 && costs[1] > 5.0 * costs[0], "{costs:?}");
}

async fn served_by(proxy: &Proxy) -> String {
    let answer = proxy.client().chat(false).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-backstay-served-by").to_owned()
}

#[tokio::test]
async fn a_price_that_surges_rewires_the_pool_and_reloads_do_not_forget_it() {
    let book = |input: &str| {
        let price =
            |name: &str, input: &str| format!("[price.\"{name}/model-of-{name}\"]\ninput = {input}\noutput = 1\n");
        price("first", input) + &price("second", "1")
    };
    let surge = "max_price = { input = 2.0 }\nsurge = { leave = 1.2, return = 1.0, hold = \"0s\" }";
    let proxy = Plan::two(Dialect::OpenaiChat).pool(surge).file("prices.toml", &book("1")).start().await;
    for (input, expected) in [("1", "first"), ("2.4", "first"), ("2.41", "second"), ("2.1", "second"), ("2.0", "first")]
    {
        let (book, served) = (book(input), format!("{expected}/model-of-{expected}"));
        if input != "1" {
            assert!(proxy.change(|proxy| proxy.write("prices.toml", &book)).await.accepted);
        }
        assert_eq!(served_by(&proxy).await, served, "at {input}");
        if input == "2.41" {
            let change = |proxy: &Proxy| proxy.edit("backstay.toml", "[pool.smart]", "[pool.smart]\nattempts = 2");
            assert!(proxy.change(change).await.accepted);
        }
        let status = proxy.status().await;
        let first = &status["pools"][0]["deployments"][0];
        assert_eq!((first["state"] == "too_expensive"), expected == "second", "{first} at {input}");
        assert_eq!(first["price"]["input_usd"], input.trim_end_matches(".0"));
        let surged = proxy.metric("backstay_surged{deployment=\"first/model-of-first\"}").await;
        assert_eq!(surged == 1.0, expected == "second", "at {input}");
    }
    for change in ["began", "ended"] {
        let counted = proxy.metric(&format!("backstay_surges_total{{change=\"{change}\",pool=\"smart\"}}")).await;
        assert_eq!(counted, 1.0, "{change}");
    }
}

#[tokio::test]
async fn a_price_whose_day_comes_rewires_the_pool_without_a_reload() {
    const IN_2099: i64 = 4_080_000_000;
    let book = "[[price.\"first/model-of-first\"]]\ninput = 1\noutput = 1\n\
        [[price.\"first/model-of-first\"]]\ninput = 9\noutput = 1\neffective = 2099-01-01\n\
        [price.\"second/model-of-second\"]\ninput = 1\noutput = 1\n";
    let surge = "max_price = { input = 2.0 }\nsurge = { hold = \"1h\" }";
    let proxy = Plan::two(Dialect::OpenaiChat).pool(surge).file("prices.toml", book).start().await;
    assert_eq!(served_by(&proxy).await, "first/model-of-first");
    proxy.app.state.look_at_prices(IN_2099);
    assert_eq!(served_by(&proxy).await, "second/model-of-second");
    let began = "backstay_surges_total{change=\"began\",pool=\"smart\"}";
    assert_eq!(proxy.metric(began).await, 1.0);
    proxy.app.state.look_at_prices(IN_2099);
    assert_eq!(proxy.metric(began).await, 1.0, "it is told once");
}

fn run(arguments: &[&str]) -> Output {
    Command::new(BACKSTAY).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn check(prepared: &Prepared) -> (bool, String) {
    let config = prepared.directory.path().join("backstay.toml");
    let output = run(&["check", "--config", config.to_str().unwrap()]);
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test]
async fn an_import_makes_a_book_that_serves_and_says_what_it_left_out() {
    let prepared = Plan::two(Dialect::OpenaiChat).prepare().await;
    let (_, checked) = check(&prepared);
    assert!(checked.contains("shipped prices of 20"), "{checked}");
    let out = prepared.directory.path().join("prices.toml");
    let arguments =
        ["prices", "import", "tests/prices/litellm.json", "--as-of", "2026-10-27", "--out", out.to_str().unwrap()];
    let output = run(&arguments);
    let told = text(&output.stderr);
    assert!(output.status.success() && output.stdout.is_empty(), "{told}");
    assert!(told.contains("left out: LiteLLM: no vendor whose models Backstay knows\n  1 times: tencent/"), "{told}");
    let (fine, checked) = check(&prepared);
    assert!(fine && checked.contains("prices of 2026-10-27, else shipped"), "{checked}");
    assert!(!checked.contains("prices.toml"), "{checked}");
    // the same book again, over the one that an import made
    let first = fs::read_to_string(&out).unwrap();
    assert!(run(&arguments).status.success());
    assert_eq!(fs::read_to_string(&out).unwrap(), first);
    assert!(first.contains("from litellm.json, prices of 2026-10-27"), "{first}");
}

#[test]
fn an_import_refuses_what_is_no_list_and_spares_what_was_written_by_hand() {
    let output = run(&["prices", "import", "tests/recordings/README.md"]);
    assert!(!output.status.success() && text(&output.stderr).contains("no JSON object"), "{}", text(&output.stderr));
    let output = run(&["prices", "import", "tests/sdk/package.json"]);
    assert!(!output.status.success() && text(&output.stderr).contains("no list of prices"), "{}", text(&output.stderr));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("prices.toml");
    fs::write(&out, "[price.\"a/b\"]\ninput = 1\noutput = 2\n").unwrap();
    let output = run(&["prices", "import", "tests/prices/models-dev.json", "--out", out.to_str().unwrap()]);
    assert!(!output.status.success() && text(&output.stderr).contains("was not made by an import"));
    assert!(fs::read_to_string(&out).unwrap().starts_with("[price"));
}

/// The real lists, where they lie beside the project or where `BACKSTAY_PRICES` says.
fn real_lists() -> Vec<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/prices");
    let folder = std::env::var_os("BACKSTAY_PRICES").map_or(beside, PathBuf::from);
    let lists = ["litellm-model-prices.json", "models-dev-api.json"].map(|name| folder.join(name));
    lists.into_iter().filter(|list| list.is_file()).collect()
}

#[tokio::test]
async fn the_real_lists_become_books_without_a_word_against_them() {
    for list in real_lists() {
        let prepared = Plan::two(Dialect::OpenaiChat).prepare().await;
        let out = prepared.directory.path().join("prices.toml");
        let output = run(&["prices", "import", list.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let (fine, checked) = check(&prepared);
        assert!(fine && !checked.contains("prices.toml"), "{}: {checked}", list.display());
        let book = fs::read_to_string(&out).unwrap();
        assert!(book.lines().filter(|line| line.contains(" = { input = ")).count() > 1_000, "{}", list.display());
    }
}
