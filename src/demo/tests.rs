//! The demonstration around a stand-in for the proxy.

use super::vendor::{Setup, Vendor};
use super::*;
use crate::dialect::Dialect;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::Write;
use std::sync::Mutex;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Serves the config's address with the config's certificate, and answers chat by itself.
async fn stand_in(serve: Serve) -> io::Result<()> {
    let folder = serve.config.parent().unwrap();
    let config: toml::Table = toml::from_str(&std::fs::read_to_string(&serve.config)?).map_err(io::Error::other)?;
    let address = config["listener"]["main"]["address"].as_str().unwrap();
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let chain = CertificateDer::pem_file_iter(folder.join("certs/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("certs/server.key")).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let _proxy = Vendor::start(Setup::new(Dialect::OpenaiChat).tls(Arc::new(tls)).port(port)).await?;
    let _ = serve.ready.send(());
    let _ = serve.stop.await;
    Ok(())
}

#[tokio::test]
async fn calls_go_through_the_proxy_and_a_vendor_breaks_and_recovers() {
    let home = tempfile::tempdir().unwrap();
    let page = Page::default();
    let options = Options {
        folder: home.path().join("demo"),
        port: Some(0),
        duration: Some(Duration::from_secs(2)),
        ..Options::default()
    };
    let summary = run(options, Screen::new(page.clone(), false), stand_in).await.unwrap();
    assert!(summary.calls >= 1 && summary.answered >= 1 && summary.rescued == 0, "{summary:?}");
    let text = page.text();
    for part in ["curl --cacert", "openai is broken: status-503", "openai is well again", "sk-demo-", "answered"] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_start_is_reported_in_its_own_words() {
    let home = tempfile::tempdir().unwrap();
    let options = Options { folder: home.path().to_owned(), port: Some(0), ..Options::default() };
    let error = run(options, Screen::new(io::sink(), false), async |_| Err::<(), _>("no such policy")).await;
    assert_eq!(error.unwrap_err().to_string(), "no such policy");
}
