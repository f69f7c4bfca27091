//! A strict reader of JSON (RFC 8259) that builds nothing.
//!
//! One pass over the bytes says whether a document is whole, which rules it breaks, and where the members of
//! its outermost object lie. It allocates no values: `data` is kept and hashed as received, and only the few
//! attributes around it are ever decoded.
//!
//! Several rules can be broken at once and the first in FORMATS.md 1's order is the one given, so a broken
//! rule does not end the pass; only broken UTF-8 or broken syntax does. Nothing recurses, and the time is
//! near-linear in the length whatever was sent: keys of large objects are compared by sorting.

mod escape;
mod pointer;

use std::borrow::Cow;

pub use escape::unescape;
pub use pointer::pointer;

use escape::decode_escape;

/// How deep a document may be nested; its outermost object is 1.
pub const MAX_DEPTH: usize = 64;

/// Objects with more keys than this are searched for duplicates by sorting, smaller ones pair by pair.
const PAIRWISE: usize = 24;

/// A member of the outermost object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key, unescaped. Unpaired surrogates are in it as three bytes each, which are not UTF-8.
    pub key: Cow<'a, [u8]>,
    /// The exact bytes of the value, without white space around it.
    pub value: &'a [u8],
}

/// What a document is and which rules it breaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a rule of its own, and all can be broken"
)]
pub struct Scan<'a> {
    /// Not UTF-8, a byte order mark, or `\u0000` or an unpaired surrogate escape outside attributes. After
    /// broken UTF-8 nothing else is known.
    pub encoding: bool,
    /// Not JSON. What stands before the place is known, but `members` is empty.
    pub syntax: bool,
    /// Nested deeper than [`MAX_DEPTH`].
    pub depth: bool,
    /// The offset of the first key that its object has twice: of the second one's opening quote.
    pub duplicate: Option<usize>,
    /// The offset of the first number that is out of bounds.
    pub number: Option<usize>,
    /// Whether the document is an object.
    pub object: bool,
    /// The members of the outermost object, in document order.
    pub members: Vec<Member<'a>>,
}

/// What holds the outermost object: an event with its attributes around `data`, or `data` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Members other than `data` and `data_base64` are attributes, where escapes are judged later.
    Attributes,
    /// There are no attributes.
    Data,
}

/// Reads a document. See [`Scan`] for what is known when it is broken.
pub fn scan(bytes: &[u8], holds: Holds) -> Scan<'_> {
    let mut scan = Scan::default();
    if std::str::from_utf8(bytes).is_err() {
        scan.encoding = true;
        return scan;
    }
    scan.members.reserve(16);
    let mut pos = 0;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        scan.encoding = true;
        pos = 3;
    }
    let mut scanner = Scanner {
        bytes,
        pos,
        holds,
        in_attribute: false,
        member_start: 0,
        frames: Vec::with_capacity(8),
        keys: Vec::with_capacity(32),
        scan,
    };
    if scanner.document().is_none() {
        scanner.scan.syntax = true;
        scanner.scan.members.clear();
    }
    scanner.scan
}

#[derive(Clone, Copy)]
enum Frame {
    Array,
    /// Where its keys begin among all keys of the objects that are open.
    Object(usize),
}

struct Key<'a> {
    text: Cow<'a, [u8]>,
    at: usize,
}

impl Key<'_> {
    /// One bit of 64: keys with different bits differ, which saves most comparisons.
    fn mark(&self) -> u64 {
        let first = self.text.first().copied().unwrap_or_default();
        let last = self.text.last().copied().unwrap_or_default();
        let mixed = self.text.len() ^ usize::from(first).wrapping_mul(5) ^ usize::from(last) << 1;
        1 << (mixed & 63)
    }
}

/// A string of the document: the bytes between its quotes.
struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
    /// Whether it has `\u0000` or an unpaired surrogate escape.
    illegal: bool,
}

/// `None` from any method is broken syntax.
struct Scanner<'a> {
    bytes: &'a [u8],
    pos: usize,
    holds: Holds,
    in_attribute: bool,
    member_start: usize,
    frames: Vec<Frame>,
    keys: Vec<Key<'a>>,
    scan: Scan<'a>,
}

impl<'a> Scanner<'a> {
    fn document(&mut self) -> Option<()> {
        self.skip_white();
        self.scan.object = self.peek() == Some(b'{');
        loop {
            let opened = self.value()?;
            if !opened && !self.after_value()? {
                break;
            }
        }
        self.skip_white();
        (self.pos == self.bytes.len()).then_some(())
    }

    /// Reads a value, or the beginning of one up to where its first element starts; true says that.
    fn value(&mut self) -> Option<bool> {
        match self.peek()? {
            b'{' => {
                self.open(Frame::Object(self.keys.len()));
                if self.eat(b'}') {
                    self.close();
                    return Some(false);
                }
                self.key()?;
                return Some(true);
            }
            b'[' => {
                self.open(Frame::Array);
                if self.eat(b']') {
                    self.close();
                    return Some(false);
                }
                return Some(true);
            }
            b'"' => {
                let illegal = self.string()?.illegal;
                self.scan.encoding |= illegal && !self.in_attribute;
            }
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => self.number()?,
        }
        Some(false)
    }

