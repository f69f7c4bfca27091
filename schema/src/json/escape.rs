//! The strings of a document and their escapes.

use std::borrow::Cow;

/// Decodes the escapes between a string's quotes. What is no escape stays as it is, and an unpaired surrogate
/// becomes the three bytes that UTF-8 would give it, so that different strings stay different.
pub fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before);
        let (decoded, length) = decode_escape(escape);
        match decoded {
            Some(code) => push_code_point(&mut out, code),
            None => out.extend_from_slice(escape.get(..length).unwrap_or_default()),
        }
        rest = escape.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// The code point of the escape that `text` starts with, and its length. A surrogate stands for itself where
/// it is not paired; `None` is no legal escape.
pub(super) fn decode_escape(text: &[u8]) -> (Option<u32>, usize) {
    let plain = match text.get(1) {
        Some(b'u') => return decode_unicode(text),
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(other @ (b'"' | b'\\' | b'/')) => *other,
        Some(_) => return (None, 2),
        None => return (None, 1),
    };
    (Some(u32::from(plain)), 2)
}

fn decode_unicode(text: &[u8]) -> (Option<u32>, usize) {
    let unit = |at: usize| -> Option<u32> {
        let digits = text.get(at..at + 4)?;
        if text.get(at - 2..at)? != b"\\u" {
            return None;
        }
        digits.iter().try_fold(0, |value, digit| {
            char::from(*digit)
                .to_digit(16)
                .map(|digit| value * 16 + digit)
        })
    };
    let Some(first) = unit(2) else {
        return (None, 2);
    };
    if (0xD800..0xDC00).contains(&first)
        && let Some(second) = unit(8).filter(|second| (0xDC00..0xE000).contains(second))
    {
        return (
            Some(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)),
            12,
        );
    }
    (Some(first), 6)
}

fn push_code_point(out: &mut Vec<u8>, code: u32) {
    if let Some(character) = char::from_u32(code) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        // An unpaired surrogate, U+D800 to U+DFFF, as "WTF-8" writes it.
        for (shift, mark) in [(12, 0xE0), (6, 0x80), (0, 0x80)] {
            let bits = if shift == 12 {
                code >> 12
            } else {
                (code >> shift) & 0x3F
            };
            out.push(mark | u8::try_from(bits).unwrap_or_default());
        }
    }
}
