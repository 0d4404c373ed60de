//! Paths of Google's API, which name the model and the method: `/v1beta/models/{model}:{method}`, and the same under `/v1`.

use crate::dialect::Dialect;
use http::Uri;

/// What a path says of a call beside its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InPath {
    /// The model.
    pub(crate) model: String,
    /// Whether the answer shall be streamed.
    pub(crate) stream: bool,
    /// Whether a stream shall be one JSON array rather than events.
    pub(crate) array: bool,
}

/// What a path of Google's asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Google {
    /// All models; only under `/v1beta`, as others have the same path under `/v1`.
    Models,
    /// One model.
    Model(String),
    /// A method of a model.
    Call(Dialect, InPath),
}

/// Reads a path; `None` where it is no path of Google's.
pub(crate) fn read(uri: &Uri) -> Option<Google> {
    let path = uri.path();
    if path == "/v1beta/models" {
        return Some(Google::Models);
    }
    let rest = path.strip_prefix("/v1beta/models/").or_else(|| path.strip_prefix("/v1/models/"))?;
    let Some((model, method)) = rest.rsplit_once(':') else {
        return decoded(rest).map(Google::Model);
    };
    let (dialect, stream) = match method {
        "generateContent" => (Dialect::Gemini, false),
        "streamGenerateContent" => (Dialect::Gemini, true),
        "countTokens" => (Dialect::GeminiCount, false),
        "embedContent" | "batchEmbedContents" => (Dialect::GeminiEmbed, false),
        _ => return None,
    };
    let array = stream && query(uri, "alt").as_deref() != Some("sse");
    Some(Google::Call(dialect, InPath { model: decoded(model)?, stream, array }))
}

fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(found, _)| *found == name).and_then(|(_, value)| decoded(value))
}

/// Text without its percent-encoding (RFC 3986 section 2.1); `None` where that is broken, or it is empty.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_model_and_method() {
        let call = |dialect, model: &str, stream, array| {
            Some(Google::Call(dialect, InPath { model: model.to_owned(), stream, array }))
        };
        for (path, expected) in [
            ("/v1beta/models/smart:generateContent", call(Dialect::Gemini, "smart", false, false)),
            ("/v1/models/smart:streamGenerateContent", call(Dialect::Gemini, "smart", true, true)),
            ("/v1beta/models/a:streamGenerateContent?alt=sse&key=k", call(Dialect::Gemini, "a", true, false)),
            ("/v1beta/models/a%2Fb%3A0:countTokens", call(Dialect::GeminiCount, "a/b:0", false, false)),
            ("/v1beta/models/a:batchEmbedContents", call(Dialect::GeminiEmbed, "a", false, false)),
            ("/v1beta/models", Some(Google::Models)),
            ("/v1beta/models/a", Some(Google::Model("a".to_owned()))),
            ("/v1/models/a", Some(Google::Model("a".to_owned()))),
            ("/v1beta/models/:generateContent", None),
            ("/v1beta/models/a:predict", None),
            ("/v1beta/files", None),
        ] {
            assert_eq!(read(&path.parse().unwrap()), expected, "{path}");
        }
    }
}
