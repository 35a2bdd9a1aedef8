//! Spam: what the verdicts cost, ham first.

use super::{Evaluation, Outcome, Report, label_report, ratio};
use crate::classify::{Classification, Decision, SpamVerdict};

pub const SPAM: &str = "spam";
pub const HAM: &str = "ham";

/// The gold label of a row: `spam` or `ham` in any case, or 1 or 0.
pub fn parse(label: &str) -> Option<&'static str> {
    match label.trim().to_ascii_lowercase().as_str() {
        SPAM | "1" => Some(SPAM),
        HAM | "0" => Some(HAM),
        _ => None,
    }
}

/// What a classification says about spam, as an outcome to score.
pub fn outcome(gold: &str, classification: &Classification, group: Option<String>) -> Outcome {
    let spam = classification.spam.probability;
    let mut ranked = vec![(HAM.to_owned(), 1.0 - spam), (SPAM.to_owned(), spam)];
    if spam >= 0.5 {
        ranked.reverse();
    }
    let decided = match (classification.spam_decision, classification.spam.verdict) {
        (Decision::Abstained(_), _) | (_, SpamVerdict::Unsure) => None,
        (_, SpamVerdict::Spam) => Some(SPAM.to_owned()),
        (_, SpamVerdict::Ham) => Some(HAM.to_owned()),
    };
    Outcome { gold: gold.to_owned(), ranked, decided, group }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpamEvaluation {
    shared: Evaluation,
    gold_spam: u64,
    gold_ham: u64,
    spam_as_spam: u64,
    ham_as_ham: u64,
    verdict_spam: u64,
    unsure: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SpamReport {
    pub shared: Report,
    /// Share of the spam with verdict SPAM; UNSURE is not spam.
    pub spam_recall: f64,
    /// Share of the ham with verdict HAM; UNSURE is not ham.
    pub ham_recall: f64,
    /// F1 of the verdict SPAM.
    pub f1_spam: f64,
    /// Share of the documents with verdict UNSURE.
    pub unsure: f64,
}

impl SpamEvaluation {
    /// `outcome` must come from [`outcome`] of the same classification.
    pub fn add(&mut self, outcome: &Outcome) {
        self.shared.add(outcome);
        let is_spam = outcome.gold == SPAM;
        self.gold_spam += u64::from(is_spam);
        self.gold_ham += u64::from(!is_spam);
        match outcome.decided.as_deref() {
            Some(SPAM) => {
                self.verdict_spam += 1;
                self.spam_as_spam += u64::from(is_spam);
            }
            Some(_) => self.ham_as_ham += u64::from(!is_spam),
            None => self.unsure += 1,
        }
    }

    pub fn shared(&self) -> &Evaluation {
        &self.shared
    }

    pub fn report(&self) -> SpamReport {
        SpamReport {
            shared: self.shared.report(),
            spam_recall: ratio(self.spam_as_spam, self.gold_spam),
            ham_recall: ratio(self.ham_as_ham, self.gold_ham),
            f1_spam: label_report(self.spam_as_spam, self.verdict_spam, self.gold_spam).f1,
            unsure: ratio(self.unsure, self.shared.n()),
        }
    }
}
