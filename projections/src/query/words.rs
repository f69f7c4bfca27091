//! What verdicts and refusals mean in words. The chain holds none of this, so it may be worded better at any
//! time.

use schema::Reason;
use schema::rule::{NOT_AUTHORIZED, NOT_JUDGED, Words, publisher};

use crate::query::rows::ViolationRow;
use crate::verdict;

/// What the line of history that caused a verdict says.
#[derive(Debug, Default)]
pub(super) struct Cause<'a> {
    pub(super) event_type: Option<&'a str>,
    pub(super) from: Option<&'a str>,
    pub(super) to: Option<&'a str>,
    pub(super) claimed: Option<&'a str>,
    /// Who published it, where it was read.
    pub(super) publisher: Option<&'a str>,
}

/// What was wrong, and what to do about it. `rule` is what the rule's own file says, and `values` what the cause says
/// of what the rule asks for.
pub(super) fn violation(
    row: &ViolationRow,
    cause: &Cause<'_>,
    rule: Option<&Words>,
    values: &[String],
) -> String {
    let ViolationRow {
        kind,
        id,
        cause_seq,
        ..
    } = row;
    let event = cause.event_type.unwrap_or("an event");
    match row.rule.as_str() {
        verdict::ILLEGAL => illegal(row, event, cause),
        verdict::FROM_MISMATCH => mistaken(row, event, cause),
        verdict::BLOCKED => {
            let why = if row.detail_key == "hold" {
                "a hold keeps"
            } else {
                "must be kept longer"
            };
            format!(
                "{event} (position {cause_seq}) of class {id} names data that {why}; that data is not deleted by it"
            )
        }
        verdict::UNEXPECTED => unexpected(row, event),
        NOT_JUDGED => format!(
            "`{}` could not be judged when {event} (position {cause_seq}) came to {kind} {id}: it met a value that it did not expect, too many entities, or took too long. Look at what the event says; the rule is judged again at the next one",
            row.detail_key
        ),
        NOT_AUTHORIZED if rule.is_none() => format!(
            "{} is none of the publishers that the setting `authorities` names for {event} (position {cause_seq}, {kind} {id}). Publish it from one of them, or name this one there",
            cause.publisher.unwrap_or("its publisher")
        ),
        publisher::GAP => format!(
            "{} did not come before {event} (position {cause_seq}). It may be in a spool or a queue, or in quarantine",
            row.detail_key
        ),
        publisher::SILENT => format!(
            "nothing was heard of publisher {id} for as long as `publisher.silent_after` says, until position {cause_seq}. Look whether it runs and reaches NATS"
        ),
        name => match rule {
            Some(words) => broken(row, event, words, values),
            None => format!("position {cause_seq} broke `{name}` for {kind} {id}"),
        },
    }
}

/// What the lifecycle has no way for.
fn illegal(row: &ViolationRow, event: &str, cause: &Cause<'_>) -> String {
    let ViolationRow { kind, id, .. } = row;
    let event = format!("{event} (position {})", row.cause_seq);
    match (cause.from, cause.to) {
        (None, Some(to)) => {
            format!("{event} put {kind} {id} into `{to}`; its life may not begin like that")
        }
        (None, None) => format!("{event} is about {kind} {id}, which was never created"),
        (Some(from), Some(to)) if from != to => {
            format!(
                "{event} took {kind} {id} from `{from}` to `{to}`; its lifecycle has no such way"
            )
        }
        (Some(from), _) => {
            format!(
                "{event} came to {kind} {id} in `{from}`, where its lifecycle has no place for it"
            )
        }
    }
}

/// What the publisher took for the status, and what it was.
fn mistaken(row: &ViolationRow, event: &str, cause: &Cause<'_>) -> String {
    let ViolationRow { kind, id, .. } = row;
    let claimed = cause.claimed.unwrap_or("another status");
    let was = match cause.from {
        Some(from) => format!("it was `{from}`"),
        None => "it had no status".to_owned(),
    };
    format!(
        "{event} (position {}) takes {kind} {id} to have been `{claimed}`; {was}",
        row.cause_seq
    )
}

