//! The inside of strings: where something special stands, and what `\u` escapes hold.

/// Why a step failed; where is where the cursor then stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed(pub(super) &'static str);

/// Reads the digits of a `\u` escape, and the other half of a surrogate pair; returns where it stopped, and the first unit.
pub(super) fn code_point(bytes: &[u8], at: usize) -> (usize, Result<u32, Failed>) {
    const ALONE: Failed = Failed("a surrogate without its other half");
    let (mut at, unit) = code_unit(bytes, at);
    match unit {
        Ok(0xD800..0xDC00) => {
            if bytes.get(at..at + 2) != Some(b"\\u") {
                return (at, Err(ALONE));
            }
            let other;
            (at, other) = code_unit(bytes, at + 2);
            match other {
                Ok(0xDC00..0xE000) => (at, unit),
                Ok(_) => (at, Err(ALONE)),
                failed => (at, failed),
            }
        }
        Ok(0xDC00..0xE000) => (at, Err(ALONE)),
        _ => (at, unit),
    }
}

fn code_unit(bytes: &[u8], start: usize) -> (usize, Result<u32, Failed>) {
    let mut unit = 0;
    for at in start..start + 4 {
        let Some(digit) = bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16)) else {
            return (at, Err(Failed("expected four hexadecimal digits after \\u")));
        };
        unit = unit << 4 | digit;
    }
    (start + 4, Ok(unit))
}

/// Where the next byte stands that does not stand for itself in a string: a quote, a backslash or a control character.
#[inline]
pub(super) fn special_from(bytes: &[u8], mut at: usize) -> usize {
    // names and words end within the first step, lines with escapes within the next; longer prose is worth wider ones
    for _ in 0..4 {
        match bytes.get(at..).and_then(<[u8]>::first_chunk).map(special_in) {
            Some(Some(found)) => return at + found,
            Some(None) => at += 16,
            None => break,
        }
    }
    while let Some(wide) = bytes.get(at..).and_then(<[u8]>::first_chunk::<32>) {
        if wide.iter().fold(false, |found, byte| found | is_special(*byte)) {
            break;
        }
        at += 32;
    }
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        match special_in(chunk) {
            Some(found) => return at + found,
            None => at += 16,
        }
    }
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|byte| is_special(*byte)).unwrap_or(tail.len())
}

#[inline]
const fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

/// The place of the first special byte, by arithmetic on all sixteen at once.
#[inline]
const fn special_in(chunk: &[u8; 16]) -> Option<usize> {
    let chunk = u128::from_le_bytes(*chunk);
    let (low, high) = (special_bits(chunk as u64), special_bits((chunk >> 64) as u64));
    match (low, high) {
        (0, 0) => None,
        (0, _) => Some(8 + high.trailing_zeros() as usize / 8),
        (_, _) => Some(low.trailing_zeros() as usize / 8),
    }
}

/// Sets the highest bit of each special byte; bits above the lowest such byte may err.
#[inline]
const fn special_bits(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let found = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    found & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_found_at_every_place_in_a_word() {
        for length in 0..40 {
            for byte in [b'"', b'\\', b'\n', 0, 0x1f] {
                let mut text = vec![b'a'; length];
                text.push(byte);
                text.extend_from_slice(b" !#[]\x7f\"\\tail");
                assert_eq!(special_from(&text, 0), length);
            }
        }
        assert_eq!(special_from(" !#[]\u{7f}é\u{fc}🦀".as_bytes(), 0), 14);
    }
}
