//! Language: scored on ISO 639-3 with macrolanguages folded, and strictly on the pair with its script.

use super::{Evaluation, Outcome, Report, ratio};
use crate::classify::Classification;
use crate::language::{Language, LanguageResult, LanguageVerdict};
use crate::script::Script;

const UNDETERMINED: &str = "und";
const NO_CONTENT: &str = "zxx";
const MULTIPLE: &str = "mul";

/// One document: the folded outcome, and whether code and script were right unfolded.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageOutcome {
    pub folded: Outcome,
    pub strictly_right: bool,
}

/// The code a row's language is scored under; a code the table lacks keeps its own name and is never
/// predicted.
pub fn folded(code: &str) -> String {
    match Language::parse(code) {
        Some(language) => language.folded().to_owned(),
        None => code.trim().to_ascii_lowercase(),
    }
}

/// `lang` and `script` are the row's own; without a script the strict score looks at the code alone.
pub fn outcome(
    lang: &str,
    script: Option<&str>,
    classification: &Classification,
    group: Option<String>,
) -> LanguageOutcome {
    let result = &classification.language;
    let gold = folded(lang);
    let (top, probability, top_script) = top(&gold, result);
    let code = |top: Top| match top {
        Top::Language(language) => language.folded(),
        Top::Special(code) => code,
    };
    let mut ranked = vec![(code(top).to_owned(), probability)];
    for candidate in &result.alternatives {
        let folded = candidate.language.folded();
        if ranked.iter().all(|(seen, _)| seen != folded) {
            ranked.push((folded.to_owned(), candidate.probability));
        }
    }
    let decided = result.reliable.then(|| code(top).to_owned());
    let code_right = match (top, Language::parse(lang)) {
        (Top::Language(top), Some(gold)) => top == gold,
        (Top::Special(code), _) => code == gold,
        _ => false,
    };
    let script_right = script.is_none_or(|script| same_script(script, top_script.as_str()));
    LanguageOutcome {
        folded: Outcome { gold, ranked, decided, group },
        strictly_right: code_right && script_right,
    }
}

#[derive(Clone, Copy)]
enum Top {
    Language(Language),
    Special(&'static str),
}

/// The top label whatever the decision: behind an `und` or `mul` stands the best candidate, unless that
/// very answer is the right one.
fn top(gold: &str, result: &LanguageResult) -> (Top, f64, Script) {
    let special = match result.verdict {
        LanguageVerdict::Known(language) => {
            return (Top::Language(language), result.probability, result.script);
        }
        LanguageVerdict::Undetermined => UNDETERMINED,
        LanguageVerdict::NoContent => NO_CONTENT,
        LanguageVerdict::Multiple => MULTIPLE,
    };
    match result.alternatives.first() {
        Some(best) if ![UNDETERMINED, NO_CONTENT, MULTIPLE].contains(&gold) => {
            (Top::Language(best.language), best.probability, best.script)
        }
        _ => (Top::Special(special), result.probability, result.script),
    }
}

/// Names of one writing system compare equal: ISO 15924 has both a part and the whole for some.
fn same_script(a: &str, b: &str) -> bool {
    let whole = |script: &str| match script.to_ascii_lowercase().as_str() {
        "hang" => "kore".to_owned(),
        "hira" | "kana" | "hrkt" => "jpan".to_owned(),
        other => other.to_owned(),
    };
    whole(a.trim()) == whole(b.trim())
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LanguageEvaluation {
    shared: Evaluation,
    strictly_right: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LanguageReport {
    pub shared: Report,
    /// Share of the documents with code and script right, nothing folded.
    pub accuracy_strict: f64,
}

impl LanguageEvaluation {
    pub fn add(&mut self, outcome: &LanguageOutcome) {
        self.shared.add(&outcome.folded);
        self.strictly_right += u64::from(outcome.strictly_right);
    }

    pub fn shared(&self) -> &Evaluation {
        &self.shared
    }

    pub fn report(&self) -> LanguageReport {
        let accuracy_strict = ratio(self.strictly_right, self.shared.n());
        LanguageReport { shared: self.shared.report(), accuracy_strict }
    }
}
