//! The folder of the demonstration: config, policies, certificates and secrets, written once and then the user's own.

use super::certificates::{Authority, Issued, LOOPBACK_NAMES};
use super::ports::{self, Ports};
use crate::base::hash::hex;
use aws_lc_rs::rand;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use x509_parser::pem::parse_x509_pem;

/// The config as it is first written; `{...}` stand for ports.
const TEMPLATE: &str = include_str!("backstay.toml");

/// Files of secrets, and how what is in them begins.
const SECRETS: [(&str, &str); 6] = [
    ("openai", "sk-vendor-"),
    ("openai-eu", "sk-vendor-"),
    ("anthropic", "sk-ant-vendor-"),
    ("operators", "op-demo-"),
    ("anywhere", "sk-demo-"),
    ("europe", "sk-demo-"),
];

/// A server certificate is renewed when it has less than this left.
const RENEW_DAYS_BEFORE: i64 = 30;
const VALID_DAYS: i64 = 397;

/// The folder, written.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// The ports that its config names.
    pub ports: Ports,
    /// What was done to it, for the user to read.
    pub notes: Vec<String>,
}

impl Folder {
    /// Writes what is missing, renews what has expired, and moves ports that somebody else has taken.
    ///
    /// # Errors
    /// With the path at fault, when it cannot be written or is not what it should be.
    pub(super) fn prepare(root: &Path, proxy_port: Option<u16>, policies: &[(String, String)]) -> io::Result<Self> {
        for folder in ["", "certs", "secrets", "state"] {
            let path = root.join(folder);
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(|error| at(&path, error))?;
        }
        let mut notes = Vec::new();
        for (name, prefix) in SECRETS {
            write_once(&root.join("secrets").join(name), || Ok(format!("{prefix}{}\n", random_hex()?)))?;
        }
        renew_server_certificate(root, today(), &mut notes)?;
        write_policies(root, policies)?;
        let config = root.join("backstay.toml");
        let ports = if config.exists() {
            let text = read(&config)?;
            let (ports, moved) = ports::of_config(&text, proxy_port).map_err(|error| at(&config, error))?;
            if moved != text {
                write(&config, moved.as_bytes(), 0o644)?;
                notes.push(format!("some ports were taken: {} names new ones", config.display()));
            }
            ports
        } else {
            let ports = Ports::free(proxy_port)?;
            write(&config, ports.fill(TEMPLATE).as_bytes(), 0o644)?;
            ports
        };
        Ok(Self { root: root.to_owned(), ports, notes })
    }

    /// The config.
    pub(super) fn config(&self) -> PathBuf {
        self.root.join("backstay.toml")
    }

    /// What clients must trust.
    pub(super) fn client_ca(&self) -> PathBuf {
        self.root.join("certs").join("ca.pem")
    }

    /// What stands in a file of secrets.
    pub(super) fn secret(&self, name: &str) -> io::Result<String> {
        read(&self.root.join("secrets").join(name)).map(|text| text.trim().to_owned())
    }

    /// Writes the authority of the simulated vendors, which is new at every start.
    pub(super) fn trust_vendors(&self, authority: &Authority) -> io::Result<()> {
        write(&self.root.join("certs").join("vendors.pem"), authority.pem().as_bytes(), 0o644)
    }
}

fn write_policies(root: &Path, policies: &[(String, String)]) -> io::Result<()> {
    let folder = root.join("policies");
    if folder.exists() {
        return Ok(());
    }
    for (name, text) in policies {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| at(parent, error))?;
        }
        write(&path, text.as_bytes(), 0o644)?;
    }
    Ok(())
}

/// Authority and certificate are made together, and the authority's key is forgotten at once: nobody who finds the folder
/// can sign for a machine that trusts it.
fn renew_server_certificate(root: &Path, today: Date, notes: &mut Vec<String>) -> io::Result<()> {
    let certs = root.join("certs");
    let (chain, key) = (certs.join("server.pem"), certs.join("server.key"));
    let exists = chain.exists();
    if exists && key.exists() && days_left(&chain, today) >= RENEW_DAYS_BEFORE {
        return Ok(());
    }
    let authority = Authority::new("Backstay demo")?;
    let until = today.checked_add(VALID_DAYS.days()).map_err(io::Error::other)?;
    let Issued { chain_pem, key_pem } = authority.issue_until(&LOOPBACK_NAMES, until)?;
    write(&key, key_pem.as_bytes(), 0o600)?;
    write(&chain, chain_pem.as_bytes(), 0o644)?;
    write(&certs.join("ca.pem"), authority.pem().as_bytes(), 0o644)?;
    if exists {
        notes.push(format!("the development certificate was renewed: trust {} anew", certs.join("ca.pem").display()));
    }
    Ok(())
}

