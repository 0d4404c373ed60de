//! `backstay restrict` and `backstay release`: an operator's acts on a running proxy.

use crate::cli::live;
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Whom to tell, and as whom.
#[derive(Debug, Args)]
pub(super) struct Operator {
    /// The admin address of the running proxy.
    #[arg(long, default_value = crate::config::defaults::ADMIN_ADDRESS, env = "BACKSTAY_ADMIN")]
    admin: String,
    /// File that holds an operator's token, one of those that `[admin] operators` lists.
    #[arg(long, env = "BACKSTAY_OPERATOR_TOKEN_FILE")]
    token_file: PathBuf,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// What to restrict: a deployment is restricted when it fits every part that is named.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct What {
    /// A vendor, by its name in the config.
    #[arg(long)]
    vendor: Option<String>,
    /// An endpoint, by its name in the config.
    #[arg(long)]
    endpoint: Option<String>,
    /// A credential, by its name in the config (`default` for a single one).
    #[arg(long)]
    credential: Option<String>,
    /// A region, as declared.
    #[arg(long)]
    region: Option<String>,
    /// A model, by the vendor's name for it.
    #[arg(long)]
    model: Option<String>,
}

/// Restricts.
pub(super) fn restrict(operator: &Operator, what: &What, reason: &str) -> ExitCode {
    let parts = [
        ("vendor", &what.vendor),
        ("endpoint", &what.endpoint),
        ("credential", &what.credential),
        ("region", &what.region),
        ("model", &what.model),
    ];
    let mut body: Map<String, Value> =
        parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), json!(part.as_ref()?)))).collect();
    body.insert("reason".to_owned(), json!(reason));
    ask(operator, "/restrict", &body.into(), |answer| {
        let deployments = answer["deployments"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let id = answer["restricted"]["id"].as_str().unwrap_or_default();
        let listed: Vec<_> = deployments.collect();
        format!("restricted: {}\nbackstay release {id} lifts it", listed.join(", "))
    })
}

/// Releases.
pub(super) fn release(operator: &Operator, id: &str) -> ExitCode {
    ask(operator, "/release", &json!({ "id": id }), |answer| {
        let cause = answer["released"]["cause"].as_str().unwrap_or_default();
        let reach = answer["released"]["reach"].as_object().into_iter().flatten();
        let reach: Vec<_> = reach.map(|(name, part)| format!("{name} {}", part.as_str().unwrap_or_default())).collect();
        format!("released: {} ({cause}); it may be asked again", reach.join(", "))
    })
}

fn ask(operator: &Operator, path: &str, body: &Value, say: impl FnOnce(&Value) -> String) -> ExitCode {
    let token = std::fs::read_to_string(&operator.token_file)
        .map_err(|error| format!("{}: {error}", operator.token_file.display()));
    let first = |text: String| {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.next().map(str::to_owned).ok_or_else(|| format!("{} holds no token", operator.token_file.display()))
    };
    match token.and_then(first).and_then(|token| live::post(&operator.admin, path, &token, body)) {
        Ok(answer) if operator.json => println!("{answer:#}"),
        Ok(answer) => println!("{}", say(&answer)),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
