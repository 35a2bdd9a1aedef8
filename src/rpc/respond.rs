//! Classifications into messages. The clock is read here, never in the core.

use crate::classify::{
    AbstainReason, Classification, Decision, Evidence, LabelScore, SpamVerdict, Task, classify_unless,
};
use crate::language::{LanguageCandidate, LanguageResult, LanguageSpan, LanguageVerdict};
use crate::model::Model;
use crate::noise::{NoiseKind, NoiseSpan};
use crate::rpc::convert::{Checked, InvalidRequest, Limits};
use crate::rpc::offsets::Offsets;
use crate::rpc::pb;
use crate::rpc::tag::bcp47;
use crate::text::Field;
use std::convert::Infallible;
use std::ops::Range;
use std::time::Instant;

/// The whole of a unary call but its transport; the command line answers through it too.
pub fn classify_to_response(
    model: &Model,
    request: pb::ClassifyArticleRequest,
    limits: &Limits,
) -> Result<pb::ClassifyArticleResponse, InvalidRequest> {
    let Ok(response) = classify_unless_stopped(model, request, limits, &|| Ok::<(), Infallible>(()));
    response
}

/// The same, given up once `stop` says so.
pub(crate) fn classify_unless_stopped<E>(
    model: &Model,
    request: pb::ClassifyArticleRequest,
    limits: &Limits,
    stop: &dyn Fn() -> Result<(), E>,
) -> Result<Result<pb::ClassifyArticleResponse, InvalidRequest>, E> {
    let begun = Instant::now();
    let checked = match Checked::new(request, limits) {
        Ok(checked) => checked,
        Err(error) => return Ok(Err(error)),
    };
    let (found, classify_micros) = timed(model, &checked, stop)?;
    let texts = Texts::new(&checked);
    let mut response = pb::ClassifyArticleResponse {
        language: Some(language(&found.language)),
        language_spans: found.language_spans.iter().map(|span| texts.language_span(span)).collect(),
        noise: texts.noise(&found),
        noise_ratio: found.noise_ratio,
        topics: found.topics.into_iter().map(label_score).collect(),
        topic_decision: Some(decision(found.topic_decision)),
        spam: Some(pb::SpamResult {
            verdict: match found.spam.verdict {
                SpamVerdict::Ham => pb::SpamVerdict::Ham,
                SpamVerdict::Spam => pb::SpamVerdict::Spam,
                SpamVerdict::Unsure => pb::SpamVerdict::Unsure,
            } as i32,
            probability: found.spam.probability,
        }),
        spam_decision: Some(decision(found.spam_decision)),
        evidence: found.evidence.iter().map(|evidence| texts.evidence(evidence)).collect(),
        clean_text: found.clean_text,
        model_version: model.version().to_owned(),
        text_bytes_used: found.text_bytes_used as u32,
        text_bytes_total: checked.text_bytes_total as u32,
        truncated: checked.truncated,
        timings: None,
        article_id: String::new(),
    };
    response.article_id = checked.id;
    response.timings = Some(timings(classify_micros, begun));
    Ok(Ok(response))
}

/// Language and noise alone.
pub fn detect_to_response(
    model: &Model,
    request: pb::DetectLanguageRequest,
    limits: &Limits,
) -> Result<pb::DetectLanguageResponse, InvalidRequest> {
    let Ok(response) = detect_unless_stopped(model, request, limits, &|| Ok::<(), Infallible>(()));
    response
}

/// The same, given up once `stop` says so.
pub(crate) fn detect_unless_stopped<E>(
    model: &Model,
    request: pb::DetectLanguageRequest,
    limits: &Limits,
    stop: &dyn Fn() -> Result<(), E>,
) -> Result<Result<pb::DetectLanguageResponse, InvalidRequest>, E> {
    let begun = Instant::now();
    let options = pb::ClassifyOptions {
        truncate: request.truncate,
        allowed_languages: request.allowed_languages,
        strict_languages: request.strict_languages,
        ..Default::default()
    };
    let request = pb::ClassifyArticleRequest {
        article: request.article,
        offset_encoding: request.offset_encoding,
        options: Some(options),
    };
    let mut checked = match Checked::new(request, limits) {
        Ok(checked) => checked,
        Err(error) => return Ok(Err(error.without_options())),
    };
    checked.options.language_only = true;
    let (found, classify_micros) = timed(model, &checked, stop)?;
    let texts = Texts::new(&checked);
    let mut response = pb::DetectLanguageResponse {
        language: Some(language(&found.language)),
        language_spans: found.language_spans.iter().map(|span| texts.language_span(span)).collect(),
        noise: texts.noise(&found),
        noise_ratio: found.noise_ratio,
        model_version: model.version().to_owned(),
        text_bytes_total: checked.text_bytes_total as u32,
        truncated: checked.truncated,
        timings: None,
        article_id: String::new(),
    };
    response.article_id = checked.id;
    response.timings = Some(timings(classify_micros, begun));
    Ok(Ok(response))
}

