//! Floor 2: what the models of vendors can do and how much they take, from a dated file instead of code.

use crate::base::model_name::plain;
use crate::call::needs::{Need, Needs};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The file that comes with the program; `data/README.md` says where it is from.
const BUILT_IN: &str = include_str!("../data/models.json");

/// The models of many vendors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// The day on which it was taken, as `2026-07-02`.
    pub snapshot: String,
    vendors: BTreeMap<String, Vendor>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Vendor {
    models: BTreeMap<String, Model>,
    /// The ids of models by their plain names.
    plain: BTreeMap<String, String>,
}

/// What is known of a model. What is not known counts as possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Most tokens of prompt and answer together.
    pub context: Option<u64>,
    /// Most tokens of a prompt, where that is less.
    pub input: Option<u64>,
    /// Most tokens of an answer.
    pub output: Option<u64>,
    /// What it cannot do.
    pub lacks: Needs,
}

#[derive(Deserialize)]
struct FileJson {
    snapshot: String,
    vendors: BTreeMap<String, BTreeMap<String, ModelJson>>,
}

#[derive(Deserialize)]
struct ModelJson {
    context: Option<u64>,
    input: Option<u64>,
    output: Option<u64>,
    #[serde(default)]
    lacks: Vec<String>,
}

impl Catalog {
    /// The catalog that comes with the program.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static CATALOG: LazyLock<Catalog> =
            LazyLock::new(|| Catalog::parse(BUILT_IN).unwrap_or_else(|_| Catalog::none()));
        &CATALOG
    }

    /// Reads a file of this form.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: FileJson = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut vendors = BTreeMap::new();
        for (name, listed) in file.vendors {
            let mut vendor = Vendor::default();
            for (id, model) in listed {
                let model = model.read().map_err(|word| format!("{name}/{id}: \"{word}\" is no capability"))?;
                // of several dated ones the last is the newest
                vendor.plain.insert(plain(&id), id.clone());
                vendor.models.insert(id, model);
            }
            vendors.insert(name, vendor);
        }
        Ok(Self { snapshot: file.snapshot, vendors })
    }

    const fn none() -> Self {
        Self { snapshot: String::new(), vendors: BTreeMap::new() }
    }

    /// The names of the vendors in it.
    pub fn vendors(&self) -> impl Iterator<Item = &str> {
        self.vendors.keys().map(String::as_str)
    }

    /// What is known of a vendor's model: by its id to the letter, else by its name without region, date and tag.
    #[must_use]
    pub fn find(&self, vendor: &str, model: &str) -> Option<Model> {
        let vendor = self.vendors.get(vendor)?;
        let exact = vendor.models.get(model);
        exact.or_else(|| vendor.models.get(vendor.plain.get(&plain(model))?)).copied()
    }
}

impl ModelJson {
    fn read(self) -> Result<Model, String> {
        let mut lacks = Needs::NONE;
        for word in self.lacks {
            match Need::ALL.into_iter().find(|need| need.name() == word) {
                Some(need) => lacks.add(need),
                None => return Err(word),
            }
        }
        Ok(Model { context: self.context, input: self.input, output: self.output, lacks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalog_is_whole_and_dated() {
        let catalog = Catalog::parse(BUILT_IN).expect("it ships");
        assert_eq!(catalog.snapshot, "2026-07-02");
        assert_eq!(catalog.vendors().count(), 29);
        let model = catalog.find("openai", "gpt-4o").expect("listed");
        assert_eq!((model.context, model.output), (Some(128_000), Some(16_384)));
        assert!(model.lacks.has(Need::Reasoning) && !model.lacks.has(Need::Tools));
    }

    #[test]
    fn dates_regions_and_tags_do_not_hide_a_model() {
        let catalog = Catalog::built_in();
        for (vendor, id, listed) in [
            ("anthropic", "claude-opus-4-8-20260801", "claude-opus-4-8"),
            ("openai", "gpt-4.1-2025-04-14", "gpt-4.1"),
            ("google", "models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("google-vertex-anthropic", "claude-opus-4-8@20260801", "claude-opus-4-8@default"),
            ("amazon-bedrock", "apac.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
            ("fireworks-ai", "deepseek-v4-pro", "accounts/fireworks/models/deepseek-v4-pro"),
        ] {
            let found = catalog.find(vendor, id);
            assert!(found.is_some() && found == catalog.find(vendor, listed), "{vendor}/{id}");
        }
        assert_eq!(catalog.find("openai", "no-such-model"), None);
        assert_eq!(catalog.find("nobody", "gpt-4o"), None);
    }

    #[test]
    fn a_file_that_is_wrong_says_where() {
        let told = |text: &str| Catalog::parse(text).expect_err(text);
        assert!(told("{").contains("line 1"));
        let unknown = r#"{"snapshot":"2026-01-01","vendors":{"a":{"m":{"lacks":["wings"]}}}}"#;
        assert_eq!(told(unknown), "a/m: \"wings\" is no capability");
    }
}
