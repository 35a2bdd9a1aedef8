//! What a text offers and asks for: bets, loans, pills, a click; stems of 23 languages that mean one
//! thing, so that what one language's spam taught is known in the next.
//!
//! Kinds and stems are in `offers.tsv`, a line per kind and language. Which kinds are there is all that is said:
//! what they are worth is learned, and ordinary texts have them too.

use super::{BOUNDARY, Folded, Place, is_unspaced, mix};
use std::collections::HashMap;
use std::sync::LazyLock;

const SEED: u64 = 0xD6E8_FEB8_6659_FD93;
/// One kind counts as much as this many n-grams, two kinds together as this many.
const COUNT: u32 = 24;
const PAIR_COUNT: u32 = 8;
const MOST_KINDS: usize = 32;
/// Folded characters of the shortest texts, and how many doublings of them are told apart: what an article has
/// somewhere is all a message says.
const SHORT: u32 = 50;
const LENGTHS: u64 = 6;
/// Characters of a stem that are looked up.
const KEY: usize = 2;
/// What may stand before an Arabic word's stem, written together: and, the, to, with, so, like.
const ARABIC_BEFORE: [u32; 6] = ['و' as u32, 'ا' as u32, 'ل' as u32, 'ب' as u32, 'ف' as u32, 'ك' as u32];
const ARABIC_BEFORE_MOST: usize = 4;

const LINES: &str = include_str!("offers.tsv");

/// Stems with their kinds, by their first characters.
type Stems = HashMap<[u32; KEY], Vec<(Box<[u32]>, u8)>>;

static STEMS: LazyLock<Stems> = LazyLock::new(|| {
    let mut folded = Folded::default();
    let mut names: Vec<&str> = Vec::new();
    let mut by_start = Stems::new();
    for line in LINES.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let (Some(name), Some(_), Some(stems)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        let kind = names.iter().position(|&known| known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        for stem in stems.split(' ') {
            let (written, whole) = stem.strip_suffix('$').map_or((stem, false), |stem| (stem, true));
            folded.fold(&written.replace('_', " "), usize::MAX);
            let chars = &folded.chars[1..folded.chars.len() - usize::from(!whole)];
            if let Some(&key) = chars.first_chunk() {
                // languages share many
                let known = by_start.entry(key).or_default();
                let stem = (chars.into(), kind as u8);
                if !known.contains(&stem) {
                    known.push(stem);
                }
            }
        }
    }
    by_start
});

/// A hash of the stems, for the pipeline's fingerprint.
pub(super) fn fingerprint() -> u64 {
    xxhash_rust::xxh3::xxh3_64(LINES.as_bytes())
}

/// Calls `met(kind, start, end)` for every stem, places among the folded characters.
fn each(folded: &Folded, mut met: impl FnMut(usize, usize, usize)) {
    let chars = &folded.chars[..];
    let mut may_start = false;
    let mut before = 0;
    for at in 0..chars.len() {
        let c = chars[at];
        if c == BOUNDARY {
            (may_start, before) = (true, 0);
            continue;
        }
        if may_start || is_unspaced(c) || is_hangul(c) {
            let stems = chars[at..].first_chunk::<KEY>().and_then(|key| STEMS.get(key));
            for (stem, kind) in stems.into_iter().flatten() {
                if chars[at..].starts_with(stem) {
                    met(usize::from(*kind), at, at + stem.len());
                }
            }
        }
        may_start &= before < ARABIC_BEFORE_MOST && ARABIC_BEFORE.contains(&c);
        before += 1;
    }
}

/// Korean words are compounds: a stem may follow another noun.
fn is_hangul(c: u32) -> bool {
    (0xAC00..=0xD7A3).contains(&c)
}

/// `with_link`: whether the text has a link.
pub(super) fn emit(folded: &Folded, with_link: bool, emit: &mut impl FnMut(u64, u32, Place)) {
    let mut places = [None; MOST_KINDS];
    each(folded, |kind, start, end| {
        if let Some(place) = places.get_mut(kind) {
            place.get_or_insert(Place { start: folded.offsets[start], end: folded.offsets[end] });
        }
    });
    let length = u64::from(32 - (folded.chars.len() as u32 / SHORT).leading_zeros()).min(LENGTHS);
    let link = u64::from(with_link);
    let met = || places.iter().enumerate().filter_map(|(kind, place)| Some((kind as u64, (*place)?)));
    for (kind, place) in met() {
        let named = mix(SEED, kind);
        emit(named, COUNT, place);
        emit(mix(named, 1 + length), COUNT, place);
        emit(mix(named, 0x10 + link), COUNT, place);
        emit(mix(named, 0x20 + 2 * length + link), COUNT, place);
        for (other, _) in met().take_while(|(other, _)| *other < kind) {
            emit(mix(named, 0x100 + other), PAIR_COUNT, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<String> {
        let mut folded = Folded::default();
        folded.fold(text, 2000);
        let mut found = Vec::new();
        each(&folded, |_, start, end| {
            let (start, end) = (folded.offsets[start] as usize, folded.offsets[end] as usize);
            found.push(text[start..end].trim().to_string());
        });
        found
    }

    #[test]
    fn stems_start_words_where_words_are_spaced() {
        assert_eq!(kinds("The CASINOS of Vegas"), ["CASINO"]);
        assert_eq!(kinds("an occasion, a headlong cloan"), Vec::<String>::new());
        assert_eq!(kinds("澳门赌场贷款"), ["赌场", "贷款"]);
        assert_eq!(kinds("والمكافآت"), ["مكافآت"]);
    }

    #[test]
    fn a_stem_that_ends_a_word_needs_its_end() {
        assert_eq!(kinds("he won"), ["won"]);
        assert_eq!(kinds("what a wonder"), Vec::<String>::new());
    }

    #[test]
    fn the_table_is_well_formed() {
        let mut seen = std::collections::HashSet::new();
        for line in LINES.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            assert_eq!(columns.len(), 3, "{line}");
            assert!(seen.insert((columns[0], columns[1])), "twice: {line}");
        }
        let kinds: std::collections::HashSet<&str> = seen.iter().map(|(kind, _)| *kind).collect();
        assert!(kinds.len() <= MOST_KINDS);
    }

    proptest::proptest! {
        #[test]
        fn places_are_character_boundaries(text in "\\PC*") {
            let mut folded = Folded::default();
            let looked_at = folded.fold(&text, 2000);
            emit(&folded, true, &mut |_, _, place: Place| {
                assert!(text[..looked_at].get(place.start as usize..place.end as usize).is_some());
            });
        }
    }
}
