//! How far a vendor's refusal reaches, and by how much a call missed.

/// How far a vendor's refusal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Whatever is asked with this credential, or with any other of its account.
    Credential,
    /// This model, for this account.
    Model,
    /// Whatever is asked of this endpoint's region, or from where we stand.
    Region,
    /// The whole vendor.
    Vendor,
}

impl Scope {
    /// The `scope` label in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Model => "model",
            Self::Region => "region",
            Self::Vendor => "vendor",
        }
    }
}

/// How much a call was too long by, as far as the vendor told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Excess {
    /// The most tokens that are taken.
    pub limit_tokens: Option<u64>,
    /// The tokens that the call came to.
    pub asked_tokens: Option<u64>,
}
