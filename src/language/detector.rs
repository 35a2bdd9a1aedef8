//! One calibrated answer: our naive Bayes over character n-grams among the labels the script leaves. whatlang
//! names Latin, which has no training text.

use super::prior::{log_prior, log_prior_among_relatives, relatives};
use super::rows::Rows;
use super::vocabulary::Vocabulary;
use super::whatlang::{Peer, may_be_said_latin, opinion, peer};
use super::{Language, LanguageCandidate, LanguageResult, LanguageVerdict, RankLanguages, Ranked};
use crate::bayes::weights::Weights;
use crate::class::is_whitespace;
use crate::features::{FeatureSpec, Scratch, with_scratch};
use crate::script::{Script, counts, group_of};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// The table of all labels, and that of the labels with close relatives.
pub const POOLED: &str = "*";
pub const RELATIVES: &str = "relatives";
/// A longer text, in bytes, is looked at through three windows of so many characters; at a glance first, and where
/// that leaves no doubt no more.
const WHOLE: usize = 800;
const WINDOW: usize = 200;
const GLANCE: usize = 80;
const SURE: f64 = 0.999;
/// A text whose dominant script has a smaller share of the letters says nothing of which script counts.
const DOMINANT: f64 = 0.6;
/// Below this share of known n-grams nothing of the text resembles the training languages.
const FAMILIAR: f64 = 0.15;
/// In alphabets, where every n-gram of random letters is a fair one of some language, what is known must also
/// fit: mean log-likelihood of a known n-gram, plus this for every unknown share. Random letters, code and
/// encoded data stay below, sentences of all languages of the training data above.
const FIT_OF_FAMILIAR: f64 = 10.0;
const FIT: f64 = -2.0;
/// Fewer n-grams than about three words give may be a name.
const FIT_UNITS: f32 = 60.0;
/// Temperatures are learned on words of sentences; a word on its own is less typical of its language. So much
/// higher is the temperature of a single n-gram, the less with more of them, and as learned from `FEW_UNITS` on.
const ALONE: f64 = 0.3;
const FEW_UNITS: f32 = 60.0;
/// Share of the letters from which on a text is in one script.
const ONE_SCRIPT: f64 = 0.9;
/// Code has more of its marks per character, blanks left out.
const CODE_MARKS: f64 = 0.12;
/// What being the standard language of a confusable group is worth.
const STANDARD_ODDS: f64 = 2.0;
const HINT_ODDS: f64 = 8.0;
const ALLOWED_ODDS: f64 = 50.0;
/// An answer is reliable from this probability on.
const RELIABLE: f64 = 0.95;

/// Natural-log odds from which on words are taken for invented, and from which on the text is in no language.
const INVENTED: f64 = 2.0;
const SURELY_INVENTED: f64 = 5.0;
/// What n-grams add to that, for each unit of [`Judged::resemblance`] under the usual.
const UNUSUAL: f64 = 3.0;
const USUAL: f64 = 0.5;
/// What an answer needs for its words to be asked beside the first one's: relatives share most of theirs.
const ALSO: f64 = 0.1;

/// A lead per n-gram above which no text is Latin taken for something else: whatlang need not be asked.
const CLEAR: f64 = 0.5;
/// What lies this far behind the best label would not show in any probability.
const BEHIND: f64 = -30.0;
/// Fewer n-grams than a very long word or two common ones give are not called Latin: whatlang's guess of one word is
/// hardly ever sure enough, and costs several times our own.
const LATIN_UNITS: f32 = 60.0;

/// No training text is Latin, so whatlang alone names it. How far to believe it: a logistic regression on its
/// confidence, the lead of our own best language per n-gram and the number of n-grams.
fn latin_probability(confidence: f64, margin: f64, units: f32) -> f64 {
    let logit =
        -2.29 + 4.94 * confidence - 2.50 * margin.clamp(0.0, 3.0) + 0.366 * f64::from(units + 1.0).ln();
    1.0 / (1.0 + (-logit).exp())
}

