//! A condition's text into words (CEL language definition, "Syntax").

use super::ast::Wrong;

/// A word of a condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Int(i64),
    /// 9223372036854775808, which is an integer after a minus alone.
    Smallest,
    Double(f64),
    Text(String),
    Mark(&'static str),
}

/// Two characters before one, so that `<=` is not read as `<`.
const MARKS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "+", "-",
    "*", "/", "%", "!", "<", ">", "=",
];

/// Every word with its place in bytes.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Wrong> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = skip(rest);
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            return Ok(tokens);
        };
        let (token, after) = if let Some(prefix) = text_prefix(rest) {
            quoted(rest, prefix, at)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let (name, after) = rest.split_at(length);
            (Token::Name(name.to_owned()), after)
        } else if first.is_ascii_digit() || begins_fraction(rest) {
            number(rest, at)?
        } else if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            (
                Token::Mark(mark),
                rest.get(mark.len()..).unwrap_or_default(),
            )
        } else {
            let message = format!("{first:?} belongs to no expression");
            return Err(Wrong::new(at, message, "remove it, or put text in quotes"));
        };
        tokens.push((token, at));
        rest = after;
    }
}

/// Without white space and comments in front.
fn skip(text: &str) -> &str {
    let mut rest = text.trim_ascii_start();
    while rest.starts_with("//") {
        rest = rest
            .split_once('\n')
            .map_or("", |(_, after)| after)
            .trim_ascii_start();
    }
    rest
}

fn begins_fraction(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('.') && chars.next().is_some_and(|c| c.is_ascii_digit())
}

/// The length of what stands before a quote: nothing, or `r` for text without escapes.
fn text_prefix(rest: &str) -> Option<usize> {
    let raw = usize::from(rest.starts_with(['r', 'R']));
    rest.get(raw..)?.starts_with(['"', '\'']).then_some(raw)
}

fn quoted(rest: &str, prefix: usize, at: usize) -> Result<(Token, &str), Wrong> {
    let open = |wrong: &str| {
        let mend = "close it with the quote that it began with";
        Wrong::new(at, wrong.to_owned(), mend)
    };
    let body = rest.get(prefix..).unwrap_or_default();
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quote| body.starts_with(quote))
        .ok_or_else(|| open("text without a quote"))?;
    let mut rest = body.get(quote.len()..).unwrap_or_default();
    let mut value = String::new();
    loop {
        if let Some(after) = rest.strip_prefix(quote) {
            return Ok((Token::Text(value), after));
        }
        let mut chars = rest.chars();
        match chars.next() {
            None => return Err(open("text without an end")),
            Some('\n') if quote.len() == 1 => return Err(open("text goes over the line's end")),
            Some('\\') if prefix == 0 => {
                rest = escape(chars.as_str(), &mut value).ok_or_else(|| {
                    let mend = r"write \\ for a backslash, or r'…' for text without escapes";
                    Wrong::new(at, "an unknown escape in text", mend)
                })?;
            }
            Some(plain) => {
                value.push(plain);
                rest = chars.as_str();
            }
        }
    }
}

/// What stands after a backslash; gives what stands after the escape.
fn escape<'a>(rest: &'a str, value: &mut String) -> Option<&'a str> {
    let mut chars = rest.chars();
    let digits = match chars.next()? {
        plain @ ('\\' | '\'' | '"' | '`' | '?') => {
            value.push(plain);
            return Some(chars.as_str());
        }
        'n' => {
            value.push('\n');
            return Some(chars.as_str());
        }
        'r' => {
            value.push('\r');
            return Some(chars.as_str());
        }
        't' => {
            value.push('\t');
            return Some(chars.as_str());
        }
        'x' | 'X' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let (code, after) = chars.as_str().split_at_checked(digits)?;
    value.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
    Some(after)
}

fn number(rest: &str, at: usize) -> Result<(Token, &str), Wrong> {
    let wrong = |digits: &str| {
        let message = format!("`{digits}` is no number that a condition can hold");
        Wrong::new(
            at,
            message,
            "write an integer of 64 bits or a finite number",
        )
    };
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let length = hex
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(hex.len());
        let (digits, after) = hex.split_at(length);
        let value = i64::from_str_radix(digits, 16).map_err(|_| wrong(digits))?;
        return Ok((Token::Int(value), after));
    }
    let digits = |from: usize| {
        let tail = rest.get(from..).unwrap_or_default();
        from + tail
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(tail.len())
    };
    let whole = digits(0);
    let mut end = whole;
    if begins_fraction(rest.get(end..).unwrap_or_default()) {
        end = digits(end + 1);
    }
    let tail = rest.get(end..).unwrap_or_default();
    if tail.starts_with(['e', 'E']) {
        let sign = usize::from(tail.get(1..).unwrap_or_default().starts_with(['+', '-']));
        let after = digits(end + 1 + sign);
        if after > end + 1 + sign {
            end = after;
        }
    }
    let (written, after) = rest.split_at(end);
    if after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        let (more, _) = after.split_at(1);
        return Err(wrong(&format!("{written}{more}")));
    }
    let token = if end == whole {
        match written.parse() {
            Ok(value) => Token::Int(value),
            Err(_) if written == "9223372036854775808" => Token::Smallest,
            Err(_) => return Err(wrong(written)),
        }
    } else {
        let value: f64 = written.parse().map_err(|_| wrong(written))?;
        if !value.is_finite() {
            return Err(wrong(written));
        }
        Token::Double(value)
    };
    Ok((token, after))
}
