//! A deployment that has become too expensive for a pool, as people are told of it.

use crate::base::money::TokenPrice;
use std::fmt;
use std::sync::Arc;

/// A deployment that has become too expensive for a pool, or is affordable again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surge {
    /// The pool.
    pub pool: Arc<str>,
    /// The deployment's id.
    pub deployment: Arc<str>,
    /// What a token of prompt and one of answer cost now; `None` where the pool has it no more.
    pub price: Option<(TokenPrice, TokenPrice)>,
    /// The most that the pool pays for them.
    pub ceiling: (Option<TokenPrice>, Option<TokenPrice>),
    /// The first deployment of the pool that is left in its place; `None` when it is back, or when none is.
    pub instead: Option<Arc<str>>,
}

impl fmt::Display for Surge {
    /// `it costs 12 / 60 USD per million tokens, the pool pays 6 / 30`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((input, output)) = self.price else { return f.write_str("the pool has it no more") };
        let bound = |bound: Option<TokenPrice>| bound.map_or_else(|| "any".to_owned(), |price| price.to_string());
        let (most_input, most_output) = (bound(self.ceiling.0), bound(self.ceiling.1));
        write!(
            f,
            "it costs {input} / {output} USD per million tokens of prompt / answer, the pool pays {most_input} / {most_output}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_costs_and_what_the_pool_pays() {
        let surge = Surge {
            pool: "smart".into(),
            deployment: "openai/gpt".into(),
            price: Some((TokenPrice(7_250_000), TokenPrice(60_000_000))),
            ceiling: (Some(TokenPrice(6_000_000)), None),
            instead: None,
        };
        let told = "it costs 7.25 / 60 USD per million tokens of prompt / answer, the pool pays 6 / any";
        assert_eq!(surge.to_string(), told);
        assert_eq!(Surge { price: None, ..surge }.to_string(), "the pool has it no more");
    }
}
