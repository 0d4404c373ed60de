//! One event of every kind, in several shapes of exchange: what a busy process would emit.

use backstay::base::event::{
    AttemptRecord, Considered, Event, ExchangeRecord, GonePhase, Grounds, HedgeOutcome, Outcome, Whom,
};
use backstay::base::failure::FailureKind;
use backstay::base::money::{Microusd, TokenPrice};
use backstay::base::rejection::Refusal;
use backstay::base::restriction::{Cause, Reach, Restriction};
use backstay::base::surge::Surge;
use backstay::base::tokens::Tokens;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn exchange(outcome: Outcome) -> ExchangeRecord {
    ExchangeRecord {
        request_id: "req_1".to_owned(),
        key: "app".into(),
        dialect: "openai_chat",
        pool: "smart".into(),
        model: "gpt-5.5".to_owned(),
        served_by: Some("anthropic/claude".into()),
        outcome,
        status: 200,
        streamed: true,
        attempts: vec![attempt("openai/gpt", Some(FailureKind::ServerError)), attempt("anthropic/claude", None)],
        tokens: Some(Tokens { input: 10, cached: 5, cache_written: 1, output: 7, reasoning: 3 }),
        cost: Some(Microusd(250)),
        bytes_in: 100,
        bytes_out: 2_000,
        took: Duration::from_millis(200),
        denied_by: vec!["residency".into()],
        policy: "0123456789ab".into(),
        grounds: Grounds {
            subject: Some("uri:spiffe://corp/app".into()),
            data: vec!["personal".into()],
            residency: "EU".into(),
            considered: vec![
                Considered::of(&"openai/gpt".into(), None),
                Considered::of(
                    &"azure/gpt".into(),
                    Some(&Refusal::Headroom { retry_after: Duration::from_secs(1), told: true }),
                ),
                Considered::of(&"cn/qwen".into(), Some(&Refusal::Policy(Arc::from([Arc::from("residency")])))),
            ],
        },
    }
}

fn attempt(deployment: &str, failure: Option<FailureKind>) -> AttemptRecord {
    AttemptRecord {
        deployment: deployment.into(),
        whom: Whom {
            vendor: "openai".into(),
            seat: "US".into(),
            region: "eu-central-1".into(),
            observed: Some("eu-central-1".into()),
            transfer: "within_zone",
        },
        failure,
        reason: "".into(),
        status: 200,
        took: Duration::from_millis(100),
        first_content: failure.is_none().then_some(Duration::from_millis(40)),
        maybe_billed: true,
        events_skipped: 1,
        ..AttemptRecord::default()
    }
}

fn restriction() -> Restriction {
    Restriction {
        id: "0123abcd".into(),
        cause: Cause::ModelGone,
        reach: Reach { endpoint: Some("openai".into()), model: Some("gpt".into()), ..Reach::default() },
        reason: "model".into(),
        by: "vendor".into(),
        since_s: 1_790_000_000,
    }
}

fn surge() -> Surge {
    Surge {
        pool: "smart".into(),
        deployment: "openai/gpt".into(),
        price: Some((TokenPrice(7_250_000), TokenPrice(60_000_000))),
        ceiling: (Some(TokenPrice(6_000_000)), None),
        instead: Some("azure/gpt".into()),
    }
}

pub(crate) fn every_event() -> Vec<Event> {
    let name = || Arc::from("openai");
    let reload = |accepted, diagnostics: &[&str]| Event::Reload {
        accepted,
        generation: 2,
        digest: "0123456789ab".into(),
        diagnostics: diagnostics.iter().map(|text| (*text).to_owned()).collect(),
    };
    vec![
        Event::Exchange(Box::new(exchange(Outcome::Served))),
        Event::Exchange(Box::new(exchange(Outcome::Rejected("rate_limited")))),
        Event::Exchange(Box::new(exchange(Outcome::VendorRefused))),
        Event::Exchange(Box::new(exchange(Outcome::Broken(FailureKind::Truncated)))),
        Event::Exchange(Box::new(exchange(Outcome::ClientGone(GonePhase::Stream)))),
        Event::Breaker { node: name(), to: "open", reason: "consecutive" },
        Event::Breaker { node: name(), to: "closed", reason: "probe" },
        Event::Isolated { began: true },
        Event::Isolated { began: false },
        Event::VendorReport { vendor: name(), report: "major" },
        Event::QuotaSpent { credential: "openai/default".into(), spent: true },
        Event::QuotaSpent { credential: "openai/default".into(), spent: false },
        Event::RetryBudgetDenied { pool: "smart".into() },
        Event::Continuation { pool: "smart".into(), outcome: "carried_on" },
        Event::Hedge { pool: "smart".into(), outcome: HedgeOutcome::Won },
        Event::LimitRejected { limit: "concurrency" },
        Event::TlsFailed { side: "client", reason: "version" },
        reload(true, &[]),
        reload(false, &["policies/base.cedar:3:1: error: unexpected token"]),
        Event::Probe { node: name(), failure: None },
        Event::Probe { node: name(), failure: Some(FailureKind::ConnectRefused) },
        Event::UpstreamConnectionLost { deployment: "openai/gpt".into(), class: "goaway" },
        Event::VendorCertificate { host: "api.openai.com".into(), reason: "expired".into() },
        Event::Restriction { restriction: Arc::new(restriction()), began: true, by: "vendor".into() },
        Event::Restriction { restriction: Arc::new(restriction()), began: false, by: "probe".into() },
        Event::Surge { surge: Arc::new(surge()), began: true },
        Event::Surge { surge: Arc::new(surge()), began: false },
        Event::Operator { action: "drain", by: "operator 0123456789ab".into() },
        Event::Budget { account: "key/app".into(), spent: true },
        Event::Budget { account: "key/app".into(), spent: false },
        Event::Ledger { failing: Some("ledger.sqlite: database or disk is full".into()) },
        Event::Ledger { failing: None },
        Event::Drain { left: 3, done: false },
    ]
}
