//! Certificates made for a test: an authority, and what it signs.

use backstay::snapshot::listener::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::{self, sign::any_supported_type};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A certificate authority of one test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What an authority signed.
pub(crate) struct Signed {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Authorities of one name would be taken for each other until a signature fails.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root()).unwrap();
        roots
    }

    /// Signs a certificate for DNS names and, with a `spiffe://` prefix, URIs; `edit` may change it before.
    pub(crate) fn sign(&self, names: &[&str], edit: impl FnOnce(&mut CertificateParams)) -> Signed {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.starts_with("spiffe://") {
                true => SanType::URI((*name).try_into().unwrap()),
                false => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        edit(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Signed {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        }
    }

    /// The authority's list of revoked certificates: those with these serial numbers.
    pub(crate) fn crl(&self, serials: &[u64]) -> CertificateRevocationListDer<'static> {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: rcgen::date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2025, 1, 1),
            next_update: rcgen::date_time_ymd(2025, 2, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().into()
    }

    /// A listener's certificate for these names.
    pub(crate) fn certificate(&self, names: &[&str]) -> Arc<Certificate> {
        let signed = self.sign(names, |_| ());
        let key = any_supported_type(&signed.key).unwrap();
        Arc::new(Certificate {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            not_after: i64::MAX,
            file: Arc::from("test.pem"),
            certified: Arc::new(CertifiedKey::new(signed.chain, key)),
        })
    }
}

/// A TLS client that trusts `authority`, shows `identity` if there is one, and offers the protocols.
pub(crate) fn client(authority: &Authority, identity: Option<Signed>, protocols: &[&str]) -> rustls::ClientConfig {
    client_of(authority, identity, protocols, rustls::ALL_VERSIONS)
}

/// The same, for some versions of TLS only.
pub(crate) fn client_of(
    authority: &Authority,
    identity: Option<Signed>,
    protocols: &[&str],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ClientConfig {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(authority.roots());
    let mut config = match identity {
        Some(signed) => builder.with_client_auth_cert(signed.chain, signed.key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}
