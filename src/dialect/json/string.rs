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

/// Resolves the escapes of a string from `at` to its closing quote, or to the end of the text; returns where that is.
pub(super) fn unescape(text: &str, mut at: usize, resolved: &mut String) -> Option<usize> {
    let bytes = text.as_bytes();
    loop {
        let end = special_from(bytes, at);
        resolved.push_str(text.get(at..end)?);
        match bytes.get(end) {
            None | Some(b'"') => return Some(end),
            Some(b'\\') => {
                let (character, behind) = escaped(bytes, end + 1)?;
                resolved.push(character);
                at = behind;
            }
            Some(_) => return None,
        }
    }
}

/// The character that is escaped, from the byte behind the backslash on; and where its escape ends.
fn escaped(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let character = match bytes.get(at)? {
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let (end, unit) = code_point(bytes, at + 1);
            let point = match unit.ok()? {
                first @ 0xD800.. if end == at + 11 => {
                    let (_, second) = code_unit(bytes, at + 7);
                    0x1_0000 + ((first - 0xD800) << 10) + (second.ok()? - 0xDC00)
                }
                unit => unit,
            };
            return Some((char::from_u32(point)?, end));
        }
        _ => return None,
    };
    Some((character, at + 1))
}

/// Where the next byte stands that does not stand for itself in a string: a quote, a backslash or a control character.
#[inline]
pub(super) fn special_from(bytes: &[u8], mut at: usize) -> usize {
    // names and words end within the first steps, lines with escapes within the next; longer prose is worth wider ones
    for _ in 0..8 {
        match word_at(bytes, at).map(special_bits) {
            Some(0) => at += 8,
            Some(found) => return at + found.trailing_zeros() as usize / 8,
            None => break,
        }
    }
    while let Some(wide) = bytes.get(at..).and_then(<[u8]>::first_chunk::<32>) {
        if wide.iter().fold(false, |found, byte| found | is_special(*byte)) {
            break;
        }
        at += 32;
    }
    while let Some(found) = word_at(bytes, at).map(special_bits) {
        match found {
            0 => at += 8,
            found => return at + found.trailing_zeros() as usize / 8,
        }
    }
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|byte| is_special(*byte)).unwrap_or(tail.len())
}

#[inline]
const fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

#[inline]
fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().map(u64::from_le_bytes)
}

/// Sets the highest bit of each special byte; bits above the lowest such byte may err.
#[inline]
const fn special_bits(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // a quote changes places with the first byte that is no control character, and these among themselves
    let quote_or_control = (word ^ (ONES * 2)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & HIGH
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
