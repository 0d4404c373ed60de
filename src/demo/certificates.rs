//! Development certificates: an authority of our own and what it signs. Never for production.

use crate::demo::vendor::Tls;
use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::sync::Arc;

/// The names of this machine to itself.
pub const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate authority that lives in memory.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both as PEM.
pub struct Issued {
    /// The certificate chain, without the authority.
    pub chain_pem: String,
    /// The private key.
    pub key_pem: String,
}

/// When a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Validity {
    Now,
    Past,
}

impl Authority {
    /// Makes a new authority.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn new(name: &str) -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut params, Validity::Now);
        CertifiedIssuer::self_signed(params, key()?).map(Self).map_err(io::Error::other)
    }

    /// The authority's certificate, for whoever is to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// The same as DER.
    #[must_use]
    pub fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A server certificate for `names`, host names or addresses.
    ///
    /// # Errors
    /// When a name is none.
    pub fn issue(&self, names: &[&str]) -> io::Result<Issued> {
        let key = key()?;
        let certificate = leaf(names, Validity::Now)?.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok(Issued { chain_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// A server certificate for `names` that holds until `until`, and has held for some time.
    ///
    /// # Errors
    /// When a name or the date is none.
    pub fn issue_until(&self, names: &[&str], until: Date) -> io::Result<Issued> {
        let key = key()?;
        let mut params = leaf(names, Validity::Now)?;
        params.not_after =
            rcgen::date_time_ymd(until.year().into(), month_or_day(until.month())?, month_or_day(until.day())?);
        params.not_before = rcgen::date_time_ymd(i32::from(until.year()) - 2, 1, 1);
        let certificate = params.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok(Issued { chain_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// A client certificate with these subject alternative names (a URI is recognised by `://`).
    ///
    /// # Errors
    /// When a name is none.
    pub fn issue_client(&self, names: &[&str]) -> io::Result<Issued> {
        let key = key()?;
        let (uris, others): (Vec<&str>, Vec<&str>) = names.iter().copied().partition(|name| name.contains("://"));
        let mut params = leaf(&others, Validity::Now)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        for uri in uris {
            params.subject_alt_names.push(rcgen::SanType::URI(uri.try_into().map_err(io::Error::other)?));
        }
        let certificate = params.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok(Issued { chain_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// A server's configuration with a certificate for `names`.
    ///
    /// # Errors
    /// When a name is none.
    pub fn server(&self, names: &[&str]) -> io::Result<Arc<ServerConfig>> {
        self.server_valid(names, Validity::Now)
    }

    /// Everything that a simulated vendor can show: a good certificate for `names`, and the bad ones.
    ///
    /// # Errors
    /// When a name is none.
    pub fn vendor(&self, names: &[&str]) -> io::Result<Tls> {
        let key = key()?;
        let self_signed = leaf(names, Validity::Now)?.self_signed(&key).map_err(io::Error::other)?;
        Ok(Tls {
            good: self.server(names)?,
            expired: Some(self.server_valid(names, Validity::Past)?),
            self_signed: Some(server_config(self_signed.der().clone(), &key)?),
            wrong_name: Some(self.server(&["somebody-else.example"])?),
        })
    }

    fn server_valid(&self, names: &[&str], when: Validity) -> io::Result<Arc<ServerConfig>> {
        let key = key()?;
        let certificate = leaf(names, when)?.signed_by(&key, &self.0).map_err(io::Error::other)?;
        server_config(certificate.der().clone(), &key)
    }
}

fn month_or_day(number: i8) -> io::Result<u8> {
    u8::try_from(number).map_err(io::Error::other)
}

fn key() -> io::Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)
}

fn leaf(names: &[&str], when: Validity) -> io::Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, "Backstay development");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    validity(&mut params, when);
    Ok(params)
}

/// Development certificates hold for a fixed long time, so that no clock decides what is made.
fn validity(params: &mut CertificateParams, when: Validity) {
    let (from, until) = match when {
        Validity::Now => (2024, 2056),
        Validity::Past => (2020, 2021),
    };
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
}

fn server_config(certificate: CertificateDer<'static>, key: &KeyPair) -> io::Result<Arc<ServerConfig>> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map(Arc::new)
        .map_err(io::Error::other)
}