/// Canonical proto3-JSON on one line: lowerCamel names, enums as their names, defaults written out.
pub fn to_json(response: &pb::ClassifyArticleResponse) -> String {
    // Messages hold nothing serde_json refuses: every map has string keys.
    serde_json::to_string(response).unwrap_or_default()
}

fn timed<E>(
    model: &Model,
    checked: &Checked,
    stop: &dyn Fn() -> Result<(), E>,
) -> Result<(Classification, u32), E> {
    let begun = Instant::now();
    let found = classify_unless(model, &checked.article(), &checked.options, stop)?;
    Ok((found, micros(begun)))
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

fn timings(classify_micros: u32, begun: Instant) -> pb::Timings {
    pb::Timings { classify_micros, total_micros: micros(begun) }
}

fn language(result: &LanguageResult) -> pb::LanguageResult {
    let (code, tag) = match result.verdict {
        LanguageVerdict::Known(language) => (language.as_str(), bcp47(Some(language), result.script)),
        LanguageVerdict::Undetermined => ("und", bcp47(None, result.script)),
        LanguageVerdict::NoContent => ("zxx", "zxx".to_owned()),
        LanguageVerdict::Multiple => ("mul", "mul".to_owned()),
    };
    pb::LanguageResult {
        language_code: code.to_owned(),
        script_code: result.script.to_string(),
        bcp47_tag: tag,
        probability: result.probability,
        reliable: result.reliable,
        alternatives: result.alternatives.iter().map(candidate).collect(),
    }
}

fn candidate(candidate: &LanguageCandidate) -> pb::LanguageCandidate {
    pb::LanguageCandidate {
        language_code: candidate.language.as_str().to_owned(),
        script_code: candidate.script.to_string(),
        bcp47_tag: bcp47(Some(candidate.language), candidate.script),
        probability: candidate.probability,
    }
}

fn label_score(score: LabelScore) -> pb::LabelScore {
    pb::LabelScore {
        label_id: score.label_id.to_string(),
        name: score.name.to_string(),
        probability: score.probability,
        selected: score.selected,
    }
}

fn decision(decision: Decision) -> pb::Decision {
    use pb::decision::{Outcome, Reason};
    let (outcome, reason) = match decision {
        Decision::Decided => (Outcome::Decided, Reason::Unspecified),
        Decision::Abstained(AbstainReason::TooShort) => (Outcome::Abstained, Reason::TooShort),
        Decision::Abstained(AbstainReason::UnknownLanguage) => (Outcome::Abstained, Reason::UnknownLanguage),
        Decision::Abstained(AbstainReason::LowMargin) => (Outcome::Abstained, Reason::LowMargin),
    };
    pb::Decision { outcome: outcome as i32, reason: reason as i32 }
}

fn noise_kind(kind: NoiseKind) -> pb::NoiseKind {
    match kind {
        NoiseKind::ForeignScript => pb::NoiseKind::ForeignScript,
        NoiseKind::ForeignLanguage => pb::NoiseKind::ForeignLanguage,
        NoiseKind::Homoglyph => pb::NoiseKind::Homoglyph,
        NoiseKind::Invisible => pb::NoiseKind::Invisible,
        NoiseKind::BidiControl => pb::NoiseKind::BidiControl,
        NoiseKind::Mojibake => pb::NoiseKind::Mojibake,
        NoiseKind::Boilerplate => pb::NoiseKind::Boilerplate,
        NoiseKind::Markup => pb::NoiseKind::Markup,
        NoiseKind::Gibberish => pb::NoiseKind::Gibberish,
        NoiseKind::Repetition => pb::NoiseKind::Repetition,
    }
}

/// Both texts of the article with their offsets in the caller's unit.
struct Texts<'a> {
    title: (&'a str, Offsets<'a>),
    text: (&'a str, Offsets<'a>),
}

