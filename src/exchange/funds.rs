//! What a call holds back of its budgets before it is sent anywhere, and what the client is told when it does not fit.

use crate::base::money::Microusd;
use crate::base::rejection::{Refusal, Rejection, RejectionCode};
use crate::call::needs::Need as Asks;
use crate::call::usage::Usage;
use crate::dialect::{Dialect, Task};
use crate::exchange::admit::Size;
use crate::exchange::ingress::Ingress;
use crate::exchange::request;
use crate::price::Rates;
use crate::snapshot::budget::Reserve;
use crate::snapshot::deployment::Deployment;
use crate::state::budget::Need;
use crate::state::purse::Short;
use serde::Deserialize;
use std::time::Duration;

/// Answer tokens that are expected before any answer came.
const DEFAULT_ANSWER: u64 = 1_000;
/// Tokens of a prompt that are not in the client's bytes: what vendors put before tools and turns, 530 at Anthropic
/// (<https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview>, pricing).
const UNSEEN_TOKENS: u64 = 1_024;

/// What is known of a call's cost before it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlay {
    /// What the call is taken for.
    pub(crate) size: Size,
    /// The cap that it sets on its answer.
    max_tokens: Option<u64>,
    /// Bytes of its body: no prompt of text has more tokens.
    bytes: u64,
    /// It names what it does not hold, such as images elsewhere or an earlier answer.
    opaque: bool,
    /// How many answers it asks for, where that can be told.
    choices: Option<u64>,
    /// Vendors do this work for nothing.
    pub(crate) free: bool,
}

impl Outlay {
    /// What a call may cost.
    pub(crate) fn of(ingress: &Ingress, dialect: Dialect) -> Self {
        let scan = &ingress.scan;
        let opaque = [Asks::Images, Asks::Audio, Asks::Documents, Asks::ServerIds, Asks::HostedTools];
        let mut outlay = Self {
            size: request::size(ingress),
            max_tokens: scan.max_tokens,
            bytes: ingress.body.len() as u64,
            opaque: opaque.into_iter().any(|need| scan.needs.has(need)),
            choices: if scan.needs.has(Asks::Choices) { choices(&ingress.body) } else { Some(1) },
            free: dialect.task() == Task::Count,
        };
        if dialect.task() == Task::Embed {
            (outlay.size.output_tokens, outlay.max_tokens) = (0, Some(0));
        }
        outlay
    }

    /// What it holds back of a budget to ask this deployment; `mean` is how long answers have been, and `at`
    /// the moment whose prices hold.
    ///
    /// # Errors
    /// The price is unknown, or the most that it can cost is, where that must be held back.
    pub(crate) fn need(
        &self,
        deployment: &Deployment,
        reserve: Reserve,
        mean: Option<u64>,
        at: i64,
    ) -> Result<Need, &'static str> {
        if self.free {
            return Ok(Need { amount: 0, most: Some(0) });
        }
        let expected_output = self.max_tokens.unwrap_or(u64::MAX).min(mean.unwrap_or(DEFAULT_ANSWER));
        let expected = Usage { fresh: self.size.input_tokens, output: expected_output, ..Usage::default() };
        let expected = deployment.rates.cost(&expected, at).ok_or("unpriced")?.0;
        let most = self.most(deployment).and_then(|(input, output)| dearest(&deployment.rates, input, output, at));
        let most = most.map(|most| most.0);
        match reserve {
            Reserve::Expected => Ok(Need { amount: most.map_or(expected, |most| expected.min(most)), most }),
            Reserve::Bound => most.map(|amount| Need { amount, most: Some(amount) }).ok_or("unbounded"),
        }
    }

    /// The most tokens of prompt and answer that there can be, where that is known.
    fn most(&self, deployment: &Deployment) -> Option<(u64, u64)> {
        let limits = &deployment.limits;
        let of_the_model = limits.input.or(limits.context);
        let input = if self.opaque { of_the_model? } else { self.bytes.saturating_add(UNSEEN_TOKENS) };
        let output = self.max_tokens.or(limits.output).or(limits.context)?;
        Some((input, output.saturating_mul(self.choices?)))
    }
}

/// The most that so many tokens can cost, whatever a cache does with the prompt.
fn dearest(rates: &Rates, input: u64, output: u64, at: i64) -> Option<Microusd> {
    let whole = Usage { output, ..Usage::default() };
    let kinds = [Usage { fresh: input, ..whole }, Usage { cached: input, ..whole }, Usage { written: input, ..whole }];
    kinds.iter().filter_map(|usage| rates.cost(usage, at)).max()
}

/// How many answers a body asks for, in the dialects' members.
fn choices(body: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        candidate_count: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Body {
        n: Option<u64>,
        best_of: Option<u64>,
        #[serde(rename = "generationConfig")]
        config: Option<Config>,
    }
    let Body { n, best_of, config } = serde_json::from_slice(body).ok()?;
    let candidates = config.and_then(|config| config.candidate_count);
    [n, best_of, candidates].into_iter().flatten().max()
}

