//! The pipeline, composed in one place.

use crate::bayes::ranking;
use crate::features::{Scratch, with_scratch, with_shared_scratch};
use crate::language::detector::Prior;
use crate::language::{Language, LanguageResult, LanguageSpan, LanguageVerdict, Ranked, spans};
use crate::model::Model;
use crate::model::task::{TextTask, back_off};
use crate::noise::{self, Host, NoiseKind, NoiseSpan, Ranges};
use crate::script::{counts, has_words};
use crate::text::{Article, CleanText, Field, normalize};
use smallvec::SmallVec;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

/// What the caller wants beyond the defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// Return the evidence of topic and spam.
    pub explain: bool,
    /// Return the text with its noise taken out.
    pub clean_text: bool,
    /// How many topics to return at most; 0 means all.
    pub max_topics: usize,
    /// Topics at or above this probability are marked; `None` takes the model's thresholds.
    pub topic_threshold: Option<f64>,
    /// Spam at or above this probability is SPAM; `None` takes the model's.
    pub spam_threshold: Option<f64>,
    /// Stop after language and noise.
    pub language_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            explain: false,
            clean_text: false,
            max_topics: 5,
            topic_threshold: None,
            spam_threshold: None,
            language_only: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct LabelScore {
    /// The model's label, for the shipped model an IPTC code such as `medtop:11000000`.
    pub label_id: Arc<str>,
    pub name: Arc<str>,
    pub probability: f64,
    /// Over its threshold.
    pub selected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbstainReason {
    TooShort,
    UnknownLanguage,
    LowMargin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Decided,
    Abstained(AbstainReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpamVerdict {
    Ham,
    Spam,
    Unsure,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SpamResult {
    pub verdict: SpamVerdict,
    /// Probability of spam.
    pub probability: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Topic,
    Spam,
}

/// A piece of text and its exact share in a label's log-odds by the table of its language, over the whole text: what
/// the pieces of a spam and its offers add is beside that.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub task: Task,
    pub label_id: Arc<str>,
    pub field: Field,
    pub range: Range<usize>,
    /// Natural-log units, towards the label when positive.
    pub log_odds: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    pub language: LanguageResult,
    pub language_spans: Vec<LanguageSpan>,
    pub noise: Vec<NoiseSpan>,
    pub title_noise: Vec<NoiseSpan>,
    /// Share of the text's characters inside noise, 0 to 1.
    pub noise_ratio: f64,
    /// Best first; probabilities sum to at most 1.
    pub topics: Vec<LabelScore>,
    pub topic_decision: Decision,
    pub spam: SpamResult,
    pub spam_decision: Decision,
    pub evidence: Vec<Evidence>,
    pub clean_text: Option<String>,
    /// How much of the text topic and spam looked at.
    pub text_bytes_used: usize,
    pub text_bytes_total: usize,
}

/// Languages whose tables are mixed when the language is not certain.
const MIXED_TABLES: usize = 3;
/// Terms of evidence returned per task.
const EVIDENCE_TERMS: usize = 12;
/// A second language with this share of the letters makes a text `mul`.
const SECOND_LANGUAGE: f64 = 0.3;

/// Which task's view of an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextUse {
    /// Noise taken out, so that a comment form never votes.
    Topic,
    /// Noise left in, a homoglyph is evidence; but the frame of a page is not the author's.
    Spam,
}

/// One field of an article after the first pass.
#[derive(Debug)]
struct Part<'a> {
    text: &'a str,
    noise: Vec<NoiseSpan>,
    /// What was left out of the text for its language, and that text.
    cleaned: Option<(Ranges, CleanText<'a>)>,
}

impl<'a> Part<'a> {
    /// Canonical text, with or without its noise.
    fn clean(&self, usage: TextUse) -> CleanText<'a> {
        let skip = match usage {
            TextUse::Topic => outermost(&self.noise),
            TextUse::Spam => page_frame(self.text, &self.noise),
        };
        // of most articles the three are one
        match &self.cleaned {
            Some((left_out, cleaned)) if *left_out == skip => cleaned.clone(),
            _ => normalize(self.text, &skip),
        }
    }
}

/// An article after language and noise: what every task starts from, in training as in serving.
#[derive(Debug)]
pub struct Prepared<'a> {
    pub language: LanguageResult,
    title: Part<'a>,
    text: Part<'a>,
    noise_ratio: f64,
}

