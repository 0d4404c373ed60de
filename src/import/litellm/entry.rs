//! One entry of `model_list`: a model at a place, and what is said of it.

use super::Importer;
use super::members::{Members, Told};
use super::providers::{self, Provider};
use crate::config::names;
use crate::import::draft::{Table, inline, text};
use crate::import::yaml::{Mark, Node, shown};
use crate::price::import::Decimal;
use toml::Value;

/// What Backstay speaks of what LiteLLM calls a mode.
const MODES: [&str; 4] = ["chat", "completion", "responses", "embedding"];
/// What is known of a model in LiteLLM's words, and the capability in ours.
const CAPABILITIES: [(&str, &str); 6] = [
    ("supports_function_calling", "tools"),
    ("supports_vision", "images"),
    ("supports_audio_input", "audio"),
    ("supports_pdf_input", "documents"),
    ("supports_response_schema", "json_schema"),
    ("supports_reasoning", "reasoning"),
];
/// Prices of LiteLLM, and the parts of ours. The first two are obligatory.
const PRICES: [(&str, &str); 4] = [
    ("input_cost_per_token", "input"),
    ("output_cost_per_token", "output"),
    ("cache_read_input_token_cost", "cached"),
    ("cache_creation_input_token_cost", "written"),
];
/// More tiers than this nobody writes.
const MOST_ORDER: u64 = 1_000_000;
/// More tokens than any model takes.
const MOST_TOKENS: u64 = 1_000_000_000;
/// As much as the config takes for a million tokens.
const ABSURD_USD: f64 = 100_000.0;

/// An entry that is carried.
pub(super) struct Entry {
    /// What clients ask for.
    pub(super) group: String,
    pub(super) at: Mark,
    /// `endpoint/model`.
    pub(super) deployment: String,
    /// Lower ones are asked first; those without one, last.
    pub(super) order: Option<u64>,
    /// `model_info.id`, by which fallbacks may name it.
    pub(super) id: Option<String>,
}

