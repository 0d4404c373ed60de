//! What the demonstration prints: colours on a terminal, plain lines in a pipe.

use std::fmt::Display;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Where lines go; clones write to the same place.
#[derive(Clone)]
pub struct Screen {
    out: Arc<Mutex<dyn Write + Send>>,
    colour: bool,
    since: Instant,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
    Title,
    Faint,
}

impl Tone {
    /// The ANSI attributes (ECMA-48, SGR).
    const fn attributes(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31",
            Self::Title => "1",
            Self::Faint => "2",
        }
    }
}

impl Screen {
    /// A screen that writes to `out`, with colours or without.
    pub fn new(out: impl Write + Send + 'static, colour: bool) -> Self {
        Self { out: Arc::new(Mutex::new(out)), colour, since: Instant::now() }
    }

    /// Standard output, with colours if it is a terminal and `NO_COLOR` is not set.
    #[must_use]
    pub fn stdout() -> Self {
        use std::io::IsTerminal;
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self::new(std::io::stdout(), colour)
    }

    /// A line.
    pub(super) fn line(&self, tone: Tone, text: impl Display) {
        self.write(&format!("{}\n", self.painted(tone, text)));
    }

    /// A line that begins with the seconds since the start.
    pub(super) fn event(&self, tone: Tone, text: impl Display) {
        let seconds = self.since.elapsed().as_secs_f64();
        let time = self.painted(Tone::Faint, format_args!("{seconds:7.1} s"));
        self.write(&format!("{time}  {}\n", self.painted(tone, text)));
    }

    fn painted(&self, tone: Tone, text: impl Display) -> String {
        if self.colour && tone != Tone::Plain {
            format!("\x1b[{}m{text}\x1b[0m", tone.attributes())
        } else {
            text.to_string()
        }
    }

    /// A reader that has gone (a closed pipe) is no reason to stop serving.
    fn write(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn colours_are_for_terminals_only() {
        for (colour, expected) in [(true, "\x1b[31mbroken\x1b[0m\n"), (false, "broken\n")] {
            let page = Page::default();
            Screen::new(page.clone(), colour).line(Tone::Bad, "broken");
            assert_eq!(String::from_utf8(page.0.lock().unwrap().clone()).unwrap(), expected);
        }
    }
}
