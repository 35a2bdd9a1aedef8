//! Scripts (ISO 15924) of characters and runs of text.

/// A script by its ISO 15924 code, e.g. `Latn`; `Zyyy` is common, `Zinh` inherited, `Zzzz` unknown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Script([u8; 4]);

impl Script {
    pub const LATIN: Self = Self(*b"Latn");
    pub const CYRILLIC: Self = Self(*b"Cyrl");
    pub const GREEK: Self = Self(*b"Grek");
    pub const ARABIC: Self = Self(*b"Arab");
    pub const HAN: Self = Self(*b"Hani");
    pub const JAPANESE: Self = Self(*b"Jpan");
    pub const KOREAN: Self = Self(*b"Kore");
    pub const COMMON: Self = Self(*b"Zyyy");
    pub const INHERITED: Self = Self(*b"Zinh");
    pub const UNKNOWN: Self = Self(*b"Zzzz");

    /// Accepts four ASCII letters in title case (`Latn`).
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 4] = code.as_bytes().try_into().ok()?;
        (bytes[0].is_ascii_uppercase() && bytes[1..].iter().all(u8::is_ascii_lowercase))
            .then_some(Self(bytes))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("Zzzz")
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
