mod policies;

use super::compile;
use crate::base::diagnostic::Diagnostic;
use crate::base::money::TokenPrice;
use crate::call::needs::Need;
use crate::config::load::load;
use crate::dialect::profile::Profile;
use crate::dialect::profile::quirks::{Member, ToolCallIds};
use crate::policy::Ask;
use crate::snapshot::Snapshot;
use crate::snapshot::deployment::Limits;
use crate::snapshot::narrowing::Unfit;
use crate::snapshot::pool::ProbeKind;
use std::fs;
use std::path::Path;
use std::time::Duration;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn environment(name: &str) -> Option<String> {
    match name {
        "EMPTY_KEY" => Some("  ".to_owned()),
        "TWO_LINES_KEY" => Some("one\ntwo".to_owned()),
        _ => name.ends_with("KEY").then(|| format!("sk-{}", name.to_lowercase())),
    }
}

type Compiled = Result<(Snapshot, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Compiles the files of a folder of its own; diagnostics name files relative to it.
fn compile_files(files: &[(&str, &str)]) -> Compiled {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let relative = |found: Vec<Diagnostic>| found.into_iter().map(|found| shorten(found, folder.path())).collect();
    let sources = load(&folder.path().join("backstay.toml"), &environment).map_err(relative)?;
    compile(&sources, 1, NOW).map(|(snapshot, warnings)| (snapshot, relative(warnings))).map_err(relative)
}

fn shorten(mut found: Diagnostic, folder: &Path) -> Diagnostic {
    let prefix = format!("{}/", folder.display());
    found.place.file = found.place.file.strip_prefix(folder).unwrap_or(&found.place.file).to_owned();
    found.message = found.message.replace(&prefix, "");
    found.help = found.help.replace(&prefix, "");
    found
}

/// One vendor, one pool, one key.
const SMALL: &str = r#"
[listener.main]
address = "127.0.0.1:8080"
[vendor.openai]
dialect = "openai"
base_url = "https://api.openai.com/v1"
region = "us"
credential = { env = "OPENAI_API_KEY" }
[pool.smart]
deployments = ["openai/gpt-5.5"]
[key.app]
secret = { env = "APP_KEY" }
residency = "any"
data = []
"#;

fn good(config: &str) -> (Snapshot, Vec<Diagnostic>) {
    compile_files(&[("backstay.toml", config), ("policies/base.cedar", crate::policy::BASE)])
        .unwrap_or_else(|found| panic!("{}", found.iter().map(|found| format!("{found}\n")).collect::<String>()))
}

fn ask(residency: &str) -> Ask {
    Ask {
        data: Vec::new(),
        residency: residency.into(),
        screened: false,
        needs: crate::call::needs::Needs::NONE,
        attempt: 0,
        depth: 0,
        input_tokens: 0,
        output_tokens: 0,
        hour: 12,
    }
}

/// Compiles and compares all findings, each expected as "file:line: part of the message ~ part of the help".
fn check_files(files: &[(&str, &str)], expected: &[&str]) {
    let found = match compile_files(files) {
        Ok((_, warnings)) => warnings,
        Err(found) => found,
    };
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    let all = lines.join("\n");
    assert_eq!(found.len(), expected.len(), "{all}");
    for (found, expected) in found.iter().zip(expected) {
        let (place, rest) = expected.split_once(": ").expect("a place");
        let (message, help) = rest.split_once(" ~ ").unwrap_or((rest, ""));
        let at = format!("{}:{}", found.place.file.display(), found.place.line);
        assert_eq!(at, place, "{all}");
        assert!(found.message.contains(message), "{message}\n{all}");
        assert!(found.help.contains(help), "{help}\n{all}");
    }
}

/// The small config with some lines added, which begin at line 15.
fn check(added: &str, expected: &[&str]) {
    check_config(&format!("{SMALL}{added}"), expected);
}

/// The small config with one line replaced.
fn check_instead(line: &str, other: &str, expected: &[&str]) {
    assert!(SMALL.contains(line), "{line}");
    check_config(&SMALL.replacen(line, other, 1), expected);
}

fn check_config(config: &str, expected: &[&str]) {
    check_files(&[("backstay.toml", config), ("policies/base.cedar", crate::policy::BASE)], expected);
}

#[test]
fn one_vendor_one_pool_one_key_is_enough() {
    let (snapshot, warnings) = good(SMALL);
    assert_eq!(warnings, []);
    let key = snapshot.keys.by_secret(b"sk-app_key").expect("the key");
    let pool = &snapshot.pools["smart"];
    assert!(key.may_ask(pool));
    let deployment = pool.deployments().next().expect("a deployment");
    assert_eq!((&*deployment.id, &*deployment.model), ("openai/gpt-5.5", "gpt-5.5"));
    assert_eq!((&*deployment.endpoint.authority, &*deployment.endpoint.path), ("api.openai.com", "/v1"));
    assert!(snapshot.permit(key, &ask("any"), deployment).is_ok());
    assert!(snapshot.permit(key, &ask("EU"), deployment).is_err());
    assert!(snapshot.probe_permit(deployment).is_ok());
}

/// What the small config's deployment cannot do, of what these tests ask for, and how much it takes.
fn lacks_and_limits(model: &str, table: &str, models: Option<&str>) -> (Vec<&'static str>, Limits) {
    let config = SMALL.replace("openai/gpt-5.5", &format!("openai/{model}"));
    let config = format!("{config}{}", table.replace("MODEL", &format!("openai/{model}")));
    let mut files = vec![("backstay.toml", config.as_str()), ("policies/base.cedar", crate::policy::BASE)];
    files.extend(models.map(|models| ("models.json", models)));
    let (snapshot, _) = compile_files(&files).unwrap_or_else(|found| panic!("{found:?}"));
    let deployment = &snapshot.deployments[0];
    let asked = [Need::Tools, Need::Images, Need::Reasoning, Need::Temperature];
    let lacks = asked.into_iter().filter(|need| !deployment.voice.capabilities.has(*need)).map(Need::name).collect();
    (lacks, deployment.limits)
}

#[test]
fn what_a_model_cannot_do_is_read_from_a_dated_list() {
    let check = |(lacks, limits): (Vec<&str>, Limits), expected: &[&str], context, output| {
        assert_eq!((lacks.as_slice(), limits.context, limits.output), (expected, context, output));
    };
    check(lacks_and_limits("gpt-4o-2024-11-20", "", None), &["reasoning"], Some(128_000), Some(16_384));
    check(lacks_and_limits("o3-mini", "", None), &["images", "temperature"], Some(200_000), Some(100_000));
    check(lacks_and_limits("nobody-knows", "", None), &[], None, None);
    let table = "[deployment.\"MODEL\"]\noffers = [\"images\"]\nlacks = [\"tools\"]\ncontext = 9000\n";
    check(lacks_and_limits("o3-mini", table, None), &["tools", "temperature"], Some(9000), Some(100_000));
    let newer = r#"{"snapshot":"2027-01-01","vendors":{"openai":{"o3-mini":{"context":7,"lacks":["reasoning"]}}}}"#;
    check(lacks_and_limits("o3-mini", "", Some(newer)), &["reasoning"], Some(7), None);
}

#[test]
fn a_list_of_models_that_cannot_be_read_is_an_error() {
    let files = [("backstay.toml", SMALL), ("policies/base.cedar", crate::policy::BASE), ("models.json", "{")];
    check_files(&files, &["models.json:0: not a list of models ~ distil-models.py"]);
}

#[test]
fn without_a_policy_folder_the_base_policy_serves_with_a_warning() {
    let (snapshot, warnings) = compile_files(&[("backstay.toml", SMALL)]).expect("a snapshot");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("built-in base policy"));
    let deployment = &snapshot.deployments[0];
    assert!(snapshot.permit(snapshot.keys.by_name("app").expect("the key"), &ask("any"), deployment).is_ok());
}

