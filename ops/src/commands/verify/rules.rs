//! `ledger verify --rules`: judge the whole chain anew, from the database or from a bundle of all of it.

use std::fmt::Write as _;
use std::path::Path;

use ledger::bundle::Events;
use ledger::read::Reader;
use ledger::record::Record;
use ledger::report::Report;
use projections::fact::Fact;
use projections::rejudge::{Counts, Rejudge};
use schema::LedgerName;

use crate::connect;
use crate::exit::{Context, Exit, Failure};
use crate::progress;

/// How many positions are judged at a time.
const PAGE: u64 = 4000;

/// Judges the chain of a database, as far as the verification went.
pub async fn of_database(
    reader: &Reader,
    ledger: &LedgerName,
    report: &mut Report,
) -> Result<(), Failure> {
    if !is_sound(report) {
        return Ok(());
    }
    let bar = progress::bar(report.size, "judging");
    let mut judge = Rejudge::new(ledger);
    while judge.next() < report.size && !judge.is_at_its_end() {
        let limit = PAGE.min(report.size - judge.next());
        let records = reader.records(judge.next(), limit).await.map_err(|error| {
            let away = error.is_unavailable();
            connect::failed(error, away)
        })?;
        take(&mut judge, records, report)?;
        bar.set_position(judge.next());
    }
    bar.finish_and_clear();
    let counts = judge.finish(report);
    say(counts, report);
    Ok(())
}

/// Judges a bundle that holds a whole ledger; reads files, so it runs where it may block.
pub fn of_bundle(path: &Path, report: &mut Report) -> Result<(), Failure> {
    if !is_sound(report) {
        return Ok(());
    }
    let wrong = || format!("{} cannot be judged anew", path.display());
    let mut events = Events::open(path).context(wrong())?;
    let mut judge: Option<Rejudge> = None;
    let bar = progress::bar(report.size, "judging");
    loop {
        let mut page = Vec::new();
        while u64::try_from(page.len()).is_ok_and(|length| length < PAGE)
            && let Some(record) = events.next_event().context(wrong())?
        {
            page.push(record);
        }
        let Some(first) = page.first() else { break };
        let judge = match &mut judge {
            Some(judge) => judge,
            None => judge.insert(Rejudge::new(&whole(path, first)?)),
        };
        if judge.is_at_its_end() {
            break;
        }
        take(judge, page, report)?;
        bar.set_position(judge.next());
    }
    bar.finish_and_clear();
    if let Some(judge) = judge {
        let counts = judge.finish(report);
        say(counts, report);
    }
    Ok(())
}

/// The ledger whose chain begins with this record. Rules look back as far as there is anything.
fn whole(path: &Path, first: &Record) -> Result<LedgerName, Failure> {
    let header = &first.header;
    let name = (header.seq == 0).then(|| LedgerName::new(&header.subject).ok());
    name.flatten().ok_or_else(|| {
        Failure::with(
            Exit::Usage,
            format!(
                "{} begins at position {}: rules are judged anew from the first position on only",
                path.display(),
                header.seq
            ),
        )
        .mend("make a bundle of the whole ledger with `ledger export DIR --all`")
    })
}

fn take(judge: &mut Rejudge, records: Vec<Record>, report: &mut Report) -> Result<(), Failure> {
    let facts: Result<Vec<Fact>, _> = Fact::read_all(records);
    let broke = "the chain cannot be judged anew";
    judge.take(&facts.context(broke)?, report).context(broke)
}

/// Of what does not hold nothing follows.
fn is_sound(report: &mut Report) -> bool {
    if !report.ok {
        report.note("the rules were not judged anew: what they would be judged from does not hold");
    }
    report.ok
}

fn say(counts: Counts, report: &mut Report) {
    let Counts {
        verdicts,
        not_rejudgeable,
        pending,
        other_engine,
    } = counts;
    let mut text = format!("{verdicts} verdicts follow from the chain");
    if pending > 0 {
        let _ = write!(text, "; {pending} of what follows is on its way into it");
    }
    if not_rejudgeable > 0 {
        let _ = write!(
            text,
            "; {not_rejudgeable} events of the ledger's are taken as they are, since their facts were deleted"
        );
    }
    if let Some(seq) = other_engine {
        let _ = write!(
            text,
            "; from position {seq} on another engine judges, which this program is not"
        );
    }
    report.note(text);
}