/// The text a task sees, title first, with the way back to both fields.
#[derive(Debug)]
pub struct TaskText<'a> {
    /// Both, where there is a title.
    joined: Option<String>,
    title: CleanText<'a>,
    text: CleanText<'a>,
    /// Where the text begins in `joined`.
    text_start: usize,
}

impl<'a> Prepared<'a> {
    pub fn new(model: &Model, article: &Article<'a>) -> Self {
        let Ok(prepared) = Self::unless(model, article, &|| Ok::<(), Infallible>(()));
        prepared
    }

    fn unless<E>(model: &Model, article: &Article<'a>, stop: &dyn Fn() -> Result<(), E>) -> Result<Self, E> {
        let title = noise::scan(article.title, model.boilerplate());
        let text = noise::scan(article.text, model.boilerplate());
        stop()?;
        let prior = Prior {
            hint: article.language_hint,
            allowed: article.allowed_languages,
            strict: article.strict_languages,
        };
        let mut cleaned = None;
        let language = match model.language() {
            None => LanguageResult {
                verdict: if text.counts().letters() + title.counts().letters() == 0 {
                    LanguageVerdict::NoContent
                } else {
                    LanguageVerdict::Undetermined
                },
                script: text.script(),
                probability: 0.0,
                reliable: false,
                invented: false,
                alternatives: Ranked::new(),
            },
            Some(detector) => {
                let skip = text.skip();
                let of_text = normalize(article.text, &skip);
                let seen = detector.detect(of_text.as_str(), &prior);
                cleaned = Some((skip, of_text));
                // A text that is all noise, or has no letters: the title may tell, or the noise itself.
                match seen.verdict {
                    LanguageVerdict::NoContent if title.counts().letters() > 0 => {
                        detector.detect(article.title, &prior)
                    }
                    LanguageVerdict::NoContent if text.counts().letters() > 0 => {
                        detector.detect(article.text, &prior)
                    }
                    _ => seen,
                }
            }
        };
        stop()?;
        let host = Host { language: known(&language), script: language.script };
        let text_noise = noise::finish(article.text, text, &host, model);
        let title_noise = noise::finish(article.title, title, &host, model);
        Ok(Self {
            language,
            noise_ratio: noise::ratio(article.text, &text_noise),
            title: Part { text: article.title, noise: title_noise, cleaned: None },
            text: Part { text: article.text, noise: text_noise, cleaned },
        })
    }

    /// The detected language, when there is one.
    pub fn known_language(&self) -> Option<Language> {
        known(&self.language)
    }

    pub fn text(&self, usage: TextUse) -> TaskText<'a> {
        let (title, text) = (self.title.clean(usage), self.text.clean(usage));
        let (joined, text_start) = if title.as_str().is_empty() {
            (None, 0)
        } else {
            (Some(format!("{}\n{}", title.as_str(), text.as_str())), title.as_str().len() + 1)
        };
        TaskText { joined, title, text, text_start }
    }
}

impl TaskText<'_> {
    pub fn as_str(&self) -> &str {
        self.joined.as_deref().unwrap_or(self.text.as_str())
    }

    /// How many bytes of the article's text were looked at when `used` bytes of the task's text were.
    fn original_used(&self, used: usize, total: usize) -> usize {
        match used.checked_sub(self.text_start) {
            None => 0,
            Some(of_text) if of_text >= self.text.as_str().len() => total,
            Some(of_text) => self.text.original(of_text),
        }
    }

    fn place(&self, range: Range<usize>) -> (Field, Range<usize>) {
        if range.start >= self.text_start {
            let start = range.start - self.text_start;
            (Field::Text, self.text.original_range(start..(range.end - self.text_start).max(start)))
        } else {
            (Field::Title, self.title.original_range(range.start..range.end.min(self.title.as_str().len())))
        }
    }
}

