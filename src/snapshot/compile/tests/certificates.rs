//! The listeners' certificates.

use super::{DAY, NOW, SMALL, check_files, compile_files};
use std::time::Duration;

struct Issued {
    chain: String,
    key: String,
}

fn issue(names: &[&str], not_after: i64) -> Issued {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut parameters = rcgen::CertificateParams::new(names).expect("parameters");
    let second = |at: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(at.unsigned_abs());
    parameters.not_before = second(NOW - 365 * DAY);
    parameters.not_after = second(not_after);
    let certificate = parameters.self_signed(&key).expect("a certificate");
    Issued { chain: certificate.pem(), key: key.serialize_pem() }
}

fn check_certificate(issued: &Issued, key: &str, expected: &[&str]) {
    let tls = "\"127.0.0.1:8080\"\ncertificate = \"tls/chain.pem\"\nprivate_key = \"tls/key.pem\"";
    let config = SMALL.replace("\"127.0.0.1:8080\"", tls);
    let files = [
        ("backstay.toml", config.as_str()),
        ("tls/chain.pem", &issued.chain),
        ("tls/key.pem", key),
        ("policies/base.cedar", crate::policy::BASE),
    ];
    // the test's files are readable by everyone, which is warned of
    let readable = "backstay.toml:5: can be read by others ~ chmod 600";
    let (before, after) =
        expected.split_at(expected.iter().take_while(|line| line.starts_with("backstay.toml:4")).count());
    check_files(&files, &[before, &[readable], after].concat());
}

#[test]
fn f_144_certificates_are_checked() {
    let issued = issue(&["proxy.example"], NOW + 90 * DAY);
    check_certificate(&issued, &issued.key, &[]);
    let other = issue(&["proxy.example"], NOW + 90 * DAY);
    check_certificate(&issued, &other.key, &["backstay.toml:4: do not go together"]);
    let expired = issue(&["proxy.example"], NOW - DAY);
    check_certificate(&expired, &expired.key, &["backstay.toml:4: expired at ~ renewed"]);
    for days in [29, 13, 6, 0] {
        let ending = issue(&["proxy.example"], NOW + days * DAY + 60);
        check_certificate(&ending, &ending.key, &[&format!("backstay.toml:4: expires in {days} days")]);
    }
    check_certificate(&issued, "", &["backstay.toml:5: holds no private key"]);
    let empty = Issued { chain: String::new(), key: issued.key.clone() };
    check_certificate(&empty, &issued.key, &["backstay.toml:4: holds no certificate"]);
    let cut = Issued { chain: issued.chain[..issued.chain.len() / 2].to_owned(), key: issued.key.clone() };
    check_certificate(&cut, &issued.key, &["backstay.toml:4: chain.pem"]);
}

#[test]
fn certificates_are_chosen_by_their_names() {
    let issued = issue(&["Proxy.example", "*.llm.example"], NOW + 90 * DAY);
    let tls = "\"127.0.0.1:8080\"\ncertificates = [{ chain = \"c.pem\", key = \"k.pem\" }]\nclient_roots = \"c.pem\"";
    let config = SMALL.replace("\"127.0.0.1:8080\"", tls).replace(
        "secret = { env = \"APP_KEY\" }",
        "certificate = { san_uri = \"spiffe://corp/app\", san_dns = \"App.corp\" }",
    );
    let files = [("backstay.toml", config.as_str()), ("c.pem", &issued.chain), ("k.pem", &issued.key)];
    let (snapshot, _) = compile_files(&files).expect("a snapshot");
    let listener = &snapshot.listeners[0];
    assert_eq!(listener.certificates[0].names, ["proxy.example", "*.llm.example"]);
    assert_eq!(listener.certificates[0].not_after, NOW + 90 * DAY);
    assert_eq!(listener.client_roots.len(), 1);
    assert!(snapshot.keys.by_certificate(["dns:other", "uri:spiffe://corp/app"]).is_some());
    assert!(snapshot.keys.by_certificate(["dns:app.corp"]).is_some());
}

#[test]
fn revocation_lists_are_checked() {
    let issued = issue(&["proxy.example"], NOW + 90 * DAY);
    let authority = |name: &str| {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        rcgen::CertifiedIssuer::self_signed(parameters, rcgen::KeyPair::generate().expect("a key"))
            .expect("an authority")
    };
    let (ours, others) = (authority("ours"), authority("others"));
    let second = |at: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(at.unsigned_abs());
    let list = |issuer: &rcgen::Issuer<'_, _>, due: i64| {
        let parameters = rcgen::CertificateRevocationListParams {
            this_update: second(NOW - 60 * DAY),
            next_update: second(due),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        parameters.signed_by(issuer).expect("a list").pem().expect("text")
    };
    let check = |lines: &str, lists: &str, expected: &[&str]| {
        let tls = format!("\"127.0.0.1:8080\"\ncertificate = \"c.pem\"\nprivate_key = \"k.pem\"\n{lines}");
        let config = SMALL.replace("\"127.0.0.1:8080\"", &tls);
        let files = [
            ("backstay.toml", config.as_str()),
            ("c.pem", &issued.chain),
            ("k.pem", &issued.key),
            ("ca.pem", &ours.pem()),
            ("lists.pem", lists),
            ("policies/base.cedar", crate::policy::BASE),
        ];
        let readable = "backstay.toml:5: can be read by others ~ chmod 600";
        check_files(&files, &[&[readable], expected].concat());
    };
    let both = "client_roots = \"ca.pem\"\nclient_crls = \"lists.pem\"";
    let good = list(&ours, NOW + DAY);
    check(both, &good, &[]);
    check(both, &(list(&others, NOW + DAY) + &good), &[]);
    check(both, &list(&ours, NOW - DAY), &["backstay.toml:7: should have been renewed ~ put the new one"]);
    check(both, &list(&others, NOW + DAY), &["backstay.toml:7: holds no list of CN=ours ~ an empty one"]);
    check(both, &issued.chain, &["backstay.toml:7: no whole PEM file ~ BEGIN X509 CRL"]);
    check(both, &good[..good.len() / 2], &["backstay.toml:7: no whole PEM file"]);
    check("client_crls = \"lists.pem\"", &good, &["backstay.toml:6: need authorities ~ client_roots"]);
}
