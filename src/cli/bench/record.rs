//! What is kept of every call, and what is said of all of them.

use crate::rpc::client::Answer;
use hdrhistogram::{CreationError, Histogram};
use std::collections::BTreeMap;
use std::time::Duration;
use tonic::Code;

/// Longer ones count as this much.
const LONGEST_US: u64 = 24 * 60 * 60 * 1_000_000;
/// Of three digits the error is below a thousandth.
const DIGITS: u8 = 3;

/// One call that is over.
#[derive(Debug)]
pub struct Call {
    /// From when it was due.
    pub latency: Duration,
    /// From when it was due until this program got round to it.
    pub lag: Duration,
    /// As many as allowed were in flight, so it had to wait.
    pub late: bool,
    pub articles: u64,
    pub text_bytes: u64,
    /// `None` when the run ended before its answer came.
    pub answer: Option<Answer>,
}

/// High dynamic range histograms (Tene) of times, and counts.
#[derive(Debug)]
pub struct Record {
    /// Of all calls; one without an answer took at least as long as it was waited for.
    pub latency: Times,
    /// Of calls that ended with OK.
    pub latency_ok: Times,
    pub lag: Times,
    pub calls: u64,
    pub late: u64,
    pub unfinished: u64,
    pub articles: u64,
    /// Classified.
    pub articles_ok: u64,
    pub text_bytes_ok: f64,
    /// Calls by how they ended.
    pub codes: BTreeMap<String, u64>,
    /// Articles of answered batches that were not classified, by why.
    pub item_codes: BTreeMap<String, u64>,
}

impl Record {
    pub fn new() -> Result<Self, CreationError> {
        Ok(Self {
            latency: Times::new()?,
            latency_ok: Times::new()?,
            lag: Times::new()?,
            calls: 0,
            late: 0,
            unfinished: 0,
            articles: 0,
            articles_ok: 0,
            text_bytes_ok: 0.0,
            codes: BTreeMap::new(),
            item_codes: BTreeMap::new(),
        })
    }

    pub fn add(&mut self, call: &Call) {
        self.calls += 1;
        self.late += u64::from(call.late);
        self.articles += call.articles;
        self.latency.add(call.latency);
        self.lag.add(call.lag);
        let Some(answer) = &call.answer else {
            self.unfinished += 1;
            return;
        };
        *self.codes.entry(name(answer.code)).or_default() += 1;
        for code in &answer.failed {
            *self.item_codes.entry(name(*code)).or_default() += 1;
        }
        if answer.code == Code::Ok {
            self.latency_ok.add(call.latency);
        }
        // A server that answers for more articles than it was asked about has not done more.
        let classified = answer.articles.min(call.articles);
        self.articles_ok += classified;
        self.text_bytes_ok += call.text_bytes as f64 * classified as f64 / call.articles.max(1) as f64;
    }

    /// Articles that were not classified, for whatever reason.
    pub fn errors(&self) -> u64 {
        self.articles - self.articles_ok
    }

    pub fn error_share(&self) -> f64 {
        self.errors() as f64 / self.articles.max(1) as f64
    }
}

/// As gRPC writes it, such as `DEADLINE_EXCEEDED`.
fn name(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

#[derive(Debug)]
pub struct Times(Histogram<u64>);

impl Times {
    fn new() -> Result<Self, CreationError> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST_US, DIGITS)?))
    }

    fn add(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// `None` of nothing.
    pub fn summary(&self) -> Option<Summary> {
        let ms = |us: u64| us as f64 / 1e3;
        let at = |quantile| ms(self.0.value_at_quantile(quantile));
        (!self.0.is_empty()).then(|| Summary {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: ms(self.0.max()),
            mean: self.0.mean() / 1e3,
        })
    }
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Summary {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
    pub mean: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(latency_ms: u64, articles: u64, answer: Option<Answer>) -> Call {
        let latency = Duration::from_millis(latency_ms);
        Call { latency, lag: Duration::ZERO, late: false, articles, text_bytes: 100 * articles, answer }
    }

    fn answer(code: Code, articles: u64, failed: &[Code]) -> Option<Answer> {
        Some(Answer { code, articles, failed: failed.to_vec() })
    }

    #[test]
    fn a_summary_of_known_times() {
        let mut times = Times::new().unwrap();
        assert_eq!(times.summary(), None);
        (1..=1_000).for_each(|ms| times.add(Duration::from_millis(ms)));
        let summary = times.summary().unwrap();
        let expected = [
            (summary.p50, 500.0),
            (summary.p90, 900.0),
            (summary.p99, 990.0),
            (summary.p99_9, 999.0),
            (summary.max, 1_000.0),
            (summary.mean, 500.5),
        ];
        for (said, right) in expected {
            assert!((said / right - 1.0).abs() < 0.001, "{said} {right}");
        }
    }

    #[test]
    fn times_beyond_all_measure_are_kept() {
        let mut times = Times::new().unwrap();
        times.add(Duration::ZERO);
        times.add(Duration::MAX);
        let day = times.summary().unwrap().max / 86_400_000.0;
        assert!((day - 1.0).abs() < 0.001, "{day}");
    }

    #[test]
    fn articles_count_whatever_way_they_failed() {
        let mut record = Record::new().unwrap();
        record.add(&call(1, 4, answer(Code::Ok, 3, &[Code::InvalidArgument])));
        record.add(&call(2, 4, answer(Code::ResourceExhausted, 0, &[])));
        record.add(&call(3, 4, None));
        record.add(&call(4, 4, answer(Code::Ok, 4, &[])));
        assert_eq!((record.calls, record.articles, record.errors(), record.unfinished), (4, 16, 9, 1));
        assert_eq!(record.error_share(), 9.0 / 16.0);
        assert_eq!(record.text_bytes_ok, 700.0);
        assert_eq!(record.codes, [("OK".to_owned(), 2), ("RESOURCE_EXHAUSTED".to_owned(), 1)].into());
        assert_eq!(record.item_codes, [("INVALID_ARGUMENT".to_owned(), 1)].into());
        assert!(record.latency_ok.summary().unwrap().p50 < 1.005);
        assert!((record.latency.summary().unwrap().max - 4.0).abs() < 0.005);
    }
}
