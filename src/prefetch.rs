//! Asks the processor for memory that is read soon: a look-up in tables that no cache holds mostly waits.

/// Asks for the cache line in which an item begins; nothing is read where there is none.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
#[allow(unsafe_code)]
pub(crate) fn prefetch<T: Copy>(items: &[T], at: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    if let Some(item) = items.get(at) {
        // SAFETY: a hint that changes nothing but what a cache holds, about the address of a reference.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast()) }
    }
}

/// The next best: a load whose value nothing waits for.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline]
pub(crate) fn prefetch<T: Copy>(items: &[T], at: usize) {
    std::hint::black_box(items.get(at).copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_asked_for() {
        let items = [1_u64, 2];
        for at in [0, 1, 2, usize::MAX] {
            prefetch(&items, at);
            prefetch::<u8>(&[], at);
        }
    }
}
