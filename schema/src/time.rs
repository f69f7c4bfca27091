//! Times: RFC 3339 in, whole microseconds since the Unix epoch inside, RFC 3339 UTC out.

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, SecondsFormat};

/// Reads an RFC 3339 date-time of any offset and precision; finer than a microsecond is floored.
///
/// There is no leap second, no space for the `T`, and no hour 24. `t` and `z` may be small (RFC 3339, 5.6).
pub fn parse_rfc3339_us(text: &str) -> Option<i64> {
    let mut rest = text.as_bytes();
    let year = number(&mut rest, 4)?;
    mark(&mut rest, b"-")?;
    let month = number(&mut rest, 2)?;
    mark(&mut rest, b"-")?;
    let day = number(&mut rest, 2)?;
    mark(&mut rest, b"Tt")?;
    let hour = number(&mut rest, 2)?;
    mark(&mut rest, b":")?;
    let minute = number(&mut rest, 2)?;
    mark(&mut rest, b":")?;
    let second = number(&mut rest, 2)?;
    let fraction_us = if mark(&mut rest, b".").is_some() {
        fraction_us(&mut rest)?
    } else {
        0
    };
    let offset_s = offset_s(&mut rest)?;
    if !rest.is_empty() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let days = i64::from(date.to_epoch_days());
    let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    // The fraction is added after the floor of the whole second, so it floors before 1970 as well.
    Some((days * 86_400 + of_day - offset_s) * 1_000_000 + fraction_us)
}

/// Writes a time as RFC 3339 UTC, with as many of its microseconds' digits as there are: none, three or six.
///
/// RFC 3339 has no year 10000 and none before 0: what an offset moved over its edge is written with an offset, too. What
/// no calendar holds (beyond the year 262142) is written as its number.
pub fn format_us(us: i64) -> String {
    DateTime::from_timestamp_micros(us).map_or_else(
        || us.to_string(),
        |time| {
            let back = match time.year() {
                10_000 => FixedOffset::west_opt(EDGE_S),
                -1 => FixedOffset::east_opt(EDGE_S),
                _ => None,
            };
            match back {
                Some(offset) => time
                    .with_timezone(&offset)
                    .to_rfc3339_opts(SecondsFormat::AutoSi, false),
                None => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            }
        },
    )
}

/// The largest offset that RFC 3339 writes, in seconds: 23:59.
const EDGE_S: i32 = (23 * 60 + 59) * 60;

fn mark(rest: &mut &[u8], any: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    any.contains(first).then(|| {
        *rest = after;
        *first
    })
}

fn number(rest: &mut &[u8], digits: usize) -> Option<u32> {
    let (head, after) = rest.split_at_checked(digits)?;
    *rest = after;
    head.iter().try_fold(0, |value, byte| {
        Some(value * 10 + char::from(*byte).to_digit(10)?)
    })
}

/// One digit or more; those after the sixth are cut off.
fn fraction_us(rest: &mut &[u8]) -> Option<i64> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (mut digits, after) = rest.split_at_checked(length)?;
    *rest = after;
    if digits.is_empty() {
        return None;
    }
    let mut us = 0;
    for _ in 0..6 {
        us = us * 10 + number(&mut digits, 1).map_or(0, i64::from);
    }
    Some(us)
}

fn offset_s(rest: &mut &[u8]) -> Option<i64> {
    let sign = match mark(rest, b"Zz+-")? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let hours = number(rest, 2)?;
    mark(rest, b":")?;
    let minutes = number(rest, 2)?;
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_of_the_standard() {
        for (text, us) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.1z", 100_000),
            ("1970-01-01t00:00:00.0000019Z", 1),
            ("1969-12-31T23:59:59.9999995Z", -1),
            ("1969-12-31T23:59:59.000000999Z", -1_000_000),
            ("2026-08-02T23:00:01+02:00", 1_785_704_401_000_000),
            ("2026-08-02T21:00:01-00:00", 1_785_704_401_000_000),
            ("1990-12-31T15:59:59-08:00", 662_687_999_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
            (
                "9999-12-31T23:59:59.999999999-23:59",
                253_402_387_139_999_999,
            ),
        ] {
            assert_eq!(parse_rfc3339_us(text), Some(us), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "2026-08-02",
            "2026-08-02T21:00:01",
            "2026-08-02 21:00:01Z",
            "2026-08-02T21:00Z",
            "2026-08-02T21:00:01.Z",
            "2026-08-02T21:00:01,5Z",
            "2016-12-31T23:59:60Z",
            "2026-08-02T24:00:00Z",
            "2026-13-02T21:00:01Z",
            "2026-02-29T21:00:01Z",
            "2026-8-02T21:00:01Z",
            "+026-08-02T21:00:01Z",
            "2026-08-02T21:00:01+0200",
            "2026-08-02T21:00:01+24:00",
            "2026-08-02T21:00:01+02:60",
            "2026-08-02T21:00:01+02",
            "2026-08-02T21:00:01Z ",
            "2026-08-02T21:00:01ZZ",
            "२026-08-02T21:00:01Z",
        ] {
            assert_eq!(parse_rfc3339_us(text), None, "{text}");
        }
    }

    #[test]
    fn written_times() {
        assert_eq!(format_us(0), "1970-01-01T00:00:00Z");
        assert_eq!(format_us(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(format_us(1_785_704_401_200_000), "2026-08-02T21:00:01.200Z");
        assert_eq!(format_us(i64::MAX), i64::MAX.to_string());
        for edge in ["9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+23:59"] {
            let us = parse_rfc3339_us(edge).expect("a time");
            assert_eq!(format_us(us), edge, "a time that RFC 3339 can read");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(us in -62_135_596_800_000_000_i64..253_402_300_799_999_999) {
            prop_assert_eq!(parse_rfc3339_us(&format_us(us)), Some(us));
        }

        #[test]
        fn as_chrono_reads_it(text in "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,12})?(Z|[+-][0-2][0-9]:[0-5][0-9])") {
            let theirs = DateTime::parse_from_rfc3339(&text).ok().map(|time| time.timestamp_micros());
            prop_assert_eq!(parse_rfc3339_us(&text), theirs);
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse_rfc3339_us(&text);
        }
    }
}
