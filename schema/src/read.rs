//! Reading an inbound message: what the ledger understands of it, or the first reason why not.
//!
//! The order of reasons is FORMATS.md 1's; what several broken rules at once lead to, and what `at` names, is
//! decided in `docs/decisions/0001-reading-a-message.md`.

use std::borrow::Cow;

use crate::catalog::Catalog;
use crate::envelope::{self, Envelope, Mode};
use crate::event::{Event, EventType};
use crate::json::{self, Scan};
use crate::message::Message;
use crate::name::{LedgerName, Name};
use crate::package::LEDGER;
use crate::refusal::{Reason, Refusal};

/// The largest body: 512 KiB.
pub const MAX_BODY: usize = 512 * 1024;
/// The largest data: 256 KiB.
pub const MAX_DATA: usize = 256 * 1024;
/// The largest context: 4 KiB.
pub const MAX_CONTEXT: usize = 4 * 1024;

/// Reads a message of a ledger with the catalog of its position.
///
/// Pure: the same three give the same answer everywhere and for ever. Never panics, whatever was sent, and takes
/// time near-linear in the message's size.
pub fn read(message: &Message, ledger: &LedgerName, catalog: &Catalog) -> Result<Event, Refusal> {
    let body = &message.body;
    refuse_if(
        catalog.patterns().find_in(message, ledger).is_some(),
        Reason::SecretSuspected,
        "",
    )?;
    refuse_if(body.len() > MAX_BODY, Reason::SizeExceeded, "")?;
    let mode = Mode::of(message).ok_or_else(|| refusal(Reason::EnvelopeMode, ""))?;

    let scan = json::scan(body, mode.holds());
    let (attributes, data) = match mode {
        Mode::Structured => (envelope::structured(&scan.members), data_member(&scan)),
        Mode::Binary => (envelope::binary(message), Some(body.as_ref())),
    };
    let envelope = Envelope::of(attributes);
    refuse_if(
        data.is_some_and(|data| data.len() > MAX_DATA) || envelope.context.len() > MAX_CONTEXT,
        Reason::SizeExceeded,
        "",
    )?;

    refuse_if(scan.encoding, Reason::JsonEncoding, "")?;
    refuse_if(scan.syntax, Reason::JsonSyntax, "")?;
    refuse_if(scan.depth, Reason::JsonDepth, "")?;
    refuse_at(scan.duplicate, Reason::JsonDuplicateKey, body)?;
    refuse_at(scan.number, Reason::JsonNumber, body)?;

    if let Some(name) = envelope.offending() {
        return Err(refusal(Reason::EnvelopeAttribute, name));
    }
    let Some(data) = data.filter(|data| match mode {
        Mode::Structured => data.starts_with(b"{"),
        Mode::Binary => scan.object,
    }) else {
        return Err(refusal(Reason::EnvelopeAttribute, "data"));
    };

    let event_type = envelope.event_type.as_deref().and_then(EventType::parse);
    let event_type = event_type.ok_or_else(|| refusal(Reason::EnvelopeType, "type"))?;
    let publisher = publisher_of(&message.nats_subject, ledger, &event_type)
        .ok_or_else(|| refusal(Reason::SubjectMismatch, ""))?;
    let source = text(envelope.source);
    let reserved = speaks_for_ledger(&publisher, &source, &event_type, catalog);
    refuse_if(reserved, Reason::PublisherReserved, "")?;
    // Room for `signature.invalid`: publishers' signatures are verified here, once they are sent.
    let Some((kind, definition)) = catalog.event(&event_type) else {
        return Err(refusal(Reason::TypeUnknown, ""));
    };
    let subject = text(envelope.subject);
    let checked = definition.check(data);
    let checked = checked.and_then(|()| kind.check_subject(&subject));
    checked.map_err(|pointer| Refusal {
        reason: Reason::DataInvalid,
        at: pointer,
    })?;

    Ok(Event {
        publisher,
        source,
        id: text(envelope.id),
        event_type,
        subject,
        actor: text(envelope.actor),
        context: envelope.context,
        occurred_us: envelope.occurred_us,
        data: body.slice_ref(data),
    })
}

/// The publisher of a subject `ledger.<ledger>.ingest.<publisher>.<package>.<entity>.<verb>` whose last three
/// names are those of the type.
fn publisher_of(nats_subject: &str, ledger: &LedgerName, event_type: &EventType) -> Option<Name> {
    let rest = nats_subject
        .strip_prefix("ledger.")?
        .strip_prefix(ledger.as_str())?;
    let (publisher, rest) = rest.strip_prefix(".ingest.")?.split_once('.')?;
    let kind = event_type.kind();
    let rest = rest
        .strip_prefix(kind.package.as_str())?
        .strip_prefix('.')?;
    let rest = rest.strip_prefix(kind.entity.as_str())?.strip_prefix('.')?;
    (rest == event_type.verb().as_str()).then(|| Name::new(publisher).ok())?
}

/// Whether somebody else uses what is the ledger's: its source scheme, or its package but for what people decide.
fn speaks_for_ledger(
    publisher: &Name,
    source: &str,
    event_type: &EventType,
    catalog: &Catalog,
) -> bool {
    if publisher.as_str() == LEDGER {
        return false;
    }
    // Schemes are compared without case (RFC 3986, 3.1).
    if source
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("ledger:"))
    {
        return true;
    }
    let of_people = || {
        catalog
            .event(event_type)
            .is_some_and(|(_, event)| event.operators)
    };
    event_type.kind().package.as_str() == LEDGER && !(catalog.is_operator(publisher) && of_people())
}

/// The `data` of a structured message. Where it stands there twice, which is refused later, the longest.
fn data_member<'a>(scan: &Scan<'a>) -> Option<&'a [u8]> {
    let members = scan
        .members
        .iter()
        .filter(|member| member.key.as_ref() == b"data");
    members
        .map(|member| member.value)
        .max_by_key(|value| value.len())
}

fn text(value: Option<Cow<'_, str>>) -> String {
    value.map(Cow::into_owned).unwrap_or_default()
}

fn refusal(reason: Reason, at: &str) -> Refusal {
    Refusal {
        reason,
        at: at.to_owned(),
    }
}

fn refuse_if(wrong: bool, reason: Reason, at: &str) -> Result<(), Refusal> {
    if wrong {
        Err(refusal(reason, at))
    } else {
        Ok(())
    }
}

fn refuse_at(offset: Option<usize>, reason: Reason, body: &[u8]) -> Result<(), Refusal> {
    offset.map_or(Ok(()), |offset| {
        Err(Refusal {
            reason,
            at: json::pointer(body, offset),
        })
    })
}
