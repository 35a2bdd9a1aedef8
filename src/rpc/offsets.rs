//! Byte offsets into the unit the caller counts in.

use crate::rpc::convert::InvalidRequest;
use crate::rpc::pb;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16,
    Utf32,
}

impl TryFrom<i32> for Encoding {
    type Error = InvalidRequest;

    fn try_from(value: i32) -> Result<Self, InvalidRequest> {
        match pb::EncodingType::try_from(value) {
            Ok(pb::EncodingType::Unspecified | pb::EncodingType::Utf8) => Ok(Self::Utf8),
            Ok(pb::EncodingType::Utf16) => Ok(Self::Utf16),
            Ok(pb::EncodingType::Utf32) => Ok(Self::Utf32),
            Err(_) => Err(InvalidRequest::UnknownEnum { field: "offset_encoding", value, max: 3 }),
        }
    }
}

/// Bytes between two remembered counts: a lookup reads at most this many.
const BLOCK: usize = 256;

/// Answers any number of lookups into one text after a single pass over it.
pub(crate) struct Offsets<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
    /// Units before each block; empty when bytes are the unit.
    blocks: Vec<u32>,
}

impl<'a> Offsets<'a> {
    pub(crate) fn new(text: &'a str, encoding: Encoding) -> Self {
        let encoding = if text.is_ascii() { Encoding::Utf8 } else { encoding };
        let bytes = text.as_bytes();
        let mut blocks = Vec::new();
        if encoding != Encoding::Utf8 {
            let mut before = 0;
            for block in bytes.chunks(BLOCK) {
                blocks.push(before);
                before += units(block, encoding);
            }
            blocks.push(before);
        }
        Self { bytes, encoding, blocks }
    }

    /// `at` is a byte offset on a character boundary; anything past the end counts as the end.
    pub(crate) fn get(&self, at: usize) -> u32 {
        let at = at.min(self.bytes.len());
        match self.blocks.get(at / BLOCK) {
            Some(before) => before + units(&self.bytes[at / BLOCK * BLOCK..at], self.encoding),
            None => at as u32,
        }
    }
}

/// Units that begin in `bytes`, told by the first byte of each character.
fn units(bytes: &[u8], encoding: Encoding) -> u32 {
    let starts = bytes.iter().filter(|b| **b & 0xc0 != 0x80).count() as u32;
    match encoding {
        Encoding::Utf8 => bytes.len() as u32,
        Encoding::Utf32 => starts,
        // Four-byte characters are surrogate pairs.
        Encoding::Utf16 => starts + bytes.iter().filter(|b| **b >= 0xf0).count() as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_counting_from_the_start(text in "\\PC{0,400}") {
            let utf16 = Offsets::new(&text, Encoding::Utf16);
            let utf32 = Offsets::new(&text, Encoding::Utf32);
            let utf8 = Offsets::new(&text, Encoding::Utf8);
            for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                prop_assert_eq!(utf16.get(at) as usize, text[..at].encode_utf16().count());
                prop_assert_eq!(utf32.get(at) as usize, text[..at].chars().count());
                prop_assert_eq!(utf8.get(at) as usize, at);
            }
        }
    }

    #[test]
    fn block_edges_and_emoji() {
        let text = "🙂é語a".repeat(100);
        let utf16 = Offsets::new(&text, Encoding::Utf16);
        assert_eq!(utf16.get(text.len()), 500);
        assert_eq!(utf16.get(usize::MAX), 500);
    }
}
