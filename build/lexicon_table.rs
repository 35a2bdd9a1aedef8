//! Writes the sketches of `src/noise/foreign/lexicon.bin` with the languages side by side, for the question which
//! languages know a word: one place in memory for all of them instead of one for each.

use std::path::Path;

const TABLE: &str = "src/noise/foreign/lexicon.bin";
/// As in `src/noise/foreign/lexicon.rs`.
const TRIGRAMS: usize = 1 << 14;
const WORDS: usize = 1 << 18;
const BYTES: usize = TRIGRAMS / 2 + WORDS / 8;
/// Bytes of the half-bytes of all languages for a trigram, and of their bits for a word.
const TRIGRAM_BYTES: usize = 24;
const WORD_BYTES: usize = 8;

/// Writes `lexicon_trigrams.bin` and `lexicon_words.bin`.
pub fn generate() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={TABLE}");
    let table = std::fs::read(TABLE)?;
    let languages: Vec<&[u8]> = table.chunks(BYTES).collect();
    if table.len() % BYTES != 0 || languages.len() > 2 * TRIGRAM_BYTES {
        return Err(format!("{TABLE} has {} bytes: not sketches of {BYTES} each", table.len()).into());
    }
    let mut trigrams = vec![0_u8; TRIGRAMS * TRIGRAM_BYTES];
    let mut words = vec![0_u8; WORDS * WORD_BYTES];
    for (language, sketch) in languages.iter().enumerate() {
        let (levels, bits) = sketch.split_at(TRIGRAMS / 2);
        for slot in 0..TRIGRAMS {
            let level = levels[slot / 2] >> (4 * (slot % 2)) & 15;
            trigrams[slot * TRIGRAM_BYTES + language / 2] |= level << (4 * (language % 2));
        }
        for slot in (0..WORDS).filter(|slot| bits[slot / 8] >> (slot % 8) & 1 == 1) {
            words[slot * WORD_BYTES + language / 8] |= 1 << (language % 8);
        }
    }
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("lexicon_trigrams.bin"), trigrams)?;
    std::fs::write(Path::new(&out).join("lexicon_words.bin"), words)?;
    Ok(())
}