/// What a text looks like before its language is settled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    pub script: Script,
    pub letters: u32,
    /// N-grams the model knows.
    pub units: f32,
    /// Their share of all n-grams.
    pub familiar: f64,
    /// Mean log-likelihood of a known n-gram under the best label.
    pub fit: f64,
    /// In one alphabet but for a tenth of the letters: [`Self::fit`] tells nothing of a text in two, as no
    /// label fits both.
    pub one_alphabet: bool,
}

impl Judged {
    /// Whether the text resembles no language of the model.
    fn is_strange(&self) -> bool {
        self.familiar < FAMILIAR || self.one_alphabet && self.units >= FIT_UNITS && self.resemblance() < FIT
    }

    /// How like a language a text in one alphabet is: sentences are above [`USUAL`] mostly, pronounceable nonsense below.
    fn resemblance(&self) -> f64 {
        self.fit + FIT_OF_FAMILIAR * self.familiar
    }
}

/// A bit for every mark of code.
const CODE: u128 = {
    let (marks, mut bits, mut at) = (b"{}[]()<>=;_/\\|&$#@*+^~", 0, 0);
    while at < marks.len() {
        bits |= 1 << marks[at];
        at += 1;
    }
    bits
};

/// Whether so many marks of code stand in a text that its words are names of a program.
fn is_code(text: &str) -> bool {
    let (mut marks, mut all) = (0_u32, 0_u32);
    for c in text.chars().filter(|c| !is_whitespace(*c)) {
        all += 1;
        marks += u32::from(c.is_ascii() && CODE >> c as u32 & 1 == 1);
    }
    marks >= 6 && f64::from(marks) >= CODE_MARKS * f64::from(all)
}

/// A label and what it is worth among others.
#[derive(Clone, Copy, Debug)]
pub struct Likely {
    label: usize,
    p: f64,
    /// What its group has together.
    of_group: f64,
    /// Its own part, the standard language of a group preferred.
    worth: f64,
}

impl Likely {
    fn new(label: usize, p: f64) -> Self {
        Self { label, p, of_group: p, worth: p }
    }
}

/// A text of some words that nothing fits clearly.
struct MayBeLatin {
    /// By how much the best language leads the next, for each n-gram.
    margin: f64,
    /// The best language as whatlang knows it.
    peer: Option<Peer>,
}

/// Latin and its probability, where whatlang names it.
fn latin(text: &str, may_be: MayBeLatin, prior: &Prior<'_>, units: f32) -> Option<(Language, f64)> {
    if !may_be_said_latin(text, may_be.peer) {
        return None;
    }
    let seen = opinion(text).filter(|seen| seen.language.as_str() == "lat")?;
    let allowed = !prior.strict || prior.allowed.is_empty() || prior.allowed.contains(&seen.language);
    allowed.then(|| (seen.language, latin_probability(seen.confidence, may_be.margin, units)))
}

/// What is asked of a label for every text, found once.
#[derive(Clone, Copy, Debug)]
struct LabelFacts {
    log_prior: f32,
    /// The script's group, as an index.
    group: u8,
    /// First label of the same folded code, and of the same close relatives: equal where those are.
    folded: u16,
    relatives: u16,
    /// The benefit of the doubt among relatives.
    standard_odds: f64,
    /// The language as whatlang knows it.
    peer: Option<Peer>,
}

impl LabelFacts {
    fn of(labels: &[(Language, Script)]) -> Vec<Self> {
        let first = |same: &dyn Fn(Language) -> bool| {
            labels.iter().position(|(other, _)| same(*other)).unwrap_or_default() as u16
        };
        let facts = |&(language, script): &(Language, Script)| Self {
            log_prior: log_prior(language),
            group: group_of(script.id()),
            folded: first(&|other| other.folded() == language.folded()),
            relatives: first(&|other| relatives(other) == relatives(language)),
            // Between close relatives the standard language has the benefit of the doubt: it is what most
            // articles are written in.
            standard_odds: match Language::parse(language.folded()) == Some(language) {
                true => STANDARD_ODDS,
                false => 1.0,
            },
            peer: peer(language),
        };
        labels.iter().map(facts).collect()
    }
}

