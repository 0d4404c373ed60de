//! Listeners, the admin address and the bounds of what clients may do.

use super::Compiler;
use crate::base::hash::Digest;
use crate::config::secrets::SecretSource;
use crate::config::tables::{self, CertificateFiles};
use crate::config::{At, defaults};
use crate::snapshot::bounds::Bounds;
use crate::snapshot::listener::{Admin, Certificate, Listener};
use std::net::SocketAddr;
use std::sync::Arc;

impl Compiler<'_> {
    pub(super) fn listeners(&mut self) -> Vec<Arc<Listener>> {
        let sources = self.sources;
        if sources.config.listener.is_empty() {
            let place = crate::base::diagnostic::Place::file(&sources.path);
            let help = "write [listener.main] with address, certificate and private_key";
            self.error(&place, "there is no listener", help);
        }
        let mut listeners: Vec<Arc<Listener>> = Vec::new();
        for named in sources.config.listener.iter() {
            let Some(table) = &named.body else { continue };
            let Some(address) = self.address(&table.address) else { continue };
            if let Some(other) = listeners.iter().find(|other| clash(other.address, address)) {
                let message = format!("the listener \"{}\" has this address already", other.name);
                self.error(&table.address.place, message, "each listener needs an address of its own");
            }
            let certificates = self.certificates(table, address);
            let client_roots = table.client_roots.as_ref().and_then(|file| self.roots(file)).unwrap_or_default();
            let crls = table.client_crls.as_ref();
            if let Some(file) = crls.filter(|_| table.client_roots.is_none()) {
                let help = "add `client_roots`, the authorities that issued these lists";
                self.error(&file.place, "revocation lists need authorities whose clients they are about", help);
            }
            let client_crls = crls.and_then(|file| self.crls(file, &client_roots)).unwrap_or_default();
            let name = Arc::from(named.name.as_str());
            listeners.push(Arc::new(Listener { name, address, certificates, client_roots, client_crls }));
        }
        listeners
    }

    fn certificates(&mut self, table: &tables::Listener, address: SocketAddr) -> Vec<Arc<Certificate>> {
        let single = match (&table.certificate, &table.private_key) {
            (Some(chain), Some(key)) => Some(CertificateFiles { chain: chain.clone(), key: key.clone() }),
            (Some(chain), None) => {
                self.error(&chain.place, "the certificate has no `private_key` beside it", "");
                return Vec::new();
            }
            (None, Some(key)) => {
                self.error(&key.place, "the private key has no `certificate` beside it", "");
                return Vec::new();
            }
            (None, None) => None,
        };
        let files = single.iter().chain(table.certificates.iter().map(|files| &files.value));
        let files: Vec<&CertificateFiles> = files.collect();
        if files.is_empty() {
            self.check_plain(table, address);
        }
        files.into_iter().filter_map(|files| self.certificate(files)).collect()
    }

    /// Plain HTTP carries keys and prompts in clear: only within this machine, or where the config says so itself.
    fn check_plain(&mut self, table: &tables::Listener, address: SocketAddr) {
        let place = &table.address.place;
        if let Some(roots) = &table.client_roots {
            let help = "add `certificate` and `private_key`";
            self.error(&roots.place, "client certificates need a listener with TLS", help);
        }
        if address.ip().is_loopback() {
            return;
        }
        if table.plaintext == Some(true) {
            let help = "anyone on the way can read keys and prompts";
            self.warning(place, format!("plain HTTP is accepted at {address}"), help);
        } else {
            let help = "add `certificate` and `private_key`, or listen on 127.0.0.1, or write `plaintext = true`";
            self.error(place, format!("the listener at {address} has no certificate"), help);
        }
    }

    pub(super) fn admin(&mut self) -> Option<Admin> {
        let sources = self.sources;
        let table = sources.config.admin.as_ref();
        let operators = table.and_then(|admin| admin.operators.as_ref());
        let operators = operators.map(|source| self.operators(source)).unwrap_or_default();
        let Some(written) = table.and_then(|admin| admin.address.as_ref()) else {
            let address = defaults::ADMIN_ADDRESS.parse().ok()?;
            return Some(Admin { address, operators });
        };
        let address = self.address(written)?;
        if !address.ip().is_loopback() {
            let help = "it speaks plain HTTP and shows which vendors are used: 127.0.0.1 keeps it on this machine";
            self.warning(&written.place, format!("the admin address {address} can be reached from elsewhere"), help);
        }
        Some(Admin { address, operators })
    }

    fn operators(&mut self, source: &At<SecretSource>) -> Vec<Digest> {
        let Some(secret) = self.sources.secret(source) else { return Vec::new() };
        let tokens = secret.expose().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let digests: Vec<Digest> = tokens.map(|token| Digest::plain(token.as_bytes())).collect();
        if digests.is_empty() {
            self.error(&source.place, "there is no operator's token", "write one token a line");
        }
        digests
    }

    fn address(&mut self, written: &At<String>) -> Option<SocketAddr> {
        let address = written.parse();
        if address.is_err() {
            let help = "write an IP address and a port, such as \"0.0.0.0:8443\", \"127.0.0.1:8080\" or \"[::]:8443\"";
            self.error(&written.place, format!("\"{}\" is not an address", written.escape_debug()), help);
        }
        address.ok()
    }

    pub(super) fn bounds(&mut self) -> Bounds {
        let server = self.sources.config.server.as_ref().map(|server| &server.value);
        macro_rules! bound {
            ($field:ident, $default:expr) => {
                server.and_then(|server| server.$field.as_ref()).map_or($default, |written| written.value)
            };
        }
        macro_rules! size {
            ($field:ident, $default:expr) => {
                server.and_then(|server| server.$field.as_ref()).map_or($default, |written| written.value.0)
            };
        }
        let bounds = Bounds {
            max_body_bytes: size!(max_body, defaults::MAX_BODY_BYTES),
            max_upload_bytes: size!(max_upload, defaults::MAX_UPLOAD_BYTES),
            max_answer_bytes: size!(max_answer, defaults::MAX_ANSWER_BYTES),
            max_headers: bound!(max_headers, defaults::MAX_HEADERS) as usize,
            max_head_bytes: size!(max_head, defaults::MAX_HEAD_BYTES) as usize,
            max_path_bytes: size!(max_path, defaults::MAX_PATH_BYTES) as usize,
            max_streams: bound!(max_streams, defaults::MAX_STREAMS),
            max_connections: bound!(max_connections, defaults::MAX_CONNECTIONS) as usize,
            handshake: bound!(handshake_timeout, defaults::CLIENT_HANDSHAKE),
            head: bound!(head_timeout, defaults::HEAD),
            body: bound!(body_timeout, defaults::BODY),
            body_min_rate_bytes: size!(body_min_rate, defaults::BODY_MIN_RATE_BYTES),
            body_grace: bound!(body_grace, defaults::BODY_GRACE),
            idle: bound!(idle_timeout, defaults::CLIENT_IDLE),
            write: bound!(write_timeout, defaults::WRITE),
            ping_after: bound!(ping_after, defaults::PING_AFTER),
            drain_accept: bound!(drain_accept, defaults::DRAIN_ACCEPT),
            drain: bound!(drain_timeout, defaults::DRAIN),
        };
        if let Some(written) = self.sources.config.server.as_ref().filter(|_| shuts_out(&bounds)) {
            let help = "leave the bound out to have its default";
            self.error(&written.place, "a bound of zero lets nothing through", help);
        }
        bounds
    }
}

/// Whether some bound is zero that must not be: no pause at the end of life is fine, no time for a head is not.
fn shuts_out(bounds: &Bounds) -> bool {
    let counts = [bounds.max_headers, bounds.max_head_bytes, bounds.max_path_bytes, bounds.max_connections];
    let times = [bounds.handshake, bounds.head, bounds.body, bounds.idle, bounds.write, bounds.ping_after];
    let nothing_fits =
        bounds.max_body_bytes == 0 || bounds.max_answer_bytes == 0 || bounds.max_streams == 0 || counts.contains(&0);
    nothing_fits || times.iter().any(|time| time.is_zero())
}

fn clash(left: SocketAddr, right: SocketAddr) -> bool {
    left.port() != 0 && left == right
}
