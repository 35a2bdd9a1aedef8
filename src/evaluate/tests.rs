use super::language::LanguageEvaluation;
use super::spam::{HAM, SPAM, SpamEvaluation};
use super::*;
use crate::classify::{Classification, Decision, Options, SpamVerdict, classify};
use crate::language::{Language, LanguageCandidate, LanguageVerdict};
use crate::model::Model;
use crate::script::Script;
use crate::text::Article;
use proptest::prelude::*;

fn outcome(gold: &str, ranked: &[(&str, f64)], decided: bool, group: Option<&str>) -> Outcome {
    let ranked: Vec<_> = ranked.iter().map(|(label, p)| ((*label).to_owned(), *p)).collect();
    let decided = ranked.first().filter(|_| decided).map(|(label, _)| label.clone());
    Outcome { gold: gold.to_owned(), ranked, decided, group: group.map(str::to_owned) }
}

fn evaluate(outcomes: &[Outcome]) -> Report {
    let mut evaluation = Evaluation::default();
    outcomes.iter().for_each(|outcome| evaluation.add(outcome));
    evaluation.report()
}

#[track_caller]
fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

/// Gold a a a b b c; top a b a b d(not in gold) nothing.
fn six() -> Vec<Outcome> {
    vec![
        outcome("a", &[("a", 0.9), ("b", 0.1)], true, Some("x")),
        outcome("a", &[("b", 0.6), ("a", 0.4)], true, Some("x")),
        outcome("a", &[("a", 0.5)], false, Some("y")),
        outcome("b", &[("b", 0.8)], true, Some("y")),
        outcome("b", &[("d", 0.7), ("a", 0.2)], true, None),
        outcome("c", &[], false, Some("y")),
    ]
}

#[test]
fn scores_equal_the_sum_done_by_hand() {
    let report = evaluate(&six());
    assert_eq!(report.n, 6);
    near(report.accuracy, 3.0 / 6.0);
    // a: predicted 2, both right, support 3: P 1, R 2/3, F1 2*2/(2+3) = 0.8
    // b: predicted 2, one right, support 2: P 1/2, R 1/2, F1 0.5
    // c: never predicted: all 0. Macro: (0.8 + 0.5 + 0) / 3
    let label = |precision, recall, f1, support| LabelReport { precision, recall, f1, support };
    assert_eq!(report.per_label["a"], label(1.0, 2.0 / 3.0, 0.8, 3));
    assert_eq!(report.per_label["b"], label(0.5, 0.5, 0.5, 2));
    assert_eq!(report.per_label["c"], label(0.0, 0.0, 0.0, 1));
    assert_eq!(report.per_label.len(), 3, "d is not in the gold");
    near(report.macro_f1, 1.3 / 3.0);
    // the second document's a is its second choice
    near(report.top2_accuracy, 4.0 / 6.0);
    // decisions: four, of which the first and the fourth are right
    near(report.coverage, 4.0 / 6.0);
    near(report.accuracy_covered.unwrap(), 2.0 / 4.0);
    // every confidence in its own bin of width 1/15 (0.9: 14th, 0.8: 12th, 0.7: 11th, 0.6: 9th, 0.5: 8th,
    // 0: 1st): |1-0.9| + |1-0.8| + |0-0.7| + |0-0.6| + |1-0.5| + |0-0| = 2.1, over 6
    near(report.ece, 2.1 / 6.0);
    // group x: gold a a, top a b: accuracy 1/2, F1 of a 2*1/(1+2); y: gold a b c, top a b -: F1 1, 1, 0
    assert_eq!(report.groups.keys().collect::<Vec<_>>(), ["x", "y"]);
    near(report.groups["x"].accuracy, 0.5);
    near(report.groups["x"].macro_f1, 2.0 / 3.0);
    assert_eq!(report.groups["y"].n, 3);
    near(report.groups["y"].macro_f1, 2.0 / 3.0);
}

#[test]
fn calibration_error_is_taken_per_bin_not_per_document() {
    // two documents in one bin: mean confidence 0.75, accuracy 0.5: |0.75 - 0.5| = 0.25
    let both = [outcome("a", &[("a", 0.74)], true, None), outcome("b", &[("a", 0.76)], true, None)];
    // 0.74 and 0.76 lie on both sides of 11/15 = 0.7333 .. 12/15 = 0.8
    near(evaluate(&both).ece, 0.25);
    near(evaluate(&[outcome("a", &[("a", 1.0)], true, None)]).ece, 0.0);
    near(evaluate(&[outcome("a", &[("a", f64::NAN)], true, None)]).ece, 1.0);
}

#[test]
fn nothing_scores_nothing() {
    let report = evaluate(&[]);
    assert_eq!((report.n, report.accuracy, report.macro_f1, report.ece), (0, 0.0, 0.0, 0.0));
    assert_eq!(report.accuracy_covered, None);
}

fn classification() -> Classification {
    classify(&Model::default(), &Article::default(), &Options::default())
}

