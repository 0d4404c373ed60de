//! The price book: what deployments charge, beside the config.

use crate::config::reader::{At, TablesOf};
use crate::config::section::section;
use crate::config::values::{Day, UsdPerMillion};

section! {
    /// Prices by "endpoint/model" or "vendor/model".
    PriceBook {
        /// Prices.
        price: TablesOf<DatedPrice>,
    }
}

section! {
    /// US dollars per million tokens, from a date on.
    DatedPrice {
        /// A fresh prompt token.
        input: At<UsdPerMillion>,
        /// An answer token.
        output: At<UsdPerMillion>,
        /// A prompt token read from cache; as `input` unless given.
        cached: Option<UsdPerMillion>,
        /// A prompt token written to cache; as `input` unless given.
        written: Option<UsdPerMillion>,
        /// Day from which the price holds.
        effective: Option<At<Day>>,
    }
}
