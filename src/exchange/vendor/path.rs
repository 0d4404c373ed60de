//! The path and query of a request that goes to a vendor as it is: read in one way only, or refused.

use crate::dialect::ids::looks_like_one;
use http::Uri;

/// Where a request wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The endpoint's name.
    pub(crate) endpoint: String,
    /// The segments behind it.
    pub(crate) segments: Vec<String>,
    /// The query, without what carries a key.
    pub(crate) query: String,
    /// What the query names that looks like an id.
    pub(crate) query_ids: Vec<String>,
}

impl Wanted {
    /// The path and query beyond an endpoint's prefix.
    pub(crate) fn target(&self) -> String {
        let mut target = String::new();
        for segment in &self.segments {
            target.push('/');
            target.push_str(segment);
        }
        if !self.query.is_empty() {
            target.push('?');
            target.push_str(&self.query);
        }
        target
    }
}

/// Reads what stands behind `/vendor/`.
///
/// # Errors
/// What makes it ambiguous, in words for the client.
pub(crate) fn read(uri: &Uri) -> Result<Wanted, &'static str> {
    let path = uri.path().strip_prefix("/vendor/").unwrap_or_default();
    let (endpoint, rest) = path.split_once('/').ok_or("no path follows the endpoint's name")?;
    if endpoint.is_empty() {
        return Err("it names no endpoint");
    }
    under(endpoint, rest, uri.query())
}

/// Reads a path below an endpoint.
///
/// # Errors
/// As [`read`].
pub(crate) fn under(endpoint: &str, path: &str, query: Option<&str>) -> Result<Wanted, &'static str> {
    let segments = path.split('/').map(segment).collect::<Result<Vec<_>, _>>()?;
    let mut pairs = Vec::new();
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut query_ids = Vec::new();
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        // Google's clients bring their key so
        if matches!(&*name, b"key" | b"access_token" | b"api_key") {
            continue;
        }
        if names.contains(&name) && !name.ends_with(b"]") {
            return Err("its query gives a name twice");
        }
        names.push(name);
        query_ids.extend(String::from_utf8(value).ok().filter(|value| looks_like_one(value)));
        pairs.push(pair);
    }
    Ok(Wanted { endpoint: endpoint.to_owned(), segments, query: pairs.join("&"), query_ids })
}

/// One segment, as it was written. What another reader could take for a separator, a dot or a letter is refused.
fn segment(text: &str) -> Result<String, &'static str> {
    if matches!(text, "" | "." | "..") {
        return Err("a segment of its path is empty or a dot");
    }
    decoded(text)?;
    let written = text.as_bytes().windows(3).filter(|triple| triple.first() == Some(&b'%'));
    let mut encoded = written.filter_map(|triple| hex(triple.get(1..)?));
    if text.contains([';', '\\']) || encoded.any(|byte| byte.is_ascii_alphanumeric() || b"-._~/\\%?#;".contains(&byte))
    {
        return Err(
            "its path hides something from one of two readers: encode no slash, dot, percent sign or letter, send no `;`",
        );
    }
    Ok(text.to_owned())
}

fn hex(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Text without its percent-encoding.
fn decoded(text: &str) -> Result<Vec<u8>, &'static str> {
    const BROKEN: &str = "its percent-encoding is broken, or hides a control character";
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let byte = if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2).ok_or(BROKEN)?;
            rest = after;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return Err(BROKEN);
            }
            hex(digits).ok_or(BROKEN)?
        } else {
            *first
        };
        if byte.is_ascii_control() {
            return Err(BROKEN);
        }
        plain.push(byte);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart_once() {
        let check = |path: &str, endpoint: &str, target: &str| {
            let wanted = read(&path.parse().unwrap()).unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
            assert_eq!((wanted.endpoint.as_str(), wanted.target().as_str()), (endpoint, target), "{path}");
        };
        check("/vendor/openai/files", "openai", "/files");
        check("/vendor/openai/files/file-1/content", "openai", "/files/file-1/content");
        check("/vendor/g/v1beta/models/m:predict?alt=sse&key=secret", "g", "/v1beta/models/m:predict?alt=sse");
        check("/vendor/a/x?k%65y=secret&include[]=a&include[]=b", "a", "/x?include[]=a&include[]=b");
        check("/vendor/a/ft%3Agpt%40x", "a", "/ft%3Agpt%40x");
        let ids = read(&"/vendor/a/x?after=file-0123456789abcd&limit=2".parse().unwrap()).unwrap().query_ids;
        assert_eq!(ids, ["file-0123456789abcd"]);
    }

    #[test]
    fn tricks_are_refused() {
        for path in [
            "/vendor/openai",
            "/vendor//files",
            "/vendor/openai/",
            "/vendor/openai//files",
            "/vendor/openai/files/../models",
            "/vendor/openai/./files",
            "/vendor/openai/files/%2e%2e/models",
            "/vendor/openai/files%2ffile-1",
            "/vendor/openai/files%2Ffile-1",
            "/vendor/openai/files%5cfile-1",
            "/vendor/openai/files%3fx=1",
            "/vendor/openai/f%69les",
            "/vendor/openai/files%252f",
            "/vendor/openai/files;x=1",
            "/vendor/openai/files%00",
            "/vendor/openai/files%zz",
            "/vendor/openai/files?a=1&a=2",
            "/vendor/openai/files?a=%0d%0a",
        ] {
            assert!(read(&path.parse().unwrap()).is_err(), "{path}");
        }
    }
}
