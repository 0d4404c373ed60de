//! Teams, and what they and keys may do and spend.

use super::Compiler;
use crate::base::money::Microusd;
use crate::config::{At, tables};
use crate::snapshot::budget::{Budget, Period, Reserve, Team};
use crate::snapshot::key::Limit;
use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

/// A budget above this is a slip, in US dollars.
const ABSURD_USD: f64 = 1e12;

impl Compiler<'_> {
    /// The teams by name.
    pub(super) fn teams(&mut self) -> HashMap<Arc<str>, Arc<Team>> {
        let sources = self.sources;
        let tables = sources.config.team.iter().filter_map(|named| Some((&named.name, named.body.as_ref()?)));
        let teams = tables.map(|(name, table)| {
            let name: Arc<str> = Arc::from(name.as_str());
            let (budget, limit) = (self.budget(table.budget.as_ref()), self.limit(table.limit.as_ref()));
            (Arc::clone(&name), Arc::new(Team { name, budget, limit }))
        });
        teams.collect()
    }

    pub(super) fn budget(&mut self, written: Option<&At<tables::Budget>>) -> Option<Budget> {
        let table = written?;
        let usd = table.usd.0;
        if !(0.0..=ABSURD_USD).contains(&usd) {
            self.error(&table.place, format!("a budget of {usd} US dollars"), "write usd = 500.0");
            return None;
        }
        if usd == 0.0 {
            let help = "leave `budget` out where nothing limits what is spent, or remove the key";
            self.warning(&table.place, "a budget of nothing refuses every call", help);
        }
        Some(Budget {
            most: Microusd((usd * 1e6).round() as u64),
            period: match table.period {
                tables::Period::Day => Period::Day,
                tables::Period::Week => Period::Week,
                tables::Period::Month => Period::Month,
            },
            reserve: match table.reserve {
                None | Some(tables::Reserve::Expected) => Reserve::Expected,
                Some(tables::Reserve::Bound) => Reserve::Bound,
            },
        })
    }

    pub(super) fn limit(&mut self, written: Option<&At<tables::Limit>>) -> Limit {
        let Some(table) = written else { return Limit::default() };
        let mut positive = |number: Option<&At<u32>>| NonZeroU32::new(self.above_zero(number)?);
        let (requests_per_minute, concurrency) =
            (positive(table.requests_per_minute.as_ref()), positive(table.concurrency.as_ref()));
        Limit {
            requests_per_minute,
            tokens_per_minute: self.above_zero(table.tokens_per_minute.as_ref()).and_then(NonZeroU64::new),
            concurrency: concurrency.map(NonZeroU32::get),
        }
    }

    fn above_zero<T: Copy + PartialEq + Default>(&mut self, number: Option<&At<T>>) -> Option<T> {
        let number = number?;
        if number.value == T::default() {
            self.error(&number.place, "a limit of zero lets nothing through", "remove the key instead");
        }
        Some(number.value)
    }
}
