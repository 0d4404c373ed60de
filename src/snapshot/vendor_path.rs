//! What a key may use of a vendor's API beside the calls that we speak: a method and a path, as `vendor_paths` lists them.

use http::Method;
use std::sync::Arc;

/// A method and a path that a key may use at an endpoint, as in `GET /openai/files/*/content`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorPath {
    /// As written, for logs.
    pub text: Arc<str>,
    /// The method.
    pub method: Method,
    /// The endpoint's name in the config.
    pub endpoint: Arc<str>,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Exactly this.
    Word(Box<str>),
    /// `*`: one segment, the id of something at the vendor.
    Id,
    /// `**`, at the end: whatever follows.
    Rest,
}

impl VendorPath {
    /// Reads what the config says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (method, path) = text.split_once(' ').ok_or("it is not of the form \"METHOD /endpoint/path\"")?;
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let method = methods.into_iter().find(|known| known.as_str() == method);
        let method = method.ok_or("the method is none of GET, POST, PUT, PATCH and DELETE")?;
        let mut words = path.strip_prefix('/').ok_or("the path does not begin with a slash")?.split('/');
        let endpoint = words.next().filter(|name| !name.is_empty()).ok_or("the path names no endpoint")?;
        let segments: Vec<Segment> = words.map(Segment::read).collect::<Result<_, _>>()?;
        match segments.iter().position(|segment| *segment == Segment::Rest) {
            _ if segments.is_empty() => Err("nothing follows the endpoint"),
            Some(place) if place + 1 < segments.len() => Err("`**` stands at the end alone"),
            _ => Ok(Self { text: text.into(), method, endpoint: endpoint.into(), segments }),
        }
    }

    /// Whether it reads, changes or removes what is named nowhere in it: then it concerns whatever the account holds.
    #[must_use]
    pub fn names_nothing(&self) -> bool {
        self.method != Method::POST && !self.segments.contains(&Segment::Id)
    }

    /// Whether it leaves the end open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.segments.contains(&Segment::Rest)
    }

    /// The positions of ids in a path that it covers; `None` for a path that it does not.
    #[must_use]
    pub fn covers(&self, method: &Method, endpoint: &str, path: &[&str]) -> Option<Vec<usize>> {
        let closed = self.segments.len() - usize::from(self.is_open());
        let fits = if self.is_open() { path.len() > closed } else { path.len() == closed };
        if self.method != *method || *self.endpoint != *endpoint || !fits {
            return None;
        }
        let mut ids = Vec::new();
        for (place, (segment, found)) in self.segments.iter().zip(path).enumerate() {
            match segment {
                Segment::Word(word) if **word == **found => {}
                Segment::Word(_) => return None,
                Segment::Id => ids.push(place),
                Segment::Rest => break,
            }
        }
        Some(ids)
    }
}

impl Segment {
    fn read(text: &str) -> Result<Self, &'static str> {
        match text {
            "*" => Ok(Self::Id),
            "**" => Ok(Self::Rest),
            "" | "." | ".." => Err("a segment of the path is empty or a dot"),
            word if word.contains('*') => Err("`*` stands for a whole segment"),
            word if word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte)) => {
                Ok(Self::Word(word.into()))
            }
            _ => Err("a segment of the path holds more than letters, digits and -._~:@"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_covers_what_it_says_and_no_more() {
        let check = |pattern: &str, method: Method, path: &str, expected: Option<&[usize]>| {
            let segments: Vec<&str> = path.split('/').collect();
            let seen = VendorPath::parse(pattern).unwrap().covers(&method, "openai", &segments);
            assert_eq!(seen.as_deref(), expected, "{pattern} {method} {path}");
        };
        check("POST /openai/files", Method::POST, "files", Some(&[]));
        check("POST /openai/files", Method::GET, "files", None);
        check("POST /openai/files", Method::POST, "files/file-1", None);
        check("POST /azure/files", Method::POST, "files", None);
        check("GET /openai/files/*", Method::GET, "files/file-1", Some(&[1]));
        check("GET /openai/files/*", Method::GET, "files", None);
        check("GET /openai/files/*", Method::GET, "files/file-1/content", None);
        check("GET /openai/files/*/content", Method::GET, "files/file-1/content", Some(&[1]));
        check("GET /openai/**", Method::GET, "files/file-1", Some(&[]));
        check("GET /openai/files/**", Method::GET, "files", None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for wrong in [
            "/openai/files",
            "FETCH /openai/files",
            "GET openai/files",
            "GET /openai",
            "GET /",
            "GET /openai/../files",
            "GET /openai//files",
            "GET /openai/file-*",
            "GET /openai/**/content",
            "GET /openai/files?x=1",
        ] {
            assert!(VendorPath::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_listing_names_nothing() {
        let check = |text, expected| assert_eq!(VendorPath::parse(text).unwrap().names_nothing(), expected, "{text}");
        check("GET /openai/files", true);
        check("GET /openai/files/*", false);
        check("DELETE /openai/files", true);
        check("POST /openai/files", false);
    }
}
