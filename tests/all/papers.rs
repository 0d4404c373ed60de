//! What the papers show works, and what they point to is there.

use crate::support::source::{self, Source};
use backstay::config::{load, schema};
use backstay::demo::certificates::{Authority, LOOPBACK_NAMES};
use backstay::snapshot::compile;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const CONFIGURATION: &str = "docs/configuration.md";
const DIALECTS: &str = "docs/dialects.md";
/// 2026-11-01, after which the certificate of the test was made and before any key expires.
const NOW_UNIX: i64 = 1_793_491_200;

/// The fenced TOML blocks that are whole configurations.
fn configurations(paper: &Source) -> Vec<&str> {
    let blocks = paper.text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.starts_with("# backstay.toml\n")).collect()
}

/// Compiles a configuration in a folder with a certificate and the variables that it names; what was found.
fn findings(config: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let certificates = folder.path().join("certs");
    fs::create_dir(&certificates).unwrap();
    let issued = Authority::new("test").unwrap().issue(&LOOPBACK_NAMES).unwrap();
    fs::write(certificates.join("server.pem"), issued.chain_pem).unwrap();
    fs::write(certificates.join("server.key"), issued.key_pem).unwrap();
    let path = folder.path().join("backstay.toml");
    fs::write(&path, config).unwrap();

    let secret = |name: &str| Some(format!("secret-of-{name}-0123456789abcdef"));
    let compiled = load::load(&path, &secret).and_then(|sources| compile(&sources, 1, NOW_UNIX));
    let errors = compiled.err().unwrap_or_default();
    errors
        .iter()
        .filter(|found| found.severity == backstay::base::diagnostic::Severity::Error)
        .map(ToString::to_string)
        .collect()
}

fn check_configurations(paper: &str) {
    let paper = source::file(paper);
    let configurations = configurations(&paper);
    assert!(!configurations.is_empty(), "{} shows no configuration", paper.path);
    for config in configurations {
        assert_eq!(findings(config), Vec::<String>::new(), "in {}", paper.path);
    }
}

#[test]
fn the_configurations_of_the_papers_compile() {
    check_configurations("README.md");
    check_configurations(CONFIGURATION);
    check_configurations(DIALECTS);
}

/// Every name of a property, at any depth.
fn properties(schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(fields) = schema["properties"].as_object() {
        names.extend(fields.keys().cloned());
        fields.values().for_each(|field| properties(field, names));
    }
    let inner = ["items", "additionalProperties"].into_iter().filter_map(|inner| schema.get(inner));
    inner.for_each(|schema| properties(schema, names));
}

#[test]
fn every_field_of_the_config_is_described() {
    let text = source::file(CONFIGURATION).text + &source::file(DIALECTS).text;
    let words: BTreeSet<_> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned).collect();
    let mut fields = BTreeSet::new();
    properties(&schema::document(), &mut fields);
    assert!(fields.len() > 80, "the schema has only {fields:?}");
    let silent: Vec<_> = fields.difference(&words).collect();
    assert!(silent.is_empty(), "neither {CONFIGURATION} nor {DIALECTS} describes {silent:?}");
}

/// Relative targets of `[text](target)`.
fn links(paper: &Source) -> impl Iterator<Item = &str> {
    let targets = paper.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).filter_map(|target| target.split('#').next())
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(source::file);
    for paper in top.into_iter().chain(source::files("docs", "md")) {
        let folder = root.join(&paper.path).parent().map(Path::to_owned).unwrap_or_default();
        for target in links(&paper) {
            assert!(folder.join(target).exists(), "{} points to {target}, which is not there", paper.path);
        }
    }
}
