//! Where a call may go, and everything that stands against the rest: with the file and line of the rules that say so.

use crate::base::diagnostic::nearest;
use crate::base::money::TokenPrice;
use crate::base::rejection::Refusal;
use crate::call::needs::{Need, Needs};
use crate::dialect::Dialect;
use crate::policy::{Ask, EVALUATION_ERROR, UNKNOWN_WORD};
use crate::snapshot::Snapshot;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::key::Key;
use crate::snapshot::narrowing::Unfit;
use crate::snapshot::pool::{Order, Pool};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A call, as somebody describes it who wants to know where it may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The key's name in the config.
    pub key: String,
    /// The model that is asked for.
    pub model: String,
    /// Data classes beside the key's.
    pub data: Vec<String>,
    /// Zone that the call asks for.
    pub residency: Option<String>,
    /// Whether the call is for somebody who is not screened.
    pub unscreened: bool,
    /// What the call needs, by name.
    pub needs: Vec<String>,
    /// The client's dialect; any that suits unless given.
    pub dialect: Option<String>,
    /// Attempts made before.
    pub attempt: u32,
    /// Workflow depth.
    pub depth: u32,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Answer tokens.
    pub output_tokens: u64,
    /// Hour of the day, UTC.
    pub hour: Option<u32>,
}

/// The names that a question is made of, beside `key` and `model`.
pub const CONTEXT: [&str; 11] = [
    "data",
    "residency",
    "unscreened",
    "stores",
    "hosted_tools",
    "needs",
    "dialect",
    "attempt",
    "depth",
    "tokens",
    "hour",
];

impl Question {
    /// Sets one of its parts by name, as a command line or a query writes it.
    ///
    /// # Errors
    /// What is wrong with name or value, and what to try.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let list = || value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty());
        let number = |text: &str| text.parse().map_err(|_| format!("`{name}` takes a whole number, not \"{text}\""));
        let truth = || match value {
            "true" | "1" | "yes" | "" => Ok(true),
            "false" | "0" | "no" => Ok(false),
            _ => Err(format!("`{name}` takes true or false, not \"{value}\"")),
        };
        match name {
            "key" => value.clone_into(&mut self.key),
            "model" => value.clone_into(&mut self.model),
            "data" => self.data.extend(list()),
            "residency" => self.residency = Some(value.to_owned()),
            "unscreened" => self.unscreened = truth()?,
            "stores" | "hosted_tools" if truth()? => {
                self.needs.push(if name == "stores" { "store" } else { name }.to_owned());
            }
            "stores" | "hosted_tools" => {}
            "needs" => self.needs.extend(list()),
            "dialect" => self.dialect = Some(value.to_owned()),
            "attempt" => self.attempt = number(value)?,
            "depth" => self.depth = number(value)?,
            "tokens" => {
                let (input, output) = value.split_once('/').unwrap_or((value, "0"));
                self.input_tokens = u64::from(number(input)?);
                self.output_tokens = u64::from(number(output)?);
            }
            "hour" => self.hour = Some(number(value)?),
            other => {
                return Err(match nearest(other, CONTEXT) {
                    Some(near) => format!("there is no `{other}`; did you mean `{near}`?"),
                    None => format!("there is no `{other}`; there are: {}", CONTEXT.join(", ")),
                });
            }
        }
        Ok(())
    }
}

/// What stands against a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The kind of refusal: `policy`, `capability`, `price`, or what health or a restriction says.
    pub code: String,
    /// The policy's `@id`, or the name of what is lacking; empty where the code says it all.
    pub rule: String,
    /// What it means, for people.
    pub reason: String,
    /// The act behind a policy, or empty.
    pub regulation: String,
    /// The file where the rule is written, or empty.
    pub file: String,
    /// Its line, from 1; 0 where there is none.
    pub line: usize,
}

