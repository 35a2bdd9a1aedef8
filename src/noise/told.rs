//! How many spans are told: a reply must not outgrow its article many times, as most clients take no more than 4 MiB.

use super::{NoiseSpan, rank};

/// Spans of one text at most. An article that has so many has one every two hundred bytes, or is a megabyte of them.
const MOST: usize = 5_000;
/// Spans no further apart than this many bytes are the first to be told as one; doubled until that is enough.
const APART: usize = 16;

/// The spans themselves, or with neighbours told as one, those of a kind first and the nearest first.
pub(crate) fn told(mut spans: Vec<NoiseSpan>) -> Vec<NoiseSpan> {
    if spans.len() <= MOST {
        return spans;
    }
    // What lies inside a line of page furniture is told with the line.
    let mut reached = 0;
    spans.retain(|span| {
        let inside = span.range.end <= reached;
        reached = reached.max(span.range.end);
        !inside
    });
    for any_kind in [false, true] {
        let mut apart = APART;
        while spans.len() > MOST && apart < usize::MAX / 4 {
            spans.dedup_by(|next, last| {
                let near = next.range.start.saturating_sub(last.range.end) <= apart;
                let joins = near && (any_kind || next.kind == last.kind);
                if joins {
                    join(last, next);
                }
                joins
            });
            apart *= 2;
        }
    }
    spans
}

fn join(last: &mut NoiseSpan, next: &mut NoiseSpan) {
    last.range.end = last.range.end.max(next.range.end);
    if rank(next.kind) > rank(last.kind) {
        last.kind = next.kind;
    }
    if next.script != last.script {
        last.script = crate::script::Script::COMMON;
    }
    last.candidates.clear();
    last.confidence = last.confidence.min(next.confidence);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Ranked;
    use crate::noise::NoiseKind;
    use crate::script::Script;
    use proptest::prelude::*;
    use std::ops::Range;

    fn span(range: Range<usize>, kind: NoiseKind) -> NoiseSpan {
        NoiseSpan { range, kind, script: Script::LATIN, candidates: Ranked::new(), confidence: 0.9 }
    }

    #[test]
    fn a_few_thousand_are_told_as_they_are() {
        let spans: Vec<_> = (0..MOST).map(|i| span(3 * i..3 * i + 1, NoiseKind::Invisible)).collect();
        assert_eq!(told(spans.clone()), spans);
    }

    #[test]
    fn the_nearest_of_a_kind_are_told_as_one() {
        let mut spans: Vec<_> = (0..MOST).map(|i| span(4 * i..4 * i + 3, NoiseKind::Invisible)).collect();
        let far = 100 * MOST;
        spans.push(span(far..far + 9, NoiseKind::Boilerplate));
        spans.push(span(far + 2..far + 5, NoiseKind::ForeignScript));
        spans.push(span(far + 10..far + 12, NoiseKind::Markup));
        let told = told(spans);
        let ranges: Vec<_> = told.iter().map(|s| (s.range.clone(), s.kind)).collect();
        assert_eq!(
            ranges,
            [
                (0..4 * MOST - 1, NoiseKind::Invisible),
                (far..far + 9, NoiseKind::Boilerplate),
                (far + 10..far + 12, NoiseKind::Markup)
            ]
        );
    }

    proptest! {
        #[test]
        fn never_more_and_nothing_is_lost(gaps in prop::collection::vec(0_usize..40, MOST - 10..MOST + 300)) {
            let mut at = 0;
            let spans: Vec<_> = gaps.iter().enumerate().map(|(i, gap)| {
                let start = at + gap;
                at = start + 2;
                span(start..at, [NoiseKind::Invisible, NoiseKind::Markup][i % 2])
            }).collect();
            let told = told(spans.clone());
            prop_assert!(told.len() <= MOST);
            prop_assert!(told.windows(2).all(|w| w[0].range.end <= w[1].range.start));
            let mut told = told.iter().peekable();
            for span in spans {
                while told.next_if(|t| t.range.end < span.range.end).is_some() {}
                let around = told.peek().unwrap();
                prop_assert!(around.range.start <= span.range.start && span.range.end <= around.range.end);
            }
        }
    }
}