/// The labels, weights and calibration of the language task.
#[derive(Clone, Debug)]
pub struct Detector {
    labels: Vec<(Language, Script)>,
    facts: Vec<LabelFacts>,
    rows: Arc<Rows>,
    weights: Weights,
    spec: FeatureSpec,
    /// `(n-grams, temperature)`, ascending: more text repeats itself more, so its scores say less each.
    temperatures: Vec<(f32, f32)>,
    vocabulary: Vocabulary,
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
        let rows = Arc::new(Rows::new(&labels, &weights));
        let vocabulary = Vocabulary::default();
        Self { facts: LabelFacts::of(&labels), rows, labels, weights, spec, temperatures, vocabulary }
    }

    /// The same with the words of its labels.
    pub fn with_vocabulary(self, vocabulary: Vocabulary) -> Self {
        Self { vocabulary, ..self }
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
        self.scores_of(POOLED, text, None, scratch, scores)
    }

    /// [`Self::scores`] of a table; right for the labels of the script's group alone when one is given.
    fn scores_of(
        &self,
        table: &str,
        text: &str,
        group: Option<u8>,
        scratch: &mut Scratch,
        scores: &mut Vec<f32>,
    ) -> (f32, f64) {
        scores.clear();
        scores.resize(self.labels.len(), 0.0);
        let table = self.weights.table(table).and_then(|at| self.weights.tables().get(at));
        let Some(table) = table else { return (0.0, 0.0) };
        let within = group.map_or(0..self.rows.width(), |group| self.rows.of_group(group));
        let mut sums = std::mem::take(&mut scratch.scores);
        sums.clear();
        sums.resize(self.rows.width(), 0.0);
        let mut found = std::mem::take(&mut scratch.found);
        let ngrams = scratch.list(text, &self.spec);
        let all: u32 = ngrams.iter().map(|(_, count)| count).sum();
        let of_table = &mut found[usize::from(table.name != POOLED)];
        let known = self.rows.add_all(&self.weights, table, ngrams, &within, of_table, &mut sums);
        scratch.found = found;
        for (label, score) in scores.iter_mut().enumerate() {
            let (bias, offset) = (table.bias[label], table.offsets[label]);
            *score = if bias == f32::MIN || bias == f32::NEG_INFINITY {
                f32::NEG_INFINITY
            } else {
                sums[self.rows.column(label)] + bias * known as f32 + offset
            };
        }
        scratch.scores = sums;
        (known as f32, if all == 0 { 0.0 } else { f64::from(known) / f64::from(all) })
    }

    /// What the evidence and the prior say together, before the temperature: [`Self::scores`] with what a
    /// language is worth unread, and minus infinity where the script rules a label out. Also the script.
    pub fn judge(&self, text: &str, scratch: &mut Scratch, scores: &mut Vec<f32>) -> Judged {
        let counted = counts(text);
        let (script, letters) = (counted.dominant(), counted.letters());
        let group = group_of(script.id());
        let certain = f64::from(counted.of(script)) >= DOMINANT * f64::from(letters)
            || matches!(script, Script::JAPANESE | Script::KOREAN);
        let one_alphabet = matches!(script, Script::LATIN | Script::CYRILLIC)
            && f64::from(counted.of(script)) >= ONE_SCRIPT * f64::from(letters);
        let mut judged = Judged { script, letters, units: 0.0, familiar: 0.0, fit: 0.0, one_alphabet };
        // A text that fits no label of its script may fit one of another: only then are all asked.
        for group in [certain.then_some(group), None] {
            (judged.units, judged.familiar) = self.scores_of(POOLED, text, group, scratch, scores);
            let of_group = |(_, label): &(&f32, &LabelFacts)| group.is_none_or(|group| label.group == group);
            let asked = scores.iter().zip(&self.facts).filter(of_group).map(|(score, _)| *score);
            judged.fit = f64::from(asked.fold(f32::NEG_INFINITY, f32::max) / judged.units.max(1.0));
            if group.is_none() || !judged.is_strange() {
                break;
            }
        }
        for (score, label) in scores.iter_mut().zip(&self.facts) {
            *score += label.log_prior;
            if certain && label.group != group {
                *score = f32::NEG_INFINITY;
            }
        }
        self.tell_relatives_apart(text, scratch, scores);
        judged
    }

    /// Divides what a group of close relatives has together by the table trained on them alone.
    fn tell_relatives_apart(&self, text: &str, scratch: &mut Scratch, scores: &mut [f32]) {
        let best = scores.iter().zip(&self.facts).max_by(|a, b| a.0.total_cmp(b.0));
        let Some((&best, of_best)) = best else { return };
        let close = |label: &LabelFacts| (label.relatives, label.group) == (of_best.relatives, of_best.group);
        let members = || (0..self.facts.len()).filter(|&i| close(&self.facts[i]));
        if members().nth(1).is_none() {
            return;
        }
        let mut among = std::mem::take(&mut scratch.relatives);
        let (units, _) = self.scores_of(RELATIVES, text, Some(of_best.group), scratch, &mut among);
        if units == 0.0 {
            scratch.relatives = among;
            return;
        }
        for i in members() {
            among[i] += log_prior_among_relatives(self.labels[i].0, units);
        }
        let top = members().map(|i| among[i]).fold(f32::NEG_INFINITY, f32::max);
        if top.is_finite() {
            for i in members() {
                scores[i] = best + among[i] - top;
            }
        }
        scratch.relatives = among;
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
        let few = 1.0 - f64::from(units.max(1.0)).ln() / f64::from(FEW_UNITS).ln();
        f64::from(temperature.max(0.05)) * (1.0 + ALONE * few.max(0.0))
    }

    /// Probability of the labels that have any, given what the caller believes, into `likely`; and whether the text
    /// may be Latin, of which they know nothing.
    fn posterior(
        &self,
        text: &str,
        prior: &Prior<'_>,
        likely: &mut Vec<Likely>,
    ) -> (Judged, Option<MayBeLatin>) {
        let (judged, may_be_latin) = with_scratch(|scratch| {
            let mut scores = std::mem::take(&mut scratch.labels);
            let judged = self.judge(text, scratch, &mut scores);
            // what the caller believes may make a language of one that lies far behind
            let far = prior.hint.is_some() || !prior.allowed.is_empty();
            let behind = if far { f64::MIN } else { BEHIND };
            self.likely(&scores, self.temperature(judged.units), behind, likely);
            // only a text of some words may be Latin, and only one that nothing fits clearly
            let may_be = judged.script == Script::LATIN && judged.units >= LATIN_UNITS;
            let lead = if may_be { self.lead(&scores) } else { None };
            scratch.labels = scores;
            let units = f64::from(judged.units.max(1.0));
            let may_be = lead.map(|(margin, peer)| MayBeLatin { margin: margin / units, peer });
            (judged, may_be.filter(|may_be| may_be.margin < CLEAR))
        });
        if let Some(hint) = prior.hint {
            self.favour(likely, HINT_ODDS, |l| l.folded() == hint.folded());
        }
        if !prior.allowed.is_empty() {
            let odds = if prior.strict { f64::INFINITY } else { ALLOWED_ODDS };
            self.favour(likely, odds, |l| prior.allowed.iter().any(|a| a.folded() == l.folded()));
        }
        (judged, may_be_latin)
    }

    /// By how much the best language leads the next, relatives under one folded code being one, and the best as
    /// whatlang knows it.
    fn lead(&self, scores: &[f32]) -> Option<(f64, Option<Peer>)> {
        let (best, of_best) = scores.iter().zip(&self.facts).max_by(|a, b| a.0.total_cmp(b.0))?;
        let next = scores
            .iter()
            .zip(&self.facts)
            .filter(|(_, other)| other.folded != of_best.folded)
            .map(|(score, _)| *score)
            .fold(f32::NEG_INFINITY, f32::max);
        Some((f64::from(best - next), of_best.peer))
    }

    fn favour(&self, likely: &mut [Likely], odds: f64, favoured: impl Fn(Language) -> bool) {
        for l in &mut *likely {
            let favoured = favoured(self.labels[l.label].0);
            if odds.is_infinite() {
                l.p *= f64::from(u8::from(favoured));
            } else if favoured {
                l.p *= odds;
            }
        }
        let sum: f64 = likely.iter().map(|l| l.p).sum();
        if sum > 0.0 {
            likely.iter_mut().for_each(|l| l.p /= sum);
        }
    }

    /// Probability of every label whose lead over the first is more than `behind`, in natural-log units.
    fn likely(&self, scores: &[f32], temperature: f64, behind: f64, likely: &mut Vec<Likely>) {
        likely.clear();
        let top = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        if top == f64::NEG_INFINITY {
            return;
        }
        let leads = scores.iter().map(|score| (f64::from(*score) - top) / temperature);
        let near = leads.enumerate().filter(|(_, lead)| *lead > behind);
        likely.extend(near.map(|(label, lead)| Likely::new(label, lead.exp())));
        let sum: f64 = likely.iter().map(|l| l.p).sum();
        likely.iter_mut().for_each(|l| l.p /= sum);
    }

    /// Puts labels in order, best first, the unlikely left out. A confusable group (Arabic and its dialects)
    /// competes as one and then gives its best member first.
    fn put_in_order(&self, likely: &mut Vec<Likely>) {
        let mut of_group: SmallVec<[f64; 256]> = smallvec![0.0; self.facts.len()];
        let facts = |l: &Likely| &self.facts[l.label];
        likely.iter().for_each(|l| of_group[usize::from(facts(l).folded)] += l.p);
        likely.retain(|l| l.p > 1e-4);
        for l in &mut *likely {
            let own = facts(l);
            (l.of_group, l.worth) = (of_group[usize::from(own.folded)], l.p * own.standard_odds);
        }
        likely.sort_unstable_by(|a, b| {
            (b.of_group.total_cmp(&a.of_group)).then(b.worth.total_cmp(&a.worth)).then(a.label.cmp(&b.label))
        });
    }

    fn candidate(&self, likely: &Likely) -> LanguageCandidate {
        let (language, script) = self.labels[likely.label];
        LanguageCandidate { language, script, probability: likely.p }
    }

    /// What a whole text is written in.
    pub fn detect(&self, text: &str, prior: &Prior<'_>) -> LanguageResult {
        let mut likely = with_scratch(|scratch| std::mem::take(&mut scratch.likely));
        let result = self.detect_into(text, prior, &mut likely);
        with_scratch(|scratch| scratch.likely = likely);
        result
    }

    /// [`Self::detect`] with a buffer to use.
    fn detect_into(&self, text: &str, prior: &Prior<'_>, likely: &mut Vec<Likely>) -> LanguageResult {
        if text.len() <= WHOLE {
            return self.detect_sample(text, prior, likely);
        }
        let mut looked_at = String::with_capacity(4 * (3 * WINDOW + 2));
        sample(text, GLANCE, &mut looked_at);
        let glance = looked_at.as_str();
        let (judged, may_be_latin) = self.posterior(glance, prior, likely);
        if may_be_latin.is_none() {
            let seen = self.result(glance, judged, None, prior, likely);
            let sure = seen.alternatives.first().is_some_and(|best| best.probability >= SURE);
            if sure && matches!(seen.verdict, LanguageVerdict::Known(_)) {
                return seen;
            }
        }
        sample(text, WINDOW, &mut looked_at);
        self.detect_sample(&looked_at, prior, likely)
    }

    fn detect_sample(&self, sample: &str, prior: &Prior<'_>, likely: &mut Vec<Likely>) -> LanguageResult {
        let (judged, may_be) = self.posterior(sample, prior, likely);
        let latin = may_be.and_then(|may_be| latin(sample, may_be, prior, judged.units));
        self.result(sample, judged, latin, prior, likely)
    }

    /// What a sample's posterior comes to; `latin` with its probability, where whatlang names it.
    fn result(
        &self,
        sample: &str,
        judged: Judged,
        latin: Option<(Language, f64)>,
        prior: &Prior<'_>,
        likely: &mut Vec<Likely>,
    ) -> LanguageResult {
        let Judged { script, letters, .. } = judged;
        let nothing = |verdict| LanguageResult {
            verdict,
            script,
            probability: if verdict == LanguageVerdict::NoContent { 1.0 } else { 0.0 },
            reliable: false,
            invented: false,
            alternatives: Ranked::new(),
        };
        if letters == 0 {
            return nothing(LanguageVerdict::NoContent);
        }
        self.put_in_order(likely);
        let alternatives: Ranked = likely.iter().take(5).map(|l| self.candidate(l)).collect();
        if let Some((language, probability)) = latin
            && probability > 0.5
            && !judged.is_strange()
            && !is_code(sample)
        {
            let best = LanguageCandidate { language, script, probability };
            let mut alternatives = alternatives;
            for other in &mut alternatives {
                other.probability *= 1.0 - probability;
            }
            alternatives.insert(0, best);
            alternatives.truncate(5);
            return LanguageResult {
                verdict: LanguageVerdict::Known(language),
                script,
                probability,
                reliable: probability >= RELIABLE,
                invented: false,
                alternatives,
            };
        }
        let (Some(best), Some(of_best)) = (alternatives.first().copied(), likely.first()) else {
            return nothing(LanguageVerdict::Undetermined);
        };
        let probability = of_best.of_group.min(1.0);
        if judged.is_strange() || script == Script::LATIN && is_code(sample) {
            return LanguageResult { alternatives, ..nothing(LanguageVerdict::Undetermined) };
        }
        let invented = self.invented(sample, &judged, prior, likely);
        if invented >= SURELY_INVENTED {
            return LanguageResult { invented: true, alternatives, ..nothing(LanguageVerdict::Undetermined) };
        }
        let invented = invented >= INVENTED;
        LanguageResult {
            verdict: LanguageVerdict::Known(best.language),
            script: best.script,
            probability,
            reliable: probability >= RELIABLE && !invented,
            invented,
            alternatives,
        }
    }

    /// Natural-log odds that a sample's words are invented, over the likeliest languages in order.
    fn invented(&self, sample: &str, judged: &Judged, prior: &Prior<'_>, likely: &[Likely]) -> f64 {
        // those that only the hint has made unlikely are asked, too
        let also = if prior.hint.is_some() { ALSO / HINT_ODDS } else { ALSO };
        let asked = likely.iter().enumerate().take_while(|(place, l)| *place == 0 || l.p >= also);
        let odds = asked.map(|(_, l)| {
            let hinted = prior.hint.is_some_and(|hint| hint.folded() == self.labels[l.label].0.folded());
            let odds = self.vocabulary.invented(l.label, self.facts[l.label].group, sample);
            odds - if hinted { HINT_ODDS.ln() } else { 0.0 }
        });
        let unusual = if judged.one_alphabet { UNUSUAL * (USUAL - judged.resemblance()) } else { 0.0 };
        odds.fold(f64::INFINITY, f64::min) + unusual
    }
}

