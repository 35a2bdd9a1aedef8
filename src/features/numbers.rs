//! Features of a text under small numbers, counted and weighed.

use super::{Hashed, WEIGHT_SCALE, Weighting};

/// `round(1024 ln(1 + k))`: a table, so that every CPU agrees.
const LN_1P: [u32; 256] = [
    0, 710, 1125, 1420, 1648, 1835, 1993, 2129, 2250, 2358, 2455, 2545, 2627, 2702, 2773, 2839, 2901, 2960,
    3015, 3068, 3118, 3165, 3211, 3254, 3296, 3336, 3375, 3412, 3448, 3483, 3516, 3549, 3580, 3611, 3641,
    3670, 3698, 3725, 3751, 3777, 3803, 3827, 3851, 3875, 3898, 3921, 3943, 3964, 3985, 4006, 4026, 4046,
    4066, 4085, 4104, 4122, 4140, 4158, 4175, 4193, 4210, 4226, 4243, 4259, 4275, 4290, 4306, 4321, 4336,
    4350, 4365, 4379, 4393, 4407, 4421, 4435, 4448, 4461, 4474, 4487, 4500, 4512, 4525, 4537, 4549, 4561,
    4573, 4585, 4596, 4608, 4619, 4630, 4641, 4652, 4663, 4674, 4685, 4695, 4705, 4716, 4726, 4736, 4746,
    4756, 4766, 4775, 4785, 4795, 4804, 4813, 4823, 4832, 4841, 4850, 4859, 4868, 4876, 4885, 4894, 4902,
    4911, 4919, 4928, 4936, 4944, 4952, 4960, 4968, 4976, 4984, 4992, 5000, 5008, 5015, 5023, 5031, 5038,
    5046, 5053, 5060, 5068, 5075, 5082, 5089, 5096, 5103, 5110, 5117, 5124, 5131, 5138, 5144, 5151, 5158,
    5164, 5171, 5178, 5184, 5191, 5197, 5203, 5210, 5216, 5222, 5228, 5235, 5241, 5247, 5253, 5259, 5265,
    5271, 5277, 5283, 5289, 5295, 5300, 5306, 5312, 5318, 5323, 5329, 5335, 5340, 5346, 5351, 5357, 5362,
    5368, 5373, 5378, 5384, 5389, 5394, 5400, 5405, 5410, 5415, 5420, 5425, 5431, 5436, 5441, 5446, 5451,
    5456, 5461, 5466, 5471, 5475, 5480, 5485, 5490, 5495, 5500, 5504, 5509, 5514, 5518, 5523, 5528, 5532,
    5537, 5542, 5546, 5551, 5555, 5560, 5564, 5569, 5573, 5577, 5582, 5586, 5591, 5595, 5599, 5604, 5608,
    5612, 5616, 5621, 5625, 5629, 5633, 5637, 5642, 5646, 5650, 5654, 5658, 5662, 5666, 5670, 5674, 5678,
];

/// A feature of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbered {
    pub hash: u64,
    /// How often it counts in the text's vector; 0 for what is no part of it.
    counted: u32,
    /// How often it is met at a place.
    met: u32,
}

impl Numbered {
    /// `ln(1 + n)` of how often it is met at a place, and that number.
    pub(super) fn met(&self) -> (f64, u32) {
        (f64::from(log(self.met)) / f64::from(WEIGHT_SCALE), self.met)
    }
}

impl Hashed for Numbered {
    #[inline]
    fn hash(&self) -> u64 {
        self.hash
    }
}

fn log(count: u32) -> u32 {
    LN_1P[(count as usize).min(LN_1P.len() - 1)]
}

/// Features under small numbers, in order of appearance, so that each is looked up once.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// By number, and room for one more at least.
    features: Vec<Numbered>,
    /// How many there are.
    n: usize,
    /// Where a feature's number is found: open addressing, a power of two of slots.
    slots: Vec<Slot>,
    /// Slots of an earlier generation are free.
    generation: u32,
}

/// Eight bytes, as a text's features are looked for all over them and caches are small.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    generation: u32,
    number: u32,
}

/// Slots of a fresh table; it doubles when half full.
const SLOTS: usize = 1 << 13;

impl Numbers {
    pub(super) fn forget(&mut self) {
        self.n = 0;
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 || self.slots.is_empty() {
            self.generation = 1;
            let n_slots = self.slots.len().max(SLOTS);
            self.slots.clear();
            self.slots.resize(n_slots, Slot::default());
            self.features.resize(n_slots / 2 + 1, Numbered::default());
        }
    }

    /// By number.
    pub(super) fn features(&self) -> &[Numbered] {
        &self.features[..self.n]
    }

    pub(super) fn capacity(&self) -> usize {
        self.features.capacity()
    }

    #[inline]
    pub(super) fn count(&mut self, hash: u64, count: u32) {
        let number = self.number(hash);
        self.add(number, count);
    }

