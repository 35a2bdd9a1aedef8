//! What a text offers and asks for: bets, loans, pills, a click; stems of 23 languages that mean one
//! thing, so that what one language's spam taught is known in the next.
//!
//! Kinds and stems are in `offers.tsv`, a line per kind and language. Which kinds are there is all that is said:
//! what they are worth is learned, and ordinary texts have them too.

use super::{BOUNDARY, Folded, Place, is_unspaced, mix};
use std::collections::HashSet;
use std::ops::Range;
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

/// Places of a table by first characters, a power of two and several times as many as there are.
const SLOTS: usize = 1 << 13;

/// Stems with their kinds, by their first characters.
struct Stems {
    /// First characters, and which of the stems begin with them; none where the range is empty.
    slots: Vec<([u32; KEY], Range<u32>)>,
    stems: Vec<Stem>,
    /// What follows the first characters, of all stems.
    rests: Vec<u32>,
    n_kinds: usize,
}

#[derive(Clone, Debug)]
struct Stem {
    kind: u8,
    /// The first character of the rest, which tells most stems from what is read.
    next: Option<u32>,
    rest: Range<u32>,
}

impl Stems {
    /// Of stems in the order of their first characters.
    fn new(stems: Vec<(Box<[u32]>, u8)>, n_kinds: usize) -> Self {
        let mut slots = vec![([0; KEY], 0..0); SLOTS];
        let (mut flat, mut rests) = (Vec::with_capacity(stems.len()), Vec::new());
        for (stem, kind) in &stems {
            let (start, rest) = (rests.len() as u32, stem.get(KEY..).unwrap_or_default());
            rests.extend_from_slice(rest);
            flat.push(Stem { kind: *kind, next: rest.first().copied(), rest: start..rests.len() as u32 });
        }
        let mut first = 0;
        for same in stems.chunk_by(|a, b| a.0[..KEY] == b.0[..KEY]) {
            let Some(&key) = same.first().and_then(|(stem, _)| stem.first_chunk()) else { continue };
            let mut at = Self::slot(key);
            while !slots[at].1.is_empty() {
                at = (at + 1) % SLOTS;
            }
            slots[at] = (key, first..first + same.len() as u32);
            first += same.len() as u32;
        }
        Self { slots, stems: flat, rests, n_kinds }
    }

    fn slot([a, b]: [u32; KEY]) -> usize {
        (a.wrapping_mul(0x9E37_79B1) ^ b.wrapping_mul(0x85EB_CA77)) as usize >> 16 & (SLOTS - 1)
    }

    #[inline]
    fn of(&self, key: [u32; KEY]) -> &[Stem] {
        let mut at = Self::slot(key);
        loop {
            match &self.slots[at] {
                (_, stems) if stems.is_empty() => return &[],
                (held, stems) if *held == key => {
                    return self.stems.get(stems.start as usize..stems.end as usize).unwrap_or_default();
                }
                _ => at = (at + 1) % SLOTS,
            }
        }
    }
}

static STEMS: LazyLock<Stems> = LazyLock::new(|| {
    let mut folded = Folded::default();
    let mut names: Vec<&str> = Vec::new();
    let mut all: Vec<(Box<[u32]>, u8)> = Vec::new();
    let mut seen = HashSet::new();
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
            let stem: (Box<[u32]>, u8) = (chars.into(), kind as u8);
            // languages share many
            if chars.len() >= KEY && seen.insert(stem.clone()) {
                all.push(stem);
            }
        }
    }
    all.sort_by(|a, b| a.0[..KEY].cmp(&b.0[..KEY]));
    Stems::new(all, names.len())
});

/// A hash of the stems, for the pipeline's fingerprint.
pub(super) fn fingerprint() -> u64 {
    xxhash_rust::xxh3::xxh3_64(LINES.as_bytes())
}

