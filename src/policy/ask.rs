//! What policy is asked about a call.

use crate::call::needs::Needs;
use std::sync::Arc;

/// What policy is asked about a call, beside who calls and which deployment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Data classes that the call holds, sorted: the key's and those that headers added.
    pub data: Vec<Arc<str>>,
    /// Zone where the data must stay, `any` where they may go anywhere.
    pub residency: Arc<str>,
    /// Whether the call's user is screened for export control.
    pub screened: bool,
    /// What the call demands; policy sees `store`, hosted tools and server ids.
    pub needs: Needs,
    /// Attempts made so far.
    pub attempt: u32,
    /// Workflow depth, 0 for a client's own call.
    pub depth: u32,
    /// Estimated cost in micro-dollars, in buckets.
    pub estimated_cost: u64,
    /// Hour of the day, UTC.
    pub hour: u32,
}
