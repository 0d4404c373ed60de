//! `backstay explain`: where a call may go, and everything that stands against the rest.

use crate::cli::{files, live};
use crate::snapshot::explain::{Explained, Explanation, FilesAlone, Live, Question, Reason, WindowShown};
use crate::state::clock::Clock;
use std::path::Path;
use std::process::ExitCode;

/// What is asked, and of what.
pub(super) struct Options<'a> {
    pub(super) config: &'a Path,
    pub(super) policies: Option<&'a Path>,
    pub(super) admin: Option<&'a str>,
    pub(super) key: &'a str,
    pub(super) model: &'a str,
    /// `name=value`, or a name alone for what is true.
    pub(super) context: &'a [String],
    pub(super) json: bool,
}

/// Explains from the files alone, or asks a running proxy.
pub(super) fn run(options: &Options<'_>) -> ExitCode {
    let explained = match options.admin {
        Some(admin) => ask_proxy(admin, options),
        None => match files::snapshot(options.config, options.policies) {
            Some(snapshot) => {
                question(options).and_then(|question| snapshot.explain(&question, Clock::unix_seconds(), &FilesAlone))
            }
            None => return ExitCode::FAILURE,
        },
    };
    match explained {
        Ok(explanation) if options.json => {
            println!("{}", serde_json::to_string_pretty(&explanation).unwrap_or_default());
            ExitCode::SUCCESS
        }
        Ok(explanation) => {
            print!("{}", table(&explanation));
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The parts of the question by name.
fn pairs<'a>(options: &Options<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let context = options.context.iter().map(|part| part.split_once('=').unwrap_or((part, "true")));
    [("key", options.key), ("model", options.model)].into_iter().chain(context)
}

fn question(options: &Options<'_>) -> Result<Question, String> {
    let mut question = Question::default();
    for (name, value) in pairs(options) {
        question.set(name, value)?;
    }
    Ok(question)
}

fn ask_proxy(admin: &str, options: &Options<'_>) -> Result<Explanation, String> {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs(options)).finish();
    let body = live::get(admin, &format!("/explain?{query}"))?;
    serde_json::from_slice(&body).map_err(|error| format!("the answer of {admin} is not an explanation: {error}"))
}

fn table(explanation: &Explanation) -> String {
    let Explanation { key, pool, residency, data, screened, policy, zones_as_of, deployments } = explanation;
    let data = if data.is_empty() { "nothing special".to_owned() } else { data.join(", ") };
    let screened = if *screened { "screened" } else { "not screened" };
    let mut text = format!(
        "key {key}, model {pool}: data {data}, residency {residency}, {screened}\npolicies {policy}, zones as of {zones_as_of}\n\n"
    );
    let width = deployments.iter().map(|deployment| name(deployment).len()).max().unwrap_or(0);
    for deployment in deployments {
        let zones = deployment.zones.join(" ");
        text.push_str(&format!(
            "{:8} {:width$}  tier {}  {} ({zones})\n",
            deployment.status,
            name(deployment),
            deployment.tier,
            deployment.region
        ));
        deployment.refusals.iter().for_each(|reason| text.push_str(&line(reason)));
        let price = deployment.price.as_ref();
        let price =
            price.map(|price| format!("{} in, {} out, USD for a million tokens", price.input_usd, price.output_usd));
        for fact in deployment.live.iter().flat_map(seen).chain(price) {
            text.push_str(&format!("         {fact}\n"));
        }
    }
    text
}

/// What a running proxy has seen, in a line or two.
fn seen(live: &Live) -> Vec<String> {
    let mut facts = vec![format!("breaker {}", live.breaker), format!("{} under way", live.inflight)];
    facts.extend(live.admission_cap.map(|cap| format!("{cap} at once at most")));
    facts.extend(live.first_content_ms.map(|ms| format!("first content after {ms} ms")));
    let window = |name: &str, window: &WindowShown| {
        let of = window.limit.map_or_else(String::new, |limit| format!(" of {limit}"));
        format!("{}{of} {name} left", window.remaining)
    };
    facts.extend(live.headroom.requests.as_ref().map(|requests| window("requests", requests)));
    facts.extend(live.headroom.tokens.as_ref().map(|tokens| window("tokens", tokens)));
    let place = (!live.because.is_empty()).then(|| format!("place: {}", live.because));
    place.into_iter().chain([facts.join(", ")]).collect()
}

fn name(deployment: &Explained) -> String {
    match deployment.credential.as_str() {
        "" | "default" => deployment.id.clone(),
        credential => format!("{} [{credential}]", deployment.id),
    }
}

/// The reason in two or three lines: what, where it is written, and what it means.
fn line(reason: &Reason) -> String {
    let mut text = format!("         - {}", reason.code);
    if !reason.rule.is_empty() {
        text.push_str(&format!(" {}", reason.rule));
    }
    if !reason.file.is_empty() {
        text.push_str(&format!("  {}:{}", reason.file, reason.line));
    }
    text.push('\n');
    let act = if reason.regulation.is_empty() { String::new() } else { format!(" ({})", reason.regulation) };
    if !reason.reason.is_empty() {
        text.push_str(&format!("           {}{act}\n", reason.reason));
    }
    text
}
