//! What holds of every classification, whatever the text and the model.

use glotsift::classify::Classification;
use glotsift::noise::NoiseSpan;

/// Which of the promises is broken, if any.
pub fn problem(title: &str, text: &str, got: &Classification) -> Option<String> {
    let unit = |p: f64| (0.0..=1.0).contains(&p);
    let inside = |text: &str, spans: &[NoiseSpan]| {
        spans.iter().all(|s| text.get(s.range.clone()).is_some_and(|s| !s.is_empty()) && unit(s.confidence))
    };
    let total = |p: &mut dyn Iterator<Item = f64>| p.sum::<f64>() <= 1.0 + 1e-9;
    let topics = || got.topics.iter().map(|topic| topic.probability);
    let languages = || got.language.alternatives.iter().map(|language| language.probability);
    let checks = [
        ("noise within the text", inside(text, &got.noise)),
        ("noise within the title", inside(title, &got.title_noise)),
        ("noise in order", got.noise.is_sorted_by_key(|span| span.range.start)),
        ("language spans within the text", {
            got.language_spans.iter().all(|s| text.get(s.range.clone()).is_some() && unit(s.probability))
        }),
        ("topics in [0, 1]", topics().all(unit) && total(&mut topics())),
        ("topics best first", got.topics.is_sorted_by(|a, b| a.probability >= b.probability)),
        ("languages in [0, 1]", unit(got.language.probability) && languages().all(unit)),
        ("languages sum to 1", total(&mut languages())),
        ("spam in [0, 1]", unit(got.spam.probability)),
        ("noise ratio in [0, 1]", unit(got.noise_ratio)),
        ("evidence finite", got.evidence.iter().all(|e| e.log_odds.is_finite())),
        ("evidence within its field", {
            got.evidence.iter().all(|e| match e.field {
                glotsift::text::Field::Title => title.get(e.range.clone()).is_some(),
                glotsift::text::Field::Text => text.get(e.range.clone()).is_some(),
            })
        }),
        ("bytes used", got.text_bytes_used <= got.text_bytes_total),
    ];
    checks.iter().find(|(_, holds)| !holds).map(|(name, _)| format!("{name} does not hold: {got:?}"))
}

/// An outcome of classifying, coarse enough to be met again.
pub fn kind(got: &Classification) -> u64 {
    let mut kinds: Vec<_> = got.noise.iter().map(|span| span.kind).collect();
    kinds.dedup();
    let of = format!(
        "{:?} {} {kinds:?} {} {:?} {:?} {:?} {}",
        got.language.verdict,
        got.language.reliable,
        got.language_spans.len().min(4),
        got.topic_decision,
        got.spam.verdict,
        got.spam_decision,
        got.clean_text.as_ref().map_or(0, |text| text.len().checked_ilog2().unwrap_or(0)),
    );
    super::outcome(of)
}