/// Calls `met(kind, start, end)` for every stem, places among the folded characters.
fn each(folded: &Folded, mut met: impl FnMut(usize, usize, usize)) {
    let (chars, known) = (&folded.chars[..], &*STEMS);
    let mut may_start = false;
    let mut before = 0;
    for at in 0..chars.len() {
        let c = chars[at];
        if c == BOUNDARY {
            (may_start, before) = (true, 0);
            continue;
        }
        if may_start || is_unspaced(c) || is_hangul(c) {
            let Some((key, read)) = chars[at..].split_first_chunk::<KEY>() else { break };
            for Stem { kind, next, rest } in known.of(*key) {
                let rest = &known.rests[rest.start as usize..rest.end as usize];
                if next.is_none_or(|next| read.first() == Some(&next)) && read.starts_with(rest) {
                    met(usize::from(*kind), at, at + KEY + rest.len());
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

/// What a text offers and in what text: all that is asked of it in every language alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offers {
    /// A bit for every kind met.
    kinds: u32,
    /// Doublings of the shortest texts, 0 to [`LENGTHS`].
    length: u8,
    link: bool,
}

impl Offers {
    pub fn is_any(self) -> bool {
        self.kinds != 0
    }

    fn kinds(self) -> impl Iterator<Item = usize> {
        (0..MOST_KINDS).filter(move |kind| self.kinds >> kind & 1 == 1)
    }

    /// How many places [`Self::each`] names at most.
    pub fn places() -> usize {
        let (kinds, lengths) = (STEMS.n_kinds, LENGTHS as usize + 1);
        1 + kinds * (1 + lengths + 2 + 2 * lengths) + kinds * kinds.saturating_sub(1) / 2
    }

    /// Calls `each` with the place, below [`Self::places`], of everything to be weighed: a constant, and of each kind
    /// that it is there, with which length, with or without a link, and beside which other kinds.
    pub fn each(self, mut each: impl FnMut(usize)) {
        let (kinds, lengths) = (STEMS.n_kinds, LENGTHS as usize + 1);
        let (length, link) = (usize::from(self.length), usize::from(self.link));
        each(0);
        let mut first = 1;
        for (width, at) in [(1, 0), (lengths, length), (2, link), (2 * lengths, 2 * length + link)] {
            self.kinds().for_each(|kind| each(first + kind * width + at));
            first += kinds * width;
        }
        for kind in self.kinds() {
            self.kinds().take_while(|other| *other < kind).for_each(|other| {
                each(first + kind * (kind - 1) / 2 + other);
            });
        }
    }
}

/// `with_link`: whether the text has a link.
pub(super) fn emit(folded: &Folded, with_link: bool, emit: &mut impl FnMut(u64, u32, Place)) -> Offers {
    let mut places = [None; MOST_KINDS];
    each(folded, |kind, start, end| {
        if let Some(place) = places.get_mut(kind) {
            place.get_or_insert(Place { start: folded.offsets[start], end: folded.offsets[end] });
        }
    });
    let length = u64::from(32 - (folded.chars.len() as u32 / SHORT).leading_zeros()).min(LENGTHS);
    let link = u64::from(with_link);
    let mut offers = Offers { kinds: 0, length: length as u8, link: with_link };
    let met = || places.iter().enumerate().filter_map(|(kind, place)| Some((kind as u64, (*place)?)));
    for (kind, place) in met() {
        offers.kinds |= 1 << kind;
        let named = mix(SEED, kind);
        emit(named, COUNT, place);
        emit(mix(named, 1 + length), COUNT, place);
        emit(mix(named, 0x10 + link), COUNT, place);
        emit(mix(named, 0x20 + 2 * length + link), COUNT, place);
        for (other, _) in met().take_while(|(other, _)| *other < kind) {
            emit(mix(named, 0x100 + other), PAIR_COUNT, place);
        }
    }
    offers
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
        let used = STEMS.slots.iter().filter(|(_, stems)| !stems.is_empty()).count();
        assert!(used * 2 <= SLOTS, "{used} first characters: more slots are due");
    }

    #[test]
    fn everything_to_be_weighed_has_a_place_of_its_own() {
        let mut seen = std::collections::BTreeMap::new();
        let all = (1 << STEMS.n_kinds) - 1;
        for (length, link) in (0..=LENGTHS as u8).flat_map(|length| [(length, false), (length, true)]) {
            Offers { kinds: all, length, link }.each(|place| *seen.entry(place).or_insert(0) += 1);
        }
        assert!(seen.keys().copied().eq(0..Offers::places()));
        // a kind of one length with a link is met once, a pair in every text
        assert_eq!(seen.values().min(), Some(&1));
        assert_eq!(seen[&(Offers::places() - 1)], 2 * (LENGTHS + 1));
        let mut none = Vec::new();
        Offers::default().each(|place| none.push(place));
        assert_eq!(none, [0]);
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
