//! Writes the two-stage table of what characters are that `src/class.rs` includes.

use std::collections::HashMap;
use std::fmt::Write as _;
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, is_nfkc_quick};

/// Characters per page of the second stage.
const PAGE: usize = 128;
/// Bits of a value that are flags; a row of `LOWER` follows.
const FLAGS: u32 = 6;

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
