//! Texts to measure with, made from our own prose: the same on every machine.

/// Thirty languages: a line with the code, a line of sentences.
const PROSE: &str = include_str!("prose.txt");

pub struct Text {
    pub name: String,
    pub text: String,
}

/// SplitMix64: enough for choosing words.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) as usize % n.max(1)
    }
}

/// A language's sentences and the words (pieces of words where they are not spaced) new ones are made of.
struct Prose {
    code: &'static str,
    sentences: Vec<&'static str>,
    words: Vec<String>,
    spaced: bool,
}

impl Prose {
    fn all() -> Vec<Self> {
        let lines: Vec<&str> = PROSE.lines().collect();
        lines.chunks_exact(2).map(|pair| Self::new(pair[0], pair[1])).collect()
    }

    fn new(code: &'static str, line: &'static str) -> Self {
        let spaced = !matches!(&code[4..], "Jpan" | "Hans" | "Thai");
        let marks = |c| matches!(c, '.' | ',' | '。' | '、' | '，' | '।' | '،');
        let words = match spaced {
            true => line.split_whitespace().map(|w| w.trim_matches(marks).to_string()).collect(),
            false => {
                let letters: Vec<char> = line.chars().filter(|c| !c.is_whitespace() && !marks(*c)).collect();
                letters.chunks(4).map(String::from_iter).collect()
            }
        };
        let sentences =
            line.split_inclusive(['.', '。', '।']).map(str::trim).filter(|s| !s.is_empty()).collect();
        Self { code, sentences, words, spaced }
    }

    /// Half of them as written, half of words drawn anew; one word in six is grown from two.
    fn sentence(&self, random: &mut Random, out: &mut String) {
        if random.below(2) == 0 {
            out.push_str(self.sentences[random.below(self.sentences.len())]);
        } else {
            for n in 0..8 + random.below(10) {
                if n > 0 && self.spaced {
                    out.push(' ');
                }
                let word = &self.words[random.below(self.words.len())];
                if random.below(6) == 0 {
                    let other = &self.words[random.below(self.words.len())];
                    out.extend(word.chars().take(word.chars().count().div_ceil(2)));
                    out.extend(other.chars().skip(other.chars().count() / 2));
                } else {
                    out.push_str(word);
                }
            }
            out.push_str(if self.spaced { "." } else { "。" });
        }
        if self.spaced {
            out.push(' ');
        }
    }

    fn paragraph(&self, random: &mut Random, out: &mut String) {
        for _ in 0..3 + random.below(4) {
            self.sentence(random, out);
        }
        out.push_str("\n\n");
    }
}

fn cut(mut text: String, size: usize) -> String {
    let mut end = size.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// One article of about `size` bytes in each language.
pub fn languages(size: usize) -> Vec<Text> {
    let article = |(seed, prose): (usize, &Prose)| {
        let (mut random, mut text) = (Random(seed as u64), String::new());
        while text.len() < size {
            prose.paragraph(&mut random, &mut text);
        }
        Text { name: prose.code.into(), text: cut(text, size) }
    };
    Prose::all().iter().enumerate().map(article).collect()
}

/// Articles in English alone.
pub fn english(size: usize, n: usize) -> Vec<Text> {
    let prose = &Prose::all()[0];
    let article = |seed| {
        let (mut random, mut text) = (Random(1000 + seed as u64), String::new());
        while text.len() < size {
            prose.paragraph(&mut random, &mut text);
        }
        Text { name: format!("eng_Latn {seed}"), text: cut(text, size) }
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