    /// Closes what ends here and goes to where the next value starts; false at the document's end.
    fn after_value(&mut self) -> Option<bool> {
        loop {
            if let ([Frame::Object(_)], Some(member)) =
                (self.frames.as_slice(), self.scan.members.last_mut())
            {
                member.value = self.bytes.get(self.member_start..self.pos)?;
            }
            let Some(frame) = self.frames.last().copied() else {
                return Some(false);
            };
            self.skip_white();
            let byte = self.peek()?;
            self.pos += 1;
            match (frame, byte) {
                (Frame::Array, b',') => {
                    self.skip_white();
                    return Some(true);
                }
                (Frame::Object(_), b',') => {
                    self.skip_white();
                    self.key()?;
                    return Some(true);
                }
                (Frame::Array, b']') | (Frame::Object(_), b'}') => self.close(),
                _ => return None,
            }
        }
    }

    fn open(&mut self, frame: Frame) {
        self.pos += 1;
        self.frames.push(frame);
        self.scan.depth |= self.frames.len() > MAX_DEPTH;
        self.skip_white();
    }

    fn close(&mut self) {
        if let Some(Frame::Object(first)) = self.frames.pop() {
            let twice = second_of_a_pair(self.keys.get(first..).unwrap_or_default());
            self.scan.duplicate = match (self.scan.duplicate, twice) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            self.keys.truncate(first);
        }
    }

    /// Reads a key and its colon, up to where the value starts.
    fn key(&mut self) -> Option<()> {
        let at = self.pos;
        if self.peek()? != b'"' {
            return None;
        }
        let text = self.string()?;
        let key = if text.escaped {
            unescape(text.raw)
        } else {
            Cow::Borrowed(text.raw)
        };
        self.skip_white();
        if !self.eat(b':') {
            return None;
        }
        self.skip_white();
        let outermost = self.frames.len() == 1;
        let names_attribute = outermost && self.holds == Holds::Attributes;
        self.scan.encoding |= text.illegal && !self.in_attribute && !names_attribute;
        if outermost {
            self.in_attribute =
                names_attribute && !matches!(key.as_ref(), b"data" | b"data_base64");
            self.member_start = self.pos;
            self.scan.members.push(Member {
                key: key.clone(),
                value: &[],
            });
        }
        self.keys.push(Key { text: key, at });
        Some(())
    }

    fn string(&mut self) -> Option<Text<'a>> {
        let start = self.pos + 1;
        let (mut pos, mut escaped, mut illegal) = (start, false, false);
        loop {
            pos += plain_length(self.bytes.get(pos..)?);
            match self.bytes.get(pos)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    let (code, length) = decode_escape(self.bytes.get(pos..)?);
                    let code = code?;
                    // `\u0000` alone can give zero: no other escape and no pair does.
                    illegal |= code == 0 || char::from_u32(code).is_none();
                    pos += length;
                }
                _ => return None,
            }
        }
        self.pos = pos + 1;
        let raw = self.bytes.get(start..pos)?;
        Some(Text {
            raw,
            escaped,
            illegal,
        })
    }

    fn literal(&mut self, text: &[u8]) -> Option<()> {
        let found = self.bytes.get(self.pos..)?.starts_with(text);
        self.pos += text.len();
        found.then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.pos;
        self.eat(b'-');
        let leading = self.peek();
        let digits = self.digits()?;
        if leading == Some(b'0') && digits > 1 {
            return None;
        }
        let mut integer = true;
        let mut exponent = false;
        if self.eat(b'.') {
            integer = false;
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            (integer, exponent) = (false, true);
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        // 18 digits are within the bounds of an integer, 300 digits within those of a double.
        if digits > 300 || exponent || (integer && digits > 18) {
            let text = std::str::from_utf8(self.bytes.get(start..self.pos)?).ok()?;
            let legal = if integer {
                text.parse().is_ok_and(|value: i64| value != i64::MIN)
            } else {
                text.parse().is_ok_and(f64::is_finite)
            };
            if !legal {
                self.scan.number.get_or_insert(start);
            }
        }
        Some(())
    }

    fn digits(&mut self) -> Option<usize> {
        let rest = self.bytes.get(self.pos..)?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.pos += length;
        (length > 0).then_some(length)
    }

    fn skip_white(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.pos += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }
}

/// How many bytes of a string come before a quote, a backslash or a control character.
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let mut length = 0;
    // Eight bytes at a time: `(x - ONES) & !x & TOPS` marks the zero bytes of x, the lowest of them rightly.
    while let Some(chunk) = text.get(length..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let zero = |x: u64| x.wrapping_sub(ONES) & !x;
        let quote = zero(word ^ (ONES * 0x22));
        let escape = zero(word ^ (ONES * 0x5C));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let stops = (quote | escape | control) & TOPS;
        if stops != 0 {
            return length + usize::try_from(stops.trailing_zeros() / 8).unwrap_or_default();
        }
        length += 8;
    }
    let rest = text.get(length..).unwrap_or_default();
    length
        + rest
            .iter()
            .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20))
            .count()
}

/// The offset of the first key that stood before in the same object.
fn second_of_a_pair(keys: &[Key<'_>]) -> Option<usize> {
    if keys.len() <= PAIRWISE {
        let mut marks = 0;
        return keys.iter().enumerate().find_map(|(index, key)| {
            let mark = key.mark();
            let maybe = marks & mark != 0;
            marks |= mark;
            let earlier = keys.get(..index).unwrap_or_default();
            (maybe && earlier.iter().any(|other| other.text == key.text)).then_some(key.at)
        });
    }
    let mut sorted: Vec<&Key<'_>> = keys.iter().collect();
    sorted.sort_unstable_by(|a, b| a.text.cmp(&b.text).then(a.at.cmp(&b.at)));
    let equal = sorted.windows(2).filter_map(|pair| match pair {
        [first, second] if first.text == second.text => Some(second.at),
        _ => None,
    });
    equal.min()
}
