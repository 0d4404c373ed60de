//! What policies can name and ask about: the vendors, deployments and keys of a config, as facts.

use crate::base::money::TokenPrice;
use crate::policy::vocabulary::Vocabulary;
use std::sync::Arc;

/// Everything that policies are compiled against.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Zones, agreements, certifications and data classes.
    pub vocabulary: Vocabulary,
    /// Companies.
    pub vendors: Vec<VendorFacts>,
    /// Pools by public name.
    pub pools: Vec<Arc<str>>,
    /// Deployments, in order of their index.
    pub deployments: Vec<DeploymentFacts>,
    /// Teams.
    pub teams: Vec<Arc<str>>,
    /// Keys, in order of their index.
    pub keys: Vec<KeyFacts>,
}

/// What is known of a company.
#[derive(Clone, Debug)]
pub struct VendorFacts {
    /// Its name in the config.
    pub name: Arc<str>,
    /// Zone where it is seated.
    pub seat: Arc<str>,
    /// Agreements with it.
    pub agreements: Vec<Arc<str>>,
    /// Certifications of it.
    pub certifications: Vec<Arc<str>>,
}

/// What is known of a deployment; what is not declared counts as the worst.
#[derive(Clone, Debug, Default)]
pub struct DeploymentFacts {
    /// `endpoint/model`; two of the same id differ in nothing that policy can see.
    pub id: Arc<str>,
    /// Whose it is.
    pub vendor: Arc<str>,
    /// Where it processes.
    pub region: Arc<str>,
    /// The pools that it is in.
    pub pools: Vec<Arc<str>>,
    /// The vendor's name of the model.
    pub model: Arc<str>,
    /// Days for which calls are kept.
    pub retention_days: Option<u32>,
    /// Whether calls are trained on.
    pub trains_on_inputs: Option<bool>,
    /// Export class, 0 where none is declared: most models are not controlled.
    pub export_class: u32,
    /// Input and output price of a short call.
    pub price: Option<(TokenPrice, TokenPrice)>,
    /// The same of calls whose prompts have more than so many tokens, the most tokens first.
    pub long_prices: Vec<(u64, (TokenPrice, TokenPrice))>,
    /// Agreements that hold for it.
    pub agreements: Vec<Arc<str>>,
    /// Certifications that hold for it.
    pub certifications: Vec<Arc<str>>,
}

impl DeploymentFacts {
    /// Input and output price of a call whose prompt has so many tokens.
    pub(super) fn price_of(&self, input_tokens: u64) -> Option<(TokenPrice, TokenPrice)> {
        let long = self.long_prices.iter().find(|(above, _)| input_tokens > *above);
        long.map(|(_, price)| *price).or(self.price)
    }
}

/// What is known of a key.
#[derive(Clone, Debug, Default)]
pub struct KeyFacts {
    /// Its name in the config.
    pub name: Arc<str>,
    /// Its team.
    pub team: Option<Arc<str>>,
    /// Zone whose law its users are under.
    pub jurisdiction: Arc<str>,
    /// Zone where its data must stay.
    pub residency: Arc<str>,
    /// What it is used for.
    pub purposes: Vec<Arc<str>>,
    /// Whether its users are screened for export control.
    pub screened: bool,
    /// What every call of it is assumed to hold.
    pub data: Vec<Arc<str>>,
    /// The vendors that it may use; `None` for all.
    pub vendors: Option<Vec<Arc<str>>>,
    /// The highest input and output price that it pays, where it has a ceiling.
    pub max_price: (Option<TokenPrice>, Option<TokenPrice>),
    /// The pools that it may ask for; empty for all.
    pub models: Vec<Arc<str>>,
}
