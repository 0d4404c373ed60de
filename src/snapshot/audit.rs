//! How the decision log is kept. Read when the process begins: a log does not change its keys while it is written.

use crate::base::secret::Secret;

/// How the decision log is kept.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The log's name, where one is given.
    pub origin: Option<String>,
    /// Whether new calls are refused while nothing can be recorded.
    pub refuse_when_unwritable: bool,
    /// Bytes after which the next file is begun.
    pub rotate_bytes: u64,
    /// What signs, as `PRIVATE+KEY+...`; where none is given, one is made and kept beside the log.
    pub signing_key: Option<Secret>,
    /// What names of keys and subjects are hashed with; where none is given, one is made and kept beside the log.
    pub hash_key: Option<Secret>,
}
