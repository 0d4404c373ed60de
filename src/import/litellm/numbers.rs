//! LiteLLM's numbers, of which times are seconds.

use super::Importer;
use super::members::{Members, Told};
use crate::import::yaml::Node;

/// Longer than anything waits.
const MOST_SECONDS: f64 = 86_400.0;

impl Importer<'_> {
    /// A member in seconds as a duration of ours.
    pub(super) fn duration(&mut self, from: &mut Members<'_>, name: &str) -> Option<String> {
        let told = from.text(name, self.around, &mut self.findings)?;
        let Told::Text(seconds, at) = told else { return None };
        let found = duration(&seconds);
        if found.is_none() {
            let help = "write it as a number of seconds, above 0 and below a day";
            self.findings.say(at, format!("`{name}` is no time: it is not carried"), help);
        }
        found
    }

    /// A whole number of at most `most`.
    pub(super) fn whole(&mut self, node: Option<&Node>, name: &str, most: u64) -> Option<u64> {
        let node = node?;
        let number = node.text().and_then(|text| text.replace('_', "").parse().ok()).filter(|number| *number <= most);
        if number.is_none() {
            let help = format!("write it as a whole number of at most {most}");
            self.findings.say(node.mark, format!("`{name}` is no such number: it is not carried"), help);
        }
        number
    }
}

/// A number of seconds as a duration of the config; `None` for what is none, or no time to wait.
pub(super) fn duration(seconds: &str) -> Option<String> {
    let number = seconds.trim().parse::<f64>().ok().filter(|number| *number > 0.0 && *number < MOST_SECONDS)?;
    let milliseconds = (number * 1000.0).round() as u64;
    match (milliseconds / 1000, milliseconds % 1000) {
        (0, 0) => None,
        (seconds, 0) => Some(format!("{seconds}s")),
        (_, _) => Some(format!("{milliseconds}ms")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_durations() {
        for (text, expected) in [
            ("600", Some("600s")),
            ("0.5", Some("500ms")),
            ("30.0", Some("30s")),
            ("2.25", Some("2250ms")),
            ("0", None),
            ("-1", None),
            ("0.0001", None),
            ("NaN", None),
            ("soon", None),
            ("1e9", None),
        ] {
            assert_eq!(duration(text).as_deref(), expected, "{text}");
        }
    }
}
