//! A request body of any bytes: the scan never panics, takes nothing that is not JSON, and what is spliced stays what it was.

use backstay::dialect::Dialect;
use backstay::dialect::scan::scan;
use backstay::dialect::splice::{Edits, splice};
use bytes::Bytes;

pub(crate) fn run(body: &[u8]) {
    for dialect in Dialect::ALL {
        let Ok(seen) = scan(dialect, body) else { continue };
        let edits =
            Edits { model: Some("another \"model\""), include_usage: true, store_false: true, ..Edits::default() };
        let spliced = splice(&Bytes::copy_from_slice(body), &seen, &edits);
        let again = scan(dialect, &spliced).expect("what was spliced is a call still");
        // where the path names the model, no body does
        if !seen.model.is_empty() {
            assert_eq!(again.model, "another \"model\"");
        }
        assert_eq!(again.stream, seen.stream);
    }
}
