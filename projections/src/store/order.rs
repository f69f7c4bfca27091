//! The order in which the index of links has them: who inserts in that order finds what it needs of the index in the
//! processor's cache. Only how long it takes depends on this.

use crate::entity::Key;
use crate::fold::{Link, Relinked};

/// An entity, and what it says at a place that is indexed.
pub(super) type Linked<'a> = (&'a Relinked, &'a Link);

/// Links in the order of the index `views.link_target`.
pub(super) fn by_target<'a>(links: impl Iterator<Item = Linked<'a>>) -> Vec<Linked<'a>> {
    let place = |(one, link): &Linked<'_>| place(&one.key, link, one.created_seq);
    let mut links: Vec<_> = links.map(|one| (place(&one), one)).collect();
    links.sort_unstable_by_key(|(place, _)| *place);
    links.into_iter().map(|(_, one)| one).collect()
}

/// Where the index has it.
fn place(key: &Key, link: &Link, source: u64) -> (i64, i64, u64) {
    let target = digest(&link.target_kind, &link.target_id);
    (target, digest(key.kind(), &link.field), source)
}

/// What `views.digest` makes of two texts.
fn digest(one: &str, other: &str) -> i64 {
    hash(other.as_bytes(), hash(one.as_bytes(), 0)).cast_signed()
}

/// What PostgreSQL's `hashtextextended` makes of a text that is compared by its bytes: `hash_bytes_extended` of
/// `src/common/hashfn.c`, which is Bob Jenkins's lookup3 with a seed.
fn hash(bytes: &[u8], seed: u64) -> u64 {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let begin = 0x9e37_79b9_u32.wrapping_add(length).wrapping_add(3_923_095);
    let mut state = [begin; 3];
    if seed != 0 {
        let [low, high] =
            [seed & 0xffff_ffff, seed >> 32].map(|half| u32::try_from(half).unwrap_or(0));
        state = mix([begin.wrapping_add(high), begin.wrapping_add(low), begin]);
    }
    let mut blocks = bytes.chunks_exact(12);
    for block in &mut blocks {
        state = mix(added(state, block));
    }
    // The lowest byte of the third word is the length's.
    let rest = blocks.remainder();
    let mut last = [0; 12];
    for (place, byte) in rest.iter().enumerate() {
        let place = if place < 8 { place } else { place + 1 };
        if let Some(slot) = last.get_mut(place) {
            *slot = *byte;
        }
    }
    let [_, b, c] = finished(added(state, &last));
    u64::from(b) << 32 | u64::from(c)
}

/// Three words, and three little-endian ones added to them.
fn added(state: [u32; 3], block: &[u8]) -> [u32; 3] {
    let mut words = block.chunks_exact(4).map(|word| {
        let word = word.try_into().unwrap_or_default();
        u32::from_le_bytes(word)
    });
    state.map(|one| one.wrapping_add(words.next().unwrap_or(0)))
}

fn mix([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    for by in [[4, 6, 8], [16, 19, 4]] {
        let [first, second, third] = by;
        a = a.wrapping_sub(c) ^ c.rotate_left(first);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(second);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(third);
        b = b.wrapping_add(a);
    }
    [a, b, c]
}

fn finished([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts, and what PostgreSQL 15 says of each: `hashtextextended(text, 0)` and `(text, 81985529216486895)`.
    const SAID: [(&str, i64, i64); 10] = [
        ("", -6_939_563_903_564_495_251, 5_714_803_967_801_994_901),
        ("a", 3_591_986_179_850_072_241, 5_474_442_009_769_322_144),
        (
            "abcd",
            -1_038_429_303_365_892_052,
            5_554_817_899_650_624_818,
        ),
        (
            "abcdefgh",
            -8_882_191_227_074_733_005,
            -7_862_881_634_097_074_985,
        ),
        (
            "abcdefghi",
            -3_278_210_106_038_014_113,
            1_345_559_329_631_573_216,
        ),
        (
            "abcdefghijk",
            3_112_909_444_737_856_467,
            3_150_430_116_835_806_880,
        ),
        (
            "abcdefghijkl",
            -7_556_637_188_122_330_412,
            7_159_717_585_609_413_365,
        ),
        (
            "abcdefghijklm",
            8_871_624_171_452_417_744,
            5_307_507_824_310_379_875,
        ),
        (
            "platform.environment",
            7_897_341_380_600_159_599,
            2_498_243_606_508_034_510,
        ),
        (
            "a rather long identifier, longer than two blocks: ü",
            -6_442_211_400_560_964_259,
            -601_601_004_003_377_208,
        ),
    ];

    #[test]
    fn texts_hash_as_postgresql_hashes_them() {
        for (text, plain, seeded) in SAID {
            assert_eq!(hash(text.as_bytes(), 0).cast_signed(), plain, "{text}");
            let with_seed = hash(text.as_bytes(), 81_985_529_216_486_895);
            assert_eq!(with_seed.cast_signed(), seeded, "{text}");
        }
    }

    #[test]
    fn two_texts_are_digested_as_the_index_digests_them() {
        for (one, other, said) in [
            ("platform.environment", "env-1", -5_146_812_442_176_518_660),
            (
                "delivery.deployment",
                "environment_id",
                4_831_843_888_148_597_499,
            ),
            ("", "", 3_409_119_695_197_288_489),
        ] {
            assert_eq!(digest(one, other), said, "{one} {other}");
        }
    }
}
