//! Buffers that wait for their next text: fresh ones cost more than filling them.

use std::sync::{Mutex, PoisonError};

/// Lends the buffers given back last, which are in a cache of the processor yet: as many are in use as texts are
/// classified at once, however many threads take turns.
#[derive(Debug)]
pub struct Pool<T>(Mutex<Vec<T>>);

impl<T: Default> Pool<T> {
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// New ones where none wait.
    pub fn take(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub fn give_back(&self, buffers: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_back_last_goes_first() {
        let pool: Pool<Vec<u8>> = Pool::new();
        assert!(pool.take().is_empty());
        pool.give_back(vec![1]);
        pool.give_back(vec![2]);
        assert_eq!((pool.take(), pool.take(), pool.take()), (vec![2], vec![1], Vec::new()));
    }
}
