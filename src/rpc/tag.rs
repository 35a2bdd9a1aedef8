//! Languages as BCP 47 tags.
//!
//! The rule: the language subtag, and the script subtag where the script is not the one the language is
//! usually written in. Chinese always says Hans or Hant when known, for neither is the usual one. A text
//! without letters, or in an unknown script, gets no script subtag.

use crate::language::Language;
use crate::script::Script;

pub(crate) fn bcp47(language: Option<Language>, script: Script) -> String {
    let base = language.map_or("und", Language::bcp47);
    let code = script.as_str();
    if matches!(code, "Zyyy" | "Zinh" | "Zzzz") || is_usual(language, code) {
        base.to_owned()
    } else {
        format!("{base}-{code}")
    }
}

fn is_usual(language: Option<Language>, script: &str) -> bool {
    let Some(language) = language else { return false };
    match language.as_str() {
        // Plain Hani leaves open which of the two it is.
        "cmn" | "yue" => script == "Hani",
        "jpn" => matches!(script, "Jpan" | "Hani" | "Hira" | "Kana"),
        "kor" => matches!(script, "Kore" | "Hang" | "Hani"),
        code => usual_script(code) == script,
    }
}

/// The script of most of a language's publishing, where it is not Latin.
fn usual_script(code: &str) -> &'static str {
    match code {
        "acm" | "acq" | "aeb" | "ajp" | "apc" | "arb" | "ars" | "ary" | "arz" | "azb" | "ckb" | "kas"
        | "pbt" | "pes" | "prs" | "snd" | "uig" | "urd" => "Arab",
        "bak" | "bel" | "bul" | "kaz" | "khk" | "kir" | "mkd" | "rus" | "srp" | "tat" | "tgk" | "ukr" => {
            "Cyrl"
        }
        "awa" | "bho" | "hin" | "hne" | "mag" | "mai" | "mar" | "npi" | "san" => "Deva",
        "asm" | "ben" | "mni" => "Beng",
        "amh" | "tir" => "Ethi",
        "bod" | "dzo" => "Tibt",
        "heb" | "ydd" => "Hebr",
        "mya" | "shn" => "Mymr",
        "ell" => "Grek",
        "guj" => "Gujr",
        "hye" => "Armn",
        "kan" => "Knda",
        "kat" => "Geor",
        "khm" => "Khmr",
        "lao" => "Laoo",
        "mal" => "Mlym",
        "nqo" => "Nkoo",
        "ory" => "Orya",
        "pan" => "Guru",
        "sat" => "Olck",
        "sin" => "Sinh",
        "tam" => "Taml",
        "tel" => "Telu",
        "tha" => "Thai",
        "tzm" => "Tfng",
        _ => "Latn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_said_where_it_is_not_the_usual_one() {
        let check = |code: &str, script: &str, expected: &str| {
            let script = Script::parse(script).unwrap();
            assert_eq!(bcp47(Language::parse(code), script), expected);
        };
        check("eng", "Latn", "en");
        check("srp", "Cyrl", "sr");
        check("srp", "Latn", "sr-Latn");
        check("cmn", "Hans", "zh-Hans");
        check("cmn", "Hant", "zh-Hant");
        check("cmn", "Hani", "zh");
        check("jpn", "Jpan", "ja");
        check("pes", "Arab", "fa");
        check("kas", "Deva", "ks-Deva");
        check("und", "Cyrl", "und-Cyrl");
        check("und", "Zyyy", "und");
    }
}