/// Classifies one article. Cannot fail: odd text gives an honest result.
pub fn classify(model: &Model, article: &Article<'_>, options: &Options) -> Classification {
    let Ok(classification) = classify_unless(model, article, options, &|| Ok::<(), Infallible>(()));
    classification
}

/// [`classify`], given up between two of its stages once `stop` says so. On a text of a megabyte the longest stage
/// is about half of the whole.
pub fn classify_unless<E>(
    model: &Model,
    article: &Article<'_>,
    options: &Options,
    stop: &dyn Fn() -> Result<(), E>,
) -> Result<Classification, E> {
    with_shared_scratch(|| classified(model, article, options, stop))
}

fn classified<E>(
    model: &Model,
    article: &Article<'_>,
    options: &Options,
    stop: &dyn Fn() -> Result<(), E>,
) -> Result<Classification, E> {
    let prepared = Prepared::unless(model, article, stop)?;
    stop()?;
    let host = Host { language: prepared.known_language(), script: prepared.language.script };
    let language_spans = match prepared.language.verdict {
        LanguageVerdict::NoContent => Vec::new(),
        _ => spans::spans(article.text, &host, prepared.language.probability, model),
    };
    let mut classification = Classification {
        language: prepared.language.clone(),
        noise_ratio: prepared.noise_ratio,
        topics: Vec::new(),
        topic_decision: Decision::Abstained(AbstainReason::TooShort),
        spam: SpamResult { verdict: SpamVerdict::Unsure, probability: 0.0 },
        spam_decision: Decision::Abstained(AbstainReason::TooShort),
        evidence: Vec::new(),
        clean_text: None,
        text_bytes_used: 0,
        text_bytes_total: article.text.len(),
        language_spans,
        noise: Vec::new(),
        title_noise: Vec::new(),
    };
    stop()?;
    if options.clean_text {
        classification.clean_text = Some(prepared.text.clean(TextUse::Topic).into_string());
    }
    if !options.language_only {
        with_scratch(|scratch| {
            // Spam looks at all that topics do, and mostly at the same text: what they take is among what is found for it.
            let seen = SpamView::new(model, &prepared, scratch);
            stop()?;
            topics(model, &prepared, options, seen.as_ref(), scratch, &mut classification);
            if let Some(seen) = &seen {
                spam(seen, options, scratch, &mut classification);
            }
            Ok(())
        })?;
    }
    if matches!(classification.language.verdict, LanguageVerdict::Known(_))
        && several_languages(article.text, &classification.language_spans)
    {
        classification.language.verdict = LanguageVerdict::Multiple;
        classification.language.reliable = false;
    }
    classification.noise = noise::told(prepared.text.noise);
    classification.title_noise = noise::told(prepared.title.noise);
    Ok(classification)
}

fn topics(
    model: &Model,
    prepared: &Prepared<'_>,
    options: &Options,
    seen: Option<&SpamView<'_>>,
    scratch: &mut Scratch,
    out: &mut Classification,
) {
    let Some(task) = model.topic() else { return };
    let text = prepared.text(TextUse::Topic);
    let tables = tables(task, &prepared.language);
    let (used, letters) = match seen.and_then(|seen| seen.found_for(&text, task)) {
        Some(found) => {
            scratch.vectorize_part(&task.spec);
            found
        }
        None => {
            let used = scratch.vectorize(text.as_str(), &task.spec);
            (used, counts(&text.as_str()[..used]).letters())
        }
    };
    out.text_bytes_used = text.original_used(used, out.text_bytes_total);
    let p = task.probabilities(&tables, scratch);
    out.topic_decision = decide(task, &p, &text.as_str()[..used], letters, prepared);
    let threshold = options.topic_threshold.unwrap_or(task.rule.threshold);
    let order = ranking(&p);
    let limit = if options.max_topics == 0 { order.len() } else { options.max_topics };
    out.topics = order
        .iter()
        .take(limit)
        .map(|&i| LabelScore {
            label_id: task.labels[i].id.clone(),
            name: task.labels[i].name.clone(),
            probability: p[i],
            selected: p[i] >= threshold,
        })
        .collect();
    if options.explain
        && let Some(&label) = order.first()
        && let Some(&(table, _)) = tables.iter().find(|(table, _)| task.weights.has_met(*table, label))
    {
        explain(task, Task::Topic, table, label, &text, scratch, &mut out.evidence);
    }
}

