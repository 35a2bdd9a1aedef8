//! How common a language is in writing: what to believe of a text before reading it.

use super::Language;

/// Natural-log units below the languages most text is written in.
const WIDESPREAD: f32 = 0.0;
pub const OFFICIAL: f32 = -16.0;
const LOCAL: f32 = -28.0;

/// Languages with a large press and much of the web, sorted.
const WIDELY_WRITTEN: &[&str] = &[
    "afr", "als", "amh", "arb", "azj", "bel", "ben", "bul", "cat", "ces", "cmn", "cym", "dan", "deu", "ell",
    "eng", "epo", "est", "fin", "fra", "guj", "heb", "hin", "hrv", "hun", "hye", "ind", "ita", "jpn", "kan",
    "kat", "khm", "kor", "lit", "lvs", "mal", "mar", "mkd", "mya", "nld", "nob", "ory", "pan", "pes", "pol",
    "por", "ron", "rus", "sin", "slk", "slv", "sna", "spa", "srp", "swe", "tam", "tel", "tgl", "tha", "tur",
    "ukr", "urd", "vie", "ydd", "zul",
];

/// Languages of schools, states or many speakers with less in writing, or second to a close relative
/// that is written more, sorted.
const WRITTEN: &[&str] = &[
    "aka", "bos", "ceb", "ckb", "eus", "fao", "gle", "glg", "hat", "hau", "ibo", "isl", "jav", "kaz", "khk",
    "kin", "kir", "kmr", "ltz", "lug", "mlt", "mri", "nno", "npi", "nya", "pbt", "plt", "snd", "som", "sot",
    "sun", "swh", "tat", "tgk", "tsn", "tso", "tuk", "uig", "uzn", "xho", "yor", "yue", "zsm",
];

/// Added to a text's log-likelihood under a language. One word leaves it standing, a sentence of clear
/// evidence outweighs it many times.
pub fn log_prior(language: Language) -> f32 {
    let among = |list: &[&str]| list.binary_search(&language.as_str()).is_ok();
    if among(WIDELY_WRITTEN) {
        WIDESPREAD
    } else if among(WRITTEN) {
        OFFICIAL
    } else {
        LOCAL
    }
}

/// How much a language's n-grams count when a model of limited size chooses among them: long n-grams
/// pay where single words are met, a sentence is told apart by few.
pub fn worth(language: Language) -> f64 {
    match log_prior(language) {
        WIDESPREAD => 1.0,
        OFFICIAL => 0.2,
        _ => 0.06,
    }
}

/// Languages so close that text common to both would bury what tells them apart; each list is one group.
const CLOSE: &[&[&str]] = &[&["bos", "hrv"], &["pes", "prs"], &["ind", "zsm"], &["nno", "nob"]];

/// The group of close relatives a language belongs to, under one name: that of its folded code, or of the
/// first of its list.
pub fn relatives(language: Language) -> &'static str {
    let listed = CLOSE.iter().find(|group| group.contains(&language.as_str()));
    listed.and_then(|group| group.first().copied()).unwrap_or(language.folded())
}

/// The prior among close relatives, which fades from half of it for a few words to a quarter for a sentence:
/// what tells them apart grows slowly with the text.
pub fn log_prior_among_relatives(language: Language, units: f32) -> f32 {
    log_prior(language) * (0.25 + 0.25 * (60.0 / units.max(1.0)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_apart() {
        for list in [WIDELY_WRITTEN, WRITTEN] {
            assert!(list.is_sorted_by(|a, b| a < b));
            assert!(list.iter().all(|code| Language::parse(code).is_some_and(|l| l.as_str() == *code)));
        }
        assert!(WRITTEN.iter().all(|code| WIDELY_WRITTEN.binary_search(code).is_err()));
    }

    #[test]
    fn a_standard_language_comes_before_its_relatives() {
        let of = |code| Language::parse(code).map(log_prior);
        for (standard, relative) in
            [("hrv", "bos"), ("nob", "nno"), ("ita", "srd"), ("ind", "jav"), ("hin", "bho")]
        {
            assert!(of(standard) > of(relative), "{standard} {relative}");
        }
    }
}
