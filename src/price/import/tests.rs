use super::*;

const MODELS_DEV: &str = include_str!("../../../tests/prices/models-dev.json");
const LITELLM: &str = include_str!("../../../tests/prices/litellm.json");

fn everyone(_: &str) -> bool {
    true
}

fn book(json: &str) -> String {
    let header = Header { source: "list.json".to_owned(), as_of: "2026-07-02".to_owned() };
    text(&read(json, &everyone).expect("a list"), &header)
}

fn left_out<'a>(import: &'a Import, reason: &str) -> Vec<&'a str> {
    let found = import.left_out.iter().filter(|(known, _)| known.contains(reason));
    found.flat_map(|(_, names)| names.iter().map(String::as_str)).collect()
}

#[test]
fn what_models_dev_lists_is_carried_to_the_last_digit() {
    let book = book(MODELS_DEV);
    for line in [
        "as_of = 2026-07-02",
        "\"openai/gpt-5.5\" = { input = 5, output = 30, cached = 0.5, tiers = [{ above = 272000, input = 10, output = 45, cached = 1 }] }",
        "\"anthropic/claude-opus-4-8\" = { input = 5, output = 25, cached = 0.5, written = 6.25 }",
        "\"deepseek/deepseek-v4-flash\" = { input = 0.14, output = 0.28, cached = 0.0028 }",
    ] {
        assert!(book.lines().any(|found| found == line), "no {line} in\n{book}");
    }
}

#[test]
fn what_litellm_lists_of_one_token_becomes_the_price_of_a_million() {
    let book = book(LITELLM);
    for line in [
        "\"openai/gpt-5.5\" = { input = 5, output = 30, cached = 0.5, batch = 0.5, uplift = { eu = 1.1, us = 1.1 }, tiers = [{ above = 272000, input = 10, output = 45, cached = 1 }] }",
        "\"anthropic/claude-opus-5-5\" = { input = 4, output = 20, cached = 0.2, written = 5, written_1h = 8, batch = 0.5 }",
        "\"deepseek/deepseek-v4-pro\" = { input = 1.32, output = 3.96, cached = 0.044, tiers = [{ hours = [\"00:00-01:00\", \"04:00-06:00\", \"10:00-00:00\"], days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"], input = 0.66, output = 1.98, cached = 0.022 }, { hours = [\"00:00-00:00\"], days = [\"sat\", \"sun\"], input = 0.66, output = 1.98, cached = 0.022 }] }",
        "\"alibaba/qwen-flash\" = { input = 0.05, output = 0.4, tiers = [{ above = 256000, input = 0.25, output = 2 }] }",
        "\"openai/text-embedding-3-small\" = { input = 0.02, output = 0, batch = 0.5 }",
    ] {
        assert!(book.lines().any(|found| found == line), "no {line} in\n{book}");
    }
}

#[test]
fn what_cannot_be_carried_is_told_with_the_reason() {
    let import = read(LITELLM, &everyone).expect("a list");
    let check = |reason: &str, name: &str| {
        let names = left_out(&import, reason);
        assert!(names.contains(&name), "{name} is not among {names:?} for {reason:?}");
    };
    check("paid by the token", "fal_ai/some-image");
    check("service tiers", "gpt-5.5");
    check("other units", "gpt-5.5");
    check("inference_geo", "claude-opus-5-5");
    check("no vendor whose models", "tencent/deepseek-v4-pro-0813");
    check("one region", "azure/eu/gpt-4o");
    check("a class of models", "together-ai-up-to-4b");
    let import = read(MODELS_DEV, &|vendor| vendor != "openai").expect("a list");
    assert_eq!(left_out(&import, "no vendor whose models"), ["openai"]);
    assert_eq!(left_out(&import, "no price is listed"), ["anthropic/claude-unpriced"]);
}

#[test]
fn prices_that_make_no_sense_are_left_out() {
    let check = |cost: &str, reason: &str| {
        let json =
            format!(r#"{{"a":{{"models":{{"m":{{"cost":{cost}}},"fine":{{"cost":{{"input":1,"output":2}}}}}}}}}}"#);
        let import = read(&json, &everyone).expect("a list");
        assert_eq!(import.prices.len(), 1, "{cost}");
        assert_eq!(left_out(&import, reason), ["a/m"], "{cost}: {:?}", import.left_out);
    };
    check(r#"{"input":-1,"output":2}"#, "negative");
    check(r#"{"input":"1","output":2}"#, "no number");
    check(r#"{"input":1}"#, "no number");
    check(r#"{"input":1,"output":200000}"#, "absurd");
    check(r#"{"input":0,"output":2}"#, "although the answer does");
    check(r#"{"input":0,"output":0}"#, "nobody knows");
    check(r#"{"input":0.000005,"output":0.00003}"#, "too low");
    check(r#"{"input":1,"output":2,"cache_read":2.1}"#, "cache costs far more");
    check(
        r#"{"input":1,"output":2,"tiers":[{"input":9,"output":9,"tier":{"type":"hour","size":3}}]}"#,
        "prompt length",
    );
    check(r#"{"input":1,"output":2,"tiers":[{"input":9,"output":-9,"tier":{"size":3}}]}"#, "prompt length");
    check("[]", "no price is listed");
}

#[test]
fn another_shape_is_refused_in_words() {
    let check = |json: &str, words: &str| {
        let told = read(json, &everyone).expect_err(json);
        assert!(told.contains(words), "{json}: {told}");
    };
    check("", "no JSON object");
    check("<html>", "line 1 column 1");
    check("[1, 2]", "models.dev's api.json");
    check("{}", "found an object of 0 (nothing)");
    check(r#"{"gpt-4o": {"price": 1}}"#, "found an object of 1 (gpt-4o)");
    check(r#"{"a": {"models": {}}}"#, "no price in it");
    check(r#"{"m": {"litellm_provider": "nobody", "mode": "chat"}}"#, "no price in it");
}

#[test]
fn the_first_list_that_prices_a_model_holds() {
    let mut import = read(LITELLM, &everyone).expect("a list");
    import.complete(read(MODELS_DEV, &everyone).expect("a list"));
    assert!(import.prices["openai/gpt-5.5"].half_in_batch);
    assert!(import.prices.contains_key("anthropic/claude-opus-4-8"));
}

#[test]
fn names_that_would_break_a_book_are_left_out() {
    let json =
        r#"{"a":{"models":{"m\" = 1\n[x]":{"cost":{"input":1,"output":2}},"n":{"cost":{"input":1,"output":2}}}}}"#;
    let import = read(json, &everyone).expect("a list");
    assert_eq!(import.prices.keys().collect::<Vec<_>>(), ["a/n"]);
    assert_eq!(left_out(&import, "can have this name").len(), 1);
}