/// What the ledger says itself in the chain, and should not.
fn unexpected(row: &ViolationRow, event: &str) -> String {
    let ViolationRow { kind, id, .. } = row;
    let brought = format!("position {} brought", row.cause_seq);
    match (kind.ends_with(".violation"), row.detail_key == "differs") {
        (false, true) => format!(
            "{brought} {event} of {kind} {id}, which says something else than follows from the chain"
        ),
        (false, false) => {
            format!("{brought} {event} of {kind} {id}, which does not follow from the chain")
        }
        (true, true) => {
            format!("{brought} verdict {id} with another content than follows from the chain")
        }
        (true, false) => format!("{brought} verdict {id}, which does not follow from the chain"),
    }
}

/// A rule's own sentences around who broke it.
fn broken(row: &ViolationRow, event: &str, words: &Words, values: &[String]) -> String {
    let ViolationRow {
        kind,
        id,
        cause_seq,
        detail_key,
        ..
    } = row;
    let which = if detail_key.is_empty() {
        String::new()
    } else {
        format!(" (`{detail_key}`)")
    };
    let values = if values.is_empty() {
        String::new()
    } else {
        format!(": {}", values.join(", "))
    };
    let broke = if words.is_deadline {
        format!("{kind} {id}{which} missed that, found at position {cause_seq}")
    } else {
        format!("{event} (position {cause_seq}) broke that for {kind} {id}{which}{values}")
    };
    format!("{} {broke}. {}", words.about, words.mend)
}

/// Why a message was refused, in words: `reason` is the stable name, `None` where the event's data was deleted.
pub fn refusal(reason: Option<&str>, at: &str) -> String {
    let Some(reason) = reason else {
        return "the data of this position was deleted".to_owned();
    };
    let Some(known) = Reason::parse(reason) else {
        return format!("refused for `{reason}`, which this program does not know");
    };
    let place = match at {
        "" => "the whole of it".to_owned(),
        at => format!("`{at}`"),
    };
    match known {
        Reason::SecretSuspected => {
            "something in it looks like a secret; nothing of it was kept. Revoke the secret, then send the event without it".to_owned()
        }
        Reason::SizeExceeded => {
            "too large: a body has at most 512 KiB, data 256 KiB, the other attributes 4 KiB".to_owned()
        }
        Reason::EnvelopeMode => {
            "no CloudEvent: neither a structured one nor `ce-…` headers were found".to_owned()
        }
        Reason::JsonEncoding => {
            "not clean UTF-8: a byte order mark, `\\u0000`, an unpaired surrogate, or bytes that are no UTF-8".to_owned()
        }
        Reason::JsonSyntax => "the body is not JSON".to_owned(),
        Reason::JsonDepth => "nested deeper than 64".to_owned(),
        Reason::JsonDuplicateKey => format!("a key stands twice in one object: {place}"),
        Reason::JsonNumber => format!("a number is too large to be kept exactly: {place}"),
        Reason::EnvelopeAttribute => {
            format!("the attribute {place} is missing, malformed, too long or given twice")
        }
        Reason::EnvelopeType => "`type` is not `<package>.<entity>.<verb>`".to_owned(),
        Reason::SubjectMismatch => "`type` says something else than the NATS subject it was published to".to_owned(),
        Reason::PublisherReserved => "only the ledger itself may say this".to_owned(),
        Reason::SignatureInvalid => "the publisher's signature does not verify".to_owned(),
        Reason::TypeUnknown => "the active catalog does not know this type: see `ledger catalog list`".to_owned(),
        Reason::DataInvalid => {
            format!("the data does not fit the kind's fields at {place}: see `ledger catalog show` and `ledger check`")
        }
        Reason::IdConflict => {
            "an event with this source and id was recorded before, with other content".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let mut all: Vec<String> = Reason::ALL
            .iter()
            .map(|reason| refusal(Some(reason.as_str()), "/a"))
            .collect();
        all.push(refusal(None, ""));
        all.push(refusal(Some("new.reason"), ""));
        let many = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), many);
    }
}
