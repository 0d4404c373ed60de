//! Prices: what a book says, which one holds, and what makes no sense in it.

use super::{NOW, SMALL, ask, check_config, check_files, compile_files};
use crate::base::money::TokenPrice;
use crate::policy::Ask;

#[test]
fn what_makes_no_sense_in_a_price_book_is_told_with_its_line() {
    let check = |book: &str, expected: &str| {
        let book = format!("[price.\"openai/x\"]\n{book}\n");
        let files = [("backstay.toml", SMALL), ("prices.toml", &book), ("policies/base.cedar", crate::policy::BASE)];
        check_files(&files, &[expected]);
    };
    check("input = 1", "prices.toml:1: missing field `output`");
    check("input = 0.000005\noutput = 30", "prices.toml:2: too low for a million ~ multiply the price of one token");
    check("input = 0\noutput = 30", "prices.toml:2: `input` is 0 although `output` is not");
    check("input = \"5 USD\"\noutput = 30", "prices.toml:2: expected a number");
    check("input = nan\noutput = 30", "prices.toml:2: expected a number");
    check("input = 5\noutput = 30\ncached = 50", "prices.toml:4: `cached` is far above `input` ~ mixed up");
    check("input = 5\noutput = 30\nbatch = 50", "prices.toml:4: a factor of 50 is absurd ~ half the price");
    check("input = 5\noutput = 30\nuplift = { eu = -1.1 }", "prices.toml:4: a factor of -1.1 is absurd");
    check("input = 5\noutput = 30\nuplift = 1.1", "prices.toml:4: expected a table of factors");
    let tier = |tier: &str| format!("input = 5\noutput = 30\ntiers = [{{ input = 9, output = 9, {tier} }}]");
    check(&tier("cached = 1"), "prices.toml:4: no condition ~ above = 200_000");
    check(&tier("hours = [\"6-10\"]"), "prices.toml:4: \"6-10\" is no time ~ \"06:00-10:00\"");
    check(&tier("days = [\"moon\"]"), "prices.toml:4: \"moon\" is no time ~ \"mon\"");
    check(&tier("above = -5"), "prices.toml:4: expected");
    check("input = 5\noutput = 30\neffective = 2099-01-01", "prices.toml:4: does not hold yet");
    check("input = 5\noutput = 30\nefective = 2026-01-01", "prices.toml:4: unknown field `efective` ~ effective");
    let twice = "input = 5\noutput = 30\n[[price.\"openai/y\"]]\ninput = 1\noutput = 1\n[[price.\"openai/y\"]]\ninput = 2\noutput = 2";
    check(twice, "prices.toml:7: hold from the same day");
}

#[test]
fn the_newest_price_that_has_come_holds_and_tiers_and_uplifts_count() {
    let book = "[[price.\"openai/gpt-5.5\"]]\ninput = 9\noutput = 9\neffective = 2099-01-01\n\
        [[price.\"openai/gpt-5.5\"]]\ninput = 1\noutput = 10\n\
        [[price.\"openai/gpt-5.5\"]]\ninput = 2\noutput = 20\ncached = 0.2\nwritten_1h = 4\nreasoning = 30\n\
        uplift = { eu = 1.1 }\neffective = 2026-01-01\ntiers = [{ above = 1000, input = 4, output = 40 }]\n";
    let compiled = |config: &str| {
        let (snapshot, _) = compile_files(&[("backstay.toml", config), ("prices.toml", book)]).expect("a snapshot");
        snapshot.deployments[0].rates.clone()
    };
    let micros = |price: f64| TokenPrice((price * 1e6).round() as u64);
    let rates = compiled(SMALL);
    let base = rates.base(NOW).expect("a price");
    assert_eq!((base.input, base.cached, base.written), (micros(2.0), micros(0.2), micros(2.0)));
    assert_eq!((base.written_1h, base.output, base.reasoning), (micros(4.0), micros(20.0), micros(30.0)));
    assert_eq!(rates.tariff(1_001, NOW).map(|tariff| tariff.input), Some(micros(4.0)));
    assert_eq!(rates.base(0).map(|tariff| tariff.input), Some(micros(1.0)), "before the date");
    assert_eq!(rates.next_change(NOW), Some(4_070_908_800), "2099-01-01");
    let european = SMALL.replace("api.openai.com", "eu.api.openai.com").replace("region = \"us\"", "region = \"eu\"");
    assert_eq!(compiled(&european).tariff(1_001, NOW).map(|tariff| tariff.output), Some(micros(44.0)));
}

