//! Writes the two-stage table of what characters are that `src/class.rs` includes.

use std::collections::HashMap;
use std::fmt::Write as _;
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, is_nfkc_quick};

/// Characters per page of the second stage.
const PAGE: usize = 128;
/// Bits of a value that are flags; a row of `LOWER` follows.
const FLAGS: u32 = 8;

/// Letters that are NFKC as they stand and take part in a composition only with what follows them.
fn is_settled(c: char) -> bool {
    matches!(c as u32, 0xC0..=0x131 | 0x134..=0x13E | 0x141..=0x148 | 0x14A..=0x17E | 0x391..=0x3CE | 0x400..=0x482
        | 0x48A..=0x52F | 0x531..=0x556 | 0x561..=0x586 | 0x5D0..=0x5EA | 0x620..=0x64A | 0x660..=0x66F | 0x679..=0x6D5 | 0x904..=0x939
            | 0x93E..=0x950 | 0xA85..=0xABB | 0xABE..=0xACD | 0xE01..=0xE32 | 0xE34..=0xE5B | 0x1000..=0x102D
            | 0x102F..=0x109F | 0x10D0..=0x10FA | 0x1200..=0x135A | 0x1780..=0x17D3
        | 0x2010 | 0x2012..=0x2015 | 0x2018..=0x201F | 0x3001..=0x3029 | 0x3041..=0x3096 | 0x30A1..=0x30FE
        | 0x4E00..=0x9FFF | 0xAC00..=0xD7A3)
}

/// Characters drawn as nothing: zero-width, bidirectional and other format characters.
fn is_format(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// The source of the table: `STAGE1`, `STAGE2` and `LOWER`, steps to the first character of the lower case.
fn source() -> String {
    let mut steps: Vec<i32> = vec![0];
    let mut values = Vec::with_capacity(0x110000);
    for point in 0..0x110000u32 {
        let Some(c) = char::from_u32(point) else {
            values.push(0);
            continue;
        };
        let stable = is_nfkc_quick(std::iter::once(c)) == IsNormalized::Yes && !is_combining_mark(c);
        let flags = [
            c.is_alphabetic(),
            c.is_numeric(),
            c.is_uppercase(),
            c.is_whitespace(),
            is_combining_mark(c),
            stable,
            is_settled(c),
            is_format(c),
        ];
        let lower = c.to_lowercase().next().map_or(point, u32::from);
        let step = lower as i32 - point as i32;
        let row = steps.iter().position(|s| *s == step).unwrap_or_else(|| {
            steps.push(step);
            steps.len() - 1
        });
        let flags = flags.iter().rev().fold(0, |bits, flag| bits << 1 | u32::from(*flag));
        values.push(flags | (row as u32) << FLAGS);
    }
    let mut pages: Vec<&[u32]> = Vec::new();
    let mut page_index: HashMap<&[u32], usize> = HashMap::new();
    let mut stage1 = Vec::new();
    for page in values.chunks(PAGE) {
        let next = pages.len();
        let at = *page_index.entry(page).or_insert(next);
        if at == next {
            pages.push(page);
        }
        stage1.push(at);
    }
    let stage2 = pages.concat();
    let mut out = String::new();
    let _ = writeln!(out, "static STAGE1: [u16; {}] = {:?};", stage1.len(), stage1);
    let _ = writeln!(out, "static STAGE2: [u16; {}] = {:?};", stage2.len(), stage2);
    let _ = writeln!(out, "static LOWER: [i32; {}] = {:?};", steps.len(), steps);
    out
}

/// Writes the table where `src/class.rs` includes it from.
pub(super) fn generate() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=build/char_table.rs");
    let out = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    std::fs::write(format!("{out}/char_table.rs"), source())
}
