//! What whatlang thinks, of Latin above all. The only file that names whatlang.

use super::Language;
use std::sync::LazyLock;

/// whatlang's answer. Its confidence is a heuristic, not a probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    pub language: Language,
    pub confidence: f64,
}

/// `None` when whatlang sees no letters, or names a language the table does not have.
pub fn opinion(text: &str) -> Option<Opinion> {
    let info = whatlang::detect(text)?;
    let language = Language::parse(info.lang().code())?;
    Some(Opinion { language, confidence: info.confidence() })
}

/// A language as whatlang knows it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(whatlang::Lang);

/// The language whatlang could name this one as, macrolanguages folded.
pub fn peer(language: Language) -> Option<Peer> {
    static FOLDED: LazyLock<Vec<(&str, Peer)>> = LazyLock::new(|| {
        let all = whatlang::Lang::all().iter();
        all.filter_map(|lang| Some((Language::parse(lang.code())?.folded(), Peer(*lang)))).collect()
    });
    FOLDED.iter().find(|(folded, _)| *folded == language.folded()).map(|(_, peer)| *peer)
}

/// Whether [`opinion`] may be Latin: where Latin loses against the likeliest language alone, it does not win among
/// all, as whatlang scores each by itself. Comparing two costs a third of comparing all.
pub fn may_be_said_latin(text: &str, likeliest: Option<Peer>) -> bool {
    let rival = likeliest.map_or(whatlang::Lang::Eng, |peer| peer.0);
    let pair = whatlang::Detector::with_allowlist(vec![whatlang::Lang::Lat, rival]);
    // no confidence is a tie
    pair.detect(text).is_some_and(|info| info.lang() == whatlang::Lang::Lat || info.confidence() == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_our_codes() {
        let seen =
            opinion("Gallia est omnis divisa in partes tres, quarum unam incolunt Belgae").expect("letters");
        assert_eq!(seen.language.as_str(), "lat");
        assert!(opinion("123 …").is_none());
    }

    #[test]
    fn latin_is_never_missed() {
        let of = |code| Language::parse(code).and_then(peer);
        for text in ["Gallia est omnis divisa in partes tres", "nauta", "ubi", "quis librum meum abstulit?"] {
            for rival in ["eng", "ita", "rus", "azj", "ace"] {
                let missed = opinion(text).is_some_and(|seen| seen.language.as_str() == "lat")
                    && !may_be_said_latin(text, of(rival));
                assert!(!missed, "{text:?} beside {rival}");
            }
        }
        assert!(!may_be_said_latin("The river rose over the bridge in the night.", of("eng")));
    }
}
