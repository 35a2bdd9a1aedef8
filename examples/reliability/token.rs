//! T23: what the time of an answer tells of a token.

use crate::{Outcome, outcome};
use glotsift::rpc::auth::{Role, Tokens, new_token};
use std::hint::black_box;
use std::time::Instant;

const TRIES: usize = 100_000;

/// Compares a token that differs from a good one in its last character, in its first, and in all. The difference
/// of medians must be within what the same token differs from itself.
pub fn timing() -> Outcome {
    let mut file = String::new();
    let mut good = String::new();
    for i in 0..20 {
        let (token, entry) = new_token(&format!("client-{i}"), &[Role::Classify]).unwrap();
        file += &entry;
        good = token;
    }
    let tokens = Tokens::parse(&file).unwrap();
    let other = |at: usize| {
        let mut wrong = good.clone().into_bytes();
        wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(wrong).unwrap()
    };
    let presented = [good.clone(), good.clone(), other(good.len() - 1), other(9), "0".repeat(good.len())];
    let mut times = vec![Vec::with_capacity(TRIES); presented.len()];
    // By turns, so that whatever else the machine does meets all alike.
    for _ in 0..TRIES {
        for (times, token) in times.iter_mut().zip(&presented) {
            let begun = Instant::now();
            black_box(tokens.knows(black_box(token)));
            times.push(begun.elapsed().as_nanos() as f64);
        }
    }
    let medians: Vec<f64> = times
        .iter_mut()
        .map(|times| {
            times.sort_by(f64::total_cmp);
            times[TRIES / 2]
        })
        .collect();
    let spread = {
        let quarter = &times[0];
        quarter[TRIES * 3 / 4] - quarter[TRIES / 4]
    };
    // The clock ticks in tens of nanoseconds here; less cannot be seen at all.
    let noise = (medians[0] - medians[1]).abs().max(spread).max(10.0);
    let most = medians[2..].iter().map(|median| (median - medians[0]).abs()).fold(0.0, f64::max);
    outcome(
        most <= noise,
        format!(
            "{TRIES} tries each: medians of right {:.0} ns, last wrong {:.0}, first wrong {:.0}, all wrong {:.0}; \
            largest difference {most:.0} ns, noise {noise:.0} ns",
            medians[0], medians[2], medians[3], medians[4]
        ),
    )
}
