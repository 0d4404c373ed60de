//! What vendors' status pages say: the `summary.json` of Atlassian Statuspage, which most vendors have.
//!
//! <https://support.atlassian.com/statuspage/docs/what-are-the-different-apis-under-statuspage/>

use serde::Deserialize;

/// What a vendor says of itself as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Report {
    /// All is well, or there is maintenance that was announced.
    Well,
    /// A minor incident.
    Minor,
    /// A major or critical incident.
    Major,
}

impl Report {
    /// As people and metrics see it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }
}

#[derive(Deserialize)]
struct Summary {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    indicator: String,
}

/// Reads a summary; `None` for what is none, or says something unheard of: no news is not good news.
#[must_use]
pub fn read(summary: &[u8]) -> Option<Report> {
    let summary: Summary = serde_json::from_slice(summary).ok()?;
    match summary.status.indicator.as_str() {
        "none" | "maintenance" => Some(Report::Well),
        "minor" => Some(Report::Minor),
        "major" | "critical" => Some(Report::Major),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_and_what_is_none_says_nothing() {
        let check = |text: &str, expected| assert_eq!(read(text.as_bytes()), expected, "{text}");
        let says = |indicator: &str| {
            format!(
                r#"{{"page":{{"id":"01"}},"status":{{"indicator":"{indicator}","description":"x"}},"components":[]}}"#
            )
        };
        check(&says("none"), Some(Report::Well));
        check(&says("maintenance"), Some(Report::Well));
        check(&says("minor"), Some(Report::Minor));
        check(&says("major"), Some(Report::Major));
        check(&says("critical"), Some(Report::Major));
        check(&says("apocalyptic"), None);
        check(r#"{"status":"major"}"#, None);
        check("<html>", None);
        check("", None);
    }
}
