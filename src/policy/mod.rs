//! Floor 2: Cedar policies, compiled against the inventory of the config.

mod ask;

pub use ask::Ask;
use std::sync::Arc;

/// The compiled policies.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// Whether the key of this index may send the call to the deployment of this index.
    ///
    /// # Errors
    /// The ids of the deciding policies; none where no policy permits it.
    pub fn decide(&self, _key: usize, _deployment: usize, _ask: &Ask) -> Result<(), Vec<Arc<str>>> {
        Err(Vec::new())
    }

    /// Whether any key may use the deployment of this index for some call.
    #[must_use]
    pub fn usable_by_some_key(&self, _deployment: usize) -> bool {
        false
    }
}
