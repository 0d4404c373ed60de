//! Key presses on the terminal.

use super::screen::{Screen, Tone};
use super::stage::Stage;
use super::vendor::Fault;
use std::io::{IsTerminal, Read};
use std::process::{Command, Stdio};
use tokio::sync::mpsc;

/// The faults that a digit can strike with, in turn.
const FAVOURITES: [Fault; 8] = [
    Fault::Status503,
    Fault::Reset,
    Fault::Refuse,
    Fault::Silence,
    Fault::Status429,
    Fault::CertificateExpired,
    Fault::Html,
    Fault::CutReset,
];

/// Listens to the keyboard; dropping it gives the terminal back as it was.
pub(super) struct Keyboard {
    pressed: mpsc::Receiver<u8>,
    /// How the terminal was set, in `stty`'s own notation.
    before: Option<String>,
    favourite: usize,
}

impl Keyboard {
    /// Listens if standard input is a terminal. Where `stty` is missing, a key needs Enter after it.
    pub(super) fn listen() -> Option<Self> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        let before = stty(&["-g"]);
        if before.is_some() {
            stty(&["-icanon", "-echo", "min", "1"]);
        }
        let (press, pressed) = mpsc::channel(16);
        // A thread of its own: a read of the terminal cannot be cancelled, and must not hold up the end.
        std::thread::spawn(move || {
            for byte in std::io::stdin().lock().bytes() {
                match byte {
                    Ok(byte) if press.blocking_send(byte).is_ok() => {}
                    _ => return,
                }
            }
        });
        Some(Self { pressed, before, favourite: 0 })
    }

    /// Does what keys say, until one says to quit.
    pub(super) async fn obey(&mut self, stage: &Stage, screen: &Screen) {
        while let Some(key) = self.pressed.recv().await {
            match key {
                b'q' => return,
                b'f' => {
                    self.favourite = (self.favourite + 1) % FAVOURITES.len();
                    let fault = self.fault();
                    screen.event(Tone::Faint, format_args!("the digits now strike with {fault}: {}", fault.says()));
                }
                b'1'..=b'9' => stage.toggle(usize::from(key - b'1'), self.fault()),
                b'?' | b'h' => screen.line(Tone::Faint, help(stage)),
                _ => {}
            }
        }
        std::future::pending().await
    }

    fn fault(&self) -> Fault {
        FAVOURITES.get(self.favourite).copied().unwrap_or(Fault::Status503)
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            stty(&[before.as_str()]);
        }
    }
}

/// What the keys do.
pub(super) fn help(stage: &Stage) -> String {
    let digits =
        stage.names().iter().enumerate().map(|(index, name)| format!("{} {name}", index + 1)).collect::<Vec<_>>();
    format!("  keys: break or heal {};  f another fault;  q quit", digits.join(", "))
}

fn stty(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("stty");
    command.args(arguments).stdin(Stdio::inherit()).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
