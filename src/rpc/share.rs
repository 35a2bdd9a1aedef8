//! What all connections share, and how much of it one may have.
//!
//! A pool is never given to one connection whole: who holds three times what is free gets no more, so one that
//! asks for everything leaves a quarter, the next a quarter of that, and so on (the dynamic thresholds of
//! Choudhury and Hahne, 1998). No connection has to be counted or known for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many times what is free one connection may hold.
const GREED: usize = 3;

/// So much of something, over all connections.
#[derive(Debug)]
pub(crate) struct Pool {
    max: usize,
    held: AtomicUsize,
}

impl Pool {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, held: AtomicUsize::new(0) })
    }
}

/// What one connection holds of a pool.
#[derive(Debug)]
pub(crate) struct Share {
    pool: Arc<Pool>,
    held: AtomicUsize,
}

impl Share {
    pub(crate) fn of(pool: &Arc<Pool>) -> Arc<Self> {
        Arc::new(Self { pool: pool.clone(), held: AtomicUsize::new(0) })
    }

    /// Nothing taken yet; what will be is given back when dropped.
    pub(crate) fn nothing(self: &Arc<Self>) -> Held {
        Held { share: self.clone(), amount: AtomicUsize::new(0) }
    }

    pub(crate) fn take(self: &Arc<Self>, amount: usize) -> Result<Held, Refused> {
        let held = self.nothing();
        held.take(amount).map(|()| held)
    }
}

/// The pool is used up, or this connection's part of it; this is the pool's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) usize);

/// A part of a connection's share.
#[derive(Debug)]
pub(crate) struct Held {
    share: Arc<Share>,
    amount: AtomicUsize,
}

impl Held {
    pub(crate) fn take(&self, amount: usize) -> Result<(), Refused> {
        let Share { pool, held } = &*self.share;
        let before = pool.held.fetch_add(amount, Ordering::Relaxed);
        let own = held.fetch_add(amount, Ordering::Relaxed);
        self.amount.fetch_add(amount, Ordering::Relaxed);
        let free = pool.max.saturating_sub(before);
        if amount > free || (own > 0 && own / GREED >= free) {
            self.give(amount);
            return Err(Refused(pool.max));
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn amount(&self) -> usize {
        self.amount.load(Ordering::Relaxed)
    }

    /// What was taken so far is done with.
    pub(crate) fn give_back(&self) {
        self.give(self.amount.load(Ordering::Relaxed));
    }

    fn give(&self, amount: usize) {
        self.amount.fetch_sub(amount, Ordering::Relaxed);
        self.share.held.fetch_sub(amount, Ordering::Relaxed);
        self.share.pool.held.fetch_sub(amount, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_comes_back() {
        let pool = Pool::new(100);
        let (one, two) = (Share::of(&pool), Share::of(&pool));
        let held = one.take(60).unwrap();
        assert_eq!(two.take(60).unwrap_err(), Refused(100));
        two.take(40).unwrap();
        held.give_back();
        held.take(100).unwrap();
        drop(held);
        assert_eq!(pool.held.load(Ordering::Relaxed), 0);
        assert_eq!(one.held.load(Ordering::Relaxed) + two.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn nobody_takes_all() {
        let pool = Pool::new(1_000);
        let all = |share: &Arc<Share>| std::iter::from_fn(|| share.take(1).ok()).collect::<Vec<_>>();
        let greedy: Vec<_> = (0..3).map(|_| Share::of(&pool)).collect();
        let first = all(&greedy[0]);
        assert!((740..=760).contains(&first.len()), "{}", first.len());
        let mut others = Vec::new();
        for share in &greedy[1..] {
            others.push(all(share));
            assert!(!others.last().unwrap().is_empty());
        }
        let newcomer = Share::of(&pool);
        newcomer.take(1).unwrap();
        // One that frees nothing gets nothing more; what it frees the others may have.
        greedy[0].take(1).unwrap_err();
        drop(first);
        assert!(all(&newcomer).len() > 100);
    }

    #[test]
    fn a_pool_of_one_serves_one() {
        let pool = Pool::new(1);
        let (one, two) = (Share::of(&pool), Share::of(&pool));
        let held = one.take(1).unwrap();
        assert!(one.take(1).is_err() && two.take(1).is_err());
        drop(held);
        two.take(1).unwrap();
    }
}
