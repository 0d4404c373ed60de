//! What a dialect repeats of a request in its answers.

use super::json::Json;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::sync::Arc;

/// Members of a request that its dialect's answers repeat, as they are written there. They ask nothing of a vendor: the
/// client alone is told them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Echo(Option<Arc<[(&'static str, Json)]>>);

impl Echo {
    /// These members, in this order.
    #[must_use]
    pub fn of(members: impl IntoIterator<Item = (&'static str, Json)>) -> Self {
        Self(Some(members.into_iter().collect()))
    }

    /// Whether nothing is repeated.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Serialize for Echo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (member, value) in self.0.iter().flat_map(|members| members.iter()) {
            map.serialize_entry(member, value)?;
        }
        map.end()
    }
}