#[test]
fn shipped_prices_count_where_nobody_wrote_one() {
    let files = |book| [("backstay.toml", SMALL), ("prices.toml", book)];
    let shipped = |book| {
        let (snapshot, _) = compile_files(&files(book)).expect("a snapshot");
        snapshot.deployments[0].rates.base(NOW).map(|tariff| tariff.input)
    };
    assert_eq!(shipped(""), Some(TokenPrice(5_000_000)));
    assert_eq!(shipped("[price.\"openai/gpt-5.5\"]\ninput = 7\noutput = 7\n"), Some(TokenPrice(7_000_000)));
}

#[test]
fn a_deployment_that_a_ceiling_shuts_out_for_want_of_a_price_is_told() {
    let config = SMALL.replace("[pool.smart]", "[pool.smart]\nmax_price = { input = 9 }");
    check_config(&config, &[]);
    let unlisted = config.replace("gpt-5.5", "our-own-tune");
    check_config(&unlisted, &["backstay.toml:11: is not known, so it is never asked ~ prices.toml"]);
}

#[test]
fn a_surge_rule_that_makes_no_sense_is_told() {
    let check = |lines: &str, expected: &[&str]| {
        check_config(&SMALL.replace("[pool.smart]", &format!("[pool.smart]\n{lines}")), expected)
    };
    check("max_price = { input = 9 }\nsurge = { leave = 1.2, return = 0.9, hold = \"5m\" }", &[]);
    check("surge = { leave = 1.2 }", &["backstay.toml:10: there is none ~ max_price = "]);
    check("max_price = { input = 9 }\nsurge = { leave = 0.9 }", &["backstay.toml:11: a factor that makes no sense"]);
    check("max_price = { input = 9 }\nsurge = { return = 1.3 }", &["backstay.toml:11: a factor that makes no sense"]);
    check("max_price = { input = 9 }\nsurge = { return = 0 }", &["backstay.toml:11: a factor that makes no sense"]);
}

#[test]
fn the_shipped_book_would_stand_as_ones_own() {
    let shipped = include_str!("../../../../data/prices.toml");
    check_files(
        &[("backstay.toml", SMALL), ("prices.toml", shipped), ("policies/base.cedar", crate::policy::BASE)],
        &[],
    );
}

#[test]
fn a_policy_on_what_a_call_costs_knows_the_tier_of_a_long_prompt() {
    let book = "[price.\"openai/gpt-5.5\"]\ninput = 1\noutput = 1\ntiers = [{ above = 1000, input = 5, output = 5 }]\n";
    let policy = "@id(\"all\")\npermit (principal, action, resource);\n\
        @id(\"dear\")\nforbid (principal, action, resource) when { context.estimated_cost > 3000 };\n";
    let files = [("backstay.toml", SMALL), ("prices.toml", book), ("policies/p.cedar", policy)];
    let (snapshot, _) = compile_files(&files).expect("a snapshot");
    let key = snapshot.keys.by_name("app").expect("the key");
    let check = |input_tokens: u64, permitted: bool| {
        let ask = Ask { input_tokens, ..ask("any") };
        assert_eq!(snapshot.permit(key, &ask, &snapshot.deployments[0]).is_ok(), permitted, "{input_tokens}");
    };
    check(1_000, true);
    check(1_001, false);
}
