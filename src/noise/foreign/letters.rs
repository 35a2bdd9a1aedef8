//! What single letters rule out: languages of Arabic script, Cyrillic alphabets, and scripts of one language.

use crate::language::{Language, LanguageCandidate, Ranked};
use crate::script::{Script, id};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// Languages of Arabic script: code, how often it is met in news, and telling letters it never writes.
const ARABIC: [(&str, f64, &str); 8] = [
    ("arb", 0.45, "کیپچگژٹڈڑںہھےۓۆێڵڕۇېڭەټځڅډړږښۍڪڳڻ"),
    ("pes", 0.30, "يكىةٹڈڑںہھےۓۆێڵڕۇېڭەټځڅډړږښۍڪڳڻ"),
    ("urd", 0.20, "يكىةەۆێڵڕۇېڭټځڅډړږښۍڪڳڻ"),
    ("ckb", 0.05, "يكىةٹڈڑںہےۇېڭټځڅډړږښۍڪڳڻثذصضطظ"),
    ("pbt", 0.04, "يكٹڈڑہےۓۆێڵڕۇڭەڪڳڻ"),
    ("snd", 0.04, "يىۆێڵڕۇېڭەټځڅډړږښۍےگ"),
    ("uig", 0.03, "کیىةٹڈڑںہےۓێڵڕټځڅډړږښۍڪڳڻثذصضطظعح"),
    ("azb", 0.03, "يكىةٹڈڑںہےۓێڵڕڭەټځڅډړږښۍڪڳڻ"),
];

static ARABIC_LANGUAGES: LazyLock<[Option<Language>; ARABIC.len()]> =
    LazyLock::new(|| ARABIC.map(|row| Language::parse(row.0)));

/// Letters beside `a` to `z` in the words of a language of Latin script, those of loan words with them.
const LATIN: [(&str, &str); 20] = [
    ("eng", "àáâäåæçèéêëíîïñóôöøœúûüā"),
    ("deu", "äöüßàáâçèéêëîïñóôûø"),
    ("spa", "áéíóúüñàâçèêïô"),
    ("fra", "àâæçèéêëîïôœùûüÿáäíñóö"),
    ("ita", "àèéìíîòóùúâäçêñôöü"),
    ("por", "áâãàçéêíóôõúèñöü"),
    ("cat", "àçèéíïòóúüñôê"),
    ("ron", "âîășțşţáàçèéöü"),
    ("nld", "áàâäçéèêëíïñóôöúûü"),
    ("swe", "åäöàáâçèéêíñóôü"),
    ("dan", "æøåàáâäçèéêëíñóôöúü"),
    ("nob", "æøåàáâäçèéêëíñòóôöü"),
    ("fin", "åäöšžàáçèéíñóüõø"),
    ("ces", "áčďéěíňóřšťúůýžàäåçèëñôöü"),
    ("slk", "áäčďéěíĺľňóôŕřšťúůýžàçèëñöü"),
    ("pol", "ąćęłńóśźżàáäåçčèéëíñôöřšüž"),
    ("hrv", "čćđšžàáäåçèéëíñóôöü"),
    ("slv", "čšžćđàáäåçèéëíñóôöü"),
    ("hun", "áéíóöőúüűàäåçčèëñôšž"),
    ("tur", "çğıiöşüâîûàäèéêëñô"),
];

/// Letters a Cyrillic alphabet does not have though others do.
const CYRILLIC: [(&str, &str); 6] = [
    ("rus", "іїєґўјљњћђџќѓѕ"),
    ("ukr", "ыэёъўјљњћђџќѓѕ"),
    ("bel", "ищъїєґјљњћђџќѓѕ"),
    ("bul", "ыэёіїєґўјљњћђџќѓѕ"),
    ("srp", "ыэёйщъьюяіїєґўќѓѕ"),
    ("mkd", "ыэёйщъьюяіїєґўћђ"),
];

/// Scripts that one language of the table uses, or one above all.
const ONE_LANGUAGE: [(&str, &str); 20] = [
    ("Thai", "tha"),
    ("Hang", "kor"),
    ("Jpan", "jpn"),
    ("Hani", "cmn"),
    ("Hebr", "heb"),
    ("Grek", "ell"),
    ("Armn", "hye"),
    ("Geor", "kat"),
    ("Khmr", "khm"),
    ("Mymr", "mya"),
    ("Laoo", "lao"),
    ("Sinh", "sin"),
    ("Taml", "tam"),
    ("Telu", "tel"),
    ("Knda", "kan"),
    ("Mlym", "mal"),
    ("Guru", "pan"),
    ("Gujr", "guj"),
    ("Orya", "ory"),
    ("Tibt", "bod"),
];

