//! What a deployment lacks for a call, beside policy and health: what the call needs, and what it may cost.

use crate::base::money::TokenPrice;
use crate::call::needs::{Need, Needs};
use crate::dialect::Dialect;
use crate::snapshot::deployment::{Deployment, Price};

/// Prices that a call accepts, in micro-dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceiling {
    /// A prompt token.
    pub input: Option<u64>,
    /// An answer token.
    pub output: Option<u64>,
}

impl From<&Price> for Ceiling {
    fn from(price: &Price) -> Self {
        Self { input: Some(price.input.0), output: Some(price.output.0) }
    }
}

impl Ceiling {
    /// Whether the price lies within; an unknown one does not where there is a ceiling.
    #[must_use]
    pub fn admits(self, price: Option<&Price>) -> bool {
        let within = |ceiling: Option<u64>, price: Option<TokenPrice>| match (ceiling, price) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ceiling), Some(price)) => price.0 <= ceiling,
        };
        within(self.input, price.map(|price| price.input)) && within(self.output, price.map(|price| price.output))
    }
}

impl Deployment {
    /// What a call in the client's dialect needs and the deployment cannot honour, by name.
    pub fn unmet(&self, client: Dialect, needs: Needs) -> impl Iterator<Item = &'static str> {
        let voice = self.voice(client);
        let capabilities = voice.map_or(Needs::all(), |voice| {
            // what is passed on as bytes reaches whoever the client wrote it for
            if voice.profile.dialect == client {
                voice.capabilities.with(Need::UnknownMembers)
            } else {
                // a call is translated to be kept by nobody: what asks for more than silence is refused when it is written
                voice.capabilities.without(Need::UnknownMembers).with(Need::Stores)
            }
        });
        let speechless = voice.is_none().then(|| client.name());
        let unmet = Need::ALL.into_iter().filter(move |need| needs.has(*need) && !capabilities.has(*need));
        speechless.into_iter().chain(unmet.map(Need::name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(input: u64, output: u64) -> Price {
        Price { input: TokenPrice(input), cached: TokenPrice(0), written: TokenPrice(0), output: TokenPrice(output) }
    }

    #[test]
    fn an_unknown_price_is_above_every_ceiling() {
        let check = |price: Option<Price>, ceiling: Ceiling, fits: bool| {
            assert_eq!(ceiling.admits(price.as_ref()), fits, "{price:?} {ceiling:?}");
        };
        let input = |input| Ceiling { input: Some(input), output: None };
        check(None, Ceiling::default(), true);
        check(None, input(5), false);
        check(None, Ceiling::from(&price(9, 9)), false);
        check(Some(price(5, 20)), Ceiling::from(&price(5, 20)), true);
        check(Some(price(5, 20)), input(4), false);
        check(Some(price(5, 21)), Ceiling::from(&price(5, 20)), false);
    }
}
