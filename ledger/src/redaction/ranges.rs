//! Sets of positions, as ranges.

/// The same positions in rising ranges that neither meet nor overlap.
pub fn joined(ranges: impl Iterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = ranges.filter(|(from, to)| from <= to).collect();
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (from, to) in ranges {
        match joined.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// Whether ranges, joined, have a position.
pub fn has(ranges: &[(u64, u64)], seq: u64) -> bool {
    let before = ranges.partition_point(|range| range.0 <= seq);
    let range = before.checked_sub(1).and_then(|at| ranges.get(at));
    range.is_some_and(|range| seq <= range.1)
}

/// The positions of the first ranges that the second do not have. Both are joined.
pub fn without(ranges: &[(u64, u64)], taken: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = Vec::new();
    for (from, to) in ranges {
        let mut next = Some(*from);
        let first = taken.partition_point(|range| range.1 < *from);
        for (out, back) in taken.iter().skip(first).take_while(|range| range.0 <= *to) {
            let Some(at) = next else { break };
            if let Some(end) = out.checked_sub(1).filter(|end| *end >= at) {
                left.push((at, end));
            }
            next = back.checked_add(1);
        }
        left.extend(next.filter(|at| at <= to).map(|at| (at, *to)));
    }
    left
}

/// How many positions ranges have, joined.
pub fn count(ranges: &[(u64, u64)]) -> u64 {
    let sizes = ranges.iter().map(|(from, to)| to - from + 1);
    sizes.fold(0, u64::saturating_add)
}
