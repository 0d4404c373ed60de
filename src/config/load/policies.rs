//! The folder of policies: the policies themselves, their tests, the zones that the company adds.

use super::{Loader, files_in, is_inside};
use crate::base::diagnostic::{Diagnostic, Place};
use crate::config::reader::resolve;
use crate::config::sources::{PolicySource, TextFile};
use crate::config::tables::{Config, PolicyTests, Zones};
use crate::config::{defaults, names};
use std::path::{Path, PathBuf};

impl Loader {
    /// The policy folder. A missing one is made good by the built-in policy; a broken one never is.
    pub(super) fn policies(&mut self, main: &Path, config: &Config, given: Option<&Path>) -> PolicySource {
        let named = config.policy.as_ref().and_then(|policy| policy.directory.as_ref()).filter(|_| given.is_none());
        let folder = match (given, named) {
            (Some(folder), _) => folder.to_owned(),
            (None, Some(named)) => named.value.0.clone(),
            (None, None) => resolve(main, Path::new(defaults::POLICY_DIRECTORY)),
        };
        let place = named.map_or_else(|| Place::file(&folder), |at| at.place.clone());
        if given.is_none() && named.is_none() && !folder.exists() && !folder.is_symlink() {
            let message = "there is no folder of policies: the built-in base policy serves (residency, jurisdiction)";
            let help = "copy the folder `policies` of the Backstay distribution beside the config";
            self.diagnostics.push(Diagnostic::warning(place, message).help(help));
            return PolicySource::BuiltIn;
        }
        self.watched.insert(folder.clone());
        let files = match files_in(&folder, "cedar") {
            Ok(files) => files,
            Err(error) => {
                self.error(place, format!("cannot read the policies in {}: {error}", folder.display()), "");
                return PolicySource::Folder { path: folder, files: Vec::new() };
            }
        };
        if files.is_empty() {
            let message = format!("{} holds no policy file (*.cedar)", folder.display());
            self.error(place.clone(), message, "an empty file `none.cedar` means that nothing is permitted");
        }
        if files.len() > defaults::MAX_POLICY_FILES {
            let message = format!("more than {} policy files", defaults::MAX_POLICY_FILES);
            self.error(place.clone(), message, "several policies may share a file");
        }
        let files = files.into_iter().take(defaults::MAX_POLICY_FILES);
        let files = files.filter_map(|file| self.policy_file(&folder, file)).collect();
        PolicySource::Folder { path: folder, files }
    }

    fn policy_file(&mut self, folder: &Path, file: PathBuf) -> Option<TextFile> {
        let place = Place::file(&file);
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(message) = names::wrong(&name) {
            self.error(place, message, names::NAME_HELP);
            return None;
        }
        if !is_inside(&file, folder) {
            self.error(place, "the policy file is a link out of its folder", "put the file itself there");
            return None;
        }
        let text = self.text(&file, &place)?;
        Some(TextFile { path: file, text })
    }

    /// The company's own zones and regions, beside the policies.
    pub(super) fn zones(&mut self, policies: &PolicySource) -> Option<Zones> {
        let PolicySource::Folder { path: folder, .. } = policies else { return None };
        let path = folder.join(defaults::ZONE_FILE);
        if !path.exists() && !path.is_symlink() {
            return None;
        }
        self.document(&path, &Place::file(&path))
    }

    /// The tests of the policies, in order of their files' names.
    pub(super) fn policy_tests(&mut self, policies: &PolicySource) -> Vec<(PathBuf, PolicyTests)> {
        let PolicySource::Folder { path: folder, .. } = policies else { return Vec::new() };
        let folder = folder.join(defaults::POLICY_TEST_DIRECTORY);
        if !folder.exists() && !folder.is_symlink() {
            return Vec::new();
        }
        self.watched.insert(folder.clone());
        let files = match files_in(&folder, "toml") {
            Ok(files) => files,
            Err(error) => {
                let message = format!("cannot read the policies' tests in {}: {error}", folder.display());
                self.error(Place::file(&folder), message, "");
                return Vec::new();
            }
        };
        if files.len() > defaults::MAX_POLICY_FILES {
            let message = format!("more than {} files of tests", defaults::MAX_POLICY_FILES);
            self.error(Place::file(&folder), message, "several tests may share a file");
        }
        let files = files.into_iter().take(defaults::MAX_POLICY_FILES);
        files.filter_map(|file| self.document(&file, &Place::file(&file)).map(|tests| (file, tests))).collect()
    }

    /// The properties that the policies must have, in order of their files' names; none where there is no such folder.
    pub(super) fn properties(&mut self, folder: &Path) -> Vec<TextFile> {
        let folder = folder.join(defaults::PROPERTY_DIRECTORY);
        if !folder.exists() {
            return Vec::new();
        }
        match files_in(&folder, "cedar") {
            Ok(files) => files.into_iter().filter_map(|file| self.policy_file(&folder, file)).collect(),
            Err(error) => {
                let message = format!("cannot read the properties in {}: {error}", folder.display());
                self.error(Place::file(&folder), message, "");
                Vec::new()
            }
        }
    }
}
