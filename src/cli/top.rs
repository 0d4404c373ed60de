//! `backstay top`: the pools of a running proxy in a terminal, as its status page shows them.

use crate::cli::live;
use clap::Args;
use serde_json::Value;
use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

/// Clears a terminal and begins at its top.
const ANEW: &str = "\x1b[H\x1b[2J";
const HEADINGS: [&str; 8] = ["deployment", "state", "in flight", "good", "first content", "quota", "price", "place"];

/// Where to look, and how often.
#[derive(Debug, Args)]
pub(super) struct Looks {
    /// The admin address of the running proxy.
    #[arg(long, default_value = crate::config::defaults::ADMIN_ADDRESS, env = "BACKSTAY_ADMIN")]
    admin: String,
    /// The pause between two looks, as in `2s`.
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// Look once and end, as where the output is no terminal.
    #[arg(long)]
    once: bool,
    /// Print each look as a line of JSON.
    #[arg(long)]
    json: bool,
}

/// Looks again and again, until somebody ends it.
pub(super) fn run(looks: &Looks) -> ExitCode {
    let redraws = !looks.json && !looks.once && stdout().is_terminal();
    loop {
        let status = live::get(&looks.admin, "/status").and_then(|body| {
            serde_json::from_slice::<Value>(&body)
                .map_err(|error| format!("{} answered with no JSON: {error}", looks.admin))
        });
        let text = match status {
            Ok(status) if looks.json => format!("{status}\n"),
            Ok(status) => format!("{}{}", if redraws { ANEW } else { "" }, table(&status)),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        };
        // whoever read it may have gone
        let shown = stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush());
        if shown.is_err() || looks.once || !(redraws || looks.json) {
            return ExitCode::SUCCESS;
        }
        std::thread::sleep(looks.every);
    }
}

fn table(status: &Value) -> String {
    let fact = |name: &str| status[name].as_str().unwrap_or("-");
    let ready = status["not_ready"].as_str().map_or_else(|| "ready".to_owned(), |why| format!("NOT READY: {why}"));
    let mut text = format!(
        "backstay {}, {ready}; generation {}, files {}, policies {}\n",
        fact("version"),
        status["generation"],
        fact("digest"),
        fact("policy")
    );
    if status["last_reload"]["accepted"] == false {
        text.push_str("the files on disk are refused: `backstay check` says why\n");
    }
    for restriction in list(&status["restrictions"]) {
        let (id, cause) = (restriction["id"].as_str().unwrap_or("-"), restriction["cause"].as_str().unwrap_or("-"));
        text.push_str(&format!("restricted {id}: {cause}, {}\n", restriction["reach"]));
    }
    for pool in list(&status["pools"]) {
        let aliases: Vec<_> = list(&pool["aliases"]).filter_map(Value::as_str).collect();
        text.push_str(&format!("\n{} {}\n", pool["name"].as_str().unwrap_or("-"), aliases.join(" ")));
        let rows: Vec<_> = list(&pool["deployments"]).map(row).collect();
        text.push_str(&aligned(&rows));
    }
    text
}

fn row(deployment: &Value) -> [String; 8] {
    let text = |name: &str| deployment[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str, unit: &str| match &deployment[name] {
        Value::Null => "-".to_owned(),
        known => format!("{known}{unit}"),
    };
    let named = match text("credential").as_str() {
        "" | "default" => text("id"),
        credential => format!("{} [{credential}]", text("id")),
    };
    let state = format!("{} {}", text("state"), text("reason"));
    let cap = deployment["admission_cap"].as_u64().map_or_else(String::new, |cap| format!(" of {cap}"));
    let price = &deployment["price"];
    let price = price["input_usd"].as_str().zip(price["output_usd"].as_str());
    [
        named,
        state.trim_end().to_owned(),
        number("inflight", &cap),
        number("success_percent", " %"),
        number("first_content_ms", " ms"),
        deployment["headroom"]["percent"].as_u64().map_or("-".to_owned(), |percent| format!("{percent} %")),
        price.map_or("-".to_owned(), |(input, output)| format!("{input} / {output}")),
        number("place", ""),
    ]
}

/// The rows below their headings, each column as wide as its widest cell.
fn aligned(rows: &[[String; 8]]) -> String {
    let headings = HEADINGS.map(str::to_owned);
    let mut widths = headings.each_ref().map(String::len);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = cell.chars().count().max(*widest);
        }
    }
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("  {cell:width$}"));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    std::iter::once(&headings).chain(rows).map(line).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_look_has_pools_and_what_is_wrong() {
        let deployment = |id: &str, more: Value| {
            let mut shown = json!({"id": id, "credential": "default", "state": "closed", "reason": "", "inflight": 2,
                "admission_cap": null, "success_percent": 100, "first_content_ms": 431, "headroom": {"percent": 96},
                "price": {"input_usd": "1.25", "output_usd": "10"}, "place": 1});
            for (name, value) in more.as_object().into_iter().flatten() {
                shown[name] = value.clone();
            }
            shown
        };
        let out = json!({"state": "open", "reason": "breaker_open", "admission_cap": 4, "success_percent": null,
            "first_content_ms": null, "price": null, "place": null, "credential": "b", "headroom": {"percent": null}});
        let status = json!({"version": "1.0.0", "not_ready": "draining", "generation": 3, "digest": "d", "policy": "p",
            "last_reload": {"accepted": false}, "restrictions": [{"id": "7eec", "cause": "operator", "reach": {"vendor": "x"}}],
            "pools": [{"name": "smart", "aliases": ["gpt-5.5"],
                "deployments": [deployment("openai/gpt-5.5", json!({})), deployment("x/y", out)]}]});
        let expected = "\
backstay 1.0.0, NOT READY: draining; generation 3, files d, policies p
the files on disk are refused: `backstay check` says why
restricted 7eec: operator, {\"vendor\":\"x\"}

smart gpt-5.5
  deployment      state              in flight  good   first content  quota  price      place
  openai/gpt-5.5  closed             2          100 %  431 ms         96 %   1.25 / 10  1
  x/y [b]         open breaker_open  2 of 4     -      -              -      -          -
";
        assert_eq!(table(&status), expected);
    }
}
