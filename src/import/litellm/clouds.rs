//! Models at Azure, AWS and Google, each of which wants more than a URL and a key.

use super::Importer;
use super::base_url::{self, Base};
use super::members::{Members, Told, Word};
use super::places::{Made, Source, Spot, VARIABLE};
use super::providers::{ANTHROPIC, Provider};
use super::spots::{company, literal, spot};
use crate::base::secret::Secret;
use crate::dialect::profile::clouds::{google_host, is_aws_region};
use crate::import::yaml::{Mark, Node, Value, shown};

/// Versions that stand for the form of URLs without a version (<https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle>).
const NO_VERSIONS: [&str; 3] = ["v1", "preview", "latest"];
/// Words that LiteLLM takes before an Azure deployment's name.
const SERIES: [&str; 2] = ["o_series/", "gpt5_series/"];
/// Hosts of resources that serve every model under Azure's paths.
const RESOURCES: [&str; 3] = [".services.ai.azure.com", ".openai.azure.com", ".cognitiveservices.azure.com"];
/// Words before a Bedrock model's id that choose between APIs of which Backstay speaks one.
const ROUTES: [&str; 4] = ["converse/", "invoke/", "converse_like/", "bedrock/"];
const AWS_FILE: &str = "secrets/aws";
const GOOGLE_FILE: &str = "secrets/google.json";

