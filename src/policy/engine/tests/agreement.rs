//! What the engine decides by groups and remembers is what Cedar decides when it is given every policy, every time.

use super::*;
use crate::call::needs::Need;
use crate::policy::entities;
use cedar_policy::{AuthorizationError, Authorizer, Context, Decision, PolicySet, Request, RestrictedExpression};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const WHO: &[&str] = &[
    "principal",
    "principal",
    "principal is Key",
    "principal in Team::\"lab\"",
    "principal == Key::\"european\"",
    "principal is Key in Team::\"lab\"",
];
const WHAT: &[&str] = &[
    "resource",
    "resource",
    "resource in Zone::\"EU\"",
    "resource in Region::\"us\"",
    "resource in Vendor::\"openai\"",
    "resource in Pool::\"smart\"",
    "resource == Deployment::\"mistral-eu/m\"",
    "resource is Deployment in Zone::\"US\"",
];
/// What conditions ask: every attribute, names in all the ways that policies can put them, and what can err.
const ASKED: &[&str] = &[
    "context.data.contains(Data::\"personal\")",
    "context.data.containsAny([Data::\"health\", Data::\"export_controlled\"])",
    "context.residency == Zone::\"EU\"",
    "resource in context.residency",
    "resource in principal.residency",
    "context.screened",
    "principal.screened",
    "context.stores",
    "context.hosted_tools",
    "context.attempt > 0",
    "context.depth == 1",
    "context.estimated_cost > 1000",
    "context.hour >= 12",
    "context == {data: [Data::\"personal\"], residency: Zone::\"EU\", screened: true, stores: false, \
      hosted_tools: false, attempt: 0, depth: 0, estimated_cost: 0, hour: 12}",
    "principal.jurisdiction == Zone::\"DE\"",
    "principal.purposes.contains(\"support\")",
    "principal.vendors.contains(resource.vendor)",
    "resource in principal.vendors",
    "resource.input_price > principal.max_input_price",
    "resource.output_price > principal.max_output_price",
    "principal in Team::\"lab\"",
    "principal in [Key::\"personal\", Key::\"careless\"]",
    "principal == Key::\"personal\"",
    "resource.vendor == Vendor::\"silent\"",
    "resource.vendor.seat == Zone::\"US\"",
    "resource.vendor.agreements.contains(Agreement::\"scc\")",
    "resource in [Zone::\"JP\", Zone::\"EU\"]",
    "resource in [Vendor::\"mistral\", Vendor::\"distant\"]",
    "resource in Pool::\"smart\"",
    "resource.model == \"m\"",
    "resource.retention_days > 30",
    "resource.trains_on_inputs",
    "resource.export_class > 0",
    "resource.price_known",
    "resource.agreements.contains(Agreement::\"dpa\")",
    "resource.certifications.contains(Certification::\"soc2\")",
    "Deployment::\"openai-us/m\".export_class == 3",
    "(if context.screened then resource else Deployment::\"mistral-eu/m\").export_class > 1",
    "resource.export_class * 9223372036854775807 > 1",
    "resource.retention_days + context.hour > 40",
    "context.attempt * 9223372036854775807 > 0",
];

fn condition() -> impl Strategy<Value = String> {
    let asked = prop::collection::vec((select(ASKED), any::<bool>(), any::<bool>()), 1..4);
    (asked, any::<bool>()).prop_map(|(asked, when)| {
        let mut text = String::new();
        for (test, negated, both) in asked {
            let joint = if text.is_empty() {
                ""
            } else if both {
                " && "
            } else {
                " || "
            };
            text = format!("{text}{joint}{}({test})", if negated { "!" } else { "" });
        }
        format!("{} {{ {text} }}", if when { "when" } else { "unless" })
    })
}

fn policy() -> impl Strategy<Value = String> {
    let conditions = prop::collection::vec(condition(), 0..3);
    (select(&["permit", "forbid", "forbid"][..]), select(WHO), select(WHAT), conditions).prop_map(
        |(effect, who, what, conditions)| format!("{effect} ({who}, action, {what}) {};", conditions.join(" ")),
    )
}

fn call() -> impl Strategy<Value = Ask> {
    let data = prop::sample::subsequence(vec!["export_controlled", "health", "personal"], 0..=3);
    let residency = select(&["any", "EU", "DE", "US"][..]);
    let needs = prop::sample::subsequence(vec![Need::Stores, Need::HostedTools, Need::ServerIds], 0..=3);
    let numbers = (0_u32..3, 0_u32..2, 0_u64..3, prop::bool::ANY, select(&[0_u32, 11, 12, 23][..]));
    (data, residency, needs, numbers).prop_map(|(data, residency, needs, numbers)| {
        let (attempt, depth, thousands, screened, hour) = numbers;
        Ask {
            data: words(&data),
            residency: residency.into(),
            screened,
            needs: needs.into_iter().fold(Needs::NONE, Needs::with),
            attempt,
            depth,
            input_tokens: thousands * 1000,
            output_tokens: thousands * 1000,
            hour,
        }
    })
}

