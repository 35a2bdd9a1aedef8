//! From scores of models that never saw a document to a probability, and to the thresholds that keep ham.

use super::MIN_OWN;
use crate::bayes::odds::{Curve, Observation, Odds, fit_logistic};
use crate::bayes::pieces::Observed;
use crate::bayes::weights::Weights;
use crate::model::task::POOLED;
use std::collections::BTreeMap;

/// Documents the prior of a table's curve is worth.
const CURVE_PRIOR: f64 = 2.0;
/// In calibration a table's articles together count as this share of its messages, one article between
/// these bounds, and a padded copy of a spam as much as this share of a message.
const BACKGROUND_SHARE: f64 = 0.25;
const BACKGROUND_WEIGHT: (f64, f64) = (0.05, 1.0);
const PADDED_WEIGHT: f64 = 0.2;
/// Ham of a language that must lie below the threshold before it may be lowered, how much room is left
/// above the highest, and the most it is lowered, in log-odds.
const HAM_SEEN: usize = 100;
const ROOM: f64 = 0.5;
const LOWERED: f64 = 2.5;
/// What an article and what a message called spam cost, in spams let through, where a language's threshold is
/// raised: an article is lost to all its readers.
const ARTICLE_COST: f64 = 15.0;
const HAM_COST: f64 = 3.0;
/// Articles of a publisher that must have been scored to say where its language's threshold belongs; its spam.
const PUBLISHER_SEEN: usize = 200;
const SPAM_SEEN: usize = 100;
/// How often the articles' budget the articles of a language without spam may be above the threshold.
const WITHOUT_SPAM: f64 = 1.5;
/// The most a threshold is raised, and by what steps it is looked for.
const RAISED: f64 = 3.0;
const RAISED_STEP: f64 = 0.25;

/// What part of their worth offers keep beside a table that knows nothing of them, and the curvature of the
/// likelihood that this belief is worth.
const OFFERS_SHARE: f64 = 0.6;
const OFFERS_PRIOR: f64 = 50.0;

/// A document scored by a model that never saw it, with one table.
#[derive(Clone, Debug)]
pub struct HeldOut {
    pub table: String,
    pub spam: bool,
    /// The publisher of an ordinary article; `None` for a message.
    pub publisher: Option<String>,
    /// A spam with ham around it, made from another.
    pub padded: bool,
    pub observed: Observed,
}

/// Shares of held-out ham: of messages at most the first may be called SPAM and at most the second not
/// called HAM; of ordinary articles at most the third.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    pub spam: f64,
    pub not_ham: f64,
    pub background: f64,
}

/// Calibration of every table of `weights`, in their order, and the log-odds from which a text is SPAM
/// and below which it is HAM.
/// `offers` is what [`crate::train::offers::fit`] found.
pub fn calibrate(seen: &[HeldOut], weights: &Weights, offers: Vec<f32>, budget: &Budget) -> (Odds, f64, f64) {
    let prior = Curve::PRIOR.parameters().map(f64::from);
    let mut kinds: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for held in seen.iter().filter(|held| !held.padded) {
        kinds.entry(held.table.as_str()).or_default()[usize::from(held.publisher.is_some())] += 1.0;
    }
    let weight = |held: &HeldOut| match kinds.get(held.table.as_str()) {
        _ if held.padded => PADDED_WEIGHT,
        Some([messages, articles]) if held.publisher.is_some() => {
            (BACKGROUND_SHARE * messages / articles).clamp(BACKGROUND_WEIGHT.0, BACKGROUND_WEIGHT.1)
        }
        _ => 1.0,
    };
    let observation = |held: &HeldOut| Observation {
        terms: Curve::terms(held.observed.whole.0.first().copied().unwrap_or(0.0), held.observed.whole.1),
        given: 0.0,
        spam: held.spam,
        weight: weight(held),
    };
    let plain = || seen.iter().filter(|held| !held.padded);
    let all: Vec<_> = plain().map(observation).collect();
    let common = fit_logistic(&all, prior, 1.0);
    let mut by_table: BTreeMap<&str, Vec<&HeldOut>> = BTreeMap::new();
    plain().for_each(|held| by_table.entry(held.table.as_str()).or_default().push(held));
    let curve = |name: &str| {
        let documents = by_table.get(name).map_or(&[][..], Vec::as_slice);
        let spam = documents.iter().filter(|held| held.spam).count();
        if spam < MIN_OWN || documents.len() - spam < MIN_OWN {
            return common;
        }
        let own: Vec<_> = documents.iter().map(|held| observation(held)).collect();
        fit_logistic(&own, common, CURVE_PRIOR)
    };
    let curves: Vec<Curve> =
        weights.tables().iter().map(|table| Curve::from(curve(&table.name).map(|w| w as f32))).collect();
    let mut odds = Odds { curves, pieces: [1.0, 0.0, 0.0], offers, shares: Vec::new() };
    let number: BTreeMap<&str, usize> =
        weights.tables().iter().enumerate().map(|(i, table)| (table.name.as_str(), i)).collect();
    let of = |held: &HeldOut| number.get(held.table.as_str()).or(number.get(POOLED)).copied();
    let pieces: Vec<Observation<3>> = seen
        .iter()
        .filter_map(|held| match odds.parts(of(held)?, 0, &held.observed)? {
            (whole, Some(piece)) => {
                let terms = [whole, 1.0, piece];
                Some(Observation { terms, given: 0.0, spam: held.spam, weight: weight(held) })
            }
            _ => None,
        })
        .collect();
    if !pieces.is_empty() {
        odds.pieces = fit_logistic(&pieces, [1.0, 0.0, 0.0], 1.0).map(|w| w as f32);
    }
    // The more a table knows of what is offered, the less offers say beside it.
    let mut offering: Vec<Vec<Observation<1>>> = vec![Vec::new(); odds.curves.len()];
    for held in plain() {
        let (worth, Some(table)) = (odds.of_offers(held.observed.offers), of(held)) else { continue };
        if worth > 0.0 {
            let given = odds.of_words(table, 0, &held.observed);
            offering[table].push(Observation {
                terms: [worth],
                given,
                spam: held.spam,
                weight: weight(held),
            });
        }
    }
    odds.shares = (offering.iter())
        .map(|seen| fit_logistic(seen, [OFFERS_SHARE], OFFERS_PRIOR)[0].clamp(0.0, 1.0) as f32)
        .collect();
    let scored: Vec<(usize, &HeldOut, f64)> =
        plain().filter_map(|held| of(held).map(|t| (t, held, odds.log_odds(t, 0, &held.observed)))).collect();
    let quantile = |background: bool, share: f64| {
        let mut ham: Vec<f64> = scored
            .iter()
            .filter(|(_, held, _)| !held.spam && held.publisher.is_some() == background)
            .map(|s| s.2)
            .collect();
        ham.sort_by(f64::total_cmp);
        ham.get(((ham.len() as f64 * (1.0 - share)) as usize).min(ham.len().saturating_sub(1))).copied()
    };
    let floor = quantile(true, budget.background).unwrap_or(0.0).max(0.0);
    let low = quantile(false, budget.not_ham).unwrap_or(0.0).max(floor);
    let high = quantile(false, budget.spam).unwrap_or(0.0).max(low);
    // Where all ham of a language ends well below the threshold, its curve is raised towards it: the
    // threshold of every language lies where its own ham ends.
    for (table, curve) in odds.curves.iter_mut().enumerate() {
        let ham: Vec<f64> = scored.iter().filter(|s| s.0 == table && !s.1.spam).map(|s| s.2).collect();
        if ham.len() >= HAM_SEEN {
            let highest = ham.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            curve.offset += (low - ROOM - highest).clamp(0.0, LOWERED) as f32;
        }
        let of_table = scored.iter().filter(|s| s.0 == table).map(|s| (s.1, s.2));
        curve.offset -= raised(of_table, low, budget.background) as f32;
    }
    (odds, low, high)
}

