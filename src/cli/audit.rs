//! `backstay audit`: what an auditor does with a decision log, without a running proxy.

use crate::audit::{Report, Signer, Verifier, checkpoint_of, is_header, verify};
use crate::base::secret::Secret;
use crate::observe::decisions::keys::{self, HASH_KEY};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The acts of an auditor.
#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Prove a decision log whole, or name the first record that is not as it was written.
    #[command(
        after_help = "Exit code 0 when it holds, 1 when it does not, 2 when it cannot be read.\n\nThe folder of the log is checked file by file, as one log. The end of a log is proved by a checkpoint that was kept\nelsewhere (--checkpoint): copy the file `checkpoint` of the folder to where the proxy's machine cannot write.\n\nExamples:\n  backstay audit verify state/decisions --key state/decisions/verifier.key\n  backstay audit verify decisions-000007.jsonl --key backstay-1a2b+3c4d5e6f+AQ... --checkpoint kept"
    )]
    Verify {
        /// A file of the log, or its folder.
        path: PathBuf,
        /// The key to check with, as text or as a file that holds it.
        #[arg(long)]
        key: String,
        /// A checkpoint that was kept elsewhere; the folder's own otherwise.
        #[arg(long)]
        checkpoint: Option<PathBuf>,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show records of a decision log.
    #[command(
        after_help = "Records are shown when they fit every filter. Names of keys are hashed in the log: --key finds them with the hash key\nbeside the log, or with --hash-key.\n\nExamples:\n  backstay audit show state/decisions --outcome policy_denied --since 2026-06-12\n  backstay audit show decisions-000007.jsonl --key research-app --vendor openai --json"
    )]
    Show {
        /// A file of the log, or its folder.
        path: PathBuf,
        #[command(flatten)]
        filter: Box<Filter>,
        /// Print the records as they are, one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make a pair of keys: one that signs and one that checks.
    #[command(after_help = "Example:\n  backstay audit key proxy.corp.example/decisions > pair; chmod 600 pair")]
    Key {
        /// The name of the key, which is the log's name unless `[audit] origin` says otherwise.
        name: String,
    },
}

/// Which records.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// The key's name in the config.
    #[arg(long)]
    key: Option<String>,
    /// File of the hash key, if it is not beside the log.
    #[arg(long)]
    hash_key: Option<PathBuf>,
    /// A vendor that was asked.
    #[arg(long)]
    vendor: Option<String>,
    /// A deployment that was asked or refused.
    #[arg(long)]
    deployment: Option<String>,
    /// How it ended, as in `served` or `policy_denied`.
    #[arg(long)]
    outcome: Option<String>,
    /// The id of a policy that refused some deployment.
    #[arg(long)]
    rule: Option<String>,
    /// What kind of record: exchange, restricted, released, operator, reload, drain, opened, gap.
    #[arg(long)]
    kind: Option<String>,
    /// Not before this, as in `2026-06-12` or `2026-06-12T08:00:00Z`.
    #[arg(long, value_parser = moment)]
    since: Option<Timestamp>,
    /// Before this.
    #[arg(long, value_parser = moment)]
    until: Option<Timestamp>,
}