/// Days that a certificate still holds; none if it cannot be read.
fn days_left(certificate: &Path, today: Date) -> i64 {
    let until = read(certificate).ok().and_then(|text| {
        let (_, pem) = parse_x509_pem(text.as_bytes()).ok()?;
        let until = pem.parse_x509().ok()?.validity().not_after.timestamp();
        Timestamp::from_second(until).ok()
    });
    let until = until.map(|until| until.to_zoned(TimeZone::UTC).date());
    until.and_then(|until| today.until(until).ok()).map_or(0, |left| i64::from(left.get_days()))
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

fn random_hex() -> io::Result<String> {
    let mut bytes = [0; 24];
    rand::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex(&bytes))
}

fn write_once(path: &Path, content: impl FnOnce() -> io::Result<String>) -> io::Result<()> {
    if path.exists() { Ok(()) } else { write(path, content()?.as_bytes(), 0o600) }
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path);
    opened.and_then(|mut file| file.write_all(content)).map_err(|error| at(path, error))
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path).map_err(|error| at(path, error))
}

/// The same error with the path at fault.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn policies() -> Vec<(String, String)> {
        vec![("base.cedar".to_owned(), "permit (principal, action, resource);".to_owned())]
    }

    #[test]
    fn the_folder_is_whole_and_its_secrets_are_private() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::prepare(&home.path().join("demo"), Some(0), &policies()).unwrap();
        assert!(folder.secret("anywhere").unwrap().starts_with("sk-demo-"));
        for secret in ["secrets/anywhere", "secrets/openai", "certs/server.key"] {
            let mode = fs::metadata(home.path().join("demo").join(secret)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{secret}");
        }
        let config: toml::Table = toml::from_str(&fs::read_to_string(folder.config()).unwrap()).unwrap();
        assert!(config.contains_key("pool") && !fs::read_to_string(folder.config()).unwrap().contains("127.0.0.1:{"));
        assert!(home.path().join("demo/policies/base.cedar").exists() && folder.client_ca().exists());
    }

    #[test]
    fn the_config_serves_without_a_warning() {
        let home = tempfile::tempdir().unwrap();
        let options = crate::demo::Options::default();
        let folder = Folder::prepare(home.path(), Some(0), &options.policies).unwrap();
        folder.trust_vendors(&Authority::new("test").unwrap()).unwrap();
        let sources = crate::config::load::load(&folder.config(), &|_| None).unwrap();
        let found = crate::snapshot::compile(&sources, 1, Timestamp::now().as_second());
        let found = found.map(|(_, warnings)| warnings).unwrap_or_else(|errors| errors);
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn a_second_start_keeps_edits_keys_and_certificates() {
        let home = tempfile::tempdir().unwrap();
        let first = Folder::prepare(home.path(), Some(0), &policies()).unwrap();
        let edited = read(&first.config()).unwrap() + "\n# mine\n";
        write(&first.config(), edited.as_bytes(), 0o644).unwrap();
        write(&home.path().join("policies/base.cedar"), b"// mine", 0o644).unwrap();
        let authority = read(&first.client_ca()).unwrap();
        let second = Folder::prepare(home.path(), Some(0), &policies()).unwrap();
        assert_eq!(read(&second.config()).unwrap(), edited);
        assert_eq!(read(&home.path().join("policies/base.cedar")).unwrap(), "// mine");
        assert_eq!(read(&second.client_ca()).unwrap(), authority);
        assert_eq!(second.secret("europe").unwrap(), first.secret("europe").unwrap());
        assert!(second.notes.is_empty());
    }

    #[test]
    fn an_expiring_certificate_is_renewed() {
        let home = tempfile::tempdir().unwrap();
        Folder::prepare(home.path(), Some(0), &[]).unwrap();
        let (chain, mut notes) = (home.path().join("certs/server.pem"), Vec::new());
        assert!(days_left(&chain, today()) > 390);
        let before = read(&chain).unwrap();
        let late = today().checked_add(380.days()).unwrap();
        renew_server_certificate(home.path(), late, &mut notes).unwrap();
        assert_ne!(read(&chain).unwrap(), before);
        assert_eq!(notes.len(), 1);
    }
}