    /// Counts a numbered feature in the text's vector.
    #[inline]
    pub(super) fn add(&mut self, number: u32, count: u32) {
        let total = &mut self.features[number as usize].counted;
        *total = total.saturating_add(count);
    }

    /// Every feature keeps its number and is no part of the text's vector.
    pub(super) fn forget_counts(&mut self) {
        self.features[..self.n].iter_mut().for_each(|feature| feature.counted = 0);
    }

    /// Counts a numbered feature at a place.
    #[inline]
    pub(super) fn meet(&mut self, number: u32, count: u32) {
        let total = &mut self.features[number as usize].met;
        *total = total.saturating_add(count);
    }

    /// A feature's number; the next one is given to a new feature. Whether it is new nobody can foresee, so that
    /// nothing depends on it: both are written as if it were.
    #[inline]
    pub(super) fn number(&mut self, hash: u64) -> u32 {
        self.features[self.n] = Numbered { hash, ..Numbered::default() };
        let mut at = hash as usize & (self.slots.len() - 1);
        let (mut number, mut new) = self.held(at);
        if self.features[number as usize].hash != hash {
            at = self.search(hash, at);
            (number, new) = self.held(at);
        }
        self.slots[at] = Slot { generation: self.generation, number };
        self.n += usize::from(new);
        if self.n * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    /// Whose a slot is: the next number's where it is free, which the second says.
    #[inline]
    fn held(&self, at: usize) -> (u32, bool) {
        let Slot { generation, number } = self.slots[at];
        let free = generation != self.generation;
        (if free { self.n as u32 } else { number }, free)
    }

    /// The slot of a feature whose first one, `at`, is another's: its own, or a free one.
    fn search(&self, hash: u64, mut at: usize) -> usize {
        loop {
            at = (at + 1) & (self.slots.len() - 1);
            if self.features[self.held(at).0 as usize].hash == hash {
                return at;
            }
        }
    }

    fn grow(&mut self) {
        let n_slots = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(n_slots, Slot::default());
        self.features.resize(n_slots / 2 + 1, Numbered::default());
        self.generation = 1;
        for (number, feature) in self.features[..self.n].iter().enumerate() {
            let mut at = feature.hash as usize & (n_slots - 1);
            while self.slots[at].generation != 0 {
                at = (at + 1) & (n_slots - 1);
            }
            self.slots[at] = Slot { generation: 1, number: number as u32 };
        }
    }

    /// A number's feature with its weight.
    pub(super) fn named(&self, &(number, weight): &(u32, u32)) -> (u64, u32) {
        (self.features[number as usize].hash, weight)
    }

    /// What has been counted so far as weights, by number.
    pub(super) fn weigh(&self, weighting: Weighting, vector: &mut Vec<(u32, u32)>) {
        vector.clear();
        let numbered = self.features().iter().zip(0_u32..);
        let counts = numbered.map(|(feature, number)| (number, feature.counted)).filter(|of| of.1 > 0);
        match weighting {
            Weighting::Counts { cap } => {
                vector
                    .extend(counts.map(|(number, count)| (number, count.min(u32::from(cap)) * WEIGHT_SCALE)));
            }
            Weighting::LogNormalized { norm } => {
                let squares: u64 = counts.clone().map(|(_, count)| u64::from(log(count)).pow(2)).sum();
                let length = squares.isqrt().max(1);
                let weight =
                    |count| u64::from(log(count)) * u64::from(norm) * u64::from(WEIGHT_SCALE) / length;
                vector.extend(counts.map(|(number, count)| (number, weight(count) as u32)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_feature_has_a_number_of_its_own(
            texts in proptest::collection::vec(proptest::collection::vec((0_u64..40, 0_u64..9), 0..400), 1..4),
        ) {
            let mut numbers = Numbers::default();
            for text in texts {
                numbers.forget();
                let mut expected: Vec<(u64, u32)> = Vec::new();
                for (low, high) in text {
                    // few slots, and what they do not see
                    let hash = low | high << 20;
                    numbers.count(hash, 2);
                    match expected.iter_mut().find(|of| of.0 == hash) {
                        Some(of) => of.1 += 2,
                        None => expected.push((hash, 2)),
                    }
                }
                let found: Vec<(u64, u32)> = numbers.features().iter().map(|f| (f.hash, f.counted)).collect();
                proptest::prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn a_table_grows_and_forgets() {
        let mut numbers = Numbers::default();
        for text in 0..3_u64 {
            numbers.forget();
            let hashes = || (0..20_000_u64).map(|i| (i + text).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let first: Vec<u32> = hashes().map(|hash| numbers.number(hash)).collect();
            assert!(first.iter().copied().eq(0..20_000));
            let again: Vec<u32> = hashes().map(|hash| numbers.number(hash)).collect();
            assert_eq!(again, first);
        }
        // when all generations have been, nothing of an earlier one is left
        numbers.generation = u32::MAX;
        numbers.number(7);
        numbers.forget();
        assert_eq!((numbers.number(8), numbers.number(7)), (0, 1));
    }
}
