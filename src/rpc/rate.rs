//! How many articles a client may have classified in a second: a token bucket for each.
//!
//! A client is its token's name, or its address (of IPv6 the first 64 bits, which one customer has). A call needs
//! one article's worth to begin and is charged for all of its articles, so a batch may leave a debt that later
//! calls wait for, and cannot be a way around.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// From this many clients on, those that have been quiet are forgotten.
const MANY_CLIENTS: usize = 10_000;
/// Of more than this many, those that owe least are forgotten, too.
const MOST_CLIENTS: usize = 100_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Token(Arc<str>),
    Address(IpAddr),
}

impl Client {
    pub(crate) fn of(token: Option<&Arc<str>>, peer: IpAddr) -> Self {
        match token {
            Some(name) => Self::Token(name.clone()),
            None => Self::Address(network(peer)),
        }
    }
}

/// What one customer of a network provider has.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

#[derive(Debug)]
pub(crate) struct Rates {
    per_second: f64,
    burst: f64,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    of: HashMap<Client, Bucket>,
    /// When there are as many again, those that are full are dropped.
    look_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl Rates {
    /// `per_second` articles on average, `burst` at once.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let buckets = Buckets { of: HashMap::new(), look_at: MANY_CLIENTS };
        Self { per_second: f64::from(per_second), burst: f64::from(burst), buckets: Mutex::new(buckets) }
    }

    /// Takes one article's worth, or says how long until there is one.
    pub(crate) fn begin(&self, client: &Client, now: Instant) -> Result<(), Duration> {
        self.with(client, now, |bucket| {
            if bucket.level < 1.0 {
                return Err(Duration::from_secs_f64((1.0 - bucket.level) / self.per_second));
            }
            bucket.level -= 1.0;
            Ok(())
        })
    }

    /// Takes what a call turned out to want beyond its first article.
    pub(crate) fn charge(&self, client: &Client, articles: usize, now: Instant) {
        self.with(client, now, |bucket| bucket.level -= articles as f64);
    }

    fn with<T>(&self, client: &Client, now: Instant, change: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let level = |bucket: &Bucket| {
            let earned = now.saturating_duration_since(bucket.at).as_secs_f64() * self.per_second;
            (bucket.level + earned).min(self.burst)
        };
        if buckets.of.len() >= buckets.look_at {
            // A full bucket is a new one.
            buckets.of.retain(|_, bucket| level(bucket) < self.burst);
            if buckets.of.len() > MOST_CLIENTS / 2 {
                let mut levels: Vec<f64> = buckets.of.values().map(level).collect();
                let (_, &mut middle, _) = levels.select_nth_unstable_by(MOST_CLIENTS / 4, f64::total_cmp);
                buckets.of.retain(|_, bucket| level(bucket) < middle);
            }
            buckets.look_at = (buckets.of.len() * 2).clamp(MANY_CLIENTS, MOST_CLIENTS);
        }
        let fresh = Bucket { level: self.burst, at: now };
        let bucket = buckets.of.entry(client.clone()).or_insert(fresh);
        *bucket = Bucket { level: level(bucket), at: now.max(bucket.at) };
        change(bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Client {
        Client::of(None, IpAddr::from(n.to_be_bytes()))
    }

    #[test]
    fn a_burst_then_the_rate() {
        let (rates, begun) = (Rates::new(10, 5), Instant::now());
        let client = address(1);
        for _ in 0..5 {
            rates.begin(&client, begun).unwrap();
        }
        let wait = rates.begin(&client, begun).unwrap_err();
        assert!((wait.as_secs_f64() - 0.1).abs() < 1e-6, "{wait:?}");
        rates.begin(&address(2), begun).unwrap();
        rates.begin(&client, begun + Duration::from_millis(101)).unwrap();
        rates.begin(&client, begun + Duration::from_millis(102)).unwrap_err();
        let later = begun + Duration::from_secs(1_000);
        assert_eq!((0..100).filter(|_| rates.begin(&client, later).is_ok()).count(), 5);
    }

    #[test]
    fn a_batch_leaves_a_debt() {
        let (rates, begun) = (Rates::new(10, 5), Instant::now());
        let client = address(1);
        rates.begin(&client, begun).unwrap();
        rates.charge(&client, 99, begun);
        let wait = rates.begin(&client, begun).unwrap_err();
        assert!((wait.as_secs_f64() - 9.6).abs() < 1e-6, "{wait:?}");
        rates.begin(&client, begun + wait + Duration::from_millis(1)).unwrap();
    }

    #[test]
    fn quiet_clients_are_forgotten() {
        let (rates, begun) = (Rates::new(1, 5), Instant::now());
        for n in 0..100_000_u32 {
            rates.begin(&address(n), begun + Duration::from_millis(u64::from(n))).unwrap();
        }
        assert!(rates.buckets.lock().unwrap().of.len() <= 2 * MANY_CLIENTS);
    }

    #[test]
    fn clients_are_not_kept_without_end_and_who_owes_most_is_kept() {
        let (rates, begun) = (Rates::new(1, 5), Instant::now());
        rates.charge(&address(0), 1_000, begun);
        for n in 1..300_000 {
            rates.begin(&address(n), begun).unwrap();
        }
        assert!(rates.buckets.lock().unwrap().of.len() <= MOST_CLIENTS);
        rates.begin(&address(0), begun).unwrap_err();
    }

    #[test]
    fn one_customer_is_one_client() {
        let of = |ip: &str| Client::of(None, ip.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        let token = Client::of(Some(&Arc::from("a")), "10.0.0.1".parse().unwrap());
        assert_ne!(token, of("10.0.0.1"));
    }
}
