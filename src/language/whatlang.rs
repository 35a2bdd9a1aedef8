//! What whatlang thinks: a second opinion on 70 languages. The only file that names whatlang.

use super::Language;

/// whatlang's answer. Its confidence is a heuristic, not a probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    pub language: Language,
    pub confidence: f64,
    pub reliable: bool,
}

/// `None` when whatlang sees no letters, or names a language the table does not have.
pub fn opinion(text: &str) -> Option<Opinion> {
    let info = whatlang::detect(text)?;
    let language = Language::parse(info.lang().code())?;
    Some(Opinion { language, confidence: info.confidence(), reliable: info.is_reliable() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_our_codes() {
        let seen = opinion("Gallia est omnis divisa in partes tres, quarum unam incolunt Belgae").expect("letters");
        assert_eq!(seen.language.as_str(), "lat");
        assert!(opinion("123 …").is_none());
    }
}
