//! One calibrated answer from three sources: our naive Bayes over character n-grams, whatlang, and what
//! the script alone tells.

use super::whatlang::{Opinion, knows, opinion};
use super::{Language, LanguageCandidate, LanguageResult, LanguageVerdict, RankLanguages};
use crate::bayes::softmax;
use crate::bayes::weights::Weights;
use crate::features::{FeatureSpec, Scratch};
use crate::script::{Script, counts};
use std::borrow::Cow;

/// Characters per window of a long text, and the most that are looked at in all.
const WINDOW: usize = 200;
/// A text whose dominant script has a smaller share of the letters says nothing of which script counts.
const DOMINANT: f64 = 0.6;
/// Below this share of known n-grams nothing of the text resembles the training languages.
const FAMILIAR: f64 = 0.25;
/// whatlang is asked only when our own answer is less certain than this.
const SURE: f64 = 0.98;
/// Odds whatlang's full confidence is worth, found on held-back words and sentences.
const WHATLANG_ODDS: f64 = 12.0;
/// What being the standard language of a confusable group is worth.
const STANDARD_ODDS: f64 = 2.0;
const HINT_ODDS: f64 = 8.0;
const ALLOWED_ODDS: f64 = 50.0;
/// An answer is reliable from this probability on.
const RELIABLE: f64 = 0.95;

/// The labels, weights and calibration of the language task.
#[derive(Clone, Debug)]
pub struct Detector {
    labels: Vec<(Language, Script)>,
    weights: Weights,
    spec: FeatureSpec,
    /// `(n-grams, temperature)`, ascending: more text repeats itself more, so its scores say less each.
    temperatures: Vec<(f32, f32)>,
}

/// What the caller believes before reading.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prior<'a> {
    pub hint: Option<Language>,
    pub allowed: &'a [Language],
    pub strict: bool,
}

impl Detector {
    pub fn new(
        labels: Vec<(Language, Script)>,
        weights: Weights,
        spec: FeatureSpec,
        temperatures: Vec<(f32, f32)>,
    ) -> Self {
        Self { labels, weights, spec, temperatures }
    }

    pub fn labels(&self) -> &[(Language, Script)] {
        &self.labels
    }

    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    pub fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    /// Scores by label, how many n-grams they rest on and the share of n-grams known.
    pub fn scores(&self, text: &str, scratch: &mut Scratch, scores: &mut Vec<f32>) -> (f32, f64) {
        scores.clear();
        scores.resize(self.labels.len(), 0.0);
        let Some(table) = self.weights.tables().first() else { return (0.0, 0.0) };
        let (mut known, mut all) = (0_u32, 0_u32);
        scratch.emit(text, &self.spec, |hash, count, _| {
            all += count;
            if self.weights.look_up(table, hash | 1 << 63, |label, w| scores[label] += count as f32 * w) {
                known += count;
            }
        });
        for (score, bias) in scores.iter_mut().zip(&table.bias) {
            *score += bias.max(-1e6) * known as f32;
        }
        (known as f32, if all == 0 { 0.0 } else { f64::from(known) / f64::from(all) })
    }

    fn temperature(&self, units: f32) -> f64 {
        let points = &self.temperatures;
        let after = points.partition_point(|p| p.0 < units);
        let temperature = match (after.checked_sub(1).and_then(|i| points.get(i)), points.get(after)) {
            (Some(a), Some(b)) => {
                let t = (units.ln() - a.0.ln()) / (b.0.ln() - a.0.ln()).max(1e-6);
                a.1 + (b.1 - a.1) * t
            }
            (Some(only), None) | (None, Some(only)) => only.1,
            (None, None) => 1.0,
        };
        f64::from(temperature.max(0.05))
    }