/// Why a deployment is not asked: a budget does not reach.
pub(crate) fn refusal(short: Short) -> Refusal {
    let cause = match (short.unknown, short.for_good) {
        (true, _) => "ledger",
        (false, true) => "spent",
        (false, false) => "held",
    };
    Refusal::Budget { cause, account: short.account, retry_after: short.wait }
}

/// What the client is told when its budgets do not reach for any deployment; `None` when that is not the reason.
pub(crate) fn rejection(refusals: &[Refusal]) -> Option<Rejection> {
    let of = |wanted: &str| {
        let fitting = refusals.iter().filter_map(|refusal| match refusal {
            Refusal::Budget { cause, account, retry_after } if *cause == wanted => Some((account, *retry_after)),
            _ => None,
        });
        fitting.min_by_key(|(_, wait)| *wait)
    };
    let told = |code, wait: Duration, message: String| {
        Some(Rejection {
            refusals: refusals.to_vec(),
            ..Rejection::new(code, message).limit("budget").retry_after(wait)
        })
    };
    if let Some((account, wait)) = of("held") {
        let message = format!(
            "What is left of the budget of {account} is held back for calls that are still open. Wait as long as Retry-After says."
        );
        return told(RejectionCode::RateLimited, wait, message);
    }
    if let Some((account, wait)) = of("spent") {
        let message = format!(
            "The budget of {account} is spent, or this call would overspend it. It begins anew in {}; until then only whoever \
             runs Backstay can raise it.",
            in_words(wait)
        );
        return told(RejectionCode::BudgetExhausted, wait, message);
    }
    if let Some((account, wait)) = of("ledger") {
        let message = format!(
            "It cannot be told what is left of the budget of {account}, because the ledger cannot be written. The operators \
             are told; wait as long as Retry-After says."
        );
        return told(RejectionCode::LedgerUnavailable, wait, message);
    }
    let (cause, account) = refusals.iter().find_map(|refusal| match refusal {
        Refusal::Budget { cause, account, .. } => Some((*cause, account)),
        _ => None,
    })?;
    let message = match cause {
        "unbounded" => format!(
            "The budget of {account} holds back the most that a call can cost, and for this call that is not known: set a cap on \
             the answer, or leave out what is kept elsewhere."
        ),
        _ => format!(
            "{account} has a budget, and what this call costs is not known. Whoever runs Backstay can set its price."
        ),
    };
    Some(Rejection {
        refusals: refusals.to_vec(),
        ..Rejection::new(RejectionCode::PolicyDenied, message).limit("budget")
    })
}

/// A wait as a person says it.
fn in_words(wait: Duration) -> String {
    let unit = |seconds: u64, one: &str| {
        let count = wait.as_secs().div_ceil(seconds).max(1);
        format!("{count} {one}{}", if count == 1 { "" } else { "s" })
    };
    match wait.as_secs() {
        0..120 => unit(1, "second"),
        120..7_200 => unit(60, "minute"),
        7_200..172_800 => unit(3_600, "hour"),
        _ => unit(86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_said_in_words() {
        let check = |seconds, words| assert_eq!(in_words(Duration::from_secs(seconds)), words);
        check(0, "1 second");
        check(119, "119 seconds");
        check(120, "2 minutes");
        check(7_201, "3 hours");
        check(864_000, "10 days");
    }

    #[test]
    fn how_many_answers_are_asked_for_is_read_in_every_dialect() {
        let check = |body: &str, expected| assert_eq!(choices(body.as_bytes()), expected, "{body}");
        check(r#"{"model":"m","n":3}"#, Some(3));
        check(r#"{"n":1,"best_of":5}"#, Some(5));
        check(r#"{"generationConfig":{"candidateCount":2}}"#, Some(2));
        check(r#"{"n":"many"}"#, None);
    }

    #[test]
    fn the_client_is_told_the_reason_that_passes_first() {
        let budget = |cause, seconds| Refusal::Budget {
            cause,
            account: "key/app".into(),
            retry_after: Duration::from_secs(seconds),
        };
        let check = |refusals: &[Refusal], code: Option<RejectionCode>, words: &str| {
            let told = rejection(refusals);
            assert_eq!(told.as_ref().map(|told| told.code), code, "{refusals:?}");
            assert!(told.is_none_or(|told| told.message.contains(words)), "{refusals:?}");
        };
        check(&[Refusal::Price], None, "");
        check(&[budget("spent", 900_000), Refusal::Full], Some(RejectionCode::BudgetExhausted), "anew in 11 days");
        check(&[budget("spent", 900), budget("held", 1)], Some(RejectionCode::RateLimited), "still open");
        check(&[budget("ledger", 2)], Some(RejectionCode::LedgerUnavailable), "cannot be written");
        check(&[budget("unpriced", 0)], Some(RejectionCode::PolicyDenied), "what this call costs is not known");
        check(&[budget("unbounded", 0)], Some(RejectionCode::PolicyDenied), "set a cap");
    }
}
