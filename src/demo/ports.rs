//! The ports of the demonstration. The config is where they are written down; what somebody else has taken is moved.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use toml::{Table, Value};

/// Everything that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub proxy: u16,
    pub admin: u16,
    pub openai: u16,
    pub openai_eu: u16,
    pub anthropic: u16,
}

impl Ports {
    /// The usual ports where they are free, others where not; the vendors' are any, and for a proxy's port of 0 all are.
    pub(super) fn free(proxy: Option<u16>) -> io::Result<Self> {
        let proxy_is_any = proxy == Some(0);
        let proxy = match proxy {
            Some(port) => claimed(port)?,
            None => usual(8443)?,
        };
        // Held together until all are chosen, so that no two are the same.
        let held = (0..3).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<io::Result<Vec<_>>>()?;
        let any = held.iter().map(|held| Ok(held.local_addr()?.port())).collect::<io::Result<Vec<u16>>>()?;
        match any.as_slice() {
            [openai, openai_eu, anthropic] => Ok(Self {
                proxy,
                admin: if proxy_is_any { usual(0)? } else { usual(9443)? },
                openai: *openai,
                openai_eu: *openai_eu,
                anthropic: *anthropic,
            }),
            _ => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }

    /// The template with its ports filled in.
    pub(super) fn fill(&self, template: &str) -> String {
        template
            .replace("{proxy}", &self.proxy.to_string())
            .replace("{admin}", &self.admin.to_string())
            .replace("{openai}", &self.openai.to_string())
            .replace("{openai-eu}", &self.openai_eu.to_string())
            .replace("{anthropic}", &self.anthropic.to_string())
    }
}

/// The ports that a config names, and the config with the ones moved that cannot be had.
///
/// # Errors
/// When the config is not TOML, or a free port is not to be had.
pub(super) fn of_config(text: &str, proxy: Option<u16>) -> io::Result<(Ports, String)> {
    let config: Table = toml::from_str(text).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{error}\nmend it, or delete the folder to start over"))
    })?;
    let port = |path: &[&str]| port_at(&config, path);
    let fresh = Ports::free(proxy)?;
    let mut moved = text.to_owned();
    let mut keep = |named: Option<u16>, instead: u16, wanted: Option<u16>| match (named, wanted) {
        (Some(named), None | Some(0)) if claimed(named).is_ok() => named,
        (Some(named), Some(wanted)) if named == wanted => wanted,
        (Some(named), _) => {
            moved = moved.replace(&format!("127.0.0.1:{named}"), &format!("127.0.0.1:{instead}"));
            instead
        }
        (None, _) => instead,
    };
    let ports = Ports {
        proxy: keep(port(&["listener", "main", "address"]), fresh.proxy, proxy),
        admin: keep(port(&["admin", "address"]), fresh.admin, None),
        openai: keep(port(&["vendor", "openai", "base_url"]), fresh.openai, None),
        openai_eu: keep(port(&["endpoint", "openai-eu", "base_url"]), fresh.openai_eu, None),
        anthropic: keep(port(&["vendor", "anthropic", "base_url"]), fresh.anthropic, None),
    };
    Ok((ports, moved))
}

/// The port of an address or loopback URL in the config.
fn port_at(config: &Table, path: &[&str]) -> Option<u16> {
    let (first, rest) = path.split_first()?;
    let value = rest.iter().try_fold(config.get(*first)?, |value, name| value.get(name))?;
    let text = value.as_str().filter(|_| matches!(value, Value::String(_)))?;
    match text.split_once("://") {
        Some(_) => url::Url::parse(text).ok()?.port(),
        None => text.parse::<SocketAddr>().ok().map(|address| address.port()),
    }
}

/// `port`, or any free one if it is taken.
pub(super) fn usual(port: u16) -> io::Result<u16> {
    claimed(port).or_else(|_| claimed(0))
}

/// The port that can be had for `port`: itself, or any for 0.
fn claimed(port: u16) -> io::Result<u16> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let bound = bound.map_err(|error| io::Error::new(error.kind(), format!("port {port}: {error}")))?;
    Ok(bound.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[listener.main]\naddress = \"127.0.0.1:{proxy}\"\n[admin]\naddress = \"127.0.0.1:{admin}\"\n\
        [vendor.openai]\nbase_url = \"https://127.0.0.1:{openai}/v1\"\n[endpoint.openai-eu]\n\
        base_url = \"https://127.0.0.1:{openai-eu}/v1\"\n[vendor.anthropic]\nbase_url = \"https://127.0.0.1:{anthropic}\"\n";

    #[test]
    fn free_ports_stay_and_taken_ones_move() {
        let ports = Ports::free(None).unwrap();
        let text = ports.fill(CONFIG);
        assert_eq!(of_config(&text, None).unwrap(), (ports, text.clone()));

        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.openai)).unwrap();
        let (moved, new_text) = of_config(&text, None).unwrap();
        assert_ne!(moved.openai, ports.openai);
        assert_eq!((moved.proxy, moved.anthropic), (ports.proxy, ports.anthropic));
        assert_eq!(new_text, moved.fill(CONFIG));
    }

    #[test]
    fn a_port_asked_for_is_given_or_refused() {
        let free = claimed(0).unwrap();
        assert_eq!(Ports::free(Some(free)).unwrap().proxy, free);
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(Ports::free(Some(taken.local_addr().unwrap().port())).is_err());
    }

    #[test]
    fn a_broken_config_is_said_to_be_broken() {
        let error = of_config("[listener", None).unwrap_err();
        assert!(error.to_string().contains("delete the folder"), "{error}");
    }
}
