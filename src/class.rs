//! What a character is: letter, number, blank, mark, and its lower case, in two array reads.
//!
//! The standard library answers the same from compressed tables that it searches, which most scripts pay for
//! with every letter. `build/char_table.rs` writes the table.

mod table {
    //! Written at build time.
    include!(concat!(env!("OUT_DIR"), "/char_table.rs"));

    #[inline]
    pub(super) fn value(point: u32) -> u16 {
        let page = STAGE1.get((point >> 7) as usize).copied().unwrap_or(0) as usize;
        STAGE2.get(page << 7 | (point & 0x7f) as usize).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn step(row: u16) -> i32 {
        LOWER.get(row as usize).copied().unwrap_or(0)
    }
}

const ALPHABETIC: u16 = 1;
const NUMERIC: u16 = 2;
const UPPERCASE: u16 = 4;
const WHITESPACE: u16 = 8;
const MARK: u16 = 16;
/// NFKC as it stands, and no combining mark: it changes with nothing before it.
const STABLE: u16 = 32;
const SETTLED: u16 = 64;
const FORMAT: u16 = 128;
const FLAGS: u32 = 8;

/// What is known of one character.
#[derive(Clone, Copy)]
pub(crate) struct Class(u16);

impl Class {
    #[inline]
    pub(crate) fn of(c: char) -> Self {
        Self(table::value(c as u32))
    }

    #[inline]
    fn has(self, flags: u16) -> bool {
        self.0 & flags != 0
    }

    #[inline]
    pub(crate) fn is_numeric(self) -> bool {
        self.has(NUMERIC)
    }

    #[inline]
    pub(crate) fn is_alphanumeric(self) -> bool {
        self.has(ALPHABETIC | NUMERIC)
    }

    #[inline]
    pub(crate) fn is_alphabetic(self) -> bool {
        self.has(ALPHABETIC)
    }

    #[inline]
    pub(crate) fn is_uppercase(self) -> bool {
        self.has(UPPERCASE)
    }

    #[inline]
    pub(crate) fn is_whitespace(self) -> bool {
        self.has(WHITESPACE)
    }

    /// Letters, numbers and combining marks.
    #[inline]
    pub(crate) fn is_word(self) -> bool {
        self.has(ALPHABETIC | NUMERIC | MARK)
    }

    #[inline]
    pub(crate) fn is_mark(self) -> bool {
        self.has(MARK)
    }

    /// A letter that is NFKC as it stands and takes part in a composition only with what follows it.
    #[inline]
    pub(crate) fn is_settled(self) -> bool {
        self.has(SETTLED)
    }

    /// Drawn as nothing: zero-width, bidirectional and other format characters.
    #[inline]
    pub(crate) fn is_format(self) -> bool {
        self.has(FORMAT)
    }

    /// NFKC as it stands, whatever is before it.
    #[inline]
    pub(crate) fn stays(self) -> bool {
        self.has(STABLE | SETTLED)
    }
}

/// The first character of the lower case.
#[inline]
pub(crate) fn lower(c: char) -> char {
    let step = table::step(table::value(c as u32) >> FLAGS);
    char::from_u32((c as u32).wrapping_add_signed(step)).unwrap_or(c)
}

#[inline]
pub(crate) fn is_alphabetic(c: char) -> bool {
    Class::of(c).is_alphabetic()
}

#[inline]
pub(crate) fn is_alphanumeric(c: char) -> bool {
    Class::of(c).is_alphanumeric()
}

#[inline]
pub(crate) fn is_whitespace(c: char) -> bool {
    Class::of(c).is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::char::is_combining_mark;
    use unicode_normalization::{IsNormalized, is_nfkc_quick};

    #[test]
    fn the_table_is_the_standard_library() {
        for c in (0..0x110000).filter_map(char::from_u32) {
            let class = Class::of(c);
            assert_eq!(class.is_alphabetic(), c.is_alphabetic(), "{c:?}");
            assert_eq!(class.is_numeric(), c.is_numeric(), "{c:?}");
            assert_eq!(class.is_alphanumeric(), c.is_alphanumeric(), "{c:?}");
            assert_eq!(class.is_uppercase(), c.is_uppercase(), "{c:?}");
            assert_eq!(class.is_whitespace(), c.is_whitespace(), "{c:?}");
            assert_eq!(class.is_mark(), is_combining_mark(c), "{c:?}");
            assert_eq!(class.is_word(), c.is_alphanumeric() || is_combining_mark(c), "{c:?}");
            let normal = is_nfkc_quick(std::iter::once(c)) == IsNormalized::Yes;
            assert_eq!(class.has(STABLE), normal && !is_combining_mark(c), "{c:?}");
            assert_eq!(Some(lower(c)), c.to_lowercase().next(), "{c:?}");
        }
    }
}
