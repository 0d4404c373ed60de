//! What LiteLLM's `api_base` says, as a `base_url` that may be connected to.

use super::findings::Findings;
use super::members::Told;
use super::places::slug;
use super::providers::{Provider, Way};
use crate::config::base_url;
use crate::import::yaml::Mark;
use std::net::IpAddr;
use url::{Host, Url};

/// What stands behind a base URL where somebody wrote the URL of a call.
const CALLS: [&str; 5] = ["/chat/completions", "/completions", "/embeddings", "/responses", "/messages"];
/// Endings of host names that lead into a network of one's own.
const WITHIN: [&str; 6] = [".internal", ".local", ".lan", ".home.arpa", ".svc", ".corp"];

/// A base URL, and what is known of its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) url: String,
    pub(super) host: String,
    pub(super) allow_private: bool,
}

impl Base {
    /// One that the world knows.
    pub(super) fn known(url: &str) -> Self {
        let host = url.split('/').nth(2).unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default().to_owned();
        Self { url: url.to_owned(), host, allow_private: false }
    }

    /// What a vendor is called of which nothing but its host is known.
    pub(super) fn name(&self) -> String {
        let here = self.host == "localhost" || self.host.parse().is_ok_and(|host: IpAddr| host.is_loopback());
        if here { "local".to_owned() } else { self.host.replace(['.', ':'], "-") }
    }

    /// Whether this is a host of the domain that `other` is of.
    pub(super) fn is_of(&self, other: &str) -> bool {
        let domain = |host: &str| host.rsplitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        domain(&self.host) == domain(other)
    }
}

/// Reads an `api_base`; `None` once it was said why nothing can be called there.
pub(super) fn read(told: Told, provider: &Provider, findings: &mut Findings<'_>) -> Option<Base> {
    let (written, at) = match told {
        Told::Text(text, at) => (text, at),
        Told::Unset(variable, _) => {
            // a name that never resolves (RFC 6761 section 6.4): the pool is whole, and nothing is sent to a wrong place
            let host = format!("{}.invalid", slug(&variable.replace('_', "-")));
            return Some(Base {
                url: format!("https://{host}{}", if provider.way == Way::Own { "/v1" } else { "" }),
                host,
                allow_private: false,
            });
        }
    };
    let Some(mut url) = Url::parse(&written).ok().filter(Url::has_host) else {
        let help = "write it as https://host/path, and import again";
        findings.say(at, "an `api_base` is no URL: its deployment is left out", help);
        return None;
    };
    strip(&mut url, at, findings);
    let plain_path = path(url.path(), provider);
    url.set_path(&plain_path);
    let url = url.as_str().trim_end_matches('/');
    // what the config takes is decided where it is read
    let taken = base_url::parse(url, false).map(|base| (base.host, false));
    let taken = taken.or_else(|_| base_url::parse(url, true).map(|base| (base.host, true)));
    match taken {
        Ok((host, private)) => {
            let allow_private = private || is_within(&host);
            Some(Base { url: url.to_owned(), host, allow_private })
        }
        Err((message, help)) => {
            findings.say(at, format!("an `api_base` cannot be called, {message}: its deployment is left out"), help);
            None
        }
    }
}

/// Takes out of the URL what no base URL has.
fn strip(url: &mut Url, at: Mark, findings: &mut Findings<'_>) {
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        let message = "what an `api_base` has beside host and path (a user, a password, a query) is not carried";
        let help = "secrets belong into `credential`; if it was one, replace it, as it lay in a file";
        findings.say(at, message, help);
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) | None => None,
    };
    if address.is_some_and(|address| address.is_unspecified()) {
        let help = "0.0.0.0 is where a server listens, not where one calls it";
        findings.say(at, "an `api_base` at 0.0.0.0 is written as 127.0.0.1", help);
        let _ = url.set_ip_host(IpAddr::from([127, 0, 0, 1]));
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let here = host == "localhost" || address.is_some_and(|address| address.is_loopback() || address.is_unspecified());
    if url.scheme() == "http" && !here {
        let help = "Backstay speaks plain HTTP within this machine alone: give the server a certificate, with `ca_file` for an authority of your own";
        findings.say(at, format!("http://{host} is written as https"), help);
        let _ = url.set_scheme("https");
    }
}

/// Whether a name leads into a network of one's own.
fn is_within(name: &str) -> bool {
    name != "localhost" && (!name.contains('.') || WITHIN.iter().any(|ending| name.ends_with(ending)))
}

/// The path without that of a call, as the profile wants it.
fn path(written: &str, provider: &Provider) -> String {
    let path = written.trim_end_matches('/');
    let path = CALLS.iter().find_map(|call| path.strip_suffix(call)).unwrap_or(path);
    match (provider.dialect, provider.way) {
        ("anthropic", _) => path.strip_suffix("/v1").unwrap_or(path).to_owned(),
        ("gemini", _) => path.strip_suffix("/v1beta").or_else(|| path.strip_suffix("/v1")).unwrap_or(path).to_owned(),
        (_, Way::Azure | Way::Foundry) => {
            path.split("/openai").next().unwrap_or_default().trim_end_matches("/models").to_owned()
        }
        _ if provider.profile == "ollama" && path.is_empty() => "/v1".to_owned(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::litellm::providers::find;
    use std::path::Path;

    #[test]
    fn what_is_written_becomes_what_can_be_called() {
        let check = |model: &str, written: &str, expected: Option<(&str, bool)>| {
            let mut findings = Findings::new(Path::new("c.yaml"));
            let (provider, _) = find(model, None).unwrap();
            let told = Told::Text(written.to_owned(), Mark { line: 1, column: 1 });
            let base = read(told, &provider, &mut findings);
            assert_eq!(base.as_ref().map(|base| (base.url.as_str(), base.allow_private)), expected, "{written}");
            let told: String = findings.diagnostics().iter().map(ToString::to_string).collect();
            assert!(!told.contains("hunter2"), "{told}");
        };
        check("openai/m", "https://llm.acme.example/v1/", Some(("https://llm.acme.example/v1", false)));
        check("openai/m", "https://llm.acme.example/v1/chat/completions", Some(("https://llm.acme.example/v1", false)));
        check("openai/m", "http://0.0.0.0:4000/v1", Some(("http://127.0.0.1:4000/v1", false)));
        check("openai/m", "http://localhost:4000", Some(("http://localhost:4000", false)));
        check("openai/m", "http://10.0.0.5:8000/v1", Some(("https://10.0.0.5:8000/v1", true)));
        check("hosted_vllm/m", "http://vllm:8000/v1", Some(("https://vllm:8000/v1", true)));
        check("ollama/m", "http://localhost:11434", Some(("http://localhost:11434/v1", false)));
        check("anthropic/m", "https://api.anthropic.com/v1/messages", Some(("https://api.anthropic.com", false)));
        check(
            "azure/m",
            "https://a.openai.azure.com/openai/deployments/x?api-version=1",
            Some(("https://a.openai.azure.com", false)),
        );
        check("openai/m", "https://me:hunter2@llm.example/v1?key=hunter2", Some(("https://llm.example/v1", false)));
        check("openai/m", "http://169.254.169.254/latest", None);
        check("openai/m", "https://metadata.google.internal/v1", None);
        check("openai/m", "your_api_base", None);
        check("openai/m", "ftp://x/", None);
        check("openai/m", "https://[fd12::1]:8443/v1", Some(("https://[fd12::1]:8443/v1", true)));
    }
}
