//! Generated worlds: vendors, pools, keys and policies of two generations, and what is asked of them.

use super::vendors::{ACTS, Act, FIRST_PORT};
use crate::config::load::load;
use crate::snapshot::{Snapshot, compile};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

pub(in crate::app) const NOW_UNIX: i64 = 1_795_000_000;

const REGIONS: [&str; 6] = ["us-east-1", "eu", "eu-central-1", "japaneast", "uksouth", "unknown"];
const ZONES: [&str; 5] = ["any", "EU", "EEA", "US", "DE"];
const CLASSES: [&str; 4] = ["personal", "health", "export_controlled", "special_category"];
const POLICIES: [&str; 4] = [
    include_str!("../../../policies/gdpr.cedar"),
    include_str!("../../../policies/export-control.cedar"),
    include_str!("../../../policies/health.cedar"),
    include_str!("../../../policies/price.cedar"),
];

#[derive(Clone, Debug)]
struct Vendor {
    region: &'static str,
    seat: &'static str,
    promises: bool,
    export_class: u32,
    price: u32,
}

#[derive(Clone, Debug)]
struct Key {
    residency: &'static str,
    data: Vec<&'static str>,
    screened: bool,
    vendors: Option<Vec<usize>>,
    jurisdiction: &'static str,
}

/// A forbid out of parts.
#[derive(Clone, Debug)]
struct Rule {
    vendor: Option<usize>,
    key: Option<usize>,
    condition: &'static str,
    stops: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    vendors: Vec<Vendor>,
    pub(super) pools: Vec<Vec<usize>>,
    /// Keys of the two generations that take turns.
    keys: [Vec<Key>; 2],
    shipped: [Vec<&'static str>; 2],
    rules: [Vec<Rule>; 2],
    attempts: u32,
    pub(super) acts: Vec<Act>,
    /// What the exchanges ask for, in turn.
    pub(super) calls: Vec<Call>,
}

/// What one exchange asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call {
    pub(super) key: usize,
    pub(super) pool: usize,
    /// The zone and the data class that headers name.
    pub(super) zone: Option<&'static str>,
    pub(super) class: Option<&'static str>,
    pub(super) unscreened: bool,
    pub(super) streamed: bool,
    /// How long the client waits before it asks.
    pub(super) pause_ms: u64,
}

pub(super) fn plans() -> impl Strategy<Value = Plan> {
    (2_usize..6).prop_flat_map(|count| {
        let keys = || prop::collection::vec(key(count), 3);
        let rules = || prop::collection::vec(rule(count), 0..4);
        let shipped = || subsequence(&POLICIES[..], 0..=POLICIES.len());
        (
            prop::collection::vec(vendor(), count),
            prop::collection::vec(subsequence((0..count).collect::<Vec<_>>(), 1..=count).prop_shuffle(), 2),
            [keys(), keys()],
            [shipped(), shipped()],
            [rules(), rules()],
            1_u32..6,
            prop::collection::vec(select(&ACTS[..]), 1..40),
            prop::collection::vec(call(), 1..60),
        )
            .prop_map(|(vendors, pools, keys, shipped, rules, attempts, acts, calls)| Plan {
                vendors,
                pools,
                keys,
                shipped,
                rules,
                attempts,
                acts,
                calls,
            })
    })
}

fn vendor() -> impl Strategy<Value = Vendor> {
    (select(&REGIONS[..]), select(&["US", "FR", "CU"][..]), any::<bool>(), 0_u32..3, 1_u32..200).prop_map(
        |(region, seat, promises, export_class, price)| Vendor { region, seat, promises, export_class, price },
    )
}

/// A key that may be bound to some of so many vendors.
fn key(vendors: usize) -> impl Strategy<Value = Key> {
    (
        select(&ZONES[..]),
        subsequence(&CLASSES[..], 0..3),
        any::<bool>(),
        prop::option::weighted(0.3, subsequence((0..vendors).collect::<Vec<_>>(), 1..=vendors)),
        select(&["DE", "US", "RU"][..]),
    )
        .prop_map(|(residency, data, screened, vendors, jurisdiction)| Key {
            residency,
            data,
            screened,
            vendors,
            jurisdiction,
        })
}

/// A rule that may be about one of so many vendors.
fn rule(vendors: usize) -> impl Strategy<Value = Rule> {
    let conditions = select(
        &[
            "true",
            "context.attempt > 0",
            "context.attempt == 0",
            "context.data.contains(Data::\"personal\")",
            "resource in Zone::\"US\"",
            "!principal.screened",
            "resource.retention_days * 9223372036854775807 > 1",
        ][..],
    );
    (prop::option::weighted(0.7, 0..vendors), prop::option::weighted(0.3, 0_usize..3), conditions, any::<bool>())
        .prop_map(|(vendor, key, condition, stops)| Rule { vendor, key, condition, stops })
}

