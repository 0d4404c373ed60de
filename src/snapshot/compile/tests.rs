use super::compile;
use crate::base::diagnostic::Diagnostic;
use crate::config::load::load;
use crate::snapshot::Snapshot;
use std::fs;
use std::path::Path;

const NOW: i64 = 1_800_000_000;

fn environment(name: &str) -> Option<String> {
    name.ends_with("KEY").then(|| format!("sk-{}", name.to_lowercase()))
}

/// Compiles the files of a folder of its own; diagnostics name files relative to it.
fn compile_files(files: &[(&str, &str)]) -> Result<(Snapshot, Vec<Diagnostic>), Vec<Diagnostic>> {
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

const SMALL: &str = r#"
[listener.main]
address = "127.0.0.1:8080"
[vendor.openai]
dialect = "openai"
seat = "US"
region = "us"
base_url = "https://localhost:9/v1"
credential = { env = "UPSTREAM_KEY" }
[pool.gpt-4o-mini]
deployments = ["openai/gpt-4o-mini"]
[key.rig]
secret = { env = "RIG_KEY" }
"#;

#[test]
fn the_small_case_compiles() {
    let (snapshot, warnings) = compile_files(&[("backstay.toml", SMALL)]).expect("a snapshot");
    for warning in &warnings {
        println!("{warning}");
    }
    let key = snapshot.keys.by_secret(b"sk-rig_key").expect("the key");
    let pool = &snapshot.pools["gpt-4o-mini"];
    let deployment = pool.deployments().next().expect("a deployment");
    let ask = crate::policy::Ask {
        data: vec![],
        residency: key.residency.clone(),
        screened: false,
        needs: crate::call::needs::Needs::NONE,
        attempt: 0,
        depth: 0,
        estimated_cost: 0,
        hour: 12,
    };
    let permit = snapshot.permit(key, &ask, deployment);
    assert!(permit.is_ok(), "{permit:?}");
    assert!(snapshot.probe_permit(deployment).is_ok());
}
