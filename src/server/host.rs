//! Which authorities we take: a host and perhaps a port, and nothing that two readers could split differently
//! (CVE-2026-49468 was `localhost:4000/#@evil`).

use crate::server::head_guard::Fault;
use http::header::HOST;

/// Whether `value` is `host[:port]`: a DNS name without a trailing dot, an IPv4 address, or an IPv6 address in brackets
/// without a zone.
pub(crate) fn is_authority(value: &[u8]) -> bool {
    let (host_is_good, port) = match value.strip_prefix(b"[") {
        Some(rest) => match memchr::memchr(b']', rest) {
            Some(end) => (is_ipv6(&rest[..end]), &rest[end + 1..]),
            None => return false,
        },
        None => {
            let end = memchr::memchr(b':', value).unwrap_or(value.len());
            (is_name(&value[..end]), &value[end..])
        }
    };
    host_is_good && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

/// Whether two authorities are the same; hosts have no case.
pub(crate) fn same_authority(left: &[u8], right: &[u8]) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// Checks the target of an HTTP/2 request: no tunnels, and an authority, which may come as `:authority`, as `host`, or as both if they agree
/// (RFC 9113, 8.3.1).
pub(crate) fn check_target<B>(request: &http::Request<B>) -> Result<(), Fault> {
    let pseudo = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = request.headers().get_all(HOST).iter().map(http::HeaderValue::as_bytes);
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err(Fault::malformed("more than one Host"));
    }
    if request.method() == http::Method::CONNECT {
        return Err(Fault::malformed("CONNECT, which is not served"));
    }
    match (pseudo, header) {
        (None, None) => Err(Fault::malformed("neither :authority nor Host")),
        (Some(one), Some(other)) if !same_authority(one, other) => {
            Err(Fault::malformed(":authority and Host name different servers"))
        }
        (Some(one), _) | (None, Some(one)) if is_authority(one) => Ok(()),
        _ => Err(Fault::malformed("an invalid authority")),
    }
}

fn is_name(host: &[u8]) -> bool {
    let is_label_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !host.is_empty()
        && host.len() <= 253
        && host.split(|byte| *byte == b'.').all(|label| !label.is_empty() && label.iter().all(is_label_byte))
}

fn is_ipv6(host: &[u8]) -> bool {
    std::str::from_utf8(host).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_port(digits: &[u8]) -> bool {
    matches!(digits.len(), 1..=5)
        && digits.iter().all(u8::is_ascii_digit)
        && digits.iter().fold(0_u32, |port, digit| port * 10 + u32::from(digit - b'0')) <= 65_535
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_118_only_plain_authorities_pass() {
        let good = ["localhost", "a.example:8443", "127.0.0.1:1", "[::1]", "[::1]:443", "svc_1.ns.svc.cluster.local"];
        let bad = [
            "",
            "localhost:4000/#@evil",
            "user@host",
            "host:",
            "host:99999",
            "host:12a",
            "host/",
            "host#",
            "a b",
            "host.",
            ".host",
            "a..b",
            "[fe80::1%25eth0]",
            "[::1",
            "::1",
            "a,b",
            "[::1]x",
            "host\\x",
        ];
        for value in good {
            assert!(is_authority(value.as_bytes()), "{value} is an authority");
        }
        for value in bad {
            assert!(!is_authority(value.as_bytes()), "{value} is none");
        }
    }
}
