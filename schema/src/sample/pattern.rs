//! Texts that a regular expression matches: a rule may want a name of a form that the kind's example does not have.

use rand_chacha::ChaCha8Rng;
use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};

use super::below;

/// How often something is repeated beyond what it must be.
const MORE: usize = 4;

/// A text that matches. What looks at what is beside it (`\b`) is taken for nothing: then it may not match.
pub(super) fn matching(random: &mut ChaCha8Rng, pattern: &Hir) -> String {
    let mut text = String::new();
    write(random, pattern, &mut text);
    text
}

fn write(random: &mut ChaCha8Rng, pattern: &Hir, text: &mut String) {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(Class::Unicode(class)) => text.extend(letter(random, class)),
        HirKind::Capture(capture) => write(random, &capture.sub, text),
        HirKind::Concat(all) => all.iter().for_each(|one| write(random, one, text)),
        HirKind::Alternation(all) => {
            let which = below(random, all.len());
            if let Some(one) = all.get(which) {
                write(random, one, text);
            }
        }
        HirKind::Repetition(repetition) => {
            let least = usize::try_from(repetition.min).unwrap_or_default();
            let most = repetition.max.and_then(|max| usize::try_from(max).ok());
            let more = most.map_or(MORE, |most| most.saturating_sub(least).min(MORE));
            for _ in 0..least + below(random, more + 1) {
                write(random, &repetition.sub, text);
            }
        }
    }
}

/// A small letter or a digit of the class; what it begins with where it has none.
fn letter(random: &mut ChaCha8Rng, class: &ClassUnicode) -> Option<char> {
    let has = |letter: &char| {
        let mut ranges = class.iter();
        ranges.any(|range| (range.start()..=range.end()).contains(letter))
    };
    let plain: Vec<char> = ('a'..='z').chain('0'..='9').filter(has).collect();
    let drawn = plain.get(below(random, plain.len())).copied();
    drawn.or_else(|| Some(class.iter().next()?.start()))
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;
    use regex::Regex;

    use super::*;

    #[test]
    fn what_is_written_matches() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for text in [
            "^([^ ]+/)?v[0-9]+[.][0-9]+[.][0-9]+-(stable|unstable|deprecated)$",
            "^([^ ]+/)?(production|staging)$",
            "^[0-9a-f]{7,64}$",
            "[^ ]",
            "^([0-9]+(h|m|s|ms))+$",
        ] {
            let (pattern, matches) = (regex_syntax::parse(text), Regex::new(text));
            let (pattern, matches) = (pattern.expect("a pattern"), matches.expect("a pattern"));
            for _ in 0..100 {
                let written = matching(&mut random, &pattern);
                assert!(matches.is_match(&written), "{written:?} for {text}");
            }
        }
    }
}