/// Where one deployment differs from its endpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Terms {
    region: Option<String>,
    price: Vec<(&'static str, f64)>,
    context: Option<u64>,
    max_output: Option<u64>,
    lacks: Vec<&'static str>,
    offers: Vec<&'static str>,
    timeouts: Vec<(&'static str, String)>,
}

impl<'a> Importer<'a> {
    /// Reads one entry; what cannot be carried is told.
    pub(super) fn entry(&mut self, node: &'a Node) {
        let mut entry = Members::of(node);
        let group = entry.text("model_name", self.around, &mut self.findings).and_then(Told::known);
        let params = entry.take("litellm_params").filter(|params| !params.members().is_empty());
        let (Some(group), Some(params)) = (group, params) else {
            let help = "an entry has `model_name` and `litellm_params`, a mapping with `model`";
            return self.leave_out(node.mark, "an entry of `model_list` lacks its name or its parameters", help);
        };
        let mut params = Members::of(params);
        self.with_credential(&mut params);
        let info = entry.take("model_info");
        let mut info = self.mapping(info, "model_info", node.mark);
        let Some((provider, model)) = self.provider(&group, &mut params, &mut info) else { return };
        let Some((spot, model)) = self.spot(&provider, &model, &mut params) else { return };
        if let Some(message) = names::wrong_model(&model) {
            return self.leave_out(params.at, message, "write the model as the vendor names it");
        }
        let order = params.take("order").or(info.take("order"));
        let order = self.whole(order, "order", MOST_ORDER);
        let id = info.take("id").and_then(|id| id.text()).map(str::to_owned);
        let spot = self.agreeing(spot, params.at);
        let endpoint_region = spot.region.clone();
        let endpoint = self.places.endpoint(spot, params.at, &mut self.findings);
        let deployment = format!("{endpoint}/{model}");
        let mut terms = self.terms(&mut params, &mut info);
        let hint = self.vocabulary.hint("", &model).map(|region| region.to_string());
        terms.region = hint.filter(|hint| endpoint_region.as_ref() != Some(hint));
        self.differs(&deployment, terms, node.mark);
        self.rest("model_list", entry);
        self.rest("litellm_params", params);
        self.rest("model_info", info);
        self.entries.push(Entry { group, at: node.mark, deployment, order, id });
    }

    /// Adds what `credential_list` says under the name that an entry gives.
    fn with_credential(&mut self, params: &mut Members<'a>) {
        let Some(node) = params.take("litellm_credential_name") else { return };
        self.used.extend(node.text());
        let named = |item: &&'a Node| item.get("credential_name").and_then(Node::text) == node.text();
        match self.credentials.iter().copied().find(named).and_then(|item| item.get("credential_values")) {
            Some(values) => params.or(values),
            None => {
                let name = shown(node.text().unwrap_or_default());
                let help = "add it to `credential_list`, or fill in `credential` of the vendor";
                self.findings.say(node.mark, format!("the credential \"{name}\" is not in `credential_list`"), help);
            }
        }
    }

    /// The provider of an entry's model, and the model's name there; `None` once it was said why it is left out.
    fn provider(
        &mut self,
        group: &str,
        params: &mut Members<'_>,
        info: &mut Members<'_>,
    ) -> Option<(Provider, String)> {
        let model = params.text("model", self.around, &mut self.findings).and_then(Told::known);
        let Some(model) = model else {
            self.leave_out(params.at, "an entry names no `model`", "write `model: provider/model`");
            return None;
        };
        if model.contains('*') || group.contains('*') {
            let help = "a pool has a name and deployments that are written down: add an entry for each model that is asked for";
            self.leave_out(params.at, format!("\"{}\" stands for models by pattern", shown(&model)), help);
            return None;
        }
        let at = params.at;
        let mode = info.take("mode").and_then(Node::text).unwrap_or("chat");
        let no_calls = |importer: &mut Self| {
            let message = format!("Backstay has no calls of the mode \"{}\" for \"{}\"", shown(mode), shown(&model));
            let help = "what a vendor offers beside calls passes at /vendor/ENDPOINT/... to keys that list the path";
            importer.leave_out(at, message, help);
            None
        };
        if !MODES.contains(&mode) {
            return no_calls(self);
        }
        let custom = params.take("custom_llm_provider").and_then(Node::text);
        let (provider, own) = match providers::find(&model, custom) {
            Ok((provider, own)) => (provider, own.to_owned()),
            Err(prefix) => {
                let message = match prefix {
                    Some(prefix) => format!("the provider \"{}\" is not known here", shown(prefix)),
                    None => format!("\"{}\" does not tell its provider", shown(&model)),
                };
                let help = "what speaks OpenAI's dialect is imported as `openai/MODEL` with its `api_base`";
                self.leave_out(params.at, message, help);
                return None;
            }
        };
        if mode == "embedding" && matches!(provider.dialect, "anthropic" | "bedrock") {
            return no_calls(self);
        }
        Some((provider, own))
    }

    /// What an entry says of its model.
    fn terms(&mut self, params: &mut Members<'_>, info: &mut Members<'_>) -> Terms {
        let mut terms = Terms { price: self.price(params, info), ..Terms::default() };
        terms.context = self.whole(info.take("max_input_tokens"), "max_input_tokens", MOST_TOKENS);
        let output = self.whole(info.take("max_output_tokens"), "max_output_tokens", MOST_TOKENS);
        terms.max_output = self.whole(info.take("max_tokens"), "max_tokens", MOST_TOKENS).or(output);
        for (theirs, ours) in CAPABILITIES {
            match info.take(theirs).and_then(Node::truth) {
                Some(true) => terms.offers.push(ours),
                Some(false) => terms.lacks.push(ours),
                None => {}
            }
        }
        if let Some(answer) = self.duration(params, "timeout") {
            terms.timeouts.push(("answer", answer));
        }
        if let Some(first) = self.duration(params, "stream_timeout") {
            terms.timeouts.extend([("first_content", first.clone()), ("headers", first)]);
        }
        terms
    }

    /// The price of a million tokens, where that of one is told.
    fn price(&mut self, params: &mut Members<'_>, info: &mut Members<'_>) -> Vec<(&'static str, f64)> {
        let mut price = Vec::new();
        let mut at = None;
        for (theirs, ours) in PRICES {
            let (first, second) = (params.take(theirs), info.take(theirs));
            let Some(node) = first.or(second) else { continue };
            at = Some(node.mark);
            let usd = node.text().and_then(Decimal::parse).and_then(|one| one.of_a_million().to_string().parse().ok());
            match usd.filter(|usd: &f64| *usd <= ABSURD_USD) {
                Some(usd) => price.push((ours, usd)),
                None => self.findings.say(
                    node.mark,
                    format!("`{theirs}` is no price"),
                    "US dollars for one token, as 0.0000025",
                ),
            }
        }
        let has = |part: &str| price.iter().any(|(name, _)| *name == part);
        if !has("input") || !has("output") {
            if let Some(at) = at {
                let help = "a price has `input_cost_per_token` and `output_cost_per_token`; else the price book counts";
                self.findings.say(at, "a price of which a part is missing is not carried", help);
            }
            price.clear();
        }
        price
    }

    /// Keeps what a deployment differs in; of two entries for one deployment, the first holds.
    fn differs(&mut self, deployment: &str, terms: Terms, at: Mark) {
        match self.terms.iter().find(|(id, _)| id == deployment) {
            Some((_, first)) if *first != terms => {
                let message = format!("\"{deployment}\" is described twice: the first description holds");
                let help =
                    "place, key and model are the same, so it is one deployment with one price and one set of limits";
                self.findings.about(&[format!("deployment.{deployment}")], at, message, help);
            }
            Some(_) => {}
            None => self.terms.push((deployment.to_owned(), terms)),
        }
    }
}

impl Terms {
    /// The table of a deployment.
    pub(super) fn table(&self, id: &str) -> Table {
        let mut table = Table::new("deployment", id);
        let words =
            |words: &[&str]| (!words.is_empty()).then(|| Value::Array(words.iter().map(|word| text(*word)).collect()));
        let price = self.price.iter().map(|(part, usd)| (*part, Value::Float(*usd)));
        let timeouts = self.timeouts.iter().map(|(name, time)| (*name, text(time.as_str())));
        let tokens = |tokens: Option<u64>| tokens.and_then(|tokens| i64::try_from(tokens).ok()).map(Value::Integer);
        table.set("region", self.region.as_deref().map(text));
        table.set("price", (!self.price.is_empty()).then(|| inline(price)));
        table.set("context", tokens(self.context));
        table.set("max_output", tokens(self.max_output));
        table.set("lacks", words(&self.lacks));
        table.set("offers", words(&self.offers));
        table.set("timeouts", (!self.timeouts.is_empty()).then(|| inline(timeouts)));
        table
    }
}
