//! Lengths of the buckets of records, a byte each but for long ones: little-endian base 128 (LEB128), seven bits a
//! byte, the top bit set where another byte follows.

/// The lengths between `starts`.
pub fn of(starts: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut before = None;
    for start in starts {
        if let Some(before) = before.replace(start) {
            let mut rest = start - before;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
    }
    bytes
}

/// Where the buckets begin, from 0, and where the last one ends; `None` where a length is cut off or the sum takes
/// more than 32 bits.
pub fn starts(lengths: &[u8]) -> Option<Vec<u32>> {
    let mut starts = Vec::with_capacity(lengths.len() + 1);
    let mut bytes = lengths.iter();
    let mut start = 0_u32;
    starts.push(start);
    while let Some(&first) = bytes.next() {
        let (mut length, mut byte, mut shift) = (u64::from(first & 0x7f), first, 0);
        while byte & 0x80 != 0 {
            byte = *bytes.next()?;
            shift += 7;
            if shift > 28 {
                return None;
            }
            length |= u64::from(byte & 0x7f) << shift;
        }
        start = start.checked_add(u32::try_from(length).ok()?)?;
        starts.push(start);
    }
    Some(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_come_back() {
        assert_eq!(of([0, 5, 5, 132, 132 + 300].into_iter()), [5, 0, 127, 0xac, 2]);
        assert_eq!(starts(&[5, 0, 127, 0xac, 2]), Some(vec![0, 5, 5, 132, 432]));
        assert_eq!(starts(&of(std::iter::once(0))), Some(vec![0]), "no bucket at all");
        let far = [0, 127, 255, 16_639, 3_000_000, u32::MAX];
        assert_eq!(starts(&of(far.into_iter())), Some(far.to_vec()));
    }

    #[test]
    fn broken_lengths_are_refused() {
        for broken in
            [&[0x80_u8][..], &[5, 0xff], &[0xff, 0xff, 0xff, 0xff, 0xff, 1], &[0xff, 0xff, 0xff, 0xff, 0x7f]]
        {
            assert_eq!(starts(broken), None, "{broken:?}");
        }
        // twice three gigabytes
        let three = [0x80, 0x80, 0x80, 0x80, 0x0c];
        assert_eq!(starts(&[three, three].concat()), None);
    }
}