/// The inventory of the other tests, with keys that differ from others in one thing each.
fn varied() -> Inventory {
    let mut inventory = inventory();
    let like = |name: &str, change: &dyn Fn(&mut KeyFacts)| {
        let mut key = KeyFacts { name: name.into(), ..inventory.keys[0].clone() };
        change(&mut key);
        key
    };
    let more = [
        like("twin", &|_| {}),
        like("colleague", &|key| key.team = Some("lab".into())),
        like("american", &|key| key.jurisdiction = "US".into()),
        like("support", &|key| key.purposes = words(&["support"])),
        like("loyal", &|key| key.vendors = Some(words(&["mistral"]))),
        like("thrifty", &|key| key.max_price = (Some(TokenPrice(1_000_000)), None)),
        like("screened", &|key| key.screened = true),
    ];
    inventory.keys.extend(more);
    inventory
}

/// The call as Cedar's public interface takes it.
fn context(ask: &Ask, cost: u64) -> Context {
    let entity = |kind, name| RestrictedExpression::new_entity_uid(entities::uid(kind, name).expect("a name"));
    let long = |number: u64| RestrictedExpression::new_long(i64::try_from(number).expect("a small number"));
    let hosted_tools = ask.needs.has(Need::HostedTools) || ask.needs.has(Need::ServerIds);
    let attributes = [
        ("data", RestrictedExpression::new_set(ask.data.iter().map(|class| entity("Data", class)))),
        ("residency", entity("Zone", &ask.residency)),
        ("screened", RestrictedExpression::new_bool(ask.screened)),
        ("stores", RestrictedExpression::new_bool(ask.needs.has(Need::Stores))),
        ("hosted_tools", RestrictedExpression::new_bool(hosted_tools)),
        ("attempt", long(u64::from(ask.attempt))),
        ("depth", long(u64::from(ask.depth))),
        ("estimated_cost", long(cost)),
        ("hour", long(u64::from(ask.hour))),
    ];
    Context::from_pairs(attributes.map(|(name, value)| (name.to_owned(), value))).expect("a context")
}

/// The answer of Cedar's own authorizer over all policies, where an error refuses.
fn plainly(engine: &Engine, key: usize, deployment: usize, ask: &Ask) -> Result<(), Vec<Arc<str>>> {
    let facts = &engine.inventory.deployments[deployment];
    let context = context(ask, ask.estimated_cost(Some(facts)));
    let uid = |kind, name| entities::uid(kind, name).expect("a name");
    let (key, deployment) = (uid("Key", &engine.inventory.keys[key].name), uid("Deployment", &facts.id));
    let request = Request::new(key, uid("Action", "call"), deployment, context, None).expect("a request");
    let policies = PolicySet::from_policies(engine.rules.iter().map(|rule| rule.policy.clone())).expect("a set");
    let answer = Authorizer::new().is_authorized(&request, &policies, &engine.cedar.entities);
    let mut forbidding: Vec<Arc<str>> = Vec::new();
    if answer.decision() == Decision::Deny {
        forbidding.extend(answer.diagnostics().reason().map(|id| Arc::from(id.as_ref())));
        forbidding.sort();
    }
    let mut erring: Vec<Arc<str>> = Vec::new();
    for error in answer.diagnostics().errors() {
        let AuthorizationError::PolicyEvaluationError(error) = error;
        erring.push(Arc::from(error.policy_id().as_ref()));
    }
    erring.sort();
    if !erring.is_empty() {
        erring.insert(0, EVALUATION_ERROR.into());
    } else if answer.decision() == Decision::Allow {
        return Ok(());
    }
    Err(forbidding.into_iter().chain(erring).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_is_what_cedar_says(
        policies in prop::collection::vec(policy(), 1..9),
        calls in prop::collection::vec(call(), 1..5),
        order in prop::collection::vec((any::<Index>(), any::<Index>(), any::<Index>()), 300),
    ) {
        let named = policies.iter().zip(0..).map(|(policy, number)| format!("@id(\"p{number}\") {policy}\n"));
        let text = format!("@id(\"all\") permit (principal, action, resource);\n{}", named.collect::<String>());
        let engine = compile_over(varied(), &[&text]).unwrap_or_else(|found| panic!("{text}\n{found:#?}"));
        let (keys, deployments) = (engine.inventory.keys.len(), engine.inventory.deployments.len());
        for (key, deployment, call) in order {
            let (key, deployment, ask) = (key.index(keys), deployment.index(deployments), call.get(&calls));
            let decision = engine.decide(key, deployment, ask);
            let of_pool = engine.decide_pool(key, "smart", ask);
            prop_assert_eq!(of_pool.about(deployment), Some(&decision));
            prop_assert_eq!(
                decision.map_err(|rules| rules.to_vec()),
                plainly(&engine, key, deployment, ask),
                "{} {} {:?}\n{}",
                engine.inventory.keys[key].name,
                engine.inventory.deployments[deployment].id,
                ask,
                text
            );
        }
    }
}
