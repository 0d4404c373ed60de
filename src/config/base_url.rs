//! What a `base_url` may be: the config decides alone where we connect, and even the config not everywhere.

use std::net::{IpAddr, Ipv6Addr};
use url::{Host, Url};

/// A base URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Whether it is `https`.
    pub tls: bool,
    /// A name, or an address without brackets.
    pub host: String,
    /// The port, written or not.
    pub port: u16,
    /// Host and port as a `Host` header has them.
    pub authority: String,
    /// The prefix of every path, without a slash at its end.
    pub path: String,
    /// Whether it is this machine.
    pub loopback: bool,
}

impl BaseUrl {
    /// The URL in one spelling, for keys of observations.
    #[must_use]
    pub fn canonical(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.path)
    }
}

/// Names under which clouds serve credentials to whoever asks from within.
const METADATA_HOSTS: [&str; 3] = ["metadata.google.internal", "metadata.goog", "instance-data"];

/// Reads a base URL.
///
/// # Errors
/// What is wrong with it, and what to try.
pub fn parse(text: &str, allow_private: bool) -> Result<BaseUrl, (String, String)> {
    let plain = |message: &str, help: &str| (message.to_owned(), help.to_owned());
    let url = Url::parse(text)
        .map_err(|error| (format!("not a URL: {error}"), "as in \"https://api.example.com/v1\"".to_owned()))?;
    let tls = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(plain("the URL must begin with https://", "")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(plain("the URL holds a user name or password", "secrets belong into `credential`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(plain("the URL holds a query or fragment", "give scheme, host, port and path prefix alone"));
    }
    let Some(host) = url.host() else {
        return Err(plain("the URL has no host", ""));
    };
    let loopback = check_host(&host, allow_private)?;
    if !tls && !loopback {
        return Err(plain("plain HTTP is for loopback addresses alone", "write https://"));
    }
    let host_text = match &host {
        Host::Domain(name) => name.trim_end_matches('.').to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let port = url.port_or_known_default().unwrap_or(443);
    let bracketed = if matches!(host, Host::Ipv6(_)) { format!("[{host_text}]") } else { host_text.clone() };
    let authority = url.port().map_or_else(|| bracketed.clone(), |port| format!("{bracketed}:{port}"));
    let path = url.path().trim_end_matches('/').to_owned();
    Ok(BaseUrl { tls, host: host_text, port, authority, path, loopback })
}

/// Whether the host is loopback; an error where it must never or only on purpose be contacted.
fn check_host(host: &Host<&str>, allow_private: bool) -> Result<bool, (String, String)> {
    let address = match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            if METADATA_HOSTS.contains(&name) {
                return Err((format!("{name} is a cloud's metadata service, not a vendor"), String::new()));
            }
            return Ok(name == "localhost");
        }
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address).to_canonical(),
    };
    if address.is_loopback() {
        return Ok(true);
    }
    if is_never(address) {
        let message = format!("{address} is a link-local, metadata or otherwise unusable address");
        return Err((message, "no vendor answers there".to_owned()));
    }
    if is_private(address) && !allow_private {
        let message = format!("{address} is a private address");
        return Err((message, "write `allow_private = true` beside it if that is meant".to_owned()));
    }
    Ok(false)
}

fn is_never(address: IpAddr) -> bool {
    // the metadata addresses of Alibaba Cloud (IPv4) and of AWS (IPv6) lie outside the link-local ranges
    const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(v4) => {
            v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.octets() == [100, 100, 100, 200]
        }
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast() || v6 == METADATA_V6,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        // 100.64.0.0/10 is shared address space (RFC 6598), which carriers and clouds use inside
        IpAddr::V4(v4) => v4.is_private() || matches!(v4.octets(), [100, 64..=127, ..]),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = parse(text, false).map(|url| url.canonical());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err((message, _)), Err(part)) => assert!(message.contains(part), "{text}: {message}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn takes_urls_apart() {
        check("https://api.openai.com/v1", Ok("https://api.openai.com:443/v1"));
        check("https://api.openai.com/v1/", Ok("https://api.openai.com:443/v1"));
        check("https://API.anthropic.com", Ok("https://api.anthropic.com:443"));
        check("http://127.0.0.1:8080/v1", Ok("http://127.0.0.1:8080/v1"));
        check("https://localhost:8443/v1", Ok("https://localhost:8443/v1"));
    }

    #[test]
    fn f_130_refuses_where_nobody_should_connect() {
        check("http://api.openai.com/v1", Err("loopback"));
        check("ftp://api.openai.com", Err("https://"));
        check("api.openai.com/v1", Err("not a URL"));
        check("https://user:secret@api.openai.com", Err("user name"));
        check("https://api.openai.com/v1?key=1", Err("query"));
        check("https://169.254.169.254/latest", Err("link-local"));
        check("https://[fe80::1]/", Err("link-local"));
        check("https://[::ffff:169.254.169.254]/", Err("link-local"));
        check("https://100.100.100.200/", Err("link-local"));
        check("https://metadata.google.internal/", Err("metadata"));
        check("https://0.0.0.0/", Err("unusable"));
        check("https://10.1.2.3/v1", Err("private"));
        check("https://192.168.1.1/v1", Err("private"));
        check("https://[fd12::1]/v1", Err("private"));
        check("https://0xa9fea9fe/", Err("link-local"));
    }

    #[test]
    fn private_addresses_are_used_on_purpose() {
        assert!(parse("https://10.1.2.3/v1", true).is_ok());
        assert!(parse("https://169.254.169.254/v1", true).is_err());
    }
}