impl RankLanguages for Detector {
    fn rank(&self, text: &str, limit: usize) -> Ranked {
        with_scratch(|scratch| {
            let (mut scores, mut likely) =
                (std::mem::take(&mut scratch.labels), std::mem::take(&mut scratch.likely));
            let judged = self.judge(text, scratch, &mut scores);
            let mut candidates = Ranked::new();
            if judged.letters > 0 {
                self.likely(&scores, self.temperature(judged.units), BEHIND, &mut likely);
                self.put_in_order(&mut likely);
                candidates.extend(likely.iter().take(limit).map(|l| self.candidate(l)));
            }
            (scratch.labels, scratch.likely) = (scores, likely);
            candidates
        })
    }
}

/// The head, the middle and the tail of a long text, each of so many characters: enough to tell its language at a
/// bounded cost.
fn sample(text: &str, length: usize, into: &mut String) {
    let window = |from: usize| -> &str {
        let from = (from..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
        // Start after a space when one is near, so that no word is cut.
        let rest = &text[from..];
        let skip = if from == 0 {
            0
        } else {
            rest.char_indices().take(24).find(|(_, c)| is_whitespace(*c)).map_or(0, |(i, _)| i)
        };
        let rest = &rest[skip..];
        let end = rest.char_indices().nth(length).map_or(rest.len(), |(i, _)| i);
        &rest[..end]
    };
    let head = window(0);
    let middle = window(text.len() / 2);
    let tail = window(text.len().saturating_sub(head.len() + 8).max(head.len()));
    into.clear();
    for window in [head, "\n", middle, "\n", tail] {
        into.push_str(window);
    }
}