    /// Probability of every label, given what the caller believes; and the share of n-grams known.
    fn posterior(&self, text: &str, script: Option<Script>, prior: &Prior<'_>) -> (Vec<f64>, f64) {
        let mut scores = Vec::new();
        let (units, familiar) = self.scores(text, &mut Scratch::default(), &mut scores);
        if let Some(script) = script {
            for (score, (_, own)) in scores.iter_mut().zip(&self.labels) {
                if own.group() != script.group() {
                    *score = f32::NEG_INFINITY;
                }
            }
        }
        let mut p = softmax(&scores, self.temperature(units));
        let top = p.iter().copied().fold(0.0, f64::max);
        if top < SURE
            && let Some(seen) = opinion(text)
        {
            self.listen(&mut p, seen);
        }
        if let Some(hint) = prior.hint {
            self.favour(&mut p, HINT_ODDS, |l| l.folded() == hint.folded());
        }
        if !prior.allowed.is_empty() {
            let odds = if prior.strict { f64::INFINITY } else { ALLOWED_ODDS };
            self.favour(&mut p, odds, |l| prior.allowed.iter().any(|a| a.folded() == l.folded()));
        }
        (p, familiar)
    }

    /// Moves probability among the languages whatlang knows; what it never heard of keeps its own, as
    /// its answer says nothing about Bosnian when it can only say Croatian.
    fn listen(&self, p: &mut [f64], seen: Opinion) {
        let odds = 1.0 + WHATLANG_ODDS * seen.confidence;
        let known: Vec<bool> = self.labels.iter().map(|(l, _)| knows(*l)).collect();
        let mass = |p: &[f64]| -> f64 { p.iter().zip(&known).filter(|(_, k)| **k).map(|(p, _)| p).sum() };
        let before = mass(p);
        for (p, (language, _)) in p.iter_mut().zip(&self.labels) {
            if language.folded() == seen.language.folded() {
                *p *= odds;
            }
        }
        let after = mass(p);
        if after > 0.0 {
            p.iter_mut().zip(&known).filter(|(_, k)| **k).for_each(|(p, _)| *p *= before / after);
        }
    }

    fn favour(&self, p: &mut [f64], odds: f64, favoured: impl Fn(Language) -> bool) {
        for (p, (language, _)) in p.iter_mut().zip(&self.labels) {
            if odds.is_infinite() {
                *p *= f64::from(u8::from(favoured(*language)));
            } else if favoured(*language) {
                *p *= odds;
            }
        }
        let sum: f64 = p.iter().sum();
        if sum > 0.0 {
            p.iter_mut().for_each(|p| *p /= sum);
        }
    }

