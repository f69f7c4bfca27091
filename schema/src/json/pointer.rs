//! Where something stands, in words that a publisher understands.
//!
//! The reader keeps offsets, which cost nothing; their pointers are found here, once a message is refused.

use super::unescape;

/// The JSON pointer (RFC 6901) of the key or value that starts at `offset` of a document that is whole.
pub fn pointer(bytes: &[u8], offset: usize) -> String {
    enum Step<'a> {
        Key { raw: &'a [u8], next: bool },
        Index(usize),
    }
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut pos = 0;
    while let Some(byte) = bytes.get(pos) {
        let here = pos;
        pos += 1;
        match byte {
            b'"' => {
                let raw = raw_string(bytes, pos);
                pos += raw.len() + 1;
                if let Some(Step::Key { raw: key, next }) = steps.last_mut()
                    && *next
                {
                    (*key, *next) = (raw, false);
                }
            }
            b'{' => steps.push(Step::Key {
                raw: b"",
                next: true,
            }),
            b'[' => steps.push(Step::Index(0)),
            b'}' | b']' => drop(steps.pop()),
            b',' => match steps.last_mut() {
                Some(Step::Key { next, .. }) => *next = true,
                Some(Step::Index(index)) => *index += 1,
                None => {}
            },
            _ => {}
        }
        if here >= offset {
            break;
        }
    }
    let mut text = String::new();
    for step in steps {
        text.push('/');
        match step {
            Step::Index(index) => text.push_str(&index.to_string()),
            Step::Key { raw, .. } => {
                let key = unescape(raw);
                let key = String::from_utf8_lossy(&key);
                text.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
        }
    }
    text
}

/// The bytes between a string's quotes; `start` is after the opening one. Without a closing one: all the rest.
fn raw_string(bytes: &[u8], start: usize) -> &[u8] {
    let rest = bytes.get(start..).unwrap_or_default();
    let mut end = 0;
    while let Some(step) = memchr::memchr2(b'"', b'\\', rest.get(end..).unwrap_or_default()) {
        end += step;
        if rest.get(end) == Some(&b'"') {
            return rest.get(..end).unwrap_or_default();
        }
        end += 2;
    }
    rest
}