/// One deployment of the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// `endpoint/model`.
    pub id: String,
    /// The credential's name, where there is one.
    pub credential: String,
    /// Its tier in the pool, from 1.
    pub tier: usize,
    /// The vendor.
    pub vendor: String,
    /// Where the vendor is seated.
    pub seat: String,
    /// Where it processes.
    pub region: String,
    /// The zones that hold this region whole.
    pub zones: Vec<String>,
    /// `chosen`, `next` or `refused`.
    pub status: String,
    /// What it charges, in USD per million tokens, where that is known.
    pub price: Option<PriceShown>,
    /// What a running proxy has seen of it.
    pub live: Option<Live>,
    /// Everything that stands against it.
    pub refusals: Vec<Reason>,
}

/// What a deployment charges, in USD per million tokens, as text: what is added up elsewhere are whole micro-dollars.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceShown {
    /// A fresh prompt token.
    pub input_usd: String,
    /// An answer token.
    pub output_usd: String,
}

impl PriceShown {
    /// The prices as people read them.
    #[must_use]
    pub fn of(input: TokenPrice, output: TokenPrice) -> Self {
        Self { input_usd: input.to_string(), output_usd: output.to_string() }
    }
}

/// What only a running proxy knows of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Why it has its place in the order of asking.
    pub because: String,
    /// `closed`, `half_open` or `open`.
    pub breaker: String,
    /// Attempts under way.
    pub inflight: u32,
    /// Most attempts at once, where that is bounded now.
    pub admission_cap: Option<u32>,
    /// What its vendor's status page says, `well`, `minor` or `major`, where that was read of late.
    pub vendor_report: Option<String>,
    /// Milliseconds to the first content that are to be expected.
    pub first_content_ms: Option<u64>,
    /// What is left of its quota at the vendor.
    pub headroom: HeadroomShown,
}

/// What is left of a vendor's quota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadroomShown {
    /// Of the scarcest window, in per cent; `null` where no answer has told of a window and its size, or it is over.
    pub percent: Option<u32>,
    /// Requests, where the vendor tells.
    pub requests: Option<WindowShown>,
    /// Tokens, where the vendor tells; of several windows the scarcest.
    pub tokens: Option<WindowShown>,
}

/// One window of a quota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowShown {
    /// What is left, less what is under way.
    pub remaining: u64,
    /// What it holds when it is whole, where the vendor tells.
    pub limit: Option<u64>,
    /// Milliseconds until it is whole again, or no longer believed.
    pub resets_in_ms: u64,
}

/// Where a call may go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The key.
    pub key: String,
    /// The pool.
    pub pool: String,
    /// Where the call's data must stay.
    pub residency: String,
    /// What the call holds.
    pub data: Vec<String>,
    /// Whether its user is screened for export control.
    pub screened: bool,
    /// Digest of the policies, shortened.
    pub policy: String,
    /// The day on which the zones were last compared with the law.
    pub zones_as_of: String,
    /// The pool's deployments in the order of asking, refused ones last.
    pub deployments: Vec<Explained>,
}

/// What is observed beside the files: health, restrictions, quotas.
pub trait Observed {
    /// The deployments of a tier in the order of asking, as far as it is not refused.
    fn order<'a>(&self, pool: &Pool, tier: &'a [Arc<Deployment>], ask: &Ask, at: i64) -> Vec<&'a Arc<Deployment>>;
    /// What stands against a deployment.
    fn reasons(&self, pool: &Pool, deployment: &Arc<Deployment>) -> Vec<Reason>;
    /// What was seen of it.
    fn live(&self, pool: &Pool, deployment: &Arc<Deployment>) -> Option<Live>;
}

/// Nothing is observed: the files alone speak.
#[derive(Clone, Copy, Debug)]
pub struct FilesAlone;

impl Observed for FilesAlone {
    fn order<'a>(&self, pool: &Pool, tier: &'a [Arc<Deployment>], ask: &Ask, at: i64) -> Vec<&'a Arc<Deployment>> {
        let mut members: Vec<_> = tier.iter().collect();
        if pool.order == Order::Price {
            members.sort_by_key(|deployment| deployment.rates.rank(ask.input_tokens, ask.output_tokens, 0, at));
        }
        members
    }

    fn reasons(&self, _: &Pool, _: &Arc<Deployment>) -> Vec<Reason> {
        Vec::new()
    }

    fn live(&self, _: &Pool, _: &Arc<Deployment>) -> Option<Live> {
        None
    }
}

