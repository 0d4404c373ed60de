//! What deployments charge: from the config, else from the price book beside it.

use super::Compiler;
use crate::config::values::UsdPerMillion;
use crate::config::{At, tables};
use crate::snapshot::deployment::Price;

impl Compiler<'_> {
    /// What a deployment charges, where that is known.
    pub(super) fn price_of(
        &mut self,
        id: &str,
        vendor: &str,
        model: &str,
        own: Option<&At<tables::Price>>,
    ) -> Option<Price> {
        match own {
            Some(own) => self.own_price(own),
            None => self.booked(id).or_else(|| self.booked(&format!("{vendor}/{model}"))),
        }
    }

    fn own_price(&mut self, written: &At<tables::Price>) -> Option<Price> {
        let (Some(input), Some(output)) = (written.input, written.output) else {
            let help = "as in { input = 2.5, output = 10.0 }: US dollars per million tokens";
            self.error(&written.place, "a price needs both `input` and `output`", help);
            return None;
        };
        Some(price(input, output, written.cached, written.written))
    }

    fn booked(&self, id: &str) -> Option<Price> {
        let book = self.sources.prices.as_ref()?;
        let dated = book.price.iter().find(|named| named.name.value == id)?.body.as_ref()?;
        let holds = dated.effective.as_ref().is_none_or(|day| day.value.0 <= self.now);
        holds.then(|| price(dated.input.value, dated.output.value, dated.cached, dated.written))
    }

    /// Checks the price book as a whole, used or not.
    pub(super) fn check_price_book(&mut self) {
        let Some(book) = &self.sources.prices else { return };
        for named in book.price.iter() {
            if !named.name.contains('/') {
                let message = format!("\"{}\" is not the name of a deployment", named.name.escape_debug());
                self.error(&named.name.place, message, "write [price.\"vendor/model\"]");
            }
            let effective = named.body.as_ref().and_then(|price| price.effective.as_ref());
            if let Some(day) = effective.filter(|day| day.value.0 > self.now) {
                self.warning(&day.place, "this price does not hold yet", "until then the price counts as unknown");
            }
        }
    }
}

fn price(
    input: UsdPerMillion,
    output: UsdPerMillion,
    cached: Option<UsdPerMillion>,
    written: Option<UsdPerMillion>,
) -> Price {
    Price { input: input.0, cached: cached.unwrap_or(input).0, written: written.unwrap_or(input).0, output: output.0 }
}
