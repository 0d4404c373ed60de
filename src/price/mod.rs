//! Floor 2: what tokens cost: prices with dates, tiers by prompt length and time of day, ceilings, and foreign price lists.
//!
//! Prices are whole micro-dollars per million tokens, costs whole micro-dollars: nothing that is added up is a float.

mod ceiling;
mod factor;
pub mod import;
mod rates;
mod tariff;
mod times;

pub use ceiling::Ceiling;
pub use factor::Factor;
pub use rates::{Dated, Rates, Tier};
pub use tariff::Tariff;
pub use times::{Days, Span, Times};
