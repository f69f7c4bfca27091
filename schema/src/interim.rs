//! Stands in until `canonical` and `time` are there.

/// RFC 8785 as text.
pub(crate) fn to_text(value: &serde_json::Value) -> String {
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}

/// Whether it is a time.
pub(crate) fn parse_rfc3339_us(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.timestamp_micros())
}
