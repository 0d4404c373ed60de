//! Who may ask what of the admin address: rules that keep other people's web pages and other people's names out.

use crate::base::hash::Digest;
use crate::base::secret::same_digest;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri};
use std::net::{IpAddr, SocketAddr};

/// A refusal: the status, and what to do about it.
pub(super) type Refused = (StatusCode, &'static str);

/// What every request must fulfil.
///
/// The `Host` must be a literal address, or `localhost` on a loopback address: a DNS name may have been bound to this
/// address by somebody whose web page is open in an operator's browser. For the same reason an `Origin` is refused: no
/// page of another place has business here, and our own page sends none.
pub(super) fn check(uri: &Uri, headers: &HeaderMap, local: SocketAddr) -> Result<(), Refused> {
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err((StatusCode::BAD_REQUEST, "ask for a path, not for a whole address"));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err((StatusCode::BAD_REQUEST, "send one Host header"));
    };
    let host = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    if !host.is_some_and(|authority| is_ours(&authority, local)) {
        let help = "the Host is not ours: use the literal address of this listener, or localhost on the machine itself";
        return Err((StatusCode::MISDIRECTED_REQUEST, help));
    }
    if headers.contains_key(ORIGIN) {
        return Err((StatusCode::FORBIDDEN, "requests of web pages from elsewhere (Origin) are refused"));
    }
    Ok(())
}

fn is_ours(authority: &Authority, local: SocketAddr) -> bool {
    let host = authority.host();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    let localhost = host.eq_ignore_ascii_case("localhost") && local.ip().to_canonical().is_loopback();
    !authority.as_str().contains('@') && (literal || localhost)
}

/// What a request that changes something must fulfil beside [`check`]: an operator's token, and a content type that no
/// HTML form can send.
///
/// Returns the digest of the token, which names the operator in the log.
pub(super) fn check_operator(headers: &HeaderMap, operators: &[Digest]) -> Result<Digest, Refused> {
    if operators.is_empty() {
        let help = "no operators are configured: name a file of tokens as `operators` under [admin]";
        return Err((StatusCode::FORBIDDEN, help));
    }
    let json = |kind: &str| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json");
    if !headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(json) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "send `Content-Type: application/json`"));
    }
    let presented = bearer(headers).map(|token| Digest::plain(token.as_bytes()));
    // every operator is compared, so that the time taken does not tell which one came close
    let known = |token: &Digest| operators.iter().fold(false, |known, operator| known | same_digest(operator, token));
    presented
        .filter(known)
        .ok_or((StatusCode::UNAUTHORIZED, "send an operator's token as `Authorization: Bearer TOKEN`"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
            headers
        })
    }

    fn status(local: &str, target: &str, pairs: &[(&'static str, &str)]) -> u16 {
        let checked = check(&target.parse().unwrap(), &headers(pairs), local.parse().unwrap());
        checked.map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn f_137_only_our_own_names_are_answered() {
        for (local, host, expected) in [
            ("127.0.0.1:9443", "127.0.0.1:9443", 200),
            ("127.0.0.1:9443", "localhost:9443", 200),
            ("127.0.0.1:9443", "LOCALHOST", 200),
            ("[::1]:9443", "[::1]:9443", 200),
            ("10.0.0.7:9443", "10.0.0.7:9443", 200),
            ("10.0.0.7:9443", "localhost:9443", 421),
            ("127.0.0.1:9443", "rebound.example:9443", 421),
            ("127.0.0.1:9443", "127.0.0.1.nip.example", 421),
            ("127.0.0.1:9443", "localhost.example", 421),
            ("127.0.0.1:9443", "localhost:9443/#@evil", 421),
            ("127.0.0.1:9443", "evil@127.0.0.1:9443", 421),
            ("127.0.0.1:9443", "localhost.", 421),
            ("127.0.0.1:9443", "", 421),
        ] {
            assert_eq!(status(local, "/status", &[("host", host)]), expected, "{host} at {local}");
        }
    }

    #[test]
    fn f_137_the_authority_is_said_once_and_in_one_place() {
        let local = "127.0.0.1:9443";
        assert_eq!(status(local, "/status", &[]), 400);
        assert_eq!(status(local, "/status", &[("host", "127.0.0.1"), ("host", "127.0.0.1")]), 400);
        assert_eq!(status(local, "http://127.0.0.1/status", &[("host", "127.0.0.1")]), 400);
    }

    #[test]
    fn f_137_a_page_from_elsewhere_is_refused() {
        for origin in ["https://evil.example", "null", "http://127.0.0.1:9443"] {
            assert_eq!(status("127.0.0.1:9443", "/drain", &[("host", "127.0.0.1"), ("origin", origin)]), 403);
        }
    }

    #[test]
    fn f_137_changes_need_a_token_and_json() {
        let operators = [Digest::plain(b"first"), Digest::plain(b"second")];
        let json = ("content-type", "application/json; charset=utf-8");
        let check = |operators: &[Digest], pairs: &[(&'static str, &str)]| {
            check_operator(&headers(pairs), operators).map_or_else(|(status, _)| status.as_u16(), |_| 200)
        };
        assert_eq!(check(&operators, &[json, ("authorization", "Bearer second")]), 200);
        assert_eq!(check(&operators, &[json, ("authorization", "bearer first")]), 200);
        assert_eq!(check(&operators, &[json, ("authorization", "Bearer third")]), 401);
        assert_eq!(check(&operators, &[json, ("authorization", "Basic first")]), 401);
        assert_eq!(check(&operators, &[json]), 401);
        assert_eq!(check(&operators, &[("content-type", "text/plain"), ("authorization", "Bearer first")]), 415);
        assert_eq!(check(&operators, &[("authorization", "Bearer first")]), 415);
        assert_eq!(check(&[], &[json, ("authorization", "Bearer first")]), 403);
    }
}