impl Snapshot {
    /// Where the call may go that begins at this second since 1970; `observed` adds what only a running proxy knows.
    ///
    /// # Errors
    /// The question names what is not there, and what was probably meant.
    pub fn explain(&self, question: &Question, at: i64, observed: &dyn Observed) -> Result<Explanation, String> {
        let key = self.keys.by_name(&question.key);
        let key = key.ok_or_else(|| unknown("key", &question.key, self.keys.by_name.keys().map(AsRef::as_ref)))?;
        let pools = || self.pools.keys().map(AsRef::as_ref);
        let pool = self.pools.get(question.model.as_str()).ok_or_else(|| unknown("model", &question.model, pools()))?;
        if !key.may_ask(pool) {
            let may: Vec<&str> = key.models.iter().map(AsRef::as_ref).collect();
            return Err(format!("the key {} may not ask for {}, only for {}", key.name, pool.name, may.join(", ")));
        }
        let dialect = question.dialect.as_deref().map(dialect).transpose()?;
        let ask = self.ask(question, key, hour(at))?;
        let mut deployments = Vec::new();
        for (tier, members) in pool.tiers.iter().enumerate() {
            for deployment in observed.order(pool, members, &ask, at) {
                let mut refusals = self.policy_reasons(key, &ask, deployment);
                refusals.extend(lacking(deployment, dialect, &ask, pool, at));
                refusals.extend(observed.reasons(pool, deployment));
                let live = observed.live(pool, deployment);
                deployments.push(Explained { live, ..self.explained(deployment, tier + 1, refusals, at) });
            }
        }
        let mut status = "chosen";
        for deployment in deployments.iter_mut().filter(|deployment| deployment.refusals.is_empty()) {
            deployment.status = std::mem::replace(&mut status, "next").to_owned();
        }
        deployments.sort_by_key(|deployment| !deployment.refusals.is_empty());
        Ok(Explanation {
            key: key.name.to_string(),
            pool: pool.name.to_string(),
            residency: ask.residency.to_string(),
            data: ask.data.iter().map(ToString::to_string).collect(),
            screened: ask.screened,
            policy: self.policy_digest.to_string(),
            zones_as_of: self.policy.vocabulary().as_of.to_string(),
            deployments,
        })
    }

    fn ask(&self, question: &Question, key: &Key, hour: u32) -> Result<Ask, String> {
        let vocabulary = self.policy.vocabulary();
        let mut data = key.data.clone();
        for class in &question.data {
            let known = || vocabulary.data.iter().map(AsRef::as_ref);
            data.push(self.data_class(class).ok_or_else(|| unknown("data class", class, known()))?);
        }
        data.sort();
        data.dedup();
        let residency = match &question.residency {
            None => Arc::clone(&key.residency),
            Some(zone) => self.residency(key, zone).map_err(|unfit| match unfit {
                Unfit::Unknown => unknown("zone", zone, vocabulary.zones()),
                Unfit::Contradicts => format!("the key is bound to {}, which {zone} contradicts", key.residency),
            })?,
        };
        let mut needs = Needs::NONE;
        for name in &question.needs {
            let need = Need::ALL.into_iter().find(|need| need.name() == name.as_str());
            needs = needs.with(need.ok_or_else(|| unknown("need", name, Need::ALL.into_iter().map(Need::name)))?);
        }
        Ok(Ask {
            data,
            residency,
            screened: key.screened && !question.unscreened,
            needs,
            attempt: question.attempt,
            depth: question.depth,
            input_tokens: question.input_tokens,
            output_tokens: question.output_tokens,
            hour: question.hour.unwrap_or(hour),
        })
    }

    fn explained(&self, deployment: &Deployment, tier: usize, refusals: Vec<Reason>, at: i64) -> Explained {
        let inventory = self.policy.inventory();
        let vendor = &deployment.endpoint.vendor.name;
        let facts = inventory.deployments.get(deployment.index);
        let region = facts.map(|facts| Arc::clone(&facts.region)).unwrap_or_default();
        let seat = inventory.vendors.iter().find(|facts| facts.name == *vendor).map(|facts| facts.seat.to_string());
        Explained {
            id: deployment.id.to_string(),
            credential: deployment
                .credential
                .as_ref()
                .map_or_else(String::new, |credential| credential.name.to_string()),
            tier,
            vendor: vendor.to_string(),
            seat: seat.unwrap_or_default(),
            zones: inventory.vocabulary.zones_of(&region).iter().map(ToString::to_string).collect(),
            region: region.to_string(),
            status: "refused".to_owned(),
            price: deployment.rates.base(at).map(|tariff| PriceShown::of(tariff.input, tariff.output)),
            live: None,
            refusals,
        }
    }