/// By how much a table's threshold is to be raised above `low`: where there is spam enough to tell, as far as
/// costs least; else until its articles keep within their budget and half as much again.
fn raised<'a>(scored: impl Iterator<Item = (&'a HeldOut, f64)>, low: f64, budget: f64) -> f64 {
    let (mut ham, mut spam): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut publishers: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (held, z) in scored {
        match &held.publisher {
            Some(publisher) => publishers.entry(publisher).or_default().push(z),
            None if held.spam => spam.push(z),
            None => ham.push(z),
        }
    }
    if spam.len() < SPAM_SEEN {
        let mut articles: Vec<f64> = publishers.into_values().flatten().collect();
        articles.sort_by(|a, b| b.total_cmp(a));
        let allowed = (articles.len() as f64 * WITHOUT_SPAM * budget) as usize;
        let first = articles.get(allowed).filter(|_| articles.len() >= HAM_SEEN);
        return first.map_or(0.0, |first| (first - low).clamp(0.0, RAISED));
    }
    publishers.retain(|_, articles| articles.len() >= PUBLISHER_SEEN);
    let above = |scores: &[f64], threshold: f64| {
        scores.iter().filter(|z| **z >= threshold).count() as f64 / scores.len().max(1) as f64
    };
    let cost = |step: &usize| {
        let threshold = low + *step as f64 * RAISED_STEP;
        // Publishers count alike: sentences of one must not outnumber the articles of another.
        let articles: f64 = publishers.values().map(|articles| above(articles, threshold)).sum();
        ARTICLE_COST * articles / publishers.len().max(1) as f64 + HAM_COST * above(&ham, threshold)
            - above(&spam, threshold)
    };
    let steps = (RAISED / RAISED_STEP) as usize;
    let best = (0..=steps).min_by(|a, b| cost(a).total_cmp(&cost(b)));
    best.unwrap_or(0) as f64 * RAISED_STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_raised_as_far_as_it_pays() {
        let held = |publisher: Option<&str>, spam: bool| HeldOut {
            table: "a".into(),
            spam,
            publisher: publisher.map(str::to_string),
            padded: false,
            observed: Observed::default(),
        };
        let (one, other, message) = (held(Some("one"), false), held(Some("other"), false), held(None, true));
        // 3 of 300 articles of one publisher of two lie at 1.1 above the threshold: 15 x 0.5 % in all; many
        // sentences of the other, none of them above, do not make them fewer
        let mut scored: Vec<(&HeldOut, f64)> =
            (0..300).map(|i| (&one, if i < 3 { 1.1 } else { -5.0 })).collect();
        scored.extend((0..3000).map(|_| (&other, -5.0)));
        let spam = |lost: usize| (0..200).map(move |i| if i < lost { 1.0 } else { 9.0 });
        let with = |lost: usize| scored.iter().copied().chain(spam(lost).map(|z| (&message, z)));
        // 8 of 200 spams lie below the articles: 4 % is less than 7.5
        assert_eq!(raised(with(8), 0.0, 0.001), 1.25);
        assert_eq!(raised(with(20), 0.0, 0.001), 0.0);
        // without spam to lose the budget decides: 0.15 % of 3300 articles may lie above
        assert_eq!(raised(scored.iter().copied(), 0.0, 0.001), 0.0);
        assert_eq!(raised(scored.iter().copied(), 0.0, 0.0), 1.1);
    }
}