/// English words met in writing of every script.
const LOANS: [&str; 96] = [
    "album",
    "api",
    "app",
    "apps",
    "avatar",
    "banner",
    "bank",
    "bit",
    "blog",
    "bluetooth",
    "boss",
    "brand",
    "browser",
    "bug",
    "byte",
    "camera",
    "cash",
    "chat",
    "chip",
    "cloud",
    "club",
    "code",
    "coffee",
    "computer",
    "cookie",
    "cool",
    "data",
    "deal",
    "debug",
    "design",
    "desktop",
    "digital",
    "doctor",
    "download",
    "driver",
    "drone",
    "dvd",
    "ebook",
    "email",
    "engineer",
    "facebook",
    "fan",
    "fashion",
    "feedback",
    "film",
    "fitness",
    "game",
    "google",
    "hacker",
    "hotel",
    "iphone",
    "internet",
    "laptop",
    "link",
    "live",
    "manager",
    "marketing",
    "media",
    "meeting",
    "mobile",
    "model",
    "news",
    "office",
    "offline",
    "ok",
    "online",
    "party",
    "phone",
    "plus",
    "podcast",
    "police",
    "pop",
    "post",
    "premium",
    "profile",
    "program",
    "rap",
    "robot",
    "rock",
    "school",
    "sim",
    "smartphone",
    "software",
    "spam",
    "sport",
    "startup",
    "streaming",
    "style",
    "tablet",
    "team",
    "trend",
    "video",
    "web",
    "website",
    "wifi",
    "zoom",
];

/// Whether a Latin word is at home everywhere.
pub(super) fn is_loan(word: &str) -> bool {
    LOANS.contains(&word.to_ascii_lowercase().as_str())
}

/// Refines a ranking with what the letters allow; ranks by the letters alone when there is none.
pub(super) fn testify(text: &str, script: Script, ranked: Ranked, limit: usize) -> Ranked {
    if let Some((_, code)) = ONE_LANGUAGE.iter().find(|(s, _)| s.as_bytes() == script.code()) {
        if ranked.is_empty() {
            let one = |language| smallvec![LanguageCandidate { language, script, probability: 0.95 }];
            return Language::parse(code).map(one).unwrap_or_default();
        }
        return ranked;
    }
    if script != Script::ARABIC {
        return ranked;
    }
    // a short word proves little: half the weight stays with what its letters allow
    let letters = text.chars().filter(|c| c.is_alphabetic()).take(60).count() as f64;
    let trust = (letters / 60.0).clamp(0.3, 0.9);
    let excluded = |letters: &str| text.chars().take(300).any(|c| c > '\u{62A}' && letters.contains(c));
    let mut mixed = Ranked::new();
    let rows = ARABIC.iter().zip(&*ARABIC_LANGUAGES);
    let allowed: SmallVec<[_; 8]> = rows.filter(|((_, _, never), _)| !excluded(never)).collect();
    let total: f64 = allowed.iter().map(|(row, _)| row.1).sum();
    let claimed: f64 = ranked.iter().map(|c| c.probability).sum();
    for ((_, weight, _), language) in allowed {
        let Some(language) = *language else { continue };
        let said = ranked.iter().find(|c| c.language == language).map_or(0.0, |c| c.probability);
        let prior = weight / total;
        let probability = if claimed > 0.0 { trust * said + (1.0 - trust) * prior } else { prior };
        mixed.push(LanguageCandidate { language, script, probability });
    }
    // dialects and languages the table of letters does not know keep the ranker's word
    for candidate in ranked {
        let known = |code: &str| ARABIC.iter().any(|row| row.0 == code);
        let ruled_out =
            candidate.language.folded() == "ara" && ARABIC.first().is_some_and(|row| excluded(row.2));
        if !known(candidate.language.as_str()) && !ruled_out {
            mixed.push(LanguageCandidate { probability: trust * candidate.probability, ..candidate });
        }
    }
    let sum: f64 = mixed.iter().map(|c| c.probability).sum();
    if sum > 0.0 {
        mixed.iter_mut().for_each(|c| c.probability /= sum);
    }
    mixed.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.language.cmp(&b.language)));
    mixed.truncate(limit);
    mixed
}

/// Whether a word of Latin script has a letter that no word of the language has, loan words included.
pub(super) fn is_outside(word: &str, language: &str) -> bool {
    let Some((_, own)) = LATIN.iter().find(|row| row.0 == language) else { return false };
    word.chars().any(|c| !c.is_ascii() && c.is_alphabetic() && !own.contains(c))
}