#[test]
fn unsure_is_neither_spam_nor_ham() {
    let rows = [
        (SPAM, SpamVerdict::Spam, 0.99),
        (SPAM, SpamVerdict::Unsure, 0.7),
        (SPAM, SpamVerdict::Ham, 0.1),
        (HAM, SpamVerdict::Ham, 0.1),
        (HAM, SpamVerdict::Unsure, 0.6),
        (HAM, SpamVerdict::Spam, 0.95),
        (HAM, SpamVerdict::Ham, 0.2),
    ];
    let mut evaluation = SpamEvaluation::default();
    for (gold, verdict, probability) in rows {
        let mut said = classification();
        said.spam = crate::classify::SpamResult { verdict, probability };
        said.spam_decision = Decision::Decided;
        evaluation.add(&spam::outcome(gold, &said, None));
    }
    let report = evaluation.report();
    near(report.spam_recall, 1.0 / 3.0);
    near(report.ham_recall, 2.0 / 4.0);
    // SPAM said twice, once rightly, of three: 2*1/(2+3)
    near(report.f1_spam, 2.0 / 5.0);
    near(report.unsure, 2.0 / 7.0);
    // the top label by probability: right in rows 1, 2, 4, 7
    near(report.shared.accuracy, 4.0 / 7.0);
    near(report.shared.coverage, 5.0 / 7.0);
    near(report.shared.accuracy_covered.unwrap(), 3.0 / 5.0);
}

#[test]
fn spam_labels_are_read_in_any_case() {
    assert_eq!(
        ["Spam", " HAM ", "1", "0", "eggs"].map(spam::parse),
        [Some(SPAM), Some(HAM), Some(SPAM), Some(HAM), None]
    );
}

/// What the language score makes of an answer, as `(gold, top label, strictly right)`.
fn language(
    gold: (&str, Option<&str>),
    verdict: LanguageVerdict,
    script: Script,
    others: &[&str],
) -> (String, String, bool) {
    let mut said = classification();
    said.language.verdict = verdict;
    said.language.script = script;
    said.language.alternatives = others
        .iter()
        .map(|code| LanguageCandidate {
            language: Language::parse(code).unwrap(),
            script: Script::LATIN,
            probability: 0.3,
        })
        .collect();
    let outcome = super::language::outcome(gold.0, gold.1, &said, None);
    (outcome.folded.gold, outcome.folded.ranked[0].0.clone(), outcome.strictly_right)
}

#[test]
fn language_is_folded_and_strict() {
    let known = |code: &str| LanguageVerdict::Known(Language::parse(code).unwrap());
    let expected = |gold: &str, top: &str, strict| (gold.to_owned(), top.to_owned(), strict);
    let arab = Script::ARABIC;
    assert_eq!(language(("arz", Some("Arab")), known("arb"), arab, &[]), expected("ara", "ara", false));
    assert_eq!(language(("arz", Some("Arab")), known("arz"), arab, &[]), expected("ara", "ara", true));
    assert_eq!(
        language(("srp", Some("Cyrl")), known("srp"), Script::LATIN, &[]),
        expected("srp", "srp", false)
    );
    assert_eq!(
        language(("kor", Some("Hang")), known("kor"), Script::KOREAN, &[]),
        expected("kor", "kor", true)
    );
    assert_eq!(language(("en", None), known("eng"), Script::LATIN, &[]), expected("eng", "eng", true));
    let und = LanguageVerdict::Undetermined;
    assert_eq!(language(("eng", None), und, Script::LATIN, &["eng", "deu"]), expected("eng", "eng", true));
    assert_eq!(language(("und", None), und, Script::LATIN, &["eng"]), expected("und", "und", true));
    assert_eq!(language(("qqq", None), und, Script::LATIN, &[]), expected("qqq", "und", false));
}

#[test]
fn second_choices_of_one_fold_count_once() {
    let mut said = classification();
    said.language.verdict = LanguageVerdict::Known(Language::parse("arb").unwrap());
    said.language.alternatives = ["arb", "arz", "pes"]
        .map(|code| LanguageCandidate {
            language: Language::parse(code).unwrap(),
            script: Script::ARABIC,
            probability: 0.3,
        })
        .into_iter()
        .collect();
    let mut evaluation = LanguageEvaluation::default();
    evaluation.add(&super::language::outcome("pes", None, &said, None));
    let report = evaluation.report();
    assert_eq!(
        (report.shared.accuracy, report.shared.top2_accuracy, report.accuracy_strict),
        (0.0, 1.0, 0.0)
    );
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let label = || prop::sample::select(vec!["a", "b", "c", "d"]);
    let ranked = prop::collection::vec((label(), 0.0..=1.0f64), 0..4);
    (label(), ranked, any::<bool>(), prop::option::of(label()))
        .prop_map(|(gold, ranked, decided, group)| outcome(gold, &ranked, decided, group))
}

proptest! {
    #[test]
    fn shares_stay_within_0_and_1(outcomes in prop::collection::vec(any_outcome(), 0..40)) {
        let report = evaluate(&outcomes);
        let shares = [
            report.accuracy, report.macro_f1, report.ece, report.top2_accuracy, report.coverage,
            report.accuracy_covered.unwrap_or(0.0),
        ];
        prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
        prop_assert!(report.top2_accuracy >= report.accuracy);
        prop_assert_eq!(report.per_label.values().map(|label| label.support).sum::<u64>(), report.n);
    }

    #[test]
    fn order_does_not_matter(mut outcomes in prop::collection::vec(any_outcome(), 0..40), turn in 0usize..40) {
        let report = evaluate(&outcomes);
        let turn = turn.min(outcomes.len());
        outcomes.rotate_left(turn);
        prop_assert_eq!(&report, &evaluate(&outcomes));
        outcomes.reverse();
        prop_assert_eq!(&report, &evaluate(&outcomes));
    }
}