    /// Every policy that stands against the deployment.
    pub(super) fn policy_reasons(&self, key: &Key, ask: &Ask, deployment: &Deployment) -> Vec<Reason> {
        let Err(rules) = self.policy.decide(key.index, deployment.index, ask) else { return Vec::new() };
        if rules.is_empty() {
            let reason = "no policy permits it, and what nothing permits is refused".to_owned();
            return vec![Reason { code: "policy".to_owned(), reason, ..Reason::default() }];
        }
        rules.iter().map(|id| self.policy_reason(id)).collect()
    }

    /// What is known of a policy by its `@id`.
    #[must_use]
    pub fn policy_reason(&self, id: &str) -> Reason {
        let mut reason = Reason { code: "policy".to_owned(), rule: id.to_owned(), ..Reason::default() };
        match self.policy.rule(id) {
            Some(rule) => {
                reason.reason = rule.reason.to_string();
                reason.regulation = rule.regulation.as_deref().unwrap_or_default().to_owned();
                reason.file = rule.place.file.display().to_string();
                reason.line = rule.place.line;
            }
            None => {
                reason.reason = match id {
                    EVALUATION_ERROR => "a policy could not be evaluated, which refuses; the policy is named beside it",
                    UNKNOWN_WORD => "the call names a zone or data class that nobody knows",
                    _ => "",
                }
                .to_owned();
            }
        }
        reason
    }
}

/// What the deployment lacks beside policy: everything that the call needs, and the price.
fn lacking(deployment: &Deployment, dialect: Option<Dialect>, ask: &Ask, pool: &Pool, at: i64) -> Vec<Reason> {
    let client = dialect.unwrap_or(deployment.voice.profile.dialect);
    let mut reasons: Vec<Reason> = deployment
        .unmet(client, ask.needs)
        .map(|need| Reason {
            code: "capability".to_owned(),
            rule: need.to_owned(),
            reason: format!("the call needs `{need}`, which the deployment cannot honour"),
            ..Reason::default()
        })
        .collect();
    let answer = (ask.output_tokens > 0).then_some(ask.output_tokens);
    if let Err(refusal @ Refusal::Capability(limit)) = deployment.limits.fit(ask.input_tokens, answer) {
        reasons.push(Reason {
            code: refusal.code().to_owned(),
            rule: limit.to_owned(),
            reason: "the call is larger than the model takes".to_owned(),
            ..Reason::default()
        });
    }
    let tariff = deployment.rates.tariff(ask.input_tokens, at);
    if !pool.ceiling().admits(tariff) {
        let reason = match tariff {
            Some(_) => "it costs more than the pool's `max_price`",
            None => "its price is not known, and the pool has a `max_price`",
        };
        reasons.push(Reason { code: "price".to_owned(), reason: reason.to_owned(), ..Reason::default() });
    }
    reasons
}

/// The hour of the day, UTC.
fn hour(at: i64) -> u32 {
    u32::try_from(at.rem_euclid(86_400) / 3_600).unwrap_or(0)
}

fn dialect(name: &str) -> Result<Dialect, String> {
    let known = Dialect::ALL;
    let found = known.into_iter().find(|dialect| dialect.name() == name);
    found.ok_or_else(|| unknown("dialect", name, known.into_iter().map(Dialect::name)))
}

/// That there is no such thing, and what was probably meant.
fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    match nearest(&name, known.iter().copied()) {
        Some(near) => format!("there is no {kind} \"{name}\"; did you mean \"{near}\"?"),
        None if known.len() <= 12 => format!("there is no {kind} \"{name}\"; there are: {}", known.join(", ")),
        None => format!("there is no {kind} \"{name}\""),
    }
}
