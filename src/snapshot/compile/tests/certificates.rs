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
