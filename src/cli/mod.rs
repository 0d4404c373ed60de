//! Floor 7: the command line.

mod audit;
mod check;
mod demo;
mod diff;
mod explain;
mod files;
mod import;
mod live;
mod operate;
mod prices;
mod print;
mod prove;
mod serve;
mod spend;
mod test;
mod top;

use crate::demo::Options;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A TLS proxy that keeps LLM traffic flowing when a vendor fails, throttles, is restricted by law or becomes too expensive.
#[derive(Debug, Parser)]
#[command(
    name = "backstay",
    version,
    after_help = "Examples:\n  backstay demo\n  backstay check --config backstay.toml\n  backstay serve --config backstay.toml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy.
    #[command(
        after_help = "SIGHUP reloads, SIGTERM drains and a second one ends at once.\n\nExample:\n  OPENAI_API_KEY=... RESEARCH_KEY=... backstay serve --config backstay.toml"
    )]
    Serve {
        /// The config file.
        #[arg(long, default_value = "backstay.toml", env = "BACKSTAY_CONFIG")]
        config: PathBuf,
        /// Leave out the access log on standard output.
        #[arg(long)]
        no_access_log: bool,
        /// What to log on standard error, as in `info` or `backstay=debug`.
        #[arg(long, default_value = "info", env = "BACKSTAY_LOG")]
        log: String,
        /// Worker threads; as many as there are cores by default.
        #[arg(long)]
        workers: Option<usize>,
    },
    /// Run the proxy on this machine alone, in front of simulated vendors that can be broken.
    #[command(
        after_help = "It needs no account and no network. Everything that it writes is in one folder, which is yours to edit.\n\nExamples:\n  backstay demo\n  backstay demo --duration 30s --quiet"
    )]
    Demo {
        /// The folder to write and to work in.
        #[arg(long, default_value = "backstay-demo")]
        folder: PathBuf,
        /// The proxy's port; 8443, or a free one if that is taken, unless given. 0 takes free ports for everything.
        #[arg(long)]
        port: Option<u16>,
        /// End by itself after this time, as in `30s`.
        #[arg(long, value_parser = humantime::parse_duration)]
        duration: Option<Duration>,
        /// Break nothing by itself.
        #[arg(long)]
        quiet: bool,
    },
    /// Compile everything that `serve` would, and print every finding.
    #[command(
        after_help = "Exit code 0 when `serve` would start, 1 when it would not.\n\nExamples:\n  backstay check\n  backstay check --json\n  backstay check --schema > backstay.schema.json"
    )]
    Check {
        /// The config file.
        #[arg(long, default_value = "backstay.toml", env = "BACKSTAY_CONFIG")]
        config: PathBuf,
        /// Print findings as JSON.
        #[arg(long)]
        json: bool,
        /// Print the JSON Schema of the config file, for editors, and nothing else.
        #[arg(long)]
        schema: bool,
    },
    /// Show where a call may go, and every rule that stands against the rest.
    #[command(
        after_help = "Context: data=personal,health  residency=EU  unscreened  stores  hosted_tools  needs=tools,images  dialect=anthropic  attempt=1  depth=1  tokens=2000/500  hour=12\n\nExit code 0 when it could be explained, 1 when not. Without --admin nothing need be running, and no secret is needed.\n\nExamples:\n  backstay explain --key app --model smart\n  backstay explain --key app --model smart --context data=personal residency=EU\n  backstay explain --key app --model smart --admin http://127.0.0.1:9443 --json"
    )]
    Explain {
        /// The key's name in the config.
        #[arg(long)]
        key: String,
        /// The model that is asked for.
        #[arg(long)]
        model: String,
        /// What else is known of the call, as `name=value`.
        #[arg(long, num_args = 1..)]
        context: Vec<String>,
        /// The admin address of a running proxy: health and restrictions are told too.
        #[arg(long)]
        admin: Option<String>,
        /// The config file.
        #[arg(long, default_value = "backstay.toml", env = "BACKSTAY_CONFIG")]
        config: PathBuf,
        /// A folder of policies, instead of the config's.
        #[arg(long, conflicts_with = "admin")]
        policies: Option<PathBuf>,
        /// Print the explanation as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show who gains and who loses which deployments, before a change is put in place.
    #[command(
        after_help = "Compared are all keys, all of their pools and all data classes. Exit code 0 when nothing changes, 1 when something does, 2 when it cannot be told. No secret is needed.\n\nExamples:\n  backstay diff --against proposed-policies/\n  backstay diff --against ../branch/ --json"
    )]
    Diff {
        /// A folder of policies, or of a whole config with its `backstay.toml`, that would take the place of what there is.
        #[arg(long)]
        against: PathBuf,
        /// The config file.
        #[arg(long, default_value = "backstay.toml", env = "BACKSTAY_CONFIG")]
        config: PathBuf,
        /// Print changes as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look at statements about whatever the policies permit, over all calls.
    #[command(
        after_help = "The statements are in `properties/*.cedar` of the folder of policies. Counterexamples are searched for; what is not refuted is proved by the solver cvc5, where it is installed and the program was built with the feature `prove`: it says how to get them. Exit code 0 when all statements are proved, 1 when one is refuted, 2 when one is neither.\n\nExamples:\n  backstay prove\n  backstay prove --policies proposed/ --json\n  backstay prove --schema > policies.cedarschema"
    )]
    Prove {
        /// The config file.
        #[arg(long, default_value = "backstay.toml", env = "BACKSTAY_CONFIG")]
        config: PathBuf,
        /// A folder of policies, instead of the config's.
        #[arg(long)]
        policies: Option<PathBuf>,
        /// Print the schema of the policies, for other tools, and nothing else.
        #[arg(long)]
        schema: bool,
        /// Print verdicts as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run the policies' own tests, as every load does.
    #[command(
        after_help = "Exit code 0 when the policies keep all tests, 1 when they break one. No secret is needed.\n\nExamples:\n  backstay test\n  backstay test --policies proposed/\n  backstay test --json"
    )]
    Test {
        /// The config file.
        #[arg(long, default_value = "backstay.toml", env = "BACKSTAY_CONFIG")]
        config: PathBuf,
        /// A folder of policies with its tests, instead of the config's.
        #[arg(long)]
        policies: Option<PathBuf>,
        /// Print outcomes as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Watch the pools of a running proxy in a terminal.
    #[command(
        after_help = "Ctrl-C ends it. Where the output is no terminal it looks once, or with --json until it is ended.\n\nExamples:\n  backstay top\n  backstay top --admin 127.0.0.1:9443 --every 5s\n  backstay top --once"
    )]
    Top(top::Looks),
    /// Keep a vendor, endpoint, credential, region or model of a running proxy from being asked.
    #[command(
        after_help = "It is in force at once, for calls under way too, and over restarts, until somebody releases it.\n\nExamples:\n  backstay restrict --vendor openai --reason \"order of 12 June\" --token-file secrets/me\n  backstay restrict --region cn-north-1 --model qwen-max --token-file secrets/me"
    )]
    Restrict {
        #[command(flatten)]
        what: operate::What,
        /// Why, for the decision log and the status page.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        operator: operate::Operator,
    },
    /// Lift a restriction of a running proxy.
    #[command(
        after_help = "The status page, the log and the alert name the id.\n\nExample:\n  backstay release 3f9c01ab --token-file secrets/me"
    )]
    Release {
        /// The restriction's id.
        id: String,
        #[command(flatten)]
        operator: operate::Operator,
    },
    /// Show what was spent, by whom and where.
    #[command(
        after_help = "The ledger is read beside a running proxy, whose last moments may be missing. Exit code 0 when it could be read, 1 when\nnot. No secret is needed.\n\nExamples:\n  backstay spend\n  backstay spend --by deployment --period 2026-11\n  backstay spend --by key --period day --json\n  backstay spend --state /var/lib/backstay"
    )]
    Spend {
        /// The config file.
        #[arg(long, default_value = "backstay.toml", env = "BACKSTAY_CONFIG")]
        config: PathBuf,
        #[command(flatten)]
        question: spend::Question,
    },
    /// Check or show a decision log.
    Audit {
        #[command(subcommand)]
        act: audit::Act,
    },
    /// Make price books.
    Prices {
        #[command(subcommand)]
        act: prices::Act,
    },
    /// Make a config of another proxy's.
    Import {
        #[command(subcommand)]
        act: import::Act,
    },
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  backstay completions bash > /etc/bash_completion.d/backstay")]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Fish,
    Zsh,
    Elvish,
    Powershell,
}

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve { config, no_access_log, log, workers } => serve::run(config, !no_access_log, &log, workers),
        Command::Demo { folder, port, duration, quiet } => {
            demo::run(Options { folder, port, duration, quiet, ..Options::default() })
        }
        Command::Check { schema: true, .. } => check::schema(),
        Command::Check { config, json, .. } => check::run(&config, json),
        Command::Diff { against, config, json } => diff::run(&config, &against, json),
        Command::Explain { key, model, context, admin, config, policies, json } => explain::run(&explain::Options {
            config: &config,
            policies: policies.as_deref(),
            admin: admin.as_deref(),
            key: &key,
            model: &model,
            context: &context,
            json,
        }),
        Command::Prove { config, policies, schema, json } => prove::run(&config, policies.as_deref(), schema, json),
        Command::Test { config, policies, json } => test::run(&config, policies.as_deref(), json),
        Command::Top(looks) => top::run(&looks),
        Command::Restrict { what, reason, operator } => operate::restrict(&operator, &what, &reason),
        Command::Release { id, operator } => operate::release(&operator, &id),
        Command::Spend { config, question } => spend::run(&config, &question),
        Command::Audit { act } => audit::run(act),
        Command::Prices { act } => prices::run(&act),
        Command::Import { act } => import::run(&act),
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: Shell) -> ExitCode {
    use clap_complete::Shell as Known;
    let shell = match shell {
        Shell::Bash => Known::Bash,
        Shell::Fish => Known::Fish,
        Shell::Zsh => Known::Zsh,
        Shell::Elvish => Known::Elvish,
        Shell::Powershell => Known::PowerShell,
    };
    clap_complete::generate(shell, &mut Cli::command(), "backstay", &mut std::io::stdout());
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
