//! Articles made from prose of our own in thirty languages: the same on every machine.

/// A line with the code, a line of sentences.
const PROSE: &str = include_str!("prose.txt");

/// SplitMix64: enough for choosing words and gaps between calls.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n.max(1)
    }

    /// Above 0 and at most 1.
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

/// A language's sentences and the words (pieces of words where they are not spaced) new ones are made of.
#[derive(Debug)]
pub struct Prose {
    /// Language and script, as `eng_Latn`.
    pub code: &'static str,
    sentences: Vec<&'static str>,
    words: Vec<String>,
    spaced: bool,
}

impl Prose {
    pub fn all() -> Vec<Self> {
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

    pub fn paragraph(&self, random: &mut Random, out: &mut String) {
        for _ in 0..3 + random.below(4) {
            self.sentence(random, out);
        }
        out.push_str("\n\n");
    }

    /// An article of `size` bytes, or up to three less where a character would be cut.
    pub fn article(&self, random: &mut Random, size: usize) -> String {
        let mut text = String::with_capacity(size);
        while text.len() < size {
            self.paragraph(random, &mut text);
        }
        cut(text, size)
    }
}

/// The beginning of a text, at most `size` bytes.
pub fn cut(mut text: String, size: usize) -> String {
    let mut end = size.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{Options, classify};
    use crate::language::LanguageVerdict;
    use crate::model::Model;
    use crate::text::Article;

    #[test]
    fn articles_are_of_the_size_asked_for_and_most_are_known_by_their_language() {
        let (model, all) = (Model::built_in(), Prose::all());
        let told = all.iter().filter(|prose| {
            let text = prose.article(&mut Random(7), 1_000);
            assert!((997..=1_000).contains(&text.len()), "{} {}", prose.code, text.len());
            assert_eq!(text, prose.article(&mut Random(7), 1_000));
            let article = Article { text: &text, ..Article::default() };
            let verdict = classify(&model, &article, &Options::default()).language.verdict;
            matches!(verdict, LanguageVerdict::Known(language) if language.as_str() == &prose.code[..3])
        });
        // Half the words are made up, so close relatives may be taken for each other.
        assert!(told.count() >= all.len() * 8 / 10);
    }
}
