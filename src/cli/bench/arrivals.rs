//! When calls are due.

use super::prose::Random;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Arrivals {
    /// One every 1/rate seconds
    Constant,
    /// As many callers who know nothing of each other come: gaps are exponentially distributed
    Poisson,
}

impl Arrivals {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }
}

/// The due times of an open loop, counted from its start, ascending and without end.
///
/// They depend on nothing but rate and seed, least of all on answers: Schroeder, Wierman and Harchol-Balter, "Open
/// Versus Closed: A Cautionary Tale", NSDI 2006.
#[derive(Clone, Debug)]
pub struct Schedule {
    arrivals: Arrivals,
    rate: f64,
    random: Random,
    calls: u64,
    /// Seconds; of Poisson arrivals only.
    at: f64,
}

impl Schedule {
    /// `rate` is in calls a second and above 0.
    pub fn new(arrivals: Arrivals, rate: f64, seed: u64) -> Self {
        Self { arrivals, rate, random: Random(seed), calls: 0, at: 0.0 }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let seconds = match self.arrivals {
            // Multiplied, not added up: an hour later it must not have drifted.
            Arrivals::Constant => self.calls as f64 / self.rate,
            Arrivals::Poisson => {
                self.at -= self.random.unit().ln() / self.rate;
                self.at
            }
        };
        self.calls += 1;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(arrivals: Arrivals, rate: f64, seed: u64, calls: usize) -> Vec<f64> {
        Schedule::new(arrivals, rate, seed).take(calls).map(|d| d.as_secs_f64()).collect()
    }

    #[test]
    fn constant_arrivals_do_not_drift() {
        let due = due(Arrivals::Constant, 3.0, 1, 3_000_001);
        assert_eq!(due[..2], [0.0, 0.333_333_333]);
        assert!((due[3_000_000] - 1e6).abs() < 1e-6);
    }

    #[test]
    fn poisson_arrivals_keep_the_rate_and_their_gaps_vary_as_much_as_they_last() {
        let due = due(Arrivals::Poisson, 50.0, 1, 100_000);
        let gaps: Vec<f64> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean * 50.0 - 1.0).abs() < 0.02, "{mean}");
        // Of an exponential distribution the deviation is the mean.
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.03, "{variance}");
        assert!(gaps.iter().all(|gap| *gap >= 0.0));
    }

    #[test]
    fn a_seed_gives_the_same_times_again() {
        assert_eq!(due(Arrivals::Poisson, 9.0, 4, 99), due(Arrivals::Poisson, 9.0, 4, 99));
        assert_ne!(due(Arrivals::Poisson, 9.0, 4, 99), due(Arrivals::Poisson, 9.0, 5, 99));
    }
}
