//! How budgets look to people and scrapers.

use crate::admin::BudgetStatus;
use crate::base::money::Microusd;
use crate::observe::BudgetReading;
use crate::state::purse::Standing;
use crate::state::world::World;
use std::collections::BTreeMap;
use std::sync::Arc;

/// For the status page.
pub(super) fn statuses(world: &World) -> Vec<BudgetStatus> {
    let usd = |amount: Microusd| amount.0 as f64 / 1e6;
    let status = |standing: Standing| BudgetStatus {
        budget: standing.account.to_string(),
        period: standing.budget.period.as_str().to_owned(),
        ends_at: jiff::Timestamp::from_second(standing.span.until).map(|end| end.to_string()).unwrap_or_default(),
        limit_usd: usd(standing.budget.most),
        gone_usd: standing.gone.map(usd),
        reserved_usd: usd(standing.reserved),
        overshoot_at_most_usd: standing.exposure.map(usd),
    };
    standings(world).map(status).collect()
}

/// For metrics.
pub(super) fn readings(world: &World) -> Vec<BudgetReading> {
    let reading = |standing: Standing| BudgetReading {
        account: standing.account,
        limit_microusd: standing.budget.most.0,
        gone_microusd: standing.gone.map_or(0, |gone| gone.0),
        reserved_microusd: standing.reserved.0,
    };
    standings(world).map(reading).collect()
}

/// Every budget once, however many keys spend from it.
fn standings(world: &World) -> impl Iterator<Item = Standing> {
    let purses = world.all_terms().flat_map(|terms| terms.purses());
    let by_account: BTreeMap<_, _> = purses.map(|purse| (Arc::clone(&purse.account), purse)).collect();
    by_account.into_values().map(|purse| purse.standing())
}
