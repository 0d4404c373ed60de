//! Google's errors have a shape of their own, by which the table of all vendors knows them wherever they come from.

use crate::dialect::signals::Rule;

/// Nothing is to be asked before that table.
pub(in crate::dialect) const RULES: &[Rule] = &[];
