//! Features of a text under small numbers, counted and weighed.

use super::{WEIGHT_SCALE, Weighting};

/// `round(1024 ln(1 + k))`: a table, so that every CPU agrees.
pub(super) const LN_1P: [u32; 256] = [
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

/// Features under small numbers, in order of appearance, so that texts with features in common look each up once.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// By number: hash, and count in the text at hand.
    pub(super) features: Vec<(u64, u32)>,
    /// Where a feature's number is found: open addressing, a power of two of slots.
    slots: Vec<Slot>,
    /// Slots of an earlier generation are free.
    generation: u32,
    /// Numbers of the features of the text at hand, in order of appearance.
    used: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u64,
    number: u32,
    generation: u32,
}

/// Slots of a fresh table; it doubles when half full.
const SLOTS: usize = 1 << 13;

impl Numbers {
    pub(super) fn forget(&mut self) {
        self.features.clear();
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 || self.slots.is_empty() {
            self.generation = 1;
            self.slots.clear();
            self.slots.resize(SLOTS, Slot::default());
        }
    }

    #[inline]
    pub(super) fn count(&mut self, hash: u64, count: u32) {
        let number = self.number(hash);
        self.add(number, count);
    }

    /// Counts a numbered feature in the text at hand.
    #[inline]
    pub(super) fn add(&mut self, number: u32, count: u32) {
        let total = &mut self.features[number as usize].1;
        if *total == 0 {
            self.used.push(number);
        }
        *total = total.saturating_add(count);
    }

    #[inline]
    pub(super) fn number(&mut self, hash: u64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let held = &mut self.slots[slot];
            if held.generation != self.generation {
                let number = self.features.len() as u32;
                *held = Slot { hash, number, generation: self.generation };
                self.features.push((hash, 0));
                if self.features.len() * 2 > self.slots.len() {
                    self.grow();
                }
                return number;
            }
            if held.hash == hash {
                return held.number;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let n_slots = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(n_slots, Slot::default());
        self.generation = 1;
        for (number, &(hash, _)) in self.features.iter().enumerate() {
            let mut slot = hash as usize & (n_slots - 1);
            while self.slots[slot].generation != 0 {
                slot = (slot + 1) & (n_slots - 1);
            }
            self.slots[slot] = Slot { hash, number: number as u32, generation: 1 };
        }
    }

    /// A number's feature with its weight.
    pub(super) fn named(&self, &(number, weight): &(u32, u32)) -> (u64, u32) {
        (self.features[number as usize].0, weight)
    }

    /// Turns the counts of the text at hand into weights, and forgets them.
    pub(super) fn weigh(&mut self, weighting: Weighting, vector: &mut Vec<(u32, u32)>) {
        self.weights(weighting, vector);
        for number in self.used.drain(..) {
            self.features[number as usize].1 = 0;
        }
    }

    pub(super) fn weights(&self, weighting: Weighting, vector: &mut Vec<(u32, u32)>) {
        vector.clear();
        let Self { features, used, .. } = self;
        let counts = used.iter().map(|&number| (number, features[number as usize].1));
        match weighting {
            Weighting::Counts { cap } => {
                vector
                    .extend(counts.map(|(number, count)| (number, count.min(u32::from(cap)) * WEIGHT_SCALE)));
            }
            Weighting::LogNormalized { norm } => {
                let log = |count: u32| LN_1P[(count as usize).min(LN_1P.len() - 1)];
                let squares: u64 = counts.clone().map(|(_, count)| u64::from(log(count)).pow(2)).sum();
                let length = squares.isqrt().max(1);
                let weight =
                    |count| u64::from(log(count)) * u64::from(norm) * u64::from(WEIGHT_SCALE) / length;
                vector.extend(counts.map(|(number, count)| (number, weight(count) as u32)));
            }
        }
    }
}
