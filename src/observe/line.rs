//! One access-log line: a JSON object that holds what an exchange did, and nothing of what was said in it.

use crate::base::event::{AttemptRecord, ExchangeRecord, Outcome};
use crate::base::tokens::Tokens;
use crate::observe::json::{Object, string};
use jiff::Timestamp;

/// Appends the line of one exchange, line feed included.
pub(super) fn write(out: &mut Vec<u8>, time: Timestamp, record: &ExchangeRecord) {
    let mut line = Object::begin(out);
    line.shown("time", format_args!("\"{time:.3}\""));
    line.string("request_id", &record.request_id);
    line.string("key", &record.key);
    line.string("dialect", record.dialect);
    line.string("model", &record.model);
    line.string("pool", &record.pool);
    line.optional_string("served_by", record.served_by.as_deref());
    line.string("outcome", record.outcome.label());
    if let Outcome::ClientGone(phase) = record.outcome {
        line.string("phase", phase.label());
    }
    line.number("status", record.status);
    line.flag("streamed", record.streamed);
    line.list("attempts", &record.attempts, attempt);
    if let Some(counts) = record.tokens {
        line.object("tokens", |line| tokens(line, counts));
    }
    if let Some(cost) = record.cost {
        line.decimal("cost_usd", &cost.dollars());
    }
    line.number("bytes_in", record.bytes_in);
    line.number("bytes_out", record.bytes_out);
    line.milliseconds("ms", record.took);
    line.list("denied_by", &record.denied_by, |out, rule| string(out, rule));
    line.string("policy", &record.policy);
    line.end();
    out.push(b'\n');
}

fn attempt(out: &mut Vec<u8>, attempt: &AttemptRecord) {
    let mut line = Object::begin(out);
    line.string("deployment", &attempt.deployment);
    line.string("class", attempt.failure.map_or("ok", |kind| kind.class()));
    if !attempt.reason.is_empty() {
        line.string("reason", &attempt.reason);
    }
    line.number("status", attempt.status);
    line.milliseconds("ms", attempt.took);
    if let Some(wait) = attempt.first_content {
        line.milliseconds("first_content_ms", wait);
    }
    if attempt.hedge {
        line.flag("hedge", true);
    }
    if attempt.events_skipped > 0 {
        line.number("events_skipped", attempt.events_skipped);
    }
    line.flag("maybe_billed", attempt.maybe_billed);
    line.end();
}

fn tokens(line: &mut Object<'_>, tokens: Tokens) {
    line.number("input", tokens.input);
    line.number("cached", tokens.cached);
    line.number("cache_written", tokens.cache_written);
    line.number("output", tokens.output);
    line.number("reasoning", tokens.reasoning);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::{GonePhase, Grounds, Whom};
    use crate::base::failure::FailureKind;
    use crate::base::money::Microusd;
    use crate::observe::json::FOREIGN_BYTES;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn record() -> ExchangeRecord {
        ExchangeRecord {
            request_id: "req_1".to_owned(),
            key: "research-app".into(),
            dialect: "openai_chat",
            pool: "smart".into(),
            model: "gpt-5.5".to_owned(),
            served_by: Some("anthropic/claude".into()),
            outcome: Outcome::Served,
            status: 200,
            streamed: true,
            attempts: vec![
                AttemptRecord {
                    deployment: "openai/gpt-5.5".into(),
                    whom: Whom::default(),
                    failure: Some(FailureKind::TlsCert),
                    reason: "expired".into(),
                    status: 0,
                    took: Duration::from_millis(12),
                    first_content: None,
                    maybe_billed: false,
                    ..AttemptRecord::default()
                },
                AttemptRecord {
                    deployment: "anthropic/claude".into(),
                    whom: Whom::default(),
                    failure: None,
                    reason: "".into(),
                    status: 200,
                    took: Duration::from_millis(900),
                    first_content: Some(Duration::from_millis(310)),
                    maybe_billed: true,
                    ..AttemptRecord::default()
                },
            ],
            tokens: Some(Tokens { input: 20, cached: 3, cache_written: 0, output: 7, reasoning: 2 }),
            cost: Some(Microusd(1_250)),
            bytes_in: 120,
            bytes_out: 4_000,
            took: Duration::from_millis(913),
            denied_by: vec!["residency".into()],
            policy: "0123456789ab".into(),
            grounds: Grounds::default(),
        }
    }

    fn line(record: &ExchangeRecord) -> (String, Value) {
        let mut out = Vec::new();
        write(&mut out, Timestamp::from_millisecond(1_700_000_000_123).unwrap(), record);
        let text = String::from_utf8(out).unwrap();
        let value = serde_json::from_str(&text).unwrap();
        (text, value)
    }

    #[test]
    fn one_line_tells_the_whole_exchange() {
        let expected = json!({
            "time": "2023-11-14T22:13:20.123Z", "request_id": "req_1", "key": "research-app", "dialect": "openai_chat",
            "model": "gpt-5.5", "pool": "smart", "served_by": "anthropic/claude", "outcome": "served", "status": 200,
            "streamed": true,
            "attempts": [
                { "deployment": "openai/gpt-5.5", "class": "tls_cert", "reason": "expired", "status": 0, "ms": 12,
                  "maybe_billed": false },
                { "deployment": "anthropic/claude", "class": "ok", "status": 200, "ms": 900, "first_content_ms": 310,
                  "maybe_billed": true },
            ],
            "tokens": { "input": 20, "cached": 3, "cache_written": 0, "output": 7, "reasoning": 2 },
            "cost_usd": 0.00125, "bytes_in": 120, "bytes_out": 4000, "ms": 913, "denied_by": ["residency"],
            "policy": "0123456789ab",
        });
        assert_eq!(line(&record()).1, expected);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let bare = ExchangeRecord {
            served_by: None,
            outcome: Outcome::ClientGone(GonePhase::Wait),
            attempts: Vec::new(),
            tokens: None,
            cost: None,
            ..record()
        };
        let (_, value) = line(&bare);
        assert_eq!(value["served_by"], Value::Null);
        assert_eq!((&value["outcome"], &value["phase"]), (&json!("client_gone"), &json!("wait")));
        assert!(value.get("tokens").is_none() && value.get("cost_usd").is_none());
    }

    #[test]
    fn f_132_no_foreign_text_forges_a_line() {
        for model in [
            "a\nb",
            "a\r\n{\"outcome\":\"served\"}",
            "\u{1b}[31mred",
            "\"}, {\"forged\": true",
            "tail\\",
            "\u{202e}detrever",
            "line\u{2028}separator",
            "\u{85}\u{9b}\u{7f}\0",
        ] {
            let (text, value) = line(&ExchangeRecord { model: model.to_owned(), ..record() });
            assert_eq!(value["model"], model, "the value survives");
            assert_eq!(text.find('\n'), Some(text.len() - 1), "one event, one line: {text:?}");
            let visible = |c: char| !c.is_control() && !matches!(c, '\u{2028}'..='\u{202e}');
            assert!(text.trim_end().chars().all(visible), "{text:?}");
        }
    }

    #[test]
    fn f_132_foreign_text_is_bounded_at_a_character() {
        let (_, value) = line(&ExchangeRecord { model: "ä".repeat(1_000) + "x", ..record() });
        assert_eq!(value["model"], "ä".repeat(FOREIGN_BYTES / 2));
        let (_, value) = line(&ExchangeRecord { model: format!("x{}", "ä".repeat(1_000)), ..record() });
        assert_eq!(value["model"], format!("x{}", "ä".repeat(FOREIGN_BYTES / 2 - 1)));
    }
}
