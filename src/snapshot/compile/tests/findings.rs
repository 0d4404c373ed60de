//! What is wrong with a file is said with its place and a suggestion, all of it at once.

use super::{SMALL, ask, check, check_config, check_files, check_instead, good};
use crate::snapshot::budget::{Budget, Period, Reserve};
use std::num::NonZeroU64;

#[test]
fn f_140_unknown_fields_are_all_named_with_the_nearest() {
    check(
        "residncy = \"eu\"\nmodel = [\"smart\"]\ncolour = 1\n",
        &[
            "backstay.toml:15: unknown field `residncy` ~ did you mean `residency`?",
            "backstay.toml:16: unknown field `model` ~ did you mean `models`?",
            "backstay.toml:17: unknown field `colour` ~ known here: secret",
        ],
    );
    check("[pol.x]\n", &["backstay.toml:15: unknown field `pol` ~ did you mean `pool`?"]);
}

#[test]
fn f_140_types_are_checked_everywhere_at_once() {
    check_config(
        &SMALL
            .replace("\"127.0.0.1:8080\"", "8080")
            .replace("[\"openai/gpt-5.5\"]", "\"openai/gpt-5.5\"\npatience = 2\nattempts = \"three\""),
        &[
            "backstay.toml:3: expected a string, found an integer",
            "backstay.toml:10: expected a list, found a string",
            "backstay.toml:11: expected a duration ~ \"500ms\"",
            "backstay.toml:12: expected a whole number",
        ],
    );
}

#[test]
fn f_140_broken_toml_has_a_line() {
    check("[vendor.x\n", &["backstay.toml:15: not valid TOML"]);
    check("[key.app]\n", &["backstay.toml:15: not valid TOML ~ quoted"]);
    check("[pool.a/b]\n", &["backstay.toml:15: not valid TOML ~ quoted: [pool.\"gpt-5.5\"]"]);
}

#[test]
fn f_140_a_dotted_name_is_recognized() {
    check(
        "[pool.gpt-5.5]\ndeployments = [\"openai/gpt-5.5\"]\n",
        &["backstay.toml:15: \"gpt-5.5\" holds a dot ~ \"gpt-5.5\", as in [pool.\"gpt-5.5\"]"],
    );
    check("[pool.a.b.c]\n", &["backstay.toml:15: \"a.b.c\" holds a dot"]);
}

#[test]
fn f_140_references_lead_somewhere() {
    check_instead(
        "openai/gpt-5.5",
        "opnai/gpt-5.5",
        &["backstay.toml:10: no vendor or endpoint \"opnai\" ~ did you mean \"openai\"?"],
    );
    check("models = [\"smrt\"]\n", &["backstay.toml:15: no pool \"smrt\" ~ did you mean \"smart\"?"]);
    check("team = \"lab\"\n", &["backstay.toml:15: no team \"lab\" ~ no team is declared"]);
    check(
        "[endpoint.eu]\nvendor = \"openia\"\nbase_url = \"https://eu.api.openai.com/v1\"\n",
        &["backstay.toml:16: no vendor \"openia\" ~ did you mean \"openai\"?"],
    );
    check_instead("openai/gpt-5.5", "gpt-5.5", &["backstay.toml:10: written as \"endpoint/model\" ~ vendor/gpt-5.5"]);
}

#[test]
fn f_140_names_stand_for_one_thing() {
    let pool = "[pool.other]\naliases = [\"smart\"]\ndeployments = [\"openai/gpt-5.5\"]\n";
    check(pool, &["backstay.toml:16: \"smart\" stands for two pools"]);
    check_files(
        &[
            ("backstay.toml", &format!("include = [\"keys.toml\"]\n{SMALL}")),
            ("keys.toml", "[key.app]\nsecret = { env = \"OTHER_KEY\" }\nresidency = \"any\"\ndata = []\n"),
            ("policies/base.cedar", crate::policy::BASE),
        ],
        &["keys.toml:1: the key \"app\" is declared twice"],
    );
    let same = "[key.twin]\nsecret = { env = \"APP_KEY\" }\nresidency = \"any\"\ndata = []\n";
    check(same, &["backstay.toml:16: the same secret"]);
}

