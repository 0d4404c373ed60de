//! Vendors, endpoints and clouds: what they are known by, and what contradicts it.

use super::{SMALL, check, check_instead, good};
use crate::call::needs::Need;
use crate::dialect::profile::Profile;
use crate::dialect::profile::quirks::Member;
use crate::dialect::profile::quirks::ToolCallIds;

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
