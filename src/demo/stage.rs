//! The simulated vendors of the demonstration, by name, to be broken and healed.

use super::certificates::{Authority, LOOPBACK_NAMES};
use super::ports::Ports;
use super::screen::{Screen, Tone};
use super::vendor::{Fault, Script, Setup, Vendor};
use crate::base::diagnostic::nearest;
use crate::dialect::Dialect;
use std::io;
use std::time::Duration;

/// The vendors, running.
pub(super) struct Stage {
    vendors: Vec<(&'static str, Vendor)>,
    screen: Screen,
}

impl Stage {
    /// Starts the vendors where the config expects them.
    pub(super) async fn set(ports: &Ports, authority: &Authority, screen: Screen) -> io::Result<Self> {
        let cast = [
            ("openai", Dialect::OpenaiChat, ports.openai, 0),
            ("openai-eu", Dialect::OpenaiChat, ports.openai_eu, 2),
            ("anthropic", Dialect::Anthropic, ports.anthropic, 5),
        ];
        let mut vendors = Vec::new();
        for (name, dialect, port, text) in cast {
            let script = Script { text, words: 40, pause: Duration::from_millis(8), ..Script::default() };
            let tls = authority.vendor(&LOOPBACK_NAMES)?;
            let vendor = Vendor::start(Setup::new(dialect).tls(tls).port(port).script(script)).await;
            vendors.push((name, vendor.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?));
        }
        Ok(Self { vendors, screen })
    }

    /// The names, in the order of their keys.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.vendors.iter().map(|(name, _)| *name).collect()
    }

    /// Breaks a vendor.
    ///
    /// # Errors
    /// A sentence for whoever asked, when there is no such vendor or fault.
    pub(super) fn break_vendor(&self, name: &str, fault: &str) -> Result<String, String> {
        let vendor = self.find(name)?;
        let fault: Fault = fault.parse().map_err(|error: super::vendor::UnknownFault| error.to_string())?;
        vendor.set_fault(fault);
        let said = format!("{name} is broken: {fault}. {}", fault.says());
        self.screen.event(Tone::Bad, &said);
        Ok(said)
    }

    /// Heals a vendor.
    ///
    /// # Errors
    /// A sentence for whoever asked, when there is no such vendor.
    pub(super) fn heal(&self, name: &str) -> Result<String, String> {
        self.find(name)?.heal();
        let said = format!("{name} is well again");
        self.screen.event(Tone::Good, format_args!("{said}; the proxy will find out by itself"));
        Ok(said)
    }

    /// Breaks a vendor that is well, heals one that is not.
    pub(super) fn toggle(&self, index: usize, fault: Fault) {
        let Some((name, vendor)) = self.vendors.get(index) else { return };
        // The names are the stage's own, so neither can fail.
        let _ = if vendor.fault().is_some() { self.heal(name) } else { self.break_vendor(name, fault.name()) };
    }

    /// How the vendors are, a line each.
    pub(super) fn describe(&self) -> String {
        let state = |vendor: &Vendor| vendor.fault().map_or_else(|| "well".to_owned(), |fault| fault.to_string());
        self.vendors
            .iter()
            .map(|(name, vendor)| format!("{name}: {}, {} calls\n", state(vendor), vendor.log().calls()))
            .collect()
    }

    fn find(&self, name: &str) -> Result<&Vendor, String> {
        let known = self.vendors.iter().find(|(known, _)| *known == name);
        known.map(|(_, vendor)| vendor).ok_or_else(|| match nearest(name, self.names()) {
            Some(near) => format!("no vendor is called {name:?}; did you mean {near:?}?"),
            None => format!("no vendor is called {name:?}; there are {}", self.names().join(", ")),
        })
    }
}
