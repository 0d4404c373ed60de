//! Which addresses a vendor may live at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the endpoint's config consents to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Consent {
    /// Loopback addresses: the config names one in so many words.
    pub(super) loopback: bool,
    /// Private ranges: `allow_private = true`.
    pub(super) private: bool,
}

/// Checks one address.
///
/// # Errors
/// The class of an address that must not be dialled: the failure's reason.
pub(super) fn check(address: IpAddr, consent: Consent) -> Result<(), &'static str> {
    match class(address) {
        Class::Public => Ok(()),
        Class::Loopback if consent.loopback => Ok(()),
        Class::Private if consent.private => Ok(()),
        Class::Loopback => Err("loopback"),
        Class::Private => Err("private"),
        Class::LinkLocal => Err("link_local"),
        Class::Metadata => Err("metadata"),
        Class::Unusable => Err("unusable"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Public,
    Loopback,
    Private,
    LinkLocal,
    /// Where clouds hand out credentials.
    Metadata,
    /// Unspecified, multicast, broadcast, reserved.
    Unusable,
}

/// AWS's metadata service over IPv6.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => embedded_v4(v6).map_or_else(|| class_v6(v6), class_v4),
    }
}

fn class_v4(address: Ipv4Addr) -> Class {
    let [a, b, ..] = address.octets();
    match (a, b) {
        (127, _) => Class::Loopback,
        (169, 254) if address.octets() == [169, 254, 169, 254] => Class::Metadata,
        (169, 254) => Class::LinkLocal,
        (10, _) | (172, 16..=31) | (192, 168) | (100, 64..=127) => Class::Private,
        (0 | 224..=255, _) => Class::Unusable,
        _ => Class::Public,
    }
}

fn class_v6(address: Ipv6Addr) -> Class {
    if address == METADATA_V6 {
        return Class::Metadata;
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unusable,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        // unique local, and site local, which it replaced
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Class::Private,
        [0xff00..=0xffff, ..] => Class::Unusable,
        _ => Class::Public,
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped (RFC 4291), NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(v4(high, low))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_006_only_public_addresses_are_dialled_without_consent() {
        let none = Consent { loopback: false, private: false };
        let loopback = Consent { loopback: true, private: false };
        let private = Consent { loopback: false, private: true };
        let all = Consent { loopback: true, private: true };
        let cases: &[(&str, Consent, Result<(), &str>)] = &[
            ("104.18.7.192", none, Ok(())),
            ("2606:4700::6812:7c0", none, Ok(())),
            ("127.0.0.1", none, Err("loopback")),
            ("127.0.0.1", loopback, Ok(())),
            ("::1", private, Err("loopback")),
            ("::ffff:127.0.0.1", none, Err("loopback")),
            ("10.1.2.3", none, Err("private")),
            ("10.1.2.3", private, Ok(())),
            ("172.31.0.1", loopback, Err("private")),
            ("172.32.0.1", none, Ok(())),
            ("192.168.0.1", none, Err("private")),
            ("100.64.0.1", none, Err("private")),
            ("100.128.0.1", none, Ok(())),
            ("::ffff:10.0.0.1", none, Err("private")),
            ("64:ff9b::a00:1", none, Err("private")),
            ("2002:a00:1::", none, Err("private")),
            ("fd12::1", none, Err("private")),
            ("fd12::1", private, Ok(())),
            ("169.254.169.254", all, Err("metadata")),
            ("::ffff:169.254.169.254", all, Err("metadata")),
            ("fd00:ec2::254", all, Err("metadata")),
            ("169.254.1.1", all, Err("link_local")),
            ("fe80::1", all, Err("link_local")),
            ("0.0.0.0", all, Err("unusable")),
            ("::", all, Err("unusable")),
            ("224.0.0.1", all, Err("unusable")),
            ("255.255.255.255", all, Err("unusable")),
            ("ff02::1", all, Err("unusable")),
        ];
        for (address, consent, expected) in cases {
            let parsed = address.parse().expect("a literal address");
            assert_eq!(check(parsed, *consent), *expected, "{address} {consent:?}");
        }
    }
}
