//! Times as people write them: RFC 3339, `7d`, `2026-Q3`, `yesterday`.
//!
//! Everything is UTC. A text may name an instant or a period; whoever asks says which end of a period it means.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};

/// A stretch of time in microseconds since the Unix epoch: from `start_us` on, before `end_us`. An instant
/// has both equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first microsecond.
    pub start_us: i64,
    /// The microsecond after the last one; equal to the start for an instant.
    pub end_us: i64,
}

impl Period {
    fn instant(us: i64) -> Self {
        Self {
            start_us: us,
            end_us: us,
        }
    }

    fn days(first: NaiveDate, after: NaiveDate) -> Option<Self> {
        Some(Self {
            start_us: midnight_us(first)?,
            end_us: midnight_us(after)?,
        })
    }

    /// The last microsecond that belongs to it: for questions of the form "as known at".
    pub fn last_us(self) -> i64 {
        self.start_us.max(
            self.end_us
                .saturating_sub(i64::from(self.end_us > self.start_us)),
        )
    }
}

/// What the program says when it cannot read a time.
pub const FORMS: &str = "RFC 3339 (2026-07-01T09:30:00Z), an age (90s, 15m, 12h, 7d, 2w), a day (2026-07-01), \
                         a month (2026-07), a quarter (2026-Q3), a year (2026), now, today or yesterday; all UTC";

/// Reads a time. `now_us` is what `now`, ages and `yesterday` are measured from.
pub fn parse(text: &str, now_us: i64) -> Result<Period, String> {
    let wrong = || format!("{text:?} is not a time; a time is {FORMS}");
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(Period::instant(time.timestamp_micros()));
    }
    let today = DateTime::<Utc>::from_timestamp_micros(now_us)
        .ok_or_else(wrong)?
        .date_naive();
    let named = match text {
        "now" => return Ok(Period::instant(now_us)),
        "today" => today
            .checked_add_days(Days::new(1))
            .and_then(|next| Period::days(today, next)),
        "yesterday" => today
            .pred_opt()
            .and_then(|before| Period::days(before, today)),
        _ => age(text, now_us).or_else(|| calendar(text)),
    };
    named.ok_or_else(wrong)
}

/// `90s`, `15m`, `12h`, `7d`, `2w`: that long ago.
fn age(text: &str, now_us: i64) -> Option<Period> {
    let unit = text.chars().last()?;
    let count: i64 = digits(text.strip_suffix(unit)?)?.parse().ok()?;
    let span = match unit {
        's' => TimeDelta::try_seconds(count)?,
        'm' => TimeDelta::try_minutes(count)?,
        'h' => TimeDelta::try_hours(count)?,
        'd' => TimeDelta::try_days(count)?,
        'w' => TimeDelta::try_weeks(count)?,
        _ => return None,
    };
    now_us
        .checked_sub(span.num_microseconds()?)
        .map(Period::instant)
}

/// A year, a quarter, a month or a day.
fn calendar(text: &str) -> Option<Period> {
    let mut parts = text.split('-');
    let year: i32 = fixed(parts.next()?, 4)?;
    let (first, months, days) = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => (NaiveDate::from_ymd_opt(year, 1, 1)?, 12, 0),
        (Some(part), None, _) => match part.strip_prefix(['Q', 'q']) {
            Some(quarter) => {
                let quarter: u32 = fixed(quarter, 1)?;
                if !(1..=4).contains(&quarter) {
                    return None;
                }
                (NaiveDate::from_ymd_opt(year, quarter * 3 - 2, 1)?, 3, 0)
            }
            None => (NaiveDate::from_ymd_opt(year, fixed(part, 2)?, 1)?, 1, 0),
        },
        (Some(month), Some(day), None) => (
            NaiveDate::from_ymd_opt(year, fixed(month, 2)?, fixed(day, 2)?)?,
            0,
            1,
        ),
        _ => return None,
    };
    let after = first
        .checked_add_months(Months::new(months))?
        .checked_add_days(Days::new(days))?;
    Period::days(first, after)
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

fn fixed<T: std::str::FromStr>(text: &str, width: usize) -> Option<T> {
    digits(text)
        .filter(|text| text.len() == width)?
        .parse()
        .ok()
}

fn midnight_us(day: NaiveDate) -> Option<i64> {
    // A year of five digits would not survive being printed as RFC 3339.
    (0..=9999)
        .contains(&day.year())
        .then(|| day.and_hms_opt(0, 0, 0))
        .flatten()
        .map(|time| time.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text)
            .expect("legal")
            .timestamp_micros()
    }

    #[test]
    fn every_form_is_read() {
        let now = us("2026-11-21T10:00:00Z");
        for (text, start, end) in [
            (
                "2026-07-01T09:30:00+02:00",
                "2026-07-01T07:30:00Z",
                "2026-07-01T07:30:00Z",
            ),
            ("7d", "2026-11-14T10:00:00Z", "2026-11-14T10:00:00Z"),
            ("90s", "2026-11-21T09:58:30Z", "2026-11-21T09:58:30Z"),
            ("2w", "2026-11-07T10:00:00Z", "2026-11-07T10:00:00Z"),
            ("2026-Q3", "2026-07-01T00:00:00Z", "2026-10-01T00:00:00Z"),
            ("2026-q4", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("yesterday", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
            ("today", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
            ("now", "2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
        ] {
            let expected = Period {
                start_us: us(start),
                end_us: us(end),
            };
            assert_eq!(parse(text, now), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_forms() {
        for text in [
            "",
            "d",
            "7",
            "7x",
            "-7d",
            "2026-Q5",
            "2026-Q0",
            "2026-13",
            "2026-02-30",
            "26-Q3",
            "soon",
            "2026-07-01T00:00:00",
            "2026-7-1",
            "99999999999999999999d",
            "2026-07-01-01",
        ] {
            let error = parse(text, 0).expect_err(text);
            assert!(error.contains("2026-Q3"), "{error}");
        }
    }

    #[test]
    fn the_last_moment_of_a_period_belongs_to_it() {
        let quarter = parse("2026-Q3", 0).expect("legal");
        assert_eq!(quarter.last_us(), us("2026-10-01T00:00:00Z") - 1);
        let instant = parse("2026-07-01T00:00:00Z", 0).expect("legal");
        assert_eq!(instant.last_us(), instant.start_us);
    }
}
