//! Certificates and private keys: read, matched, dated.

use super::Compiler;
use crate::base::diagnostic::Place;
use crate::config::At;
use crate::config::secrets::SecretSource;
use crate::config::tables::CertificateFiles;
use crate::config::values::FilePath;
use crate::snapshot::listener::Certificate;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::{parse_x509_certificate, parse_x509_crl};

const DAY_SECONDS: i64 = 86_400;
/// From so many days before its end, a certificate is warned of.
const WARNING_DAYS: i64 = 30;

impl Compiler<'_> {
    /// The chain with its key, ready to be served.
    pub(super) fn certificate(&mut self, files: &CertificateFiles) -> Option<Arc<Certificate>> {
        let chain = self.chain(&files.chain)?;
        let key = self.private_key(&files.key);
        let file: Arc<str> = files.chain.value.0.to_string_lossy().into();
        let leaf = chain.first()?;
        let Ok((_, parsed)) = parse_x509_certificate(leaf) else {
            self.error(&files.chain.place, format!("the first certificate of {file} cannot be read"), "");
            return None;
        };
        let not_after = parsed.validity().not_after.timestamp();
        self.check_dates(&files.chain.place, &file, parsed.validity().not_before.timestamp(), not_after);
        let names = dns_names(&parsed);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        match CertifiedKey::from_der(chain.clone(), key?, &provider) {
            Ok(certified) => Some(Arc::new(Certificate { names, not_after, file, certified: Arc::new(certified) })),
            Err(error) => {
                let message = format!("{file} and {} do not go together: {error}", files.key.value.0.display());
                let help = "the first certificate of the chain must be the one that was issued for this key";
                self.error(&files.chain.place, message, help);
                None
            }
        }
    }

    /// Trust anchors of a PEM file.
    pub(super) fn roots(&mut self, file: &At<FilePath>) -> Option<Vec<CertificateDer<'static>>> {
        let chain = self.chain(file)?;
        let mut store = rustls::RootCertStore::empty();
        for certificate in &chain {
            if let Err(error) = store.add(certificate.clone()) {
                let message = format!("{} holds a certificate that cannot be trusted: {error}", file.value.0.display());
                self.error(&file.place, message, "");
                return None;
            }
        }
        Some(chain)
    }

    /// Revocation lists of a PEM file, for clients of these authorities.
    ///
    /// A list whose renewal is late still counts: what it names stays refused, and nobody else is shut out.
    pub(super) fn crls(
        &mut self,
        file: &At<FilePath>,
        roots: &[CertificateDer<'_>],
    ) -> Option<Vec<CertificateRevocationListDer<'static>>> {
        let path = file.value.0.display().to_string();
        let read: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(self.sources.file(&file.value.0)?).collect();
        let lists = read.unwrap_or_default();
        let parsed: Result<Vec<_>, _> = lists.iter().map(|list| parse_x509_crl(list)).collect();
        let Some(parsed) = parsed.ok().filter(|parsed| !parsed.is_empty()) else {
            let help =
                "a PEM file holds -----BEGIN X509 CRL-----; `openssl crl -inform DER -in LIST` makes one of a DER file";
            self.error(&file.place, format!("{path} is no whole PEM file of revocation lists"), help);
            return None;
        };
        for (_, list) in &parsed {
            let due = list.next_update().map(|due| due.timestamp());
            if due.is_some_and(|due| due <= self.now) {
                let message = format!("{path}: the list of {} should have been renewed by now", list.issuer());
                self.warning(&file.place, message, "put the new one in its place: it is used as soon as it is there");
            }
        }
        for root in roots.iter().filter_map(|root| Some(parse_x509_certificate(root).ok()?.1)) {
            if !parsed.iter().any(|(_, list)| list.issuer() == root.subject()) {
                let message = format!("{path} holds no list of {}: its clients are refused", root.subject());
                self.warning(&file.place, message, "add the authority's list, an empty one where nothing is revoked");
            }
        }
        Some(lists)
    }

    fn chain(&mut self, file: &At<FilePath>) -> Option<Vec<CertificateDer<'static>>> {
        let bytes = self.sources.file(&file.value.0)?;
        let path = file.value.0.display().to_string();
        match CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>() {
            Ok(chain) if chain.is_empty() => {
                let help = "a PEM file holds -----BEGIN CERTIFICATE-----";
                self.error(&file.place, format!("{path} holds no certificate"), help);
                None
            }
            Ok(chain) => Some(chain),
            Err(error) => {
                self.error(&file.place, format!("{path} is not a whole PEM file: {error}"), "");
                None
            }
        }
    }

    fn private_key(&mut self, file: &At<FilePath>) -> Option<PrivateKeyDer<'static>> {
        let secret = self.sources.secret(&SecretSource::File(file.value.0.clone()))?;
        match PrivateKeyDer::from_pem_slice(secret.expose().as_bytes()) {
            Ok(key) => Some(key),
            Err(_) => {
                let message = format!("{} holds no private key", file.value.0.display());
                let help = "a PEM file holds -----BEGIN PRIVATE KEY-----, without a passphrase";
                self.error(&file.place, message, help);
                None
            }
        }
    }

    fn check_dates(&mut self, place: &Place, file: &str, not_before: i64, not_after: i64) {
        let days = (not_after - self.now).div_euclid(DAY_SECONDS);
        let date = jiff::Timestamp::from_second(not_after).map(|end| end.to_string()).unwrap_or_default();
        if not_after <= self.now {
            self.error(place, format!("the certificate {file} expired at {date}"), "put a renewed one in its place");
        } else if days < WARNING_DAYS {
            let message = format!("the certificate {file} expires in {days} days, at {date}");
            self.warning(place, message, "put a renewed one in its place: it is used as soon as it is there");
        }
        if not_before > self.now {
            let help = "look at this machine's clock";
            self.warning(place, format!("the certificate {file} is not valid yet"), help);
        }
    }
}

/// The DNS names that the certificate was issued for, in lower case.
fn dns_names(certificate: &x509_parser::certificate::X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}