/// What the spam task makes of an article.
struct SpamView<'a> {
    task: &'a TextTask,
    label: usize,
    text: TaskText<'a>,
    tables: Tables,
    /// Bytes looked at, and the letters in them.
    used: usize,
    letters: u32,
    probability: f64,
}

impl<'a> SpamView<'a> {
    fn new(model: &'a Model, prepared: &Prepared<'a>, scratch: &mut Scratch) -> Option<Self> {
        let task = model.spam()?;
        let label = task.labels.iter().position(|l| &*l.id == "spam")?;
        let text = prepared.text(TextUse::Spam);
        let tables = tables(task, &prepared.language);
        let (used, probability) = match &task.odds {
            Some(odds) => {
                let observed = task.observe(&tables, text.as_str(), scratch);
                (observed.used, odds.probability(&tables, &observed))
            }
            None => {
                let used = scratch.vectorize(text.as_str(), &task.spec);
                let p = task.probabilities(&tables, scratch);
                (used, p.get(label).copied().unwrap_or(0.0))
            }
        };
        let letters = counts(&text.as_str()[..used]).letters();
        Some(Self { task, label, text, tables, used, letters, probability })
    }

    /// Bytes looked at and the letters in them, where what `task` takes of `text` is among what the scratch holds.
    fn found_for(&self, text: &TaskText<'_>, task: &TextTask) -> Option<(usize, u32)> {
        let found = self.task.odds.is_some()
            && task.spec.is_words_alone()
            && task.spec.is_part_of(&self.task.spec)
            && text.as_str() == self.text.as_str();
        found.then_some((self.used, self.letters))
    }
}

fn spam(seen: &SpamView<'_>, options: &Options, scratch: &mut Scratch, out: &mut Classification) {
    let SpamView { task, label, text, tables, letters, probability, .. } = seen;
    let (letters, probability, label) = (*letters, *probability, *label);
    let (low, high) = match options.spam_threshold {
        Some(threshold) => (threshold, threshold),
        None => (task.rule.threshold_low, task.rule.threshold),
    };
    let (verdict, decision) = if letters < task.rule.min_letters {
        (SpamVerdict::Ham, Decision::Abstained(AbstainReason::TooShort))
    } else if probability >= high {
        (SpamVerdict::Spam, Decision::Decided)
    } else if probability < low {
        (SpamVerdict::Ham, Decision::Decided)
    } else {
        (SpamVerdict::Unsure, Decision::Abstained(AbstainReason::LowMargin))
    };
    out.spam = SpamResult { verdict, probability };
    out.spam_decision = decision;
    if options.explain
        && let Some(&(table, _)) = tables.first()
    {
        explain(task, Task::Spam, table, label, text, scratch, &mut out.evidence);
    }
}

fn explain(
    task: &TextTask,
    kind: Task,
    table: usize,
    label: usize,
    text: &TaskText<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<Evidence>,
) {
    for term in task.evidence(table, label, text.as_str(), scratch, EVIDENCE_TERMS) {
        let (field, range) = text.place(term.place.start as usize..term.place.end as usize);
        out.push(Evidence {
            task: kind,
            label_id: task.labels[label].id.clone(),
            field,
            range,
            log_odds: term.log_odds,
        });
    }
}

fn known(language: &LanguageResult) -> Option<Language> {
    match language.verdict {
        LanguageVerdict::Known(language) => Some(language),
        _ => None,
    }
}

/// Ranges to leave out: a foreign label inside a boilerplate line goes with the line.
fn outermost(noise: &[NoiseSpan]) -> Ranges {
    let mut ranges = Ranges::new();
    for span in noise.iter().filter(|s| !matches!(s.kind, NoiseKind::Homoglyph | NoiseKind::BidiControl)) {
        match ranges.last_mut() {
            Some(last) if span.range.start < last.end => last.end = last.end.max(span.range.end),
            _ => ranges.push(span.range.clone()),
        }
    }
    ranges
}