    /// Labels with their probabilities, best first. A confusable group (Arabic and its dialects) competes
    /// as one and then gives its best member first.
    fn candidates(&self, p: &[f64]) -> Vec<(usize, f64)> {
        let mut order: Vec<usize> = (0..p.len()).filter(|&i| p[i] > 1e-4).collect();
        let group: Vec<f64> = order
            .iter()
            .map(|&i| {
                let folded = self.labels[i].0.folded();
                order.iter().filter(|&&j| self.labels[j].0.folded() == folded).map(|&j| p[j]).sum()
            })
            .collect();
        // Between close relatives the standard language has the benefit of the doubt: it is what most
        // articles are written in.
        let standard = |i: usize| {
            let language = self.labels[i].0;
            if Language::parse(language.folded()) == Some(language) { STANDARD_ODDS } else { 1.0 }
        };
        let mut ranked: Vec<(usize, f64, f64)> =
            order.drain(..).zip(group).map(|(i, group)| (i, group, p[i] * standard(i))).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.2.total_cmp(&a.2)).then(a.0.cmp(&b.0)));
        ranked.into_iter().map(|(i, _, _)| (i, p[i])).collect()
    }

    /// What a whole text is written in.
    pub fn detect(&self, text: &str, prior: &Prior<'_>) -> LanguageResult {
        let sample = sample(text);
        let counted = counts(&sample);
        let (script, letters) = (counted.dominant(), counted.letters());
        let nothing = |verdict| LanguageResult {
            verdict,
            script,
            probability: if verdict == LanguageVerdict::NoContent { 1.0 } else { 0.0 },
            reliable: false,
            alternatives: Vec::new(),
        };
        if letters == 0 {
            return nothing(LanguageVerdict::NoContent);
        }
        let certain = f64::from(counted.of(script)) >= DOMINANT * f64::from(letters)
            || matches!(script, Script::JAPANESE | Script::KOREAN);
        let (p, familiar) = self.posterior(&sample, certain.then_some(script), prior);
        let ranked = self.candidates(&p);
        let alternatives: Vec<LanguageCandidate> = ranked
            .iter()
            .take(5)
            .map(|&(i, probability)| {
                let (language, script) = self.labels[i];
                LanguageCandidate { language, script, probability }
            })
            .collect();
        // Latin is in no training text: whatlang alone knows it, and is believed where nothing else fits well.
        let latin = (script == Script::LATIN && p.iter().copied().fold(0.0, f64::max) < SURE)
            .then(|| opinion(&sample))
            .flatten()
            .filter(|seen| seen.language.as_str() == "lat" && seen.reliable);
        if let Some(seen) = latin {
            let best = LanguageCandidate { language: seen.language, script, probability: seen.confidence };
            let mut alternatives = alternatives;
            for other in &mut alternatives {
                other.probability *= 1.0 - seen.confidence;
            }
            alternatives.insert(0, best);
            alternatives.truncate(5);
            return LanguageResult {
                verdict: LanguageVerdict::Known(seen.language),
                script,
                probability: seen.confidence,
                reliable: seen.confidence >= RELIABLE,
                alternatives,
            };
        }
        let Some(best) = alternatives.first().copied() else {
            return nothing(LanguageVerdict::Undetermined);
        };
        let probability: f64 = p
            .iter()
            .zip(&self.labels)
            .filter(|(_, (l, _))| l.folded() == best.language.folded())
            .map(|(p, _)| p)
            .sum::<f64>()
            .min(1.0);
        if familiar < FAMILIAR {
            return LanguageResult { alternatives, ..nothing(LanguageVerdict::Undetermined) };
        }
        LanguageResult {
            verdict: LanguageVerdict::Known(best.language),
            script: best.script,
            probability,
            reliable: probability >= RELIABLE,
            alternatives,
        }
    }
}

impl RankLanguages for Detector {
    fn rank(&self, text: &str, limit: usize) -> Vec<LanguageCandidate> {
        let counted = counts(text);
        if counted.letters() == 0 {
            return Vec::new();
        }
        let script = counted.dominant();
        let certain = f64::from(counted.of(script)) >= DOMINANT * f64::from(counted.letters())
            || matches!(script, Script::JAPANESE | Script::KOREAN);
        let (p, _) = self.posterior(text, certain.then_some(script), &Prior::default());
        self.candidates(&p)
            .into_iter()
            .take(limit)
            .map(|(i, probability)| {
                let (language, script) = self.labels[i];
                LanguageCandidate { language, script, probability }
            })
            .collect()
    }
}

/// The head, the middle and the tail of a long text: enough to tell its language at a bounded cost.
fn sample(text: &str) -> Cow<'_, str> {
    if text.len() <= 4 * WINDOW {
        return Cow::Borrowed(text);
    }
    let window = |from: usize| -> &str {
        let from = (from..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
        // Start after a space when one is near, so that no word is cut.
        let rest = &text[from..];
        let skip = if from == 0 {
            0
        } else {
            rest.char_indices().take(24).find(|(_, c)| c.is_whitespace()).map_or(0, |(i, _)| i)
        };
        let rest = &rest[skip..];
        let end = rest.char_indices().nth(WINDOW).map_or(rest.len(), |(i, _)| i);
        &rest[..end]
    };
    let head = window(0);
    let middle = window(text.len() / 2);
    let tail = window(text.len().saturating_sub(head.len() + 8).max(head.len()));
    Cow::Owned([head, middle, tail].join("\n"))
}
