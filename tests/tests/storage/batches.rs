//! However a stream is cut into batches, and planned ahead or not, its chain is the same.

use ledger::append::{AppendError, Arrival, Kind};
use proptest::prelude::*;
use schema::{Reason, Refusal};

use crate::support::{Fixture, STREAM, arrival, arrivals, event};

/// Plans know no more than their own batch: what the chain holds, and what an earlier plan turns out to be, changes
/// what they come to.
#[tokio::test]
async fn a_batch_that_was_planned_ahead_becomes_what_it_would_have_become() {
    let batches = || {
        [
            arrivals(1, 3),
            vec![arrival(4, event("id-2")), arrival(7, event("new"))],
            vec![arrival(8, event("new")), arrival(9, event("newer"))],
        ]
    };
    let (one, other) = (Fixture::new().await, Fixture::new().await);
    let mut in_turn = one.appender().await;
    let mut expected = Vec::new();
    for batch in batches() {
        expected.extend(in_turn.append(STREAM, batch).await.expect("appended"));
    }
    let mut ahead = other.appender().await;
    let (mut planner, mut behind, mut plans) = (ahead.planner(), ahead.head().clone(), Vec::new());
    for batch in batches() {
        let plan = planner.plan(behind, STREAM, batch).expect("planned");
        behind = plan.after();
        plans.push(plan);
    }
    let mut outcomes = Vec::new();
    for plan in plans {
        outcomes.extend(ahead.append_plan(plan).await.expect("appended"));
    }
    assert_eq!(outcomes, expected);
    assert_eq!(outcomes[3].kind, Kind::Duplicate { of: 2 });
    assert_eq!(ahead.head().chain, in_turn.head().chain);
}

#[tokio::test]
async fn a_plan_goes_behind_no_other_head_than_its_own() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let behind = appender.head().clone();
    let plan = appender.planner().plan(behind, STREAM, arrivals(1, 3));
    let plan = plan.expect("planned");
    let first = appender.append(STREAM, arrivals(1, 2)).await;
    assert_eq!(first.expect("appended").len(), 2);
    let refused = appender.append_plan(plan).await;
    assert!(
        matches!(
            refused,
            Err(AppendError::OutOfOrder {
                expected: 3,
                arrived: 1
            })
        ),
        "{refused:?}"
    );
    assert_eq!(appender.head().size, 3);
}

/// A stream in which everything occurs: new events, the same again, conflicts, refusals, gaps.
fn stream() -> impl Strategy<Value = Vec<Arrival>> {
    let one = (1_u64..4, 0_u8..30, 0_u8..2, prop::bool::weighted(0.1));
    prop::collection::vec(one, 1..60).prop_map(|messages| {
        let mut stream_seq = 0;
        let build = |(step, id, data, refused): (u64, u8, u8, bool)| {
            stream_seq += if step == 3 { 5 } else { 1 };
            let mut event = event(&format!("id-{id}"));
            event.data = format!("{{\"n\":{data}}}").into();
            let mut arrival = arrival(stream_seq, event);
            if refused {
                let at = "/n".to_owned();
                arrival.read = Err(Refusal {
                    reason: Reason::DataInvalid,
                    at,
                });
            }
            arrival
        };
        messages.into_iter().map(build).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]
    #[test]
    fn batches_do_not_change_the_chain(stream in stream(), cuts in prop::collection::vec(1_usize..20, 1..20)) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (whole, parts, planned) = runtime.block_on(async {
            let whole = Fixture::new().await;
            whole.appender().await.append(STREAM, stream.clone()).await.expect("appended");
            let (parts, planned) = (Fixture::new().await, Fixture::new().await);
            let mut appender = parts.appender().await;
            let mut ahead = planned.appender().await;
            let (mut planner, mut behind, mut plans) = (ahead.planner(), ahead.head().clone(), Vec::new());
            let mut rest = stream;
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let later = rest.split_off((*cut).min(rest.len()));
                let plan = planner.plan(behind, STREAM, rest.clone()).expect("planned");
                behind = plan.after();
                plans.push(plan);
                appender.append(STREAM, rest).await.expect("appended");
                rest = later;
            }
            for plan in plans {
                ahead.append_plan(plan).await.expect("appended");
            }
            (whole.records().await, parts.records().await, planned.records().await)
        });
        prop_assert_eq!(&whole, &planned);
        prop_assert_eq!(whole, parts);
    }
}