impl<'a> Texts<'a> {
    fn new(checked: &'a Checked) -> Self {
        let with_offsets = |text: &'a str| (text, Offsets::new(text, checked.encoding));
        Self { title: with_offsets(&checked.title), text: with_offsets(&checked.text) }
    }

    fn locate(&self, field: Field, range: &Range<usize>) -> Located {
        let ((text, offsets), field) = match field {
            Field::Title => (&self.title, pb::TextField::Title),
            Field::Text => (&self.text, pb::TextField::Text),
        };
        Located {
            start: offsets.get(range.start),
            end: offsets.get(range.end),
            text: text.get(range.clone()).unwrap_or_default().to_owned(),
            field: field as i32,
        }
    }

    fn language_span(&self, span: &LanguageSpan) -> pb::LanguageSpan {
        pb::LanguageSpan {
            start: self.text.1.get(span.range.start),
            end: self.text.1.get(span.range.end),
            language_code: span.language.map_or("und", |language| language.as_str()).to_owned(),
            script_code: span.script.to_string(),
            bcp47_tag: bcp47(span.language, span.script),
            probability: span.probability,
        }
    }

    fn noise(&self, found: &Classification) -> Vec<pb::NoiseSpan> {
        let title = found.title_noise.iter().map(|span| self.noise_span(Field::Title, span));
        title.chain(found.noise.iter().map(|span| self.noise_span(Field::Text, span))).collect()
    }

    fn noise_span(&self, field: Field, span: &NoiseSpan) -> pb::NoiseSpan {
        let Located { start, end, text, field } = self.locate(field, &span.range);
        let likeliest = span.candidates.first();
        pb::NoiseSpan {
            start,
            end,
            kind: noise_kind(span.kind) as i32,
            script_code: span.script.to_string(),
            language_code: likeliest.map_or("und", |c| c.language.as_str()).to_owned(),
            text,
            confidence: span.confidence,
            candidates: span.candidates.iter().map(candidate).collect(),
            field,
        }
    }

    fn evidence(&self, evidence: &Evidence) -> pb::Evidence {
        let Located { start, end, text, field } = self.locate(evidence.field, &evidence.range);
        let task = match evidence.task {
            Task::Topic => pb::evidence::Task::Topic,
            Task::Spam => pb::evidence::Task::Spam,
        };
        pb::Evidence {
            task: task as i32,
            label_id: evidence.label_id.to_string(),
            start,
            end,
            text,
            log_odds: evidence.log_odds,
            field,
        }
    }
}

struct Located {
    start: u32,
    end: u32,
    text: String,
    field: i32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    fn checked(text: &str, encoding: pb::EncodingType) -> Checked {
        let article = pb::Article { title: "é!".into(), text: text.into(), ..Default::default() };
        let request = pb::ClassifyArticleRequest {
            article: Some(article),
            offset_encoding: encoding as i32,
            options: None,
        };
        Checked::new(request, &Limits::default()).unwrap()
    }

    #[test]
    fn spans_are_told_in_the_callers_unit() {
        let span = NoiseSpan {
            range: 5..9,
            kind: NoiseKind::ForeignScript,
            script: Script::CYRILLIC,
            candidates: crate::language::Ranked::new(),
            confidence: 0.5,
        };
        for (encoding, expected) in [
            (pb::EncodingType::Unspecified, (5, 9)),
            (pb::EncodingType::Utf16, (3, 5)),
            (pb::EncodingType::Utf32, (2, 4)),
        ] {
            let checked = checked("🙂 да нет", encoding);
            let told = Texts::new(&checked).noise_span(Field::Text, &span);
            assert_eq!((told.start, told.end, told.text.as_str()), (expected.0, expected.1, "да"));
            assert_eq!(told.language_code, "und");
        }
    }

    #[test]
    fn json_has_camel_names_enum_names_and_defaults() {
        let article = pb::Article { id: "a-1".into(), ..Default::default() };
        let request = pb::ClassifyArticleRequest { article: Some(article), ..Default::default() };
        let mut response = classify_to_response(&Model::default(), request, &Limits::default()).unwrap();
        response.noise = vec![pb::NoiseSpan { kind: 4, ..Default::default() }];
        let json: serde_json::Value = serde_json::from_str(&to_json(&response)).unwrap();
        assert_eq!(json["articleId"], "a-1");
        assert_eq!(json["noise"][0]["start"], 0);
        assert_eq!(json["noise"][0]["kind"], "NOISE_KIND_INVISIBLE");
        assert_eq!(json["language"]["languageCode"], "zxx");
        assert_eq!(json["truncated"], false);
    }
}