/// Does what an auditor asks.
pub(super) fn run(act: Act) -> ExitCode {
    let done = match act {
        Act::Verify { path, key, checkpoint, json } => prove(&path, &key, checkpoint.as_deref(), json),
        Act::Show { path, filter, json } => show(&path, &filter, json),
        Act::Key { name } => make(&name),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

fn make(name: &str) -> Result<ExitCode, String> {
    let seed = keys::random().map_err(|error| error.to_string())?;
    let signer = Signer::new(name, seed).map_err(|error| error.to_string())?;
    println!("{}\n{}", signer.to_secret().expose(), signer.verifier());
    Ok(ExitCode::SUCCESS)
}

fn prove(path: &Path, key: &str, checkpoint: Option<&Path>, as_json: bool) -> Result<ExitCode, String> {
    let text = if Path::new(key).is_file() { read(Path::new(key))? } else { key.to_owned() };
    let text = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let verifier = Verifier::parse(text).map_err(|error| format!("--key: {error}"))?;
    let files = files(path)?;
    let kept = checkpoint.map(read).transpose()?;
    // the folder's own checkpoint is of its newest file
    let own = path.is_dir().then(|| fs::read_to_string(path.join("checkpoint")).ok()).flatten();
    let mut reports: Vec<Report> = Vec::new();
    for (position, file) in files.iter().enumerate() {
        let last = position + 1 == files.len();
        let kept = kept.as_deref().or(own.as_deref()).filter(|_| last);
        let found = verify(&read(file)?, &verifier, kept).map_err(|finding| {
            let (line, sequence) = (finding.line, finding.sequence);
            let fault = finding.fault.word();
            (
                json!({ "fault": fault, "line": line, "sequence": sequence, "detail": &finding.detail }),
                finding.to_string(),
            )
        });
        let found = found.and_then(|report| match reports.last().map_or(Ok(()), |before| follows(before, &report)) {
            Ok(()) => Ok(report),
            Err(detail) => Err((json!({ "fault": "removed", "line": 1, "detail": &detail }), detail)),
        });
        match found {
            Ok(report) => reports.push(report),
            Err((mut finding, said)) => {
                finding["file"] = json!(file);
                if as_json {
                    println!("{:#}", json!({ "holds": false, "finding": finding }));
                } else {
                    println!("{}: {said}", file.display());
                }
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    tell(&reports, as_json);
    Ok(ExitCode::SUCCESS)
}

/// Whether a file goes on where the one before ended. A log of another name is another log, and says itself why.
fn follows(before: &Report, report: &Report) -> Result<(), String> {
    if before.origin == report.origin && before.next != report.first {
        return Err(format!(
            "the file before ends before record {}, this one begins with {}",
            before.next, report.first
        ));
    }
    Ok(())
}

fn tell(reports: &[Report], as_json: bool) {
    if as_json {
        let files = reports.iter().map(|report| {
            json!({ "origin": report.origin, "file": report.file, "first": report.first, "next": report.next,
                    "signed": report.signed, "checkpoints": report.checkpoints })
        });
        println!("{:#}", json!({ "holds": true, "files": files.collect::<Vec<_>>() }));
        return;
    }
    for report in reports {
        let Report { origin, file, first, next, checkpoints, signed } = report;
        let records = next - first;
        println!("holds: {origin}, file {file}: {records} record(s) from {first}, {checkpoints} checkpoint(s)");
        if signed < next {
            println!(
                "  {} record(s) from {signed} are behind the last checkpoint: their chain holds, nobody signed them yet",
                next - signed
            );
        }
    }
}

fn show(path: &Path, filter: &Filter, as_json: bool) -> Result<ExitCode, String> {
    let key = filter.key.as_ref().map(|name| hashed(path, filter.hash_key.as_deref(), name)).transpose()?;
    for file in files(path)? {
        for line in read(&file)?.lines() {
            if is_header(line) || checkpoint_of(line).is_some() {
                continue;
            }
            let Ok(record) = serde_json::from_str::<Value>(line) else { continue };
            if !filter.takes(&record, key.as_deref()) {
                continue;
            }
            println!("{}", if as_json { line.to_owned() } else { row(&record) });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What the log has for the name of a key.
fn hashed(path: &Path, hash_key: Option<&Path>, name: &str) -> Result<String, String> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or_else(|| Path::new(".")) };
    let beside = folder.join(HASH_KEY);
    let text = read(hash_key.unwrap_or(&beside))?;
    Ok(keys::hashed(&keys::hash_key(&Secret::new(text)), "key", name))
}

impl Filter {
    fn takes(&self, record: &Value, key: Option<&str>) -> bool {
        let is = |wanted: Option<&str>, member: &str| wanted.is_none_or(|wanted| record[member] == wanted);
        let some = |wanted: Option<&String>, lists: &[(&str, &str)]| {
            let among = |wanted: &String| {
                let mut items =
                    lists.iter().flat_map(|(list, member)| items(record, list).map(move |item| &item[*member]));
                items.any(|item| item == wanted.as_str())
            };
            wanted.is_none_or(among)
        };
        let rules = |wanted: &String| {
            let mut rules = items(record, "considered").flat_map(|item| items(item, "rules"));
            rules.any(|rule| rule == wanted.as_str())
        };
        let time = record["time"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        is(key, "key")
            && is(self.outcome.as_deref(), "outcome")
            && is(self.kind.as_deref(), "kind")
            && some(self.vendor.as_ref(), &[("attempts", "vendor")])
            && some(self.deployment.as_ref(), &[("attempts", "deployment"), ("considered", "deployment")])
            && self.rule.as_ref().is_none_or(rules)
            && self.since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| time.is_some_and(|time| time < until))
    }
}

fn items<'v>(value: &'v Value, list: &str) -> impl Iterator<Item = &'v Value> {
    value[list].as_array().into_iter().flatten()
}

/// A record on one line, for people.
fn row(record: &Value) -> String {
    let text = |member: &str| record[member].as_str().unwrap_or("-").to_owned();
    let (seq, kind) = (&record["seq"], text("kind"));
    let told = match kind.as_str() {
        "exchange" => {
            let attempts = items(record, "attempts").map(|attempt| {
                let part = |member: &str| attempt[member].as_str().unwrap_or("-");
                let (deployment, region, class) = (part("deployment"), part("region_declared"), part("class"));
                format!("{deployment} ({region}, {}) {class}", part("transfer"))
            });
            let refused = items(record, "considered").filter(|one| one["refused"].is_string()).map(|one| {
                let rules: Vec<_> = items(one, "rules").filter_map(Value::as_str).collect();
                let why =
                    if rules.is_empty() { one["refused"].as_str().unwrap_or("-").to_owned() } else { rules.join("+") };
                format!("not {} ({why})", one["deployment"].as_str().unwrap_or("-"))
            });
            let steps: Vec<_> = refused.chain(attempts).collect();
            format!("{:<16} {:<12} {}", text("outcome"), text("pool"), steps.join("; "))
        }
        "restricted" | "released" => {
            format!("{} {} {} by {}", text("id"), text("cause"), record["reach"], text("by"))
        }
        _ => {
            let own = record.as_object().into_iter().flatten().filter(|(name, value)| {
                !["seq", "prev", "time", "since_start_ms", "kind"].contains(&name.as_str()) && !value.is_null()
            });
            own.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
        }
    };
    format!("{seq:>8}  {}  {kind:<10} {told}", text("time"))
}

/// The file, or the files of a folder in their order.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    if files.is_empty() {
        Err(format!("{} holds no file of a decision log (*.jsonl)", path.display()))
    } else {
        Ok(files)
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let day = text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10);
    let midnight = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok()).map(|day| day.timestamp());
    midnight.map_or_else(|| text.parse().map_err(|_| "write 2026-06-12 or 2026-06-12T08:00:00Z".to_owned()), Ok)
}
