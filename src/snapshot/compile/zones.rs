//! The words of law and place: those that come with Backstay, and those that a company adds.

use super::Compiler;
use crate::base::diagnostic::nearest;
use crate::config::{At, tables};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Compiler<'_> {
    /// Takes in `zones.toml`, and leaves out what is no longer law.
    pub(super) fn extend_zones(&mut self) {
        let sources = self.sources;
        if let Ok(now) = jiff::Timestamp::from_second(self.now) {
            let ended = self.vocabulary.lapse(&now.strftime("%Y-%m-%d").to_string());
            for country in ended {
                let message =
                    format!("the adequacy decision for {country} has ended: it is no longer in the zone ADEQUATE");
                let help = "where it was renewed, say so in zones.toml beside the policies, as [zone.ADEQUATE]";
                self.warning(&crate::base::diagnostic::Place::file(&sources.path), message, help);
            }
        }
        let Some(table) = &sources.zones else { return };
        if jiff::civil::Date::strptime("%Y-%m-%d", &table.as_of.value).is_err() {
            let help = "write the day on which the file was last compared with the law, as in \"2026-11-22\"";
            self.error(&table.as_of.place, format!("\"{}\" is not a day", table.as_of.escape_debug()), help);
        }
        for named in table.zone.iter() {
            self.add_zone(&named.name, named.body.as_ref());
        }
        for named in table.region.iter() {
            self.add_region(&named.name, named.body.as_ref());
        }
    }

    fn add_zone(&mut self, name: &At<String>, table: Option<&tables::Zone>) {
        let Some(table) = table else { return };
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if name.len() < 2 || name.len() > 32 || !name.chars().all(plain) {
            let help = "zones are written in capitals: [zone.OUR_COUNTRIES]";
            self.error(&name.place, format!("\"{}\" cannot be the name of a zone", name.escape_debug()), help);
            return;
        }
        if self.vocabulary.is_country(name) {
            let help = "give the zone a name of its own";
            self.error(&name.place, format!("\"{}\" is a country already", name.value), help);
            return;
        }
        if table.source.trim().is_empty() {
            self.error(&table.source.place, "the zone says no source", "name the act that makes it a zone");
        }
        let members = self.countries(&table.members);
        self.vocabulary.set_zone(Arc::from(name.as_str()), members);
    }

    fn add_region(&mut self, name: &At<String>, table: Option<&tables::Region>) {
        let Some(table) = table else { return };
        if let Some(message) = crate::config::names::wrong(name) {
            self.error(&name.place, message, crate::config::names::NAME_HELP);
            return;
        }
        if table.countries.is_empty() {
            let help = "a place that nobody knows is the region \"unknown\"";
            self.error(&name.place, format!("the region \"{}\" lies in no country", name.value), help);
            return;
        }
        let countries = self.countries(&table.countries);
        let hosts = table.hosts.iter().map(|host| Arc::from(host.to_ascii_lowercase()));
        self.vocabulary.set_region(&Arc::from(name.as_str()), countries, hosts);
    }

    /// The countries of these names; those that are none are reported.
    fn countries(&mut self, written: &[At<String>]) -> BTreeSet<Arc<str>> {
        let mut countries = BTreeSet::new();
        for country in written {
            let code = country.to_ascii_uppercase();
            if self.vocabulary.is_country(&code) {
                countries.insert(Arc::from(code));
                continue;
            }
            let near = match code.as_str() {
                // what people write, and ISO 3166 does not
                "UK" => Some("GB"),
                "EL" => Some("GR"),
                _ => self.vocabulary.nearest_zone(&code),
            };
            let near = near.or_else(|| nearest(&code, self.vocabulary.zones())).filter(|near| near.len() == 2);
            let help = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "countries are written by their two letters of ISO 3166-1".to_owned(),
            };
            self.error(&country.place, format!("there is no country \"{}\"", country.escape_debug()), help);
        }
        countries
    }
}
