//! What LiteLLM's sections of settings say of routing, and what they say beside it.

use super::Importer;
use super::members::Members;
use super::numbers::duration;
use crate::import::yaml::{Mark, Node, Value, shown};

/// More retries or failures than anybody waits for.
const MOST_COUNT: u64 = 1_000_000;
/// The longest time out unless a cooldown is longer: the breaker's own.
const CAP_SECONDS: u64 = 120;

/// How calls are routed, for all pools.
#[derive(Default)]
pub(super) struct Routing {
    /// The order within a tier.
    pub(super) order: Option<&'static str>,
    /// Whether calls were spread over a group's deployments, which no order does; where it stands, if it does.
    pub(super) spread: Option<Option<Mark>>,
    /// Retries before the next group.
    pub(super) retries: Option<u64>,
    /// The time of an answer.
    pub(super) answer: Option<String>,
    /// The time until the first content of a stream.
    pub(super) first_content: Option<String>,
    /// Failures in a row, and first and longest time out.
    pub(super) consecutive: Option<u64>,
    pub(super) open: Option<(String, String)>,
    /// Groups, and whom calls move to.
    pub(super) fallbacks: Vec<(Target, Vec<Target>)>,
    /// Whom calls of all other groups move to.
    pub(super) otherwise: Vec<Target>,
    /// Further names, and what they stand for.
    pub(super) aliases: Vec<(Target, String)>,
}

/// A name of a group, and where it stands.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) at: Mark,
}

impl<'a> Importer<'a> {
    /// Reads both sections that route; what `router_settings` says wins.
    pub(super) fn routing(&mut self, router: &mut Members<'a>, litellm: &mut Members<'a>) -> Routing {
        let mut routing = Routing::default();
        self.strategy(router, &mut routing);
        let mut either = |name: &str| {
            let (first, second) = (router.take(name), litellm.take(name));
            first.or(second)
        };
        routing.retries = self.whole(either("num_retries"), "num_retries", MOST_COUNT);
        let fails = self.whole(either("allowed_fails"), "allowed_fails", MOST_COUNT);
        routing.consecutive = fails.map(|fails| fails + 1);
        let cooldown = either("cooldown_time");
        routing.open = cooldown.and_then(Node::text).and_then(|seconds| {
            let cap = seconds.parse::<f64>().map_or(CAP_SECONDS, |open| CAP_SECONDS.max(open.ceil() as u64));
            duration(seconds).map(|open| (open, format!("{cap}s")))
        });
        if let Some(node) = cooldown.filter(|_| routing.open.is_none()) {
            let help = "`breaker = { open = \"5s\" }` of a pool is how long a deployment is left at first; it is never nothing";
            self.findings.say(node.mark, "`cooldown_time` is no time to wait: it is not carried", help);
        }
        if let Some(node) = either("fallbacks") {
            self.fallbacks(node, &mut routing);
        }
        if let Some(node) = either("default_fallbacks") {
            routing.otherwise.extend(self.targets(node));
        }
        if let Some(node) = either("model_group_alias") {
            self.aliases(node, &mut routing);
        }
        let request = self.duration(litellm, "request_timeout");
        routing.answer = self.duration(router, "timeout").or(request);
        routing.first_content = self.duration(router, "stream_timeout");
        routing
    }

    fn strategy(&mut self, router: &mut Members<'a>, routing: &mut Routing) {
        let Some(node) = router.take("routing_strategy") else {
            routing.spread = Some(None);
            return;
        };
        let strategy = node.text().unwrap_or_default();
        let (order, spreads) = match strategy {
            "latency-based-routing" => (Some("latency"), false),
            "cost-based-routing" => (Some("price"), false),
            "least-busy" => {
                let help = "order = \"latency\" is nearest: a busy deployment is a slow one";
                self.findings.say(node.mark, "`least-busy` is not carried as it is", help);
                (Some("latency"), false)
            }
            "usage-based-routing" | "usage-based-routing-v2" => {
                let help = "deployments are asked as listed, and passed over while their vendor's quota would not carry a call";
                self.findings.say(node.mark, format!("`{strategy}` is not carried as it is"), help);
                (None, false)
            }
            "simple-shuffle" => (None, true),
            other => {
                let help = "deployments are asked as listed; `order` may be \"latency\" or \"price\"";
                self.findings.say(node.mark, format!("the strategy `{}` is not known", shown(other)), help);
                (None, false)
            }
        };
        routing.order = order;
        routing.spread = spreads.then_some(Some(node.mark));
    }

    /// `[{group: [further, ...]}, ...]`; `*` is every other group.
    fn fallbacks(&mut self, node: &'a Node, routing: &mut Routing) {
        if !matches!(node.value, Value::List(_)) {
            return self.no_fallbacks(node);
        }
        for item in node.items() {
            if item.members().is_empty() {
                self.no_fallbacks(item);
            }
            for member in item.members() {
                let targets = self.targets(&member.value);
                if member.name == "*" {
                    routing.otherwise.extend(targets);
                } else {
                    let group = Target { name: member.name.clone(), at: member.mark };
                    routing.fallbacks.push((group, targets));
                }
            }
        }
    }

    fn no_fallbacks(&mut self, node: &Node) {
        let message = format!("`fallbacks` holds {}, which is not carried", node.kind());
        self.findings.say(node.mark, message, "write them as [{\"group\": [\"further group\"]}]");
    }

    /// The groups of a list; one that brings a prompt of its own is told of.
    fn targets(&mut self, node: &'a Node) -> Vec<Target> {
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            Value::Scalar { .. } | Value::Map(_) => std::slice::from_ref(node),
        };
        let mut targets = Vec::new();
        for item in items.iter().filter(|item| !item.is_null()) {
            let name = item.text().or_else(|| item.get("model").and_then(Node::text));
            match name {
                Some(name) => targets.push(Target { name: name.to_owned(), at: item.mark }),
                None => self.no_fallbacks(item),
            }
            if item.members().len() > 1 {
                let help = "the call moves on as the client wrote it";
                self.findings.say(item.mark, "parameters of a fallback are not carried", help);
            }
        }
        targets
    }

    fn aliases(&mut self, node: &'a Node, routing: &mut Routing) {
        if !matches!(node.value, Value::Map(_)) {
            let message = format!("`model_group_alias` is {}, where a mapping belongs", node.kind());
            self.findings.say(node.mark, message, "write it as {alias: group}");
        }
        for member in node.members() {
            let target = member.value.text().or_else(|| member.value.get("model").and_then(Node::text));
            match target {
                Some(target) => {
                    let alias = Target { name: member.name.clone(), at: member.mark };
                    routing.aliases.push((alias, target.to_owned()));
                }
                None => {
                    let message = format!("the alias \"{}\" stands for {}", shown(&member.name), member.value.kind());
                    self.findings.say(member.mark, message, "write it as `alias: group`");
                }
            }
            if member.value.get("hidden").and_then(Node::truth) == Some(true) {
                let help = "every alias is listed at /v1/models to keys that may ask for it";
                self.findings.say(member.mark, "`hidden` of an alias is not carried", help);
            }
        }
    }
}
