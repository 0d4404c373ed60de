//! Media types and this dialect's short names of formats.

/// Formats of images.
const IMAGES: [(&str, &str); 4] =
    [("png", "image/png"), ("jpeg", "image/jpeg"), ("gif", "image/gif"), ("webp", "image/webp")];

/// Formats of documents.
const DOCUMENTS: [(&str, &str); 9] = [
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
];

/// What is shown: the two have formats of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    Image,
    Document,
}

impl Medium {
    const fn table(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Image => &IMAGES,
            Self::Document => &DOCUMENTS,
        }
    }

    /// The format of a media type, parameters such as a character set aside.
    pub(super) fn format(self, media_type: &str) -> Option<&'static str> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let essence = if essence.eq_ignore_ascii_case("image/jpg") { "image/jpeg" } else { essence };
        self.table().iter().find(|(_, known)| known.eq_ignore_ascii_case(essence)).map(|(format, _)| *format)
    }

    /// The media type of a format.
    pub(super) fn media_type(self, format: &str) -> Option<&'static str> {
        self.table().iter().find(|(known, _)| *known == format).map(|(_, media_type)| *media_type)
    }
}

/// The longest document name that is sent.
const NAME_CHARACTERS: usize = 200;

/// A title as a document's name, which may hold letters, digits, single blanks, hyphens, parentheses and brackets alone
/// (API reference, `DocumentBlock`). What else it holds becomes a hyphen, and every document of a call has a name of its
/// own: `place` counts them.
pub(super) fn document_name(title: Option<&str>, place: usize) -> String {
    let mut name = String::new();
    for character in title.unwrap_or("document").chars().take(NAME_CHARACTERS) {
        match character {
            c if c.is_ascii_alphanumeric() || "-()[]".contains(c) => name.push(c),
            c if c.is_whitespace() && !name.ends_with(' ') => name.push(' '),
            c if c.is_whitespace() => {}
            _ => name.push('-'),
        }
    }
    if place > 0 {
        name.push_str(&format!(" ({})", place + 1));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_media_types_are_two_names_of_one_thing() {
        for medium in [Medium::Image, Medium::Document] {
            for (format, media_type) in medium.table() {
                assert_eq!(medium.format(media_type), Some(*format));
                assert_eq!(medium.media_type(format), Some(*media_type));
            }
        }
        assert_eq!(Medium::Image.format("image/jpg"), Some("jpeg"));
        assert_eq!(Medium::Document.format("text/plain; charset=utf-8"), Some("txt"));
        assert_eq!(Medium::Image.format("image/svg+xml"), None);
    }

    #[test]
    fn a_documents_name_holds_what_the_vendor_takes() {
        for (title, place, expected) in [
            (Some("Report [2] (final)"), 0, "Report [2] (final)"),
            (Some("a\tb  c_d.pdf"), 0, "a b c-d-pdf"),
            (Some("Übersicht"), 0, "-bersicht"),
            (None, 0, "document"),
            (Some("same"), 1, "same (2)"),
        ] {
            assert_eq!(document_name(title, place), expected);
        }
    }
}
