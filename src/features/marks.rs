//! What folding loses and spam is made with: links and their parts, numbers as written, every mark,
//! capitals, signs inside words, scripts mixed within words, repeats.

use super::{Place, mix};
use crate::class::Class;
use std::ops::Range;

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

/// Of a token that has a dot, a colon or an at sign; none other is a link.
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

/// A stretch without blanks, as far as it was read. What stands before its first letter or digit and after its
/// last does not count.
#[derive(Clone, Copy, Default)]
struct Token {
    start: usize,
    /// Whether it has what every link has.
    may_be_link: bool,
    /// From the first letter or digit to the last, if there is one.
    core: Option<(usize, usize)>,
    /// Characters since the first letter, and those up to the last one.
    seen: usize,
    length: usize,
    digits: usize,
    upper: usize,
    latin: bool,
    cyrillic: bool,
    sign: bool,
    /// The last two, of what a letter must still follow.
    pending: (bool, bool),
}

impl Token {
    /// Letters or digits, so many characters.
    #[inline]
    fn extend(&mut self, range: Range<usize>, chars: usize, upper: usize, latin: bool) {
        self.seen += chars;
        self.length = self.seen;
        self.core = Some((self.core.map_or(range.start, |core| core.0), range.end));
        self.upper += upper;
        self.latin |= latin;
        self.cyrillic |= self.pending.0;
        self.sign |= self.pending.1;
    }

    #[inline]
    fn add(&mut self, at: usize, c: char, class: Class) {
        let cyrillic = ('\u{400}'..'\u{500}').contains(&c);
        if !class.is_alphanumeric() {
            self.may_be_link |= matches!(c, '.' | ':' | '@');
            if self.core.is_some() {
                self.seen += 1;
                self.pending.0 |= cyrillic;
                self.pending.1 |= !matches!(c, '-' | '\'' | '’' | '.' | ',' | ':' | '/');
            }
            return;
        }
        let upper = usize::from(class.is_uppercase());
        self.extend(at..at + c.len_utf8(), 1, upper, c.is_ascii_alphabetic());
        self.digits += usize::from(c.is_ascii_digit());
        self.cyrillic |= cyrillic;
    }
}

/// What is counted over a whole text.
#[derive(Default)]
struct Totals {
    words: u32,
    signs_inside: u32,
    mixed: u32,
    with_link: bool,
}

/// Returns whether the text has a link.
pub(super) fn emit(text: &str, emit: &mut impl FnMut(u64, u32, Place)) -> bool {
    let mut send = |kind: Kind, value: u64, start: usize, end: usize| {
        let hash = mix(SEED.wrapping_add(kind as u64), value);
        emit(hash, COUNT, Place { start: start as u32, end: end as u32 });
    };
    let mut totals = Totals::default();
    let mut token: Option<Token> = None;
    let (mut run, mut longest, mut previous) = (0_u32, 0_u32, ' ');
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte.is_ascii_alphabetic() {
            // plain letters at once
            let start = at;
            let mut upper = 0;
            while let Some(byte) = bytes.get(at).filter(|byte| byte.is_ascii_alphabetic()) {
                upper += usize::from(byte.is_ascii_uppercase());
                run = if char::from(*byte) == previous { run + 1 } else { 0 };
                longest = longest.max(run);
                previous = char::from(*byte);
                at += 1;
            }
            token.get_or_insert(Token { start, ..Token::default() }).extend(
                start..at,
                at - start,
                upper,
                true,
            );
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let class = Class::of(c);
        let start = at;
        at += c.len_utf8();
        if class.is_whitespace() {
            if let Some(token) = token.take() {
                close(text, &token, start, &mut totals, &mut send);
            }
            (run, previous) = (0, c);
            continue;
        }
        run = if c == previous { run + 1 } else { 0 };
        longest = longest.max(run);
        previous = c;
        token.get_or_insert(Token { start, ..Token::default() }).add(start, c, class);
    }
    if let Some(token) = token {
        close(text, &token, text.len(), &mut totals, &mut send);
    }
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b' ' || byte.is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let (class, end) = (Class::of(c), at + c.len_utf8());
        if !class.is_alphanumeric() && !class.is_whitespace() {
            send(Kind::Mark, u64::from(u32::from(c)), at, end);
        }
        at = end;
    }
    send(Kind::SignsInside, step(totals.signs_inside), 0, text.len());
    send(Kind::MixedWords, step(totals.mixed), 0, text.len());
    send(Kind::Repeat, u64::from(longest.min(6)), 0, text.len());
    send(Kind::Words, step(totals.words), 0, text.len());
    totals.with_link
}

/// What a token that ends at `end` says.
fn close(
    text: &str,
    token: &Token,
    end: usize,
    totals: &mut Totals,
    send: &mut impl FnMut(Kind, u64, usize, usize),
) {
    let start = token.start;
    totals.words += 1;
    let written = &text[start..end];
    if token.may_be_link && is_link(written) {
        totals.with_link = true;
        send(Kind::Link, 0, start, end);
        for (index, part) in LINK_PARTS.iter().enumerate() {
            if contains(written, part) {
                send(Kind::LinkPart, index as u64, start, end);
            }
        }
        return;
    }
    let &Token { length, digits, upper, latin, cyrillic, sign, .. } = token;
    totals.signs_inside += u32::from(sign);
    totals.mixed += u32::from((latin && cyrillic) || (latin && digits > 0 && length > 3));
    if let Some((from, to)) = token.core.filter(|_| digits * 2 > length) {
        let shown = |c: char| u64::from(u32::from(if c.is_ascii_digit() { '0' } else { c }));
        let pattern = text[from..to].chars().take(PATTERN).fold(0, |pattern, c| mix(pattern, shown(c)));
        send(Kind::Number, pattern, start, end);
    }
    if length >= 3 && upper == length {
        send(Kind::Capitals, 0, start, end);
    }
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