/// Boilerplate around a text; none where it is most of the text, which is then what there is to judge.
fn page_frame(text: &str, noise: &[NoiseSpan]) -> Ranges {
    let lines = noise.iter().filter(|s| s.kind == NoiseKind::Boilerplate);
    let ranges: Ranges = lines.map(|s| s.range.clone()).collect();
    let covered: usize = ranges.iter().map(Range::len).sum();
    if 2 * covered <= text.len() { ranges } else { Ranges::new() }
}

/// Whether two languages each have a fair share of the letters.
fn several_languages(text: &str, spans: &[LanguageSpan]) -> bool {
    if spans.len() < 2 {
        return false;
    }
    let mut letters: SmallVec<[(&'static str, u32); 8]> = SmallVec::new();
    for span in spans {
        let Some(language) = span.language else { continue };
        // An ideograph says more than a letter.
        let weight = if matches!(span.script.as_str(), "Hani" | "Hans" | "Hant" | "Jpan" | "Kore" | "Hang") {
            3
        } else {
            1
        };
        let n = counts(text.get(span.range.clone()).unwrap_or("")).letters() * weight;
        match letters.iter_mut().find(|l| l.0 == language.folded()) {
            Some(known) => known.1 += n,
            None => letters.push((language.folded(), n)),
        }
    }
    letters.sort_by_key(|l| std::cmp::Reverse(l.1));
    let all: u32 = letters.iter().map(|l| l.1).sum();
    letters.get(1).is_some_and(|second| f64::from(second.1) >= SECOND_LANGUAGE * f64::from(all))
}

/// Tables and their weights.
type Tables = SmallVec<[(usize, f64); MIXED_TABLES + 1]>;

/// The tables to ask, with weights: one language's when it is certain, the likeliest ones' otherwise.
fn tables(task: &TextTask, language: &LanguageResult) -> Tables {
    let mut tables = Tables::new();
    for candidate in language.alternatives.iter().take(MIXED_TABLES) {
        if let Some(table) = task.table_for(Some(candidate.language.folded())) {
            match tables.iter_mut().find(|t| t.0 == table) {
                Some(known) => known.1 += candidate.probability,
                None => tables.push((table, candidate.probability)),
            }
        }
    }
    tables.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let top = tables.first().map_or(0.0, |t| t.1);
    tables.retain(|t| t.1 >= 0.2 * top && t.1 > 0.0);
    if tables.is_empty() {
        tables.extend(task.table_for(None).map(|t| (t, 1.0)));
    }
    if task.odds.is_none() {
        // A table that lacks labels asks the pooled one too.
        let mut pooled: Option<(usize, f64)> = None;
        for (table, weight) in &mut tables {
            if let Some((other, share)) = back_off(&task.weights, *table) {
                pooled = Some((other, pooled.map_or(0.0, |p| p.1) + *weight * share));
                *weight *= 1.0 - share;
            }
        }
        tables.extend(pooled);
    }
    tables
}

fn decide(task: &TextTask, p: &[f64], text: &str, letters: u32, prepared: &Prepared<'_>) -> Decision {
    let top = p.iter().copied().fold(0.0, f64::max);
    let known = prepared.known_language().is_some() && !prepared.language.invented;
    let few = |letters: u32| letters < task.rule.min_letters;
    if few(letters) && (prepared.language.reliable || few(counts(prepared.text.text).letters())) {
        Decision::Abstained(AbstainReason::TooShort)
    } else if few(letters) || !known {
        // what was much text and is all noise is not short
        Decision::Abstained(AbstainReason::UnknownLanguage)
    } else if !has_words(text, task.rule.min_words) {
        Decision::Abstained(AbstainReason::TooShort)
    } else if top < task.rule.threshold {
        Decision::Abstained(AbstainReason::LowMargin)
    } else {
        Decision::Decided
    }
}
