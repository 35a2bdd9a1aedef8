//! What folding loses and spam is made with: links and their parts, numbers as written, every mark,
//! capitals, signs inside words, scripts mixed within words, repeats.

use super::{Place, mix};
use crate::class::{Class, is_alphanumeric};

const SEED: u64 = 0x9FB2_1C65_1E98_DF25;
/// One mark counts as much as this many n-grams.
const COUNT: u32 = 8;
/// Characters of a number that make its pattern.
const PATTERN: usize = 14;

/// Parts of a link that tell kinds of links apart.
const LINK_PARTS: [&str; 18] = [
    "http://", "https://", "www.", ".com", ".net", ".org", ".ru", ".cn", ".info", ".xyz", ".top", "t.me",
    "bit.ly", "wa.me", "goo.gl", ".html", ".php", "?",
];

#[derive(Clone, Copy)]
enum Kind {
    Link,
    LinkPart,
    Number,
    Capitals,
    SignsInside,
    MixedWords,
    Repeat,
    Mark,
    Words,
}

fn contains(token: &str, part: &str) -> bool {
    token.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// `shop.example/x`: a dot between letters or digits and at least two letters to the end or a slash.
fn is_bare_domain(token: &str) -> bool {
    let host = token.split(['/', '?', ':']).next().unwrap_or("");
    host.rsplit_once('.').is_some_and(|(name, ending)| {
        (2..=6).contains(&ending.len())
            && ending.bytes().all(|b| b.is_ascii_lowercase())
            && name.len() >= 2
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    })
}

fn is_link(token: &str) -> bool {
    token.contains("://")
        || token.contains('@')
        || contains(token, "www.")
        || contains(token, ".com")
        || is_bare_domain(token)
}

fn step(count: u32) -> u64 {
    u64::from(32 - count.leading_zeros())
}

/// Returns whether the text has a link.
pub(super) fn emit(text: &str, emit: &mut impl FnMut(u64, u32, Place)) -> bool {
    let mut send = |kind: Kind, value: u64, start: usize, end: usize| {
        let hash = mix(SEED.wrapping_add(kind as u64), value);
        emit(hash, COUNT, Place { start: start as u32, end: end as u32 });
    };
    let (mut words, mut signs_inside, mut mixed) = (0_u32, 0_u32, 0_u32);
    let mut with_link = false;
    for token in text.split_whitespace() {
        let start = token.as_ptr() as usize - text.as_ptr() as usize;
        let end = start + token.len();
        words += 1;
        if is_link(token) {
            with_link = true;
            send(Kind::Link, 0, start, end);
            for (index, part) in LINK_PARTS.iter().enumerate() {
                if contains(token, part) {
                    send(Kind::LinkPart, index as u64, start, end);
                }
            }
            continue;
        }
        let core = token.trim_matches(|c: char| !is_alphanumeric(c));
        let (mut length, mut digits, mut upper) = (0_usize, 0_usize, 0_usize);
        let (mut latin, mut cyrillic, mut sign) = (false, false, false);
        let mut pattern = 0_u64;
        for (at, c) in core.chars().enumerate() {
            length += 1;
            let is_digit = c.is_ascii_digit();
            digits += usize::from(is_digit);
            let class = Class::of(c);
            upper += usize::from(class.is_uppercase());
            latin |= c.is_ascii_alphabetic();
            cyrillic |= ('\u{400}'..'\u{500}').contains(&c);
            sign |= !class.is_alphanumeric() && !"-'’.,:/".contains(c);
            if at < PATTERN {
                pattern = mix(pattern, if is_digit { u64::from(b'0') } else { u64::from(u32::from(c)) });
            }
        }
        signs_inside += u32::from(sign);
        mixed += u32::from((latin && cyrillic) || (latin && digits > 0 && length > 3));
        if digits * 2 > length {
            send(Kind::Number, pattern, start, end);
        }
        if length >= 3 && upper == length {
            send(Kind::Capitals, 0, start, end);
        }
    }
    let (mut run, mut longest, mut previous) = (0_u32, 0_u32, ' ');
    for (at, c) in text.char_indices() {
        let class = Class::of(c);
        run = if c == previous && !class.is_whitespace() { run + 1 } else { 0 };
        longest = longest.max(run);
        previous = c;
        if !class.is_alphanumeric() && !class.is_whitespace() {
            send(Kind::Mark, u64::from(u32::from(c)), at, at + c.len_utf8());
        }
    }
    send(Kind::SignsInside, step(signs_inside), 0, text.len());
    send(Kind::MixedWords, step(mixed), 0, text.len());
    send(Kind::Repeat, u64::from(longest.min(6)), 0, text.len());
    send(Kind::Words, step(words), 0, text.len());
    with_link
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<(u64, &str)> {
        let mut found = Vec::new();
        emit(text, &mut |hash, _, place| {
            found.push((hash, &text[place.start as usize..place.end as usize]));
        });
        found
    }

    #[test]
    fn links_are_links_however_they_are_written() {
        let link = mix(SEED.wrapping_add(Kind::Link as u64), 0);
        for text in ["see HTTP://A.B/c now", "www.shop.tld", "me@mail.tld", "lurovato.top/x1"] {
            assert!(places(text).iter().any(|(hash, _)| *hash == link), "{text}");
        }
        for text in ["the end.The beginning", "3.50", "e.g. this", "и т.д."] {
            assert!(places(text).iter().all(|(hash, _)| *hash != link), "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_shape_not_their_digits() {
        let number = |text| places(text).into_iter().find(|(_, place)| place.starts_with(char::is_numeric));
        assert_eq!(number("12-34").map(|n| n.0), number("98-76").map(|n| n.0));
        assert_ne!(number("12-34").map(|n| n.0), number("1234").map(|n| n.0));
    }

    proptest::proptest! {
        #[test]
        fn places_are_character_boundaries(text in "\\PC*") {
            let _ = places(&text);
        }
    }
}
