//! What a text offers, weighed by itself and in all languages together: a logistic regression on [`Offers`].
//!
//! A language's table learns what its spam is made of, and where it met none of a kind, the words of its ham outweigh
//! the few features of an offer. So these have a score of their own, which no word of a language is in.

use super::worths::solved;
use crate::bayes::odds::logistic;
use crate::features::Offers;
use std::collections::BTreeMap;

/// Documents by what they offer, whether they are spam, and their table.
pub type Counted = BTreeMap<(Offers, bool, String), u64>;

/// Spam's share of the weight of ham.
const SPAM_SHARE: f64 = 0.5;
/// Strength of the Gaussian prior.
const PRIOR: f64 = 1.0;
const STEPS: usize = 30;
/// A step of Newton's method is trusted so far.
const TRUST: f64 = 2.0;

/// What everything that [`Offers::each`] names is worth, in log-odds of spam. A language counts by the root of the
/// number of its documents.
pub fn fit(counted: &Counted) -> Vec<f32> {
    let n = Offers::places();
    let mut of_table: BTreeMap<(bool, &str), f64> = BTreeMap::new();
    for ((_, spam, table), documents) in counted {
        *of_table.entry((*spam, table)).or_default() += *documents as f64;
    }
    let mass =
        |spam: bool| -> f64 { of_table.iter().filter(|of| of.0.0 == spam).map(|of| of.1.sqrt()).sum() };
    let (ham_mass, spam_mass) = (mass(false).max(f64::MIN_POSITIVE), mass(true).max(f64::MIN_POSITIVE));
    let all: u64 = counted.values().sum();
    let unit = all as f64 / (ham_mass * (1.0 + SPAM_SHARE));
    // ham and spam of the same offers
    let mut seen: BTreeMap<Offers, [f64; 2]> = BTreeMap::new();
    for ((offers, spam, table), documents) in counted {
        let each = unit / of_table.get(&(*spam, table.as_str())).copied().unwrap_or(1.0).sqrt();
        let weight = if *spam { each * SPAM_SHARE * ham_mass / spam_mass } else { each };
        seen.entry(*offers).or_default()[usize::from(*spam)] += weight * *documents as f64;
    }
    let seen: Vec<(Vec<usize>, [f64; 2])> = seen
        .into_iter()
        .map(|(offers, weights)| {
            let mut places = Vec::new();
            offers.each(|place| places.push(place));
            (places, weights)
        })
        .collect();
    let mut at = vec![0.0; n];
    for _ in 0..STEPS {
        // the constant has no prior worth naming
        let prior = |i: usize| if i == 0 { 1e-6 } else { PRIOR };
        let mut gradient: Vec<f64> = at.iter().enumerate().map(|(i, w)| prior(i) * w).collect();
        let mut curvature = vec![0.0; n * n];
        (0..n).for_each(|i| curvature[i * n + i] = prior(i));
        for (places, [ham, spam]) in &seen {
            let p = logistic(places.iter().map(|&place| at[place]).sum());
            let error = (ham + spam) * p - spam;
            let bend = (ham + spam) * p * (1.0 - p);
            for &i in places {
                gradient[i] += error;
                places.iter().for_each(|&j| curvature[i * n + j] += bend);
            }
        }
        let Some(step) = solved(curvature, gradient) else { break };
        let largest = step.iter().fold(0.0_f64, |most, s| most.max(s.abs()));
        let length = (TRUST / largest.max(1e-12)).min(1.0);
        at.iter_mut().zip(&step).for_each(|(w, s)| *w -= length * s);
        if largest < 1e-4 {
            break;
        }
    }
    at.into_iter().map(|w| w as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bayes::odds::Odds;
    use crate::features::{FeatureSpec, SMALL_SPEC, Scratch};

    fn offers(text: &str) -> Offers {
        let spec = FeatureSpec { marks: true, offers: true, ..SMALL_SPEC };
        let mut scratch = Scratch::default();
        scratch.vectorize(text, &spec);
        scratch.offers
    }

    #[test]
    fn what_spam_offers_in_one_language_is_known_in_another() {
        let mut counted = Counted::new();
        let mut count = |text: &str, spam: bool, table: &str, n: u64| {
            *counted.entry((offers(text), spam, table.to_string())).or_default() += n;
        };
        count("win at the casino now", true, "eng", 50);
        count("the bridge is closed until monday", false, "eng", 500);
        count("a loan for the bridge", false, "eng", 20);
        count("a loan for the bridge", true, "eng", 2);
        count("мост закрыт до понедельника", false, "rus", 500);
        let odds =
            Odds { curves: Vec::new(), pieces: [1.0, 0.0, 0.0], offers: fit(&counted), shares: Vec::new() };
        assert!(odds.of_offers(offers("賭けるならカジノ")) > 0.5);
        assert_eq!(odds.of_offers(offers("a loan for the bridge")), 0.0, "ham has it as often");
        assert_eq!(odds.of_offers(offers("橋は月曜日まで閉まっている")), 0.0);
        assert!(fit(&Counted::new()).iter().all(|w| w.is_finite()));
    }
}