impl Importer<'_> {
    /// Azure OpenAI: a resource, an API version, and a deployment there.
    pub(super) fn azure(
        &mut self,
        provider: &Provider,
        model: &str,
        params: &mut Members<'_>,
    ) -> Option<(Spot, String)> {
        let model = SERIES.iter().find_map(|series| model.strip_prefix(series)).unwrap_or(model);
        let told = self.resource("AZURE_API_BASE", params);
        let base = base_url::read(told, provider, &mut self.findings)?;
        let version = params.text("api_version", self.around, &mut self.findings).and_then(Told::known);
        let version = version.or_else(|| self.around.variable("AZURE_API_VERSION"));
        if version.is_none() {
            let message = "no `api_version` is named: URLs are written in the form that has none";
            self.findings.say(params.at, message, "add `api_version` to the vendor for the classic form");
        }
        let version = version.filter(|version| !NO_VERSIONS.contains(&version.as_str()));
        let mut company = company(provider.vendor, provider, false);
        company.classic = version.is_some();
        let (auth, secret) = self.entra(provider, params);
        let region = self.region_name(params);
        let label = label(&base);
        Some((Spot { label, api_version: version, auth, ..spot(company, base, region, secret) }, model.to_owned()))
    }

    /// Azure AI Foundry: Claude in its own dialect, the rest in OpenAI's.
    pub(super) fn foundry(
        &mut self,
        provider: &Provider,
        model: &str,
        params: &mut Members<'_>,
    ) -> Option<(Spot, String)> {
        let told = self.resource("AZURE_AI_API_BASE", params);
        // paths there tell models apart, and versions are in no path
        let _ = params.take("api_version");
        let mut base = base_url::read(told, provider, &mut self.findings)?;
        let (auth, secret) = self.entra(provider, params);
        let claude = model.contains("claude");
        let resource = RESOURCES.iter().any(|ending| base.host.ends_with(ending)) || base.host.ends_with(".invalid");
        let spoken = match (claude, resource) {
            (true, _) => {
                base.url = format!("{}/anthropic", base.url.trim_end_matches("/anthropic"));
                Provider { dialect: ANTHROPIC.dialect, profile: ANTHROPIC.profile, vendor: "azure-claude", ..*provider }
            }
            (false, true) => *provider,
            (false, false) => {
                base.url = format!("{}/v1", base.url.trim_end_matches("/v1"));
                Provider { profile: "generic", ..*provider }
            }
        };
        let company = company(spoken.vendor, &spoken, false);
        let region = self.region_name(params);
        let label = label(&base);
        Some((Spot { label, auth, ..spot(company, base, region, secret) }, model.to_owned()))
    }

    /// The URL of an entry's resource, or the variable that LiteLLM takes it from.
    fn resource(&mut self, variable: &str, params: &mut Members<'_>) -> Told {
        self.api_base(params).unwrap_or_else(|| match self.around.variable(variable) {
            Some(url) => Told::Text(url, params.at),
            None => {
                let message = format!("no `api_base` is named, and the variable {variable} is not set here");
                let help = format!("set {variable} and import again, or write the value into the config");
                self.findings.say(params.at, message, help);
                Told::Unset(variable.to_owned(), params.at)
            }
        })
    }

    /// An application's secret at Entra, or else a key.
    fn entra(&mut self, provider: &Provider, params: &mut Members<'_>) -> (Option<&'static str>, Source) {
        let parts = ["tenant_id", "client_id", "client_secret", "azure_ad_token"].map(|name| params.take(name));
        if parts.iter().all(Option::is_none) {
            return (None, self.key(provider, params));
        }
        // a key beside it is the weaker way
        let _ = params.take("api_key");
        let secret = Source::Made(Made {
            of: Secret::new(identity(&parts)),
            ending: "CREDENTIAL",
            message: format!("Entra's tenant, application and secret become one secret, in the variable {VARIABLE}"),
            help: format!(
                "set {VARIABLE} to JSON as `az ad sp create-for-rbac` prints it: appId, password, tenant; replace what lay in the file"
            ),
        });
        (Some("entra"), secret)
    }

    /// AWS Bedrock: a region, and a model's id, profile or ARN.
    pub(super) fn bedrock(
        &mut self,
        provider: &Provider,
        model: &str,
        params: &mut Members<'_>,
    ) -> Option<(Spot, String)> {
        let model = ROUTES.iter().find_map(|route| model.strip_prefix(route)).unwrap_or(model);
        let (within, model) = match model.split_once('/') {
            Some((region, model)) if is_aws_region(region) => (Some(region), model),
            Some(_) | None => (None, model),
        };
        let of_arn =
            model.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2)).filter(|region| is_aws_region(region));
        let named = params.text("aws_region_name", self.around, &mut self.findings).and_then(Told::known);
        let named = named.or_else(|| within.or(of_arn).map(str::to_owned));
        let variables = ["AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"];
        let named = named.or_else(|| variables.iter().find_map(|variable| self.around.variable(variable)));
        let Some(region) = named.filter(|region| is_aws_region(region)) else {
            let help = "write `aws_region_name: eu-central-1`, or set AWS_REGION_NAME, and import again";
            self.leave_out(params.at, "its AWS region is not known", help);
            return None;
        };
        let model = params
            .text("model_id", self.around, &mut self.findings)
            .and_then(Told::known)
            .unwrap_or_else(|| model.to_owned());
        let endpoint = params.text("aws_bedrock_runtime_endpoint", self.around, &mut self.findings);
        let base = match endpoint {
            Some(told) => base_url::read(told, provider, &mut self.findings)?,
            None => Base::known(&format!("https://bedrock-runtime.{region}.amazonaws.com")),
        };
        let (auth, secret) = self.aws(params);
        let company = company(provider.vendor, provider, base.host.ends_with(".amazonaws.com"));
        let known = self.vocabulary.region(&region).map(|region| region.to_string());
        Some((Spot { label: region, auth, ..spot(company, base, known, secret) }, model))
    }

    /// An API key of Bedrock, or a key that signs.
    fn aws(&mut self, params: &mut Members<'_>) -> (Option<&'static str>, Source) {
        if let Some((word, at)) = params.word("api_key") {
            return (
                None,
                match word {
                    Word::Variable(name) => self.variable(&name, at),
                    Word::Written(text) => literal(&text, "API_KEY"),
                },
            );
        }
        let parts = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"].map(|name| params.take(name));
        let secret = if parts.iter().any(Option::is_some) {
            let shell = parts.iter().flatten().filter_map(|node| Word::of(node)).map(|word| match word {
                Word::Variable(name) => format!("${}", shown(&name)),
                Word::Written(_) => "...".to_owned(),
            });
            let shell: Vec<String> = shell.collect();
            Source::Made(Made {
                of: Secret::new(identity(&parts)),
                ending: "CREDENTIAL",
                message: format!("the parts of an AWS key become one secret, in the variable {VARIABLE}"),
                help: format!(
                    "set {VARIABLE}=\"{}\" (ID:SECRET[:SESSION]); what lay in the file itself is to be replaced",
                    shell.join(":")
                ),
            })
        } else {
            let help = format!(
                "write what `aws configure export-credentials` prints into {AWS_FILE} beside the config; it is read again when it changes"
            );
            let message = format!(
                "AWS's own search for a key (variables, profile, role) is not made: the key is read from {AWS_FILE}"
            );
            self.findings.say(params.at, message, help);
            Source::File(AWS_FILE.to_owned())
        };
        (Some("sigv4"), secret)
    }

    /// Vertex AI: a project, a location, and Claude or Gemini there.
    pub(super) fn vertex(
        &mut self,
        provider: &Provider,
        model: &str,
        params: &mut Members<'_>,
    ) -> Option<(Spot, String)> {
        let dialect = if model.starts_with("claude") {
            "anthropic"
        } else if model.starts_with("gemini") {
            "gemini"
        } else {
            let message = format!("Backstay speaks with Claude and Gemini on Vertex AI, not with \"{}\"", shown(model));
            self.leave_out(params.at, message, "ask that model at another vendor");
            return None;
        };
        let mut setting = |name: &str, further: &str, variable: &str| {
            let told = params.text(name, self.around, &mut self.findings).and_then(Told::known);
            let told = told.or_else(|| params.text(further, self.around, &mut self.findings).and_then(Told::known));
            told.or_else(|| self.vertex_defaults.get(name).cloned()).or_else(|| self.around.variable(variable))
        };
        let project = setting("vertex_project", "vertex_ai_project", "VERTEXAI_PROJECT");
        let location = setting("vertex_location", "vertex_ai_location", "VERTEXAI_LOCATION");
        let plain = |text: &String| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:_".contains(&byte))
        };
        let (Some(project), Some(location)) = (project.filter(plain), location.filter(plain)) else {
            let help = "write `vertex_project` and `vertex_location` (\"europe-west4\"), and import again";
            self.leave_out(params.at, "its Google Cloud project or location is not known", help);
            return None;
        };
        let secret = self.google(params);
        let name = if dialect == "gemini" { provider.vendor } else { "google-claude" };
        let company = company(name, &Provider { dialect, ..*provider }, true);
        let base = Base::known(&format!("https://{}", google_host(&location)));
        let region = self.vocabulary.region(&location).map(|region| region.to_string());
        let spot = spot(company, base, region, secret);
        let label = location.clone();
        Some((
            Spot { label, project: Some(project), location: Some(location), auth: Some("google"), ..spot },
            model.to_owned(),
        ))
    }

    /// A service account's key: a file, or its JSON.
    fn google(&mut self, params: &mut Members<'_>) -> Source {
        let node = params.take("vertex_credentials").or_else(|| params.take("vertex_ai_credentials"));
        let node = node.map(|node| (node, Word::of(node)));
        match node {
            Some((node, Some(Word::Variable(name)))) => {
                let message = format!("the variable {} must hold a Google credential's JSON itself", shown(&name));
                self.findings.say(
                    node.mark,
                    message,
                    "where it holds a file's path, write credential = { file = \"that path\" }",
                );
                self.variable(&name, node.mark)
            }
            Some((_, Some(Word::Written(json)))) if json.trim_start().starts_with('{') => literal(&json, "CREDENTIAL"),
            Some((_, Some(Word::Written(path)))) if is_path(&path) => Source::File(path),
            Some((node, None)) if matches!(node.value, Value::Map(_)) => {
                literal(&identity(&[Some(node)]), "CREDENTIAL")
            }
            found => {
                let at: Mark = found.map_or(params.at, |(node, _)| node.mark);
                let message =
                    format!("Google's own search for a credential is not made: it is read from {GOOGLE_FILE}");
                let help =
                    "put a service account's key there, or ~/.config/gcloud/application_default_credentials.json";
                self.findings.say(at, message, help);
                Source::File(GOOGLE_FILE.to_owned())
            }
        }
    }
}

/// Whether the config may name a file so.
fn is_path(text: &str) -> bool {
    let climbs = !text.starts_with('/') && text.split(['/', '\\']).any(|part| part == "..");
    !text.is_empty() && text.len() < 4096 && !climbs && !text.starts_with('~') && !text.chars().any(char::is_control)
}

/// What tells a secret of several parts from others.
fn identity(parts: &[Option<&Node>]) -> String {
    let one = |node: &Node| match &node.value {
        Value::Scalar { text, .. } => text.clone(),
        Value::Map(members) => members.iter().filter_map(|member| member.value.text()).collect::<Vec<_>>().join("\n"),
        Value::List(_) => String::new(),
    };
    parts.iter().map(|part| part.map(one).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The first word of a host.
fn label(base: &Base) -> String {
    base.host.split('.').next().unwrap_or_default().to_owned()
}