#[test]
fn f_089_a_policy_folder_must_hold_policies() {
    check_files(
        &[("backstay.toml", SMALL), ("policies/README.md", "")],
        &["policies:0: holds no policy file ~ an empty"],
    );
    check_files(
        &[("backstay.toml", SMALL), ("policies/base.cedar", "permit (principal, act")],
        &["policies/base.cedar:1: unexpected end of input"],
    );
    // one empty file is legal, and then nothing is permitted
    let (snapshot, _) = compile_files(&[("backstay.toml", SMALL), ("policies/none.cedar", "")]).expect("a snapshot");
    let key = snapshot.keys.by_name("app").expect("the key");
    assert!(snapshot.permit(key, &ask("any"), &snapshot.deployments[0]).is_err());
    assert!(snapshot.probe_permit(&snapshot.deployments[0]).is_err());
}

#[test]
fn tiers_credentials_prices_and_settings_arrive() {
    let config = r#"
[listener.main]
address = "127.0.0.1:0"
[vendor.openai]
dialect = "openai"
base_url = "https://api.openai.com/v1"
region = "us"
credentials = [{ name = "a", env = "A_KEY" }, { name = "b", env = "B_KEY" }]
timeouts = { first_content = "20s" }
[endpoint.openai-eu]
vendor = "openai"
base_url = "https://eu.api.openai.com/v1"
region = "eu"
credential = { env = "EU_KEY" }
[vendor.anthropic]
dialect = "anthropic"
base_url = "https://api.anthropic.com"
region = "us"
credential = { env = "ANTHROPIC_API_KEY" }
[deployment."anthropic/claude-opus-4-8"]
price = { input = 5, output = 25.0, cached = 0.5 }
lacks = ["images"]
[pool.smart]
aliases = ["gpt-5.5"]
deployments = ["openai-eu/gpt-5.5", ["openai/gpt-5.5", "anthropic/claude-opus-4-8"]]
order = "price"
max_price = { output = 30.0 }
attempts = 4
probe = "off"
timeouts = { idle = "7s", first_content = "9s" }
breaker = { open = "1s" }
[team.lab]
[key.app]
secret = { sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }
team = "lab"
residency = "eea"
data = ["personal", "health"]
models = ["gpt-5.5"]
limit = { requests_per_minute = 600, concurrency = 64 }
expires = "2027-06-30"
[server]
max_body = "1MiB"
"#;
    let (snapshot, warnings) = good(config);
    assert_eq!(warnings, []);
    let pool = &snapshot.pools["gpt-5.5"];
    let tiers: Vec<Vec<&str>> = pool.tiers.iter().map(|tier| tier.iter().map(|d| d.id.as_ref()).collect()).collect();
    assert_eq!(
        tiers,
        [vec!["openai-eu/gpt-5.5"], vec!["openai/gpt-5.5", "openai/gpt-5.5", "anthropic/claude-opus-4-8"]]
    );
    let [_, a, b, claude] = snapshot.deployments.as_slice() else { panic!("four deployments") };
    assert_ne!(a.health_key, b.health_key);
    assert_eq!(a.host_key, b.host_key);
    assert_eq!(a.credential.as_ref().map(|credential| &*credential.name), Some("a"));
    let price = *claude.rates.base(0).expect("a price");
    assert_eq!((price.input, price.cached), (TokenPrice(5_000_000), TokenPrice(500_000)));
    assert!(!claude.voice.capabilities.has(Need::Images));
    let timeouts = pool.timeouts_at(a);
    assert_eq!((timeouts.first_content, timeouts.idle), (Duration::from_secs(20), Duration::from_secs(7)));
    assert_eq!(pool.timeouts_at(claude).first_content, Duration::from_secs(9));
    assert_eq!((pool.attempts, pool.probe.kind), (4, ProbeKind::Off));
    let key = snapshot.keys.by_secret(b"abc").expect("the key of that digest");
    assert_eq!((&*key.residency, key.data.len(), key.expires), ("EEA", 2, Some(1_814_400_000)));
    assert_eq!(key.models, ["smart".into()]);
    assert_eq!(snapshot.bounds.max_body_bytes, 1 << 20);
}

