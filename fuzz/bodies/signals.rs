//! A vendor's error answer of any bytes and status: it becomes a failure, never a panic.

use backstay::base::failure::Phase;
use backstay::dialect::profile::PROFILES;
use backstay::dialect::signals::{classify, in_event};
use bytes::Bytes;

pub(crate) fn run(input: (u16, Vec<u8>)) {
    let (status, body) = input;
    for profile in PROFILES {
        let _ = classify(profile, status, &Default::default(), &Bytes::copy_from_slice(&body), 1_800_000_000);
        let _ = in_event(profile, Phase::Content, b"error", &body);
    }
}