/// Letters by what they say of the host's alphabet, in a script where alphabets differ clearly.
pub(super) struct Alphabet {
    first: u32,
    letters: [Letter; 256],
}

#[derive(Clone, Copy, PartialEq)]
enum Letter {
    Any,
    /// Not in the alphabet.
    Outside,
    /// Excuses the others: a slip of the keyboard in an own word is not another language.
    Own,
}

impl Alphabet {
    /// `None` for a language whose letters are not in the tables.
    pub(super) fn of(host: &str, script: u8) -> Option<Self> {
        let (first, outside, own) = match script {
            id::CYRL => (0x400, CYRILLIC.iter().find(|row| row.0 == host)?.1, ""),
            id::ARAB => {
                let own = match host {
                    "pes" => "پچژگکی",
                    "urd" => "پچژگکیٹڈڑںہھے",
                    _ => "",
                };
                (0x600, ARABIC.iter().find(|row| row.0 == host)?.2, own)
            }
            _ => return None,
        };
        let mut letters = [Letter::Any; 256];
        for (set, letter) in [(outside, Letter::Outside), (own, Letter::Own)] {
            for c in set.chars().flat_map(|c| std::iter::once(c).chain(c.to_uppercase())) {
                if let Some(slot) = letters.get_mut((c as u32).wrapping_sub(first) as usize) {
                    *slot = letter;
                }
            }
        }
        Some(Self { first, letters })
    }

    /// Whether a text has any letter the alphabet lacks.
    pub(super) fn any_outside(&self, text: &str) -> bool {
        let letter = |c: char| self.letters.get((c as u32).wrapping_sub(self.first) as usize);
        text.chars().any(|c| letter(c) == Some(&Letter::Outside))
    }

    /// Whether a word has a letter the alphabet lacks.
    pub(super) fn lacks(&self, word: &str) -> bool {
        let letter = |c: char| self.letters.get((c as u32).wrapping_sub(self.first) as usize).copied();
        let mut lacks = false;
        for c in word.chars() {
            match letter(c) {
                Some(Letter::Outside) => lacks = true,
                Some(Letter::Own) => return false,
                _ => {}
            }
        }
        lacks
    }
}

/// Latin text that Serbian Latin can be: its letters only, and not without its vowels.
pub(super) fn is_serbian(text: &str) -> bool {
    let mut letters = text.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).peekable();
    let first = letters.peek().is_some();
    if text.chars().any(|c| matches!(c, '\u{400}'..='\u{4FF}')) {
        return Alphabet::of("srp", id::CYRL).is_none_or(|alphabet| !alphabet.lacks(text));
    }
    let (mut n, mut foreign) = (0usize, 0usize);
    for c in letters.take(400) {
        n += 1;
        foreign += usize::from(!matches!(c, 'a'..='p' | 'r'..='v' | 'z' | 'č' | 'ć' | 'đ' | 'š' | 'ž'));
    }
    let spoken =
        || [" je ", " se ", " na ", " su ", " da ", " koj"].iter().filter(|w| text.contains(*w)).count() > 1;
    first && foreign * 25 <= n && (text.contains(['č', 'ć', 'đ', 'š', 'ž', 'Č', 'Š', 'Ž']) || spoken())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<&'static str> {
        testify(text, Script::ARABIC, Ranked::new(), 8).iter().map(|c| c.language.as_str()).collect()
    }

    #[test]
    fn keheh_rules_out_arabic() {
        let found = codes("کتاب");
        assert!(found.starts_with(&["pes", "urd"]) && !found.contains(&"arb"), "{found:?}");
        assert_eq!(codes("كتاب").first(), Some(&"arb"));
        assert_eq!(codes("ٹوپی").first(), Some(&"urd"));
    }

    #[test]
    fn alphabets() {
        let lacks = |word, host, script| Alphabet::of(host, script).is_some_and(|a| a.lacks(word));
        assert!(
            lacks("їжак", "rus", id::CYRL)
                && lacks("Їжак", "rus", id::CYRL)
                && !lacks("жук", "rus", id::CYRL)
        );
        assert!(lacks("كتابة", "pes", id::ARAB) && !lacks("ہيں", "urd", id::ARAB));
        assert!(
            is_serbian("Jedna velika kuća na brdu u QVC gradu")
                && !is_serbian("la casa grande da sola")
                && !is_serbian("Wyjątkowy xylofon")
        );
    }
}