#[test]
fn a_price_book_prices_what_the_config_does_not() {
    let book = "[price.\"openai/gpt-5.5\"]\ninput = 1.25\noutput = 10\neffective = 2026-01-01\n";
    let (snapshot, _) = compile_files(&[("backstay.toml", SMALL), ("prices.toml", book)]).expect("a snapshot");
    assert_eq!(snapshot.deployments[0].rates.base(NOW).map(|price| price.output), Some(TokenPrice(10_000_000)));
    let files = |book| [("backstay.toml", SMALL), ("prices.toml", book), ("policies/base.cedar", crate::policy::BASE)];
    check_files(&files("[price.\"openai/x\"]\ninput = -1\noutput = 10\n"), &["prices.toml:2: negative"]);
    check_files(
        &files("[price.\"openai/x\"]\ninput = 1250000\noutput = 10\n"),
        &["prices.toml:2: absurd ~ per million"],
    );
    check_files(&files("[price.gpt]\ninput = 1\noutput = 1\n"), &["prices.toml:1: not the name of a deployment"]);
}

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
fn f_092_regions_zones_and_dialects_suggest_the_right_word() {
    check_instead(
        "region = \"us\"",
        "region = \"us-est-1\"",
        &["backstay.toml:7: no region \"us-est-1\" ~ did you mean \"us-east-1\"?"],
    );
    check_instead("residency = \"any\"", "residency = \"EAA\"", &["backstay.toml:13: no zone \"EAA\" ~ did you mean"]);
    check_instead(
        "dialect = \"openai\"",
        "dialect = \"opanai\"",
        &["backstay.toml:5: no dialect \"opanai\" ~ did you mean \"openai\"?"],
    );
    check_instead(
        "data = []",
        "data = [\"persnal\"]",
        &["backstay.toml:14: no data class \"persnal\" ~ did you mean \"personal\"?"],
    );
}

