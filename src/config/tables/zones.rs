//! The words of law and place that a company adds: `zones.toml` beside its policies.

use crate::config::reader::{At, TablesOf};
use crate::config::section::section;

section! {
    /// Zones and regions beside those that come with Backstay, or instead of them.
    Zones {
        /// The day on which this file was last compared with the law, as in "2026-11-22".
        as_of: At<String>,
        /// Zones by name, as in [zone.ADEQUATE].
        zone: TablesOf<Zone>,
        /// Regions by name, as in [region.frankfurt-1].
        region: TablesOf<Region>,
    }
}

section! {
    /// A set of countries that law treats alike.
    Zone {
        /// What it is called in full.
        title: Option<String>,
        /// The act that makes it a zone.
        source: At<String>,
        /// Countries by their two letters.
        members: Vec<At<String>>,
    }
}

section! {
    /// A place where vendors process.
    Region {
        /// The countries in which it lies, by their two letters.
        countries: Vec<At<String>>,
        /// Hosts that process there.
        hosts: Vec<At<String>>,
    }
}
