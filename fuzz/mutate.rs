//! Small changes to bytes, of the kinds that break parsers.

/// SplitMix64 (Steele et al. 2014): the same seed gives the same run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Small more often than large: below 2 to the power of a number below `bits`.
    fn small(&mut self, bits: usize) -> usize {
        let bits = self.below(bits);
        self.below(1 << bits)
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

/// Where arithmetic goes wrong.
const NUMBERS: [u64; 16] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];
const FLOATS: [f32; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-45,
    1e30,
    -1e30,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];
const DECIMALS: [&str; 10] = [
    "0",
    "-1",
    "1e999",
    "4294967296",
    "18446744073709551616",
    "9223372036854775808",
    "NaN",
    "0.5",
    "1",
    "1e-320",
];

/// One to a dozen changes, rarely many; at most `longest` bytes come out.
pub(super) fn mutate(input: &mut Vec<u8>, other: &[u8], words: &[&str], longest: usize, random: &mut Random) {
    let n = 1 + (random.next().trailing_zeros() as usize * 2).min(11);
    for _ in 0..n {
        change(input, other, words, random);
        input.truncate(longest);
    }
}

fn change(input: &mut Vec<u8>, other: &[u8], words: &[&str], random: &mut Random) {
    let at = random.below(input.len());
    match random.below(16) {
        0 | 1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
        3 | 4 => {
            let number = NUMBERS[random.below(NUMBERS.len())];
            let width = 1 << random.below(4);
            let bytes = if random.below(2) == 0 { number.to_le_bytes() } else { number.to_be_bytes() };
            let bytes = if random.below(2) == 0 { &bytes[..width] } else { &bytes[8 - width..] };
            overwrite(input, at, bytes);
        }
        // Numbers in files lie on their width mostly, a byte further where one before them chooses.
        5 => {
            overwrite(input, at / 4 * 4 + random.below(2), &FLOATS[random.below(FLOATS.len())].to_le_bytes())
        }
        6 => drop(input.drain(at..(at + 1 + random.small(8)).min(input.len()))),
        7 => {
            let bytes: Vec<u8> = (0..1 + random.below(8)).map(|_| random.next() as u8).collect();
            insert(input, at, &bytes);
        }
        8 => {
            let piece = piece(input, 64, random).repeat(1 + random.small(7));
            insert(input, at, &piece);
        }
        9 => {
            let piece = piece(input, 64, random);
            overwrite(input, at, &piece);
        }
        10 => {
            let piece = piece(other, 512, random);
            insert(input, at, &piece);
        }
        11 => input.truncate(at),
        12 => {
            let c = char::from_u32(random.below(0x11_0000) as u32 >> random.below(16)).unwrap_or('\u{fffd}');
            insert(input, at, c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        13 => {
            // A number in digits gives way to another.
            let digit = |b: &u8| b.is_ascii_digit();
            if let Some(start) = input.iter().skip(at).position(digit).map(|n| n + at) {
                let end = input[start..].iter().position(|b| !digit(b)).map_or(input.len(), |n| n + start);
                input.splice(start..end, DECIMALS[random.below(DECIMALS.len())].bytes());
            }
        }
        _ => {
            if let Some(word) = random.of(words) {
                insert(input, at, word.as_bytes());
            }
        }
    }
}

fn piece(of: &[u8], longest: usize, random: &mut Random) -> Vec<u8> {
    let from = random.below(of.len());
    let length = 1 + random.below(longest);
    of[from.min(of.len())..(from + length).min(of.len())].to_vec()
}

fn overwrite(input: &mut [u8], at: usize, bytes: &[u8]) {
    input.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}