#[test]
fn f_092_a_region_that_the_host_contradicts_is_refused() {
    check_instead(
        "region = \"us\"",
        "region = \"eu\"",
        &["backstay.toml:7: the region \"eu\" contradicts \"api.openai.com\" ~ it processes in \"us\""],
    );
    check_instead(
        "openai/gpt-5.5",
        "openai/global.gpt",
        &["backstay.toml:10: the region \"us\" contradicts \"global.gpt\" ~ region = \"unknown\""],
    );
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

#[test]
fn secrets_are_never_written_out_and_never_shown() {
    let literal = SMALL.replace("{ env = \"APP_KEY\" }", "\"sk-canary-1234567890\"");
    let found = compile_files(&[("backstay.toml", &literal)]).map(|_| ()).expect_err("diagnostics");
    let text: String = found.iter().map(ToString::to_string).collect();
    assert!(text.contains("never written into the config") && !text.contains("canary"), "{text}");
    let misplaced = SMALL.replace("APP_KEY", "sk-canary-1234567890");
    let found = compile_files(&[("backstay.toml", &misplaced)]).map(|_| ()).expect_err("diagnostics");
    let text: String = found.iter().map(ToString::to_string).collect();
    assert!(text.contains("name of an environment variable") && !text.contains("canary"), "{text}");
}

#[test]
fn secrets_must_be_there() {
    check_instead("APP_KEY", "UNSET", &["backstay.toml:12: the environment variable UNSET is not set ~ set it"]);
    check_instead("APP_KEY", "EMPTY_KEY", &["backstay.toml:12: the secret is empty ~ EMPTY_KEY"]);
    check_instead("APP_KEY", "TWO_LINES_KEY", &["backstay.toml:12: no header can carry"]);
    check_instead("{ env = \"APP_KEY\" }", "{ file = \"none\" }", &["backstay.toml:12: cannot read none"]);
    check_instead("{ env = \"APP_KEY\" }", "{}", &["backstay.toml:12: a secret needs a source"]);
    check_instead("secret = { env = \"APP_KEY\" }", "", &["backstay.toml:11: nothing identifies the key \"app\""]);
}

#[test]
fn a_careless_key_is_warned_of() {
    check_instead("residency = \"any\"", "", &["backstay.toml:11: the key \"app\" says nothing about residency"]);
    check("expires = \"2020-01-01\"\n", &["backstay.toml:15: has expired"]);
    check("expires = \"soon\"\n", &["backstay.toml:15: expected a date"]);
    check("budget = { usd = 5, period = \"month\" }\n", &["backstay.toml:15: not in effect"]);
}

#[test]
fn plain_http_is_for_this_machine() {
    check_instead("127.0.0.1:8080", "0.0.0.0:8080", &["backstay.toml:3: has no certificate ~ plaintext = true"]);
    check_instead(
        "\"127.0.0.1:8080\"",
        "\"0.0.0.0:8080\"\nplaintext = true",
        &["backstay.toml:3: plain HTTP is accepted"],
    );
    check_instead("127.0.0.1:8080", "localhost", &["backstay.toml:3: \"localhost\" is not an address ~ 0.0.0.0:8443"]);
    check("[admin]\naddress = \"0.0.0.0:9443\"\n", &["backstay.toml:16: can be reached from elsewhere"]);
}

struct Issued {
    chain: String,
    key: String,
}

fn issue(names: &[&str], not_after: i64) -> Issued {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut parameters = rcgen::CertificateParams::new(names).expect("parameters");
    let second = |at: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(at.unsigned_abs());
    parameters.not_before = second(NOW - 365 * DAY);
    parameters.not_after = second(not_after);
    let certificate = parameters.self_signed(&key).expect("a certificate");
    Issued { chain: certificate.pem(), key: key.serialize_pem() }
}

fn check_certificate(issued: &Issued, key: &str, expected: &[&str]) {
    let tls = "\"127.0.0.1:8080\"\ncertificate = \"tls/chain.pem\"\nprivate_key = \"tls/key.pem\"";
    let config = SMALL.replace("\"127.0.0.1:8080\"", tls);
    let files = [
        ("backstay.toml", config.as_str()),
        ("tls/chain.pem", &issued.chain),
        ("tls/key.pem", key),
        ("policies/base.cedar", crate::policy::BASE),
    ];
    // the test's files are readable by everyone, which is warned of
    let readable = "backstay.toml:5: can be read by others ~ chmod 600";
    let (before, after) =
        expected.split_at(expected.iter().take_while(|line| line.starts_with("backstay.toml:4")).count());
    check_files(&files, &[before, &[readable], after].concat());
}

#[test]
fn f_144_certificates_are_checked() {
    let issued = issue(&["proxy.example"], NOW + 90 * DAY);
    check_certificate(&issued, &issued.key, &[]);
    let other = issue(&["proxy.example"], NOW + 90 * DAY);
    check_certificate(&issued, &other.key, &["backstay.toml:4: do not go together"]);
    let expired = issue(&["proxy.example"], NOW - DAY);
    check_certificate(&expired, &expired.key, &["backstay.toml:4: expired at ~ renewed"]);
    for days in [29, 13, 6, 0] {
        let ending = issue(&["proxy.example"], NOW + days * DAY + 60);
        check_certificate(&ending, &ending.key, &[&format!("backstay.toml:4: expires in {days} days")]);
    }
    check_certificate(&issued, "", &["backstay.toml:5: holds no private key"]);
    let empty = Issued { chain: String::new(), key: issued.key.clone() };
    check_certificate(&empty, &issued.key, &["backstay.toml:4: holds no certificate"]);
    let cut = Issued { chain: issued.chain[..issued.chain.len() / 2].to_owned(), key: issued.key.clone() };
    check_certificate(&cut, &issued.key, &["backstay.toml:4: chain.pem"]);
}

#[test]
fn certificates_are_chosen_by_their_names() {
    let issued = issue(&["Proxy.example", "*.llm.example"], NOW + 90 * DAY);
    let tls = "\"127.0.0.1:8080\"\ncertificates = [{ chain = \"c.pem\", key = \"k.pem\" }]\nclient_roots = \"c.pem\"";
    let config = SMALL.replace("\"127.0.0.1:8080\"", tls).replace(
        "secret = { env = \"APP_KEY\" }",
        "certificate = { san_uri = \"spiffe://corp/app\", san_dns = \"App.corp\" }",
    );
    let files = [("backstay.toml", config.as_str()), ("c.pem", &issued.chain), ("k.pem", &issued.key)];
    let (snapshot, _) = compile_files(&files).expect("a snapshot");
    let listener = &snapshot.listeners[0];
    assert_eq!(listener.certificates[0].names, ["proxy.example", "*.llm.example"]);
    assert_eq!(listener.certificates[0].not_after, NOW + 90 * DAY);
    assert_eq!(listener.client_roots.len(), 1);
    assert!(snapshot.keys.by_certificate(["dns:other", "uri:spiffe://corp/app"]).is_some());
    assert!(snapshot.keys.by_certificate(["dns:app.corp"]).is_some());
}

#[test]
fn the_digest_follows_every_source() {
    let digest = |files: &[(&str, &str)]| compile_files(files).expect("a snapshot").0.digest;
    let config = SMALL.replace("{ env = \"APP_KEY\" }", "{ file = \"secret\" }");
    let first = digest(&[("backstay.toml", &config), ("secret", "one")]);
    let second = digest(&[("backstay.toml", &config), ("secret", "two")]);
    assert_ne!(first, second);
}

#[test]
fn the_shipped_policies_permit_the_small_case() {
    let files = [
        ("backstay.toml", SMALL),
        ("policies/base.cedar", include_str!("../../../policies/base.cedar")),
        ("policies/gdpr.cedar", include_str!("../../../policies/gdpr.cedar")),
        ("policies/export-control.cedar", include_str!("../../../policies/export-control.cedar")),
        ("policies/health.cedar", include_str!("../../../policies/health.cedar")),
        ("policies/price.cedar", include_str!("../../../policies/price.cedar")),
        ("policies/tests/gdpr.toml", include_str!("../../../policies/tests/gdpr.toml")),
        ("policies/README.md", "# Policies"),
    ];
    let (snapshot, warnings) = compile_files(&files).expect("a snapshot");
    assert_eq!(warnings, []);
    let key = snapshot.keys.by_name("app").expect("the key");
    assert!(snapshot.permit(key, &ask("any"), &snapshot.deployments[0]).is_ok());
}

#[test]
fn f_092_a_policy_is_checked_against_the_config() {
    let rule = "@id(\"a\")\nforbid (principal, action, resource in Vendor::\"opanai\");\n";
    check_files(
        &[("backstay.toml", SMALL), ("policies/base.cedar", crate::policy::BASE), ("policies/rule.cedar", rule)],
        &["policies/rule.cedar:2: no vendor \"opanai\" ~ Vendor::\"openai\""],
    );
}

#[test]
fn what_is_not_used_is_warned_of() {
    check("[deployment.\"openai/gpt-5\"]\n", &["backstay.toml:15: no pool uses \"openai/gpt-5\" ~ openai/gpt-5.5"]);
    let endpoint = "[endpoint.eu]\nvendor = \"openai\"\nbase_url = \"https://eu.api.openai.com/v1\"\n";
    check(endpoint, &["backstay.toml:15: \"eu\" has no credential", "backstay.toml:15: no pool uses \"eu\""]);
}

/// The profile of vendor `x`, whose table is given.
fn profile_of(table: &str) -> (Profile, String) {
    let config = format!("{SMALL}[vendor.x]\ndialect = \"openai\"\n{table}[pool.y]\ndeployments = [\"x/m\"]\n");
    let (snapshot, _) = good(&config);
    let deployment = snapshot.pools["y"].deployments().next().expect("a deployment").clone();
    (deployment.voice.profile, deployment.endpoint.authority.to_string())
}

#[test]
fn a_compatible_vendor_is_described_by_a_name_or_by_its_quirks() {
    let (mistral, authority) = profile_of("profile = \"mistral\"\ncredential = { env = \"M_KEY\" }\n");
    assert_eq!((mistral.max_tokens_member, authority.as_str()), ("max_tokens", "api.mistral.ai"));
    let own = "profile = \"generic\"\nbase_url = \"https://llm.example\"\ncredential = { env = \"M_KEY\" }\n[vendor.x.quirks]\n\
        max_tokens_member = \"max_completion_tokens\"\nusage_on_request = false\ndeveloper_role = true\nstops = 2\n\
        think_tags = true\nefforts = [\"low\", \"high\"]\nrefused_members = [\"user\"]\ntool_call_ids = \"nine_alphanumerics\"\n\
        lacks = [\"images\"]\noffers = [\"store\"]\ncatalog = \"scaleway\"\n";
    let (own, _) = profile_of(own);
    let quirks = own.quirks;
    assert_eq!((own.max_tokens_member, own.usage_on_request, quirks.stops), ("max_completion_tokens", false, 2));
    assert!(quirks.developer_role && quirks.think_tags && quirks.refused_members.has(Member::User));
    assert_eq!((quirks.efforts.nearest("xhigh"), quirks.tool_call_ids), (Some("high"), ToolCallIds::NineAlphanumerics));
    assert!(own.capabilities.has(Need::Stores) && !own.capabilities.has(Need::Images));
    let wrong = "[vendor.x]\ndialect = \"openai\"\nprofile = \"mistrall\"\n";
    check(wrong, &["backstay.toml:17: no profile \"mistrall\" ~ did you mean \"mistral\""]);
    let wrong = "[vendor.x]\ndialect = \"openai\"\nprofile = \"groq\"\ncredential = { env = \"G_KEY\" }\n[vendor.x.quirks]\nefforts = [\"hihg\"]\n\
        refused_members = [\"usr\"]\ncatalog = \"grok\"\nstop = 2\n";
    let found = [
        "backstay.toml:20: no effort ~ minimal",
        "backstay.toml:21: no member that can be left out ~ user",
        "backstay.toml:22: no vendor in the list of models",
        "backstay.toml:23: unknown field `stop` ~ `stops`",
    ];
    check(wrong, &found);
}

#[test]
fn vendors_and_their_endpoints_fit() {
    check("[vendor.x]\ndialect = \"openai\"\n", &["backstay.toml:15: answers nowhere ~ base_url"]);
    let listed = "[vendor.x]\ndialect = \"openai\"\n[pool.y]\ndeployments = [\"x/m\"]\n";
    check(listed, &["backstay.toml:15: answers nowhere", "backstay.toml:18: no endpoint of its own ~ [vendor.x]"]);
    check_instead("/v1\"", "/v1/chat/completions\"", &["backstay.toml:6: ends with \"/chat/completions\" ~ prefix"]);
    check_instead("https://api", "http://api", &["backstay.toml:6: plain HTTP is for loopback"]);
    let both = "{ env = \"A_KEY\" }\ncredentials = [{ name = \"b\", env = \"B_KEY\" }]";
    check_instead("{ env = \"OPENAI_API_KEY\" }", both, &["backstay.toml:8: both `credential` and `credentials`"]);
    check_instead("region = \"us\"", "ca_file = \"ca.pem\"", &["backstay.toml:7: cannot read ca.pem"]);
}

/// The small config with another vendor, whose table begins at line 15, and a pool of it.
fn check_cloud(lines: &str, model: &str, expected: &[&str]) {
    check(&format!("[vendor.cloud]\n{lines}[pool.of-cloud]\ndeployments = [\"cloud/{model}\"]\n"), expected);
}

#[test]
fn a_cloud_says_what_it_lacks_and_what_contradicts() {
    let credential = "credential = { env = \"CLOUD_KEY\" }\n";
    let cloud =
        |lines: &str, model: &str, expected: &[&str]| check_cloud(&format!("{credential}{lines}"), model, expected);
    let aws = "dialect = \"bedrock\"\n";
    cloud(&format!("{aws}region = \"eu-central-1\"\n"), "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", &[]);
    cloud(
        &format!("{aws}region = \"eu-central-1\"\n"),
        "us.amazon.nova-pro-v1:0",
        &["backstay.toml:20: contradicts \"us.amazon"],
    );
    let global = ["backstay.toml:20: contradicts \"global.anthropic ~ region = \"unknown\""];
    cloud(&format!("{aws}region = \"eu-central-1\"\n"), "global.anthropic.claude-sonnet-4-5-v1:0", &global);
    let arn = "arn:aws:bedrock:eu-central-1:000000000000:inference-profile/us.amazon.nova-pro-v1:0";
    cloud(&format!("{aws}region = \"eu-central-1\"\n"), arn, &["backstay.toml:20: contradicts \"arn:aws"]);
    let nowhere =
        ["backstay.toml:15: answers nowhere ~ region = \"eu-central-1\"", "backstay.toml:19: no endpoint of its own"];
    cloud(aws, "amazon.nova-pro-v1:0", &nowhere);
    let us_host = "base_url = \"https://bedrock-runtime.us-east-1.amazonaws.com\"\nregion = \"eu\"\n";
    cloud(&format!("{aws}{us_host}"), "m", &["backstay.toml:19: contradicts \"bedrock-runtime.us-east-1"]);
    let unreadable = ["backstay.toml:16: the AWS key cannot be read ~ aws configure export-credentials"];
    cloud(&format!("{aws}region = \"eu-central-1\"\nauth = \"sigv4\"\n"), "m", &unreadable);

    let google = "dialect = \"anthropic\"\nprofile = \"vertex\"\n";
    let model = "claude-sonnet-4-5@20250929";
    cloud(&format!("{google}project = \"p\"\nlocation = \"europe-west4\"\nregion = \"europe-west4\"\n"), model, &[]);
    let no_project = ["backstay.toml:15: needs `project` ~ gcloud config get project"];
    cloud(&format!("{google}location = \"europe-west4\"\nregion = \"europe-west4\"\n"), model, &no_project);
    let elsewhere = format!("{google}project = \"p\"\nlocation = \"us-east5\"\nregion = \"eu\"\n");
    cloud(&elsewhere, model, &["backstay.toml:21: contradicts \"us-east5-aiplatform"]);
    let anywhere = format!("{google}project = \"p\"\nlocation = \"global\"\nregion = \"eu\"\n");
    cloud(&anywhere, model, &["backstay.toml:21: contradicts \"aiplatform ~ region = \"unknown\""]);
    let private = "base_url = \"https://vertex.example\"\n";
    let hidden = format!("{anywhere}{private}");
    cloud(&hidden, model, &["backstay.toml:15: the location \"global\" contradicts ~ region = \"unknown\""]);
    let host = "base_url = \"https://us-east5-aiplatform.googleapis.com\"\n";
    let wrong_host = format!("{google}project = \"p\"\nlocation = \"europe-west4\"\nregion = \"unknown\"\n{host}");
    cloud(&wrong_host, model, &["backstay.toml:15: contradicts the host ~ leave `base_url` out"]);

    let azure = "dialect = \"openai\"\nprofile = \"azure\"\nregion = \"westeurope\"\nbase_url = \"https://r.openai.azure.com\"\n";
    cloud(azure, "gpt-5.5", &[]);
    cloud(&format!("{azure}api_version = \"2024-10-21\"\n"), "gpt-5.5", &[]);
    let version = ["backstay.toml:15: needs `api_version` ~ url_form = \"v1\""];
    cloud(&format!("{azure}url_form = \"classic\"\n"), "gpt-5.5", &version);
    cloud(
        &format!("{azure}url_form = \"new\"\n"),
        "gpt-5.5",
        &["backstay.toml:21: no form of URLs \"new\" ~ v1, classic"],
    );
    cloud(
        &format!("{azure}auth = \"sigv4\"\n"),
        "gpt-5.5",
        &[
            "backstay.toml:16: a signature is for one AWS region",
            "backstay.toml:21: not authenticated with in this way ~ bedrock",
        ],
    );
    cloud(&format!("{azure}auth = \"entra\"\n"), "gpt-5.5", &["backstay.toml:16: no JSON ~ az ad sp create-for-rbac"]);
}

#[test]
fn one_deployment_under_two_names_shares_its_health() {
    let twin = "[endpoint.twin]\nvendor = \"openai\"\nbase_url = \"https://api.openai.com/v1/\"\nregion = \"REGION\"\n\
                credential = { env = \"OPENAI_API_KEY\" }\n[pool.two]\ndeployments = [\"twin/gpt-5.5\"]\n";
    check(&twin.replace("REGION", "us"), &["backstay.toml:21: are the same deployment"]);
    check(&twin.replace("REGION", "unknown"), &["backstay.toml:21: but of different regions"]);
}

#[test]
fn bounds_and_breakers_make_sense() {
    check("[server]\nidle_timeout = \"0s\"\n", &["backstay.toml:15: a bound of zero"]);
    check("[server]\nmax_body = \"32MB\"\n", &["backstay.toml:16: expected a size ~ 32MiB"]);
    let pool = |line: &str| format!("[pool.other]\ndeployments = [\"openai/gpt-5.5\"]\n{line}\n");
    check(&pool("breaker = { open = \"5m\" }"), &["backstay.toml:17: at most its `cap`"]);
    check(&pool("attempts = 0"), &["backstay.toml:17: 0 attempts ~ between 1 and 10"]);
    check(&pool("order = \"prise\""), &["backstay.toml:17: \"prise\" is not known here ~ \"price\""]);
    check("[pool.none]\ndeployments = []\n", &["backstay.toml:15: has no deployment"]);
}

#[test]
fn a_header_narrows_the_residency_of_its_key() {
    let (snapshot, _) = good(&SMALL.replace("residency = \"any\"", "residency = \"eea\""));
    let key = snapshot.keys.by_name("app").expect("the key");
    let narrowed = |asked: &str| snapshot.residency(key, asked).map(|zone| zone.to_string());
    assert_eq!(narrowed("eu"), Ok("EU".to_owned()));
    assert_eq!(narrowed("de"), Ok("DE".to_owned()));
    assert_eq!(narrowed("any"), Ok("EEA".to_owned()));
    assert_eq!(narrowed("US"), Err(Unfit::Contradicts));
    assert_eq!(narrowed("atlantis"), Err(Unfit::Unknown));
    assert_eq!(narrowed("unknown"), Err(Unfit::Unknown));
    assert!(snapshot.data_class("health").is_some() && snapshot.data_class("secret").is_none());
}

#[test]
fn every_table_can_be_written() {
    let config = r#"
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
    let (snapshot, warnings) = good(config);
    let idle: Vec<usize> = warnings.iter().map(|warning| warning.place.line).collect();
    assert_eq!(idle, [42, 49, 58, 59], "what is not in effect yet is warned of: {warnings:?}");
    let key = snapshot.keys.by_name("research-app").expect("the key");
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
