//! What `fuzz/` does without end, a little of it in every run of the tests, so that the targets compile and hold.

#[path = "../../../fuzz/bodies/eventstream.rs"]
mod eventstream;
#[path = "../../../fuzz/bodies/scan.rs"]
mod scan;
#[path = "../../../fuzz/bodies/signals.rs"]
mod signals;
#[path = "../../../fuzz/bodies/stream.rs"]
mod stream;
#[path = "../../../fuzz/bodies/translate.rs"]
mod translate;

use super::recordings::shipped;
use proptest::prelude::*;

/// Larger ones say no more, and take longer.
const LARGEST: usize = 4 << 10;
/// Recordings of each target: one of each kind is among them.
const MOST: usize = 60;

#[test]
fn every_fuzz_target_takes_what_was_recorded() {
    let small = shipped().filter(|one| one.request.len() < LARGEST && one.response.len() < LARGEST);
    for recording in small.step_by(3).take(MOST) {
        scan::run(&recording.request);
        translate::run(&recording.request);
        translate::run(&recording.response);
        signals::run((400, recording.response.to_vec()));
        stream::run((recording.response.to_vec(), 7));
        eventstream::run((recording.response.to_vec(), 7));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_fuzz_target_takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 1..40u8, status in 100..600u16) {
        scan::run(&bytes);
        translate::run(&bytes);
        signals::run((status, bytes.clone()));
        stream::run((bytes.clone(), cut));
        eventstream::run((bytes, cut));
    }
}
