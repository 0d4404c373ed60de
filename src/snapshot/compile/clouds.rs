//! What a cloud wants to know beside a base URL: project, location, API version; and where its hosts are by them.

use super::Compiler;
use crate::config::At;
use crate::config::tables::{self, Auth};
use crate::dialect::profile::clouds::{google_host, is_aws_region};
use crate::dialect::profile::{self, Profile};
use crate::policy::vocabulary::UNKNOWN;

/// The settings of an endpoint that paths and hosts name in braces.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) project: Option<String>,
    pub(super) location: Option<String>,
    pub(super) api_version: Option<String>,
    /// The region as it was typed, which AWS's hosts are named by.
    pub(super) region: Option<String>,
}

impl Settings {
    /// A setting by its name in a template.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        match name {
            "project" => self.project.as_deref(),
            "location" => self.location.as_deref(),
            "api_version" => self.api_version.as_deref(),
            "region" => self.region.as_deref(),
            _ => None,
        }
    }

    pub(super) fn of_vendor(table: &tables::Vendor) -> Self {
        Self {
            project: table.project.clone(),
            location: table.location.clone(),
            api_version: table.api_version.clone(),
            region: table.region.as_ref().map(|region| region.value.clone()),
        }
    }

    /// Those of a further endpoint: project and API version are the vendor's unless it has its own; where it lies is its own.
    pub(super) fn of_endpoint(table: &tables::Endpoint, of: &tables::Vendor) -> Self {
        Self {
            project: table.project.clone().or_else(|| of.project.clone()),
            location: table.location.clone(),
            api_version: table.api_version.clone().or_else(|| of.api_version.clone()),
            region: table.region.as_ref().map(|region| region.value.clone()),
        }
    }
}

/// The name of the profile whose URLs have the form that was asked for: Azure has two.
pub(super) fn form_of_urls(table: &tables::Vendor) -> Option<&str> {
    let written = table.profile.as_ref().map(|name| name.as_str());
    let classic = match table.url_form.as_deref() {
        Some(form) => form == "classic",
        // only that form has a version
        None => table.api_version.is_some(),
    };
    match written {
        Some("azure") if classic => Some("azure-classic"),
        written => written,
    }
}

/// A cloud's own URL by its template; `None` where the setting that it is named by is missing, or is no place of its own.
pub(super) fn own_url(template: &'static str, settings: &Settings) -> Option<String> {
    if template.contains("{location}") {
        return settings.location.as_deref().map(|location| format!("https://{}", google_host(location)));
    }
    let region = settings.region.as_deref().unwrap_or_default();
    is_aws_region(region).then(|| profile::fill(template, |name| settings.named(name)).ok()).flatten()
}

/// What to add where a cloud's own base URL is known but for its region or location.
pub(super) fn vendors_own_url(table: Option<&tables::Vendor>) -> Option<&'static str> {
    let table = table?;
    let profiles = profile::find(&table.dialect, form_of_urls(table));
    let template = profiles.iter().find_map(|profile| profile.known.base_url).filter(|known| known.contains('{'))?;
    Some(if template.contains("{location}") {
        "add location = \"europe-west4\" or another of Google's, or `base_url`"
    } else {
        "add region = \"eu-central-1\" or another of AWS's regions, or `base_url`"
    })
}

/// The AWS region that a host names.
pub(super) fn aws_region_of(host: &str) -> Option<&str> {
    host.split('.').find(|label| is_aws_region(label))
}

impl Compiler<'_> {
    /// What has no effect must not look as if it had.
    pub(super) fn warn_of_idle_fields(&mut self, name: &At<String>, table: &tables::Vendor, profiles: &[Profile]) {
        let named = |setting: &str| {
            let setting = format!("{{{setting}}}");
            profiles.iter().any(|profile| profile.path.contains(&setting) || profile.models_path.contains(&setting))
        };
        let auth = table.auth.as_ref().map(|auth| auth.value);
        let idle = [
            ("project", table.project.is_some() && !named("project")),
            ("location", table.location.is_some() && !named("location")),
            ("api_version", table.api_version.is_some() && !named("api_version")),
            ("url_form", table.url_form.is_some() && !profiles.iter().any(|profile| profile.name.starts_with("azure"))),
            ("token_url", table.token_url.is_some() && matches!(auth, None | Some(Auth::Bearer | Auth::Sigv4))),
        ];
        for (field, _) in idle.into_iter().filter(|(_, idle)| *idle) {
            let message = format!("`{field}` has no effect on the dialect \"{}\"", table.dialect.value);
            self.warning(&name.place, message, "remove it");
        }
        if let Some(form) = table.url_form.as_ref().filter(|form| !["v1", "classic"].contains(&form.as_str())) {
            self.unknown(form, "form of URLs", ["v1", "classic"]);
        }
    }

    /// Says which settings are missing for the paths of these profiles, and which contradict host or region.
    pub(super) fn check_settings(
        &mut self,
        name: &At<String>,
        profiles: &[Profile],
        settings: &Settings,
        host: &str,
        region: &str,
    ) {
        let mut missing: Vec<&str> = Vec::new();
        for profile in profiles {
            for template in [profile.path, profile.stream_path, profile.models_path] {
                let filled = profile::fill(template, |name| (name == "model").then_some("m").or(settings.named(name)));
                missing.extend(filled.err());
            }
        }
        missing.sort_unstable();
        missing.dedup();
        for setting in missing {
            let example = match setting {
                "project" => "project = \"my-project-123\", as `gcloud config get project` prints it",
                "location" => "location = \"europe-west4\", or \"global\" with region = \"unknown\"",
                "api_version" => "api_version = \"2024-10-21\"; or url_form = \"v1\", which needs none",
                _ => "",
            };
            let message = format!("\"{}\" needs `{setting}`: the paths of its calls hold it", name.value);
            self.error(&name.place, message, format!("add {example}"));
        }
        if profiles.iter().any(|profile| profile.path.contains("{location}")) {
            self.check_location(name, settings.location.as_deref(), host, region);
        }
    }

    fn check_location(&mut self, name: &At<String>, location: Option<&str>, host: &str, region: &str) {
        let Some(location) = location else { return };
        let expected = google_host(location);
        if host.ends_with(".googleapis.com") && host != expected {
            let message = format!("the location \"{location}\" contradicts the host {host}");
            let help = format!("that location answers at https://{expected}; leave `base_url` out to use it");
            self.error(&name.place, message, help);
        }
        // what the host says has been compared already
        if self.vocabulary.hint(host, "").is_some() {
            return;
        }
        let lies_in = match location {
            "global" => Some(std::sync::Arc::from(UNKNOWN)),
            location => self.vocabulary.region(location),
        };
        let Some(lies_in) = lies_in else { return };
        if region != UNKNOWN && !self.vocabulary.overlap(region, &lies_in) {
            let message = format!("the location \"{location}\" contradicts the region \"{region}\"");
            let help = match &*lies_in {
                UNKNOWN => "it may process anywhere: write region = \"unknown\"".to_owned(),
                lies_in => format!("write region = \"{lies_in}\", or another location"),
            };
            self.error(&name.place, message, help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_aws_names_its_region() {
        assert_eq!(aws_region_of("bedrock-runtime.eu-west-3.amazonaws.com"), Some("eu-west-3"));
        assert_eq!(aws_region_of("127.0.0.1"), None);
    }
}