fn call() -> impl Strategy<Value = Call> {
    (
        0_usize..3,
        0_usize..2,
        prop::option::weighted(0.2, select(&ZONES[..])),
        prop::option::weighted(0.2, select(&CLASSES[..])),
        prop::bool::weighted(0.1),
        any::<bool>(),
        select(&[0_u64, 0, 0, 40, 1_500, 20_000][..]),
    )
        .prop_map(|(key, pool, zone, class, unscreened, streamed, pause_ms)| Call {
            key,
            pool,
            zone,
            class,
            unscreened,
            streamed,
            pause_ms,
        })
}

impl Plan {
    fn config(&self, side: usize) -> String {
        let mut text = String::from("[listener.main]\naddress = \"127.0.0.1:0\"\n");
        for (index, vendor) in self.vendors.iter().enumerate() {
            let promises = if vendor.promises {
                "agreements = [\"dpa\", \"scc\", \"baa\"]\nretention_days = 0\ntrains_on_inputs = false\n"
            } else {
                ""
            };
            let _ = write!(
                text,
                "[vendor.v{index}]\ndialect = \"openai\"\nseat = \"{}\"\nregion = \"{}\"\n{promises}base_url = \"http://127.0.0.1:{}/v1\"\n\
                 [deployment.\"v{index}/m{index}\"]\nexport_class = {}\nprice = {{ input = {}, output = {} }}\n",
                vendor.seat,
                vendor.region,
                usize::from(FIRST_PORT) + index,
                vendor.export_class,
                vendor.price,
                vendor.price,
            );
        }
        for (index, pool) in self.pools.iter().enumerate() {
            let members: Vec<String> = pool.iter().map(|vendor| format!("\"v{vendor}/m{vendor}\"")).collect();
            let _ = write!(
                text,
                "[pool.p{index}]\ndeployments = [{}]\nattempts = {}\nprobe = \"free\"\nprobe_every = \"10s\"\ndeadline = \"30s\"\n",
                members.join(", "),
                self.attempts
            );
        }
        for (index, key) in self.keys[side].iter().enumerate() {
            let vendors = key.vendors.as_ref().map_or_else(String::new, |vendors| {
                let names: Vec<String> = vendors.iter().map(|vendor| format!("\"v{vendor}\"")).collect();
                format!("vendors = [{}]\n", names.join(", "))
            });
            let _ = write!(
                text,
                "[key.k{index}]\nsecret = {{ env = \"K{index}\" }}\nresidency = \"{}\"\ndata = {:?}\nscreened = {}\njurisdiction = \"{}\"\n{vendors}",
                key.residency, key.data, key.screened, key.jurisdiction
            );
        }
        text
    }

    fn own_rules(&self, side: usize) -> String {
        let mut text = String::new();
        for (index, rule) in self.rules[side].iter().enumerate() {
            let principal = rule.key.map_or_else(String::new, |key| format!(" == Key::\"k{key}\""));
            let resource = rule.vendor.map_or_else(String::new, |vendor| format!(" in Vendor::\"v{vendor}\""));
            let stops = if rule.stops { " @inflight(\"stop\")" } else { "" };
            let condition =
                if rule.condition == "true" { String::new() } else { format!(" when {{ {} }}", rule.condition) };
            let _ = writeln!(
                text,
                "@id(\"own-{index}\"){stops} forbid (principal{principal}, action, resource{resource}){condition};"
            );
        }
        text
    }

    pub(super) fn snapshot(&self, side: usize, generation: u64) -> Arc<Snapshot> {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
        write("backstay.toml", &self.config(side));
        fs::create_dir(folder.path().join("policies")).expect("a folder");
        write("policies/base.cedar", crate::policy::BASE);
        write("policies/own.cedar", &self.own_rules(side));
        for (index, policy) in self.shipped[side].iter().enumerate() {
            write(&format!("policies/shipped{index}.cedar"), policy);
        }
        let secret = |name: &str| Some(format!("secret-of-{name}"));
        let sources = load(&folder.path().join("backstay.toml"), &secret).expect("a config");
        let (snapshot, _) = compile(&sources, generation, NOW_UNIX)
            .unwrap_or_else(|found| panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
        Arc::new(snapshot)
    }
}
