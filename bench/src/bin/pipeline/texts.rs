//! Texts to measure with, made from our own prose: the same on every machine.

use glotsift::cli::bench::prose::{Prose, Random, cut};

pub struct Text {
    pub name: String,
    pub text: String,
}

/// One article of about `size` bytes in each language.
pub fn languages(size: usize) -> Vec<Text> {
    let article = |(seed, prose): (usize, &Prose)| Text {
        name: prose.code.into(),
        text: prose.article(&mut Random(seed as u64), size),
    };
    Prose::all().iter().enumerate().map(article).collect()
}

/// Articles in English alone.
pub fn english(size: usize, n: usize) -> Vec<Text> {
    let prose = &Prose::all()[0];
    let article = |seed| Text {
        name: format!("eng_Latn {seed}"),
        text: prose.article(&mut Random(1000 + seed as u64), size),
    };
    (0..n).map(article).collect()
}

/// Articles whose every paragraph is in another language.
pub fn mixed(size: usize, n: usize) -> Vec<Text> {
    let prose = Prose::all();
    let article = |seed| {
        let (mut random, mut text) = (Random(2000 + seed as u64), String::new());
        while text.len() < size {
            prose[random.below(prose.len())].paragraph(&mut random, &mut text);
        }
        Text { name: format!("mixed {seed}"), text: cut(text, size) }
    };
    (0..n).map(article).collect()
}

/// Texts no author writes, of `size` bytes, each meant to cost some part of a pipeline more than prose does.
pub fn hostile(size: usize) -> Vec<Text> {
    let mut texts = Vec::new();
    let mut add = |name: &str, text: String| texts.push(Text { name: name.into(), text: cut(text, size) });
    let fill = |piece: &str| piece.repeat(size / piece.len() + 1);
    let numbered = |make: &dyn Fn(usize) -> String| {
        let mut text = String::with_capacity(size + 64);
        let mut n = 0;
        while text.len() < size {
            text.push_str(&make(n));
            n += 1;
        }
        text
    };
    add("combining marks after letters", fill("e\u{301}\u{323}\u{308}o\u{327} "));
    add("one grapheme", format!("e{}", fill("\u{301}\u{323}")));
    add("zero-width joiners alone", fill("\u{200d}"));
    add("joined emoji", fill("👩\u{200d}👩\u{200d}👧 "));
    add("virama and joiner", fill("क\u{94d}\u{200d}"));
    add("all-distinct words", numbered(&|n| format!("{} ", letters(n))));
    add("all-distinct foreign-looking words", numbered(&|n| format!("qż{}ğ ", letters(n))));
    add("a script for every letter", fill("aяα"));
    add("a script for every word", fill("cat кот γάτα 猫 חתול قطة बिल्ली แมว "));
    add(
        "a script for every sentence",
        numbered(&|n| format!("The gate {} was shut at ten. Ворота {} закрыли в десять. ", letters(n), n)),
    );
    add("short lines", fill("a\n"));
    add("short lines of words", numbered(&|n| format!("Go {}\n", letters(n))));
    add("lines of page furniture", numbered(&|n| format!("Category: {} No comments\n", letters(n))));
    add("look-alikes", numbered(&|n| format!("pаypаl{} ", letters(n))));
    add("misread encodings", fill("Ã©tÃ© dÃ©jÃ  "));
    add("suspects that prove nothing", fill("ÃÂÃÂ "));
    add("direction controls that nothing closes", fill("\u{202e}a\u{2066}b"));
    add("hidden characters in words", fill("wo\u{200b}rd\u{2060}s "));
    add("tags that do not end", fill("<a href=\""));
    add("references", fill("&amp;&#x41;"));
    add("compatibility letters", fill("Ｆｕｌｌ ﬁﬂ ①② "));
    add("Hangul letter by letter", fill("\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af} "));
    add("one word of one letter", fill("a"));
    add("one word of letters", numbered(&letters));
    add("words without spaces", fill("ខ្ញុំទៅផ្សារ"));
    add("one word over and over", fill("word "));
    add("full stops", fill("a. "));
    add("addresses", numbered(&|n| format!("https://{}.example/?q={n} ", letters(n))));
    add("controls", fill("\0\u{1b}\u{7}a"));
    texts
}

/// A number in letters.
fn letters(mut n: usize) -> String {
    let mut word = String::new();
    loop {
        word.push((b'a' + (n % 26) as u8) as char);
        n /= 26;
        if n == 0 && word.len() > 3 {
            return word;
        }
    }
}
