//! Images and documents: bytes in the call, and files behind URLs. Of other kinds only this dialect knows.

use super::NAME;
use super::types::{FileData, FileDataOut, InlineData, InlineDataOut, PartOut};
use crate::base::rejection::Refusal;
use crate::call::needs::Need;
use crate::call::turn::{Content, Source};
use crate::dialect::honour::unmet;
use crate::dialect::object::{Known, Object, Text, object, read};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Bytes that other dialects have a form for; `None` for audio, video and whatever else.
pub(super) fn read_inline(raw: &RawValue) -> Result<Option<Content>, serde_json::Error> {
    let Object { known, unknown } = read::<Object<'_, InlineData<'_>>>(raw)?;
    let (Some(Text(mime_type)), Some(Text(data))) = (known.mime_type, known.data) else { return Ok(None) };
    if !unknown.is_empty() {
        return Ok(None);
    }
    Ok(match kind(&mime_type) {
        Kind::Image if known.display_name.is_none() => {
            Some(Content::Image { source: base64(mime_type.into_owned(), data), detail: None })
        }
        Kind::Document => {
            let plain = (mime_type == "text/plain").then(|| STANDARD.decode(standard(&data).as_bytes()).ok()).flatten();
            let source = match plain.and_then(|bytes| String::from_utf8(bytes).ok()) {
                Some(text) => Source::Text(text),
                None => base64(mime_type.into_owned(), data),
            };
            Some(Content::Document { source, title: known.display_name })
        }
        _ => None,
    })
}

/// A file behind a public URL whose type the URL tells; `None` for one that is kept at Google, and for all else.
pub(super) fn read_file(raw: &RawValue) -> Result<Option<Content>, serde_json::Error> {
    let Object { known, unknown } = read::<Object<'_, FileData<'_>>>(raw)?;
    let Some(Text(uri)) = known.uri.filter(|_| unknown.is_empty()) else { return Ok(None) };
    let told = type_of(&uri);
    if is_kept(&uri) || known.mime_type.as_ref().map(|Text(mime_type)| &**mime_type) != told {
        return Ok(None);
    }
    let source = Source::Url(uri.into_owned());
    Ok(match told.map(kind) {
        Some(Kind::Image) => Some(Content::Image { source, detail: None }),
        Some(Kind::Document) => Some(Content::Document { source, title: None }),
        _ => None,
    })
}

object! {
    /// What names bytes or a file.
    Named<'a> {
        uri = "fileUri" | "file_uri": Option<Text<'a>>,
        kind = "mimeType" | "mime_type": Option<Text<'a>>,
    }
}

/// What a part of bytes or of a file needs that other dialects have no form for.
pub(super) fn need(raw: &RawValue) -> Need {
    let Known(Named { uri, kind }) = read(raw).unwrap_or_default();
    match (uri, kind) {
        (Some(Text(uri)), _) if uri.starts_with("http") && !uri.contains("generativelanguage.googleapis.com") => {
            Need::UnknownMembers
        }
        (Some(_), _) => Need::ServerIds,
        (None, Some(Text(kind))) if kind.starts_with("audio/") => Need::Audio,
        (None, _) => Need::UnknownMembers,
    }
}

/// Writes an image or a document.
///
/// # Errors
/// A refusal where this dialect has no form for it.
pub(super) fn write<'a>(source: &'a Source, title: Option<&'a str>, need: Need) -> Result<PartOut<'a>, Refusal> {
    let inline = |mime_type, data| InlineDataOut { mime_type, data, display_name: title };
    Ok(match source {
        // other types than these are refused by the vendor
        Source::Base64 { media_type, .. } if matches!(kind(media_type), Kind::Other) => return Err(unmet(need)),
        Source::Base64 { media_type, data } => {
            PartOut { inline_data: Some(inline(media_type, Cow::Borrowed(data))), ..PartOut::default() }
        }
        Source::Text(text) => {
            PartOut { inline_data: Some(inline("text/plain", STANDARD.encode(text).into())), ..PartOut::default() }
        }
        Source::Url(url) => {
            // the vendor wants to be told the type, which nobody knows without fetching
            let mime_type = type_of(url).ok_or(unmet(need))?;
            let file_data = FileDataOut { mime_type: Some(mime_type), file_uri: url };
            PartOut { file_data: Some(file_data), ..PartOut::default() }
        }
    })
}

fn base64(media_type: String, data: Cow<'_, str>) -> Source {
    Source::Base64 { media_type, data: standard(&data).into_owned() }
}

/// The standard alphabet, which all vendors read; Google's SDKs write the one for URLs.
fn standard(data: &str) -> Cow<'_, str> {
    if data.contains(['-', '_']) { data.replace('-', "+").replace('_', "/").into() } else { data.into() }
}

enum Kind {
    Image,
    Document,
    Other,
}

fn kind(mime_type: &str) -> Kind {
    match mime_type.split_once('/') {
        Some(("image", _)) => Kind::Image,
        Some(("text", _) | ("application", "pdf")) => Kind::Document,
        _ => Kind::Other,
    }
}

/// Whether a URI names something that Google keeps for one account, or that only Google can read.
fn is_kept(uri: &str) -> bool {
    uri.starts_with("gs://") || uri.contains("generativelanguage.googleapis.com") || uri.contains("youtu")
}

/// The type of a file by the ending of its URL's path.
fn type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit_once('/')?.1.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "md" => "text/markdown",
        _ => return None,
    })
}

/// The dialect that a part belongs to which others have no form for.
pub(super) const fn foreign(need: Need, json: crate::call::json::Json) -> Content {
    Content::Foreign(crate::call::turn::Foreign { dialect: NAME, need, json })
}
