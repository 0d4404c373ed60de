//! What a request of this dialect needs. No client speaks it: what its members mean is told for completeness.

use crate::call::needs::Need;
use crate::dialect::members::Rule;

/// Every member that has a known meaning.
pub(in crate::dialect) const MEMBERS: &[(&str, Rule)] = &[
    ("modelId", Rule::Model),
    ("messages", Rule::Plain),
    ("system", Rule::Plain),
    ("inferenceConfig", Rule::Plain),
    ("toolConfig", Rule::Given(Need::Tools)),
    ("outputConfig", Rule::Given(Need::JsonSchema)),
    ("requestMetadata", Rule::Plain),
    ("serviceTier", Rule::Given(Need::ServiceTier)),
];