#[test]
fn f_131_names_and_paths_play_no_tricks() {
    for name in ["../etc", "a/b", "A", "-a", "a..b", "%2e%2e", "\\u0000", "a b"] {
        check(&format!("[team.\"{name}\"]\n"), &["backstay.toml:15: cannot be a name ~ names are made of a-z"]);
    }
    check(&format!("[team.{}]\n", "a".repeat(10_000)), &["backstay.toml:15: longer than 63 bytes"]);
    for path in ["../keys", "a/../../b", "a\\u0000", "%2e%2e/keys"] {
        let secret = format!("{{ file = \"{path}\" }}");
        let config = SMALL.replace("{ env = \"APP_KEY\" }", &secret);
        check_config(&config, &["backstay.toml:12: the path"]);
    }
    check_instead("{ env = \"APP_KEY\" }", "{ file = \"/dev/zero\" }", &["backstay.toml:12: not a regular file"]);
}

/// A config in which every table stands.
const EVERY_TABLE: &str = r#"
[listener.main]
address = "127.0.0.1:8443"
[admin]
address = "127.0.0.1:9443"
operators = { env = "OPERATORS_KEY" }
[state]
directory = "state"
[policy]
data_classes = ["drawings"]
[vendor.openai]
dialect = "openai"
profile = "openai"
seat = "US"
agreements = ["dpa", "scc"]
certifications = ["soc2", "iso27001"]
retention_days = 30
trains_on_inputs = false
base_url = "https://api.openai.com/v1"
region = "us"
credential = { env = "OPENAI_API_KEY" }
status_url = "https://status.openai.com/api/v2/summary.json"
[endpoint.openai-eu]
vendor = "openai"
base_url = "https://eu.api.openai.com/v1"
region = "eu"
credential = { env = "OPENAI_EU_API_KEY" }
retention_days = 0
[vendor.anthropic]
dialect = "anthropic"
seat = "US"
base_url = "https://api.anthropic.com"
region = "us"
credential = { env = "ANTHROPIC_API_KEY" }
[deployment."openai/gpt-5.5"]
export_class = 3
[pool.smart]
aliases = ["gpt-5.5"]
deployments = ["openai-eu/gpt-5.5", ["openai/gpt-5.5", "anthropic/claude-opus-4-8"]]
order = "listed"
max_price = { input = 6.0, output = 30.0 }
surge = { leave = 1.2, return = 1.0, hold = "10m" }
patience = "2s"
attempts = 3
continuation = true
timeouts = { connect = "3s", first_content = "10s", idle = "30s", progress = "60s", answer = "120s" }
breaker = { open = "5s", cap = "120s" }
[team.research]
budget = { usd = 5000, period = "month" }
[key.research-app]
secret = { env = "RESEARCH_KEY" }
team = "research"
jurisdiction = "DE"
residency = "eu"
data = ["personal", "drawings"]
screened = true
models = ["smart"]
budget = { usd = 500, period = "month" }
limit = { requests_per_minute = 600, tokens_per_minute = 2_000_000, concurrency = 64 }
expires = "2027-06-30"
"#;

#[test]
fn every_table_can_be_written() {
    let (snapshot, warnings) = good(EVERY_TABLE);
    let idle: Vec<usize> = warnings.iter().map(|warning| warning.place.line).collect();
    assert_eq!(idle, Vec::<usize>::new(), "nothing is without effect: {warnings:?}");
    let key = snapshot.keys.by_name("research-app").expect("the key");
    let spends = |budget: Option<Budget>| budget.map(|budget| (budget.most.0, budget.period, budget.reserve));
    assert_eq!(spends(key.budget), Some((500_000_000, Period::Month, Reserve::Expected)));
    let team = key.team.as_ref().expect("the team");
    assert_eq!((&*team.name, spends(team.budget).map(|budget| budget.0)), ("research", Some(5_000_000_000)));
    assert_eq!(key.limit.tokens_per_minute.map(NonZeroU64::get), Some(2_000_000));
    let permitted =
        snapshot.deployments.iter().filter(|deployment| snapshot.permit(key, &ask("EU"), deployment).is_ok());
    assert_eq!(permitted.map(|deployment| deployment.id.to_string()).collect::<Vec<_>>(), ["openai-eu/gpt-5.5"]);
    assert_eq!(snapshot.admin.operators.len(), 1);
}

#[test]
fn one_mistake_gives_one_finding_and_hides_no_other() {
    let config = SMALL
        .replace("\"openai\"", "\"opanai\"")
        .replace("{ env = \"OPENAI_API_KEY\" }", "\"sk-literal\"")
        .replace("residency = \"any\"", "residncy = \"any\"")
        .replace("[\"openai/gpt-5.5\"]", "[5]");
    check_config(
        &config,
        &[
            "backstay.toml:5: no dialect \"opanai\"",
            "backstay.toml:8: never written into the config",
            "backstay.toml:10: expected a string",
            "backstay.toml:13: unknown field `residncy`",
        ],
    );
}
