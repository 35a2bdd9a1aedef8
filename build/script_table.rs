//! Writes the two-stage script table that `src/script.rs` includes.

use std::collections::HashMap;
use std::fmt::Write as _;
use unicode_script::{Script, ScriptExtension, UnicodeScript};

/// Scripts whose index `src/script.rs` names; the others follow in the order they are met.
const NAMED: [&str; 30] = [
    "Zyyy", "Zinh", "Zzzz", "Latn", "Cyrl", "Grek", "Arab", "Hebr", "Hani", "Hira", "Kana", "Bopo", "Hang",
    "Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh", "Thai", "Laoo", "Tibt",
    "Mymr", "Khmr", "Armn", "Cher",
];

/// Characters per page of the second stage.
const PAGE: usize = 128;

/// The source of the table: `CODES`, `STAGE1`, `STAGE2` and `EXTENSIONS`.
///
/// A value of `STAGE2` below `CODES.len()` is a script; any other is `CODES.len()` plus a row of
/// `EXTENSIONS`, the character's own script and those it is used with.
fn source() -> String {
    let mut codes: Vec<String> = NAMED.iter().map(|code| code.to_string()).collect();
    let mut index: HashMap<String, usize> = codes.iter().cloned().zip(0..).collect();
    let mut id = |script: Script| -> usize {
        let code = script.short_name().to_string();
        *index.entry(code.clone()).or_insert_with(|| {
            codes.push(code);
            codes.len() - 1
        })
    };
    // (script, extensions) of every code point; surrogates are unknown
    let mut values = Vec::with_capacity(0x110000);
    let mut sets: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut set_index: HashMap<(usize, Vec<usize>), usize> = HashMap::new();
    for point in 0..0x110000u32 {
        let Some(c) = char::from_u32(point) else {
            values.push(Ok(2));
            continue;
        };
        let script = id(c.script());
        let extension = c.script_extension();
        if extension == ScriptExtension::from(c.script()) {
            values.push(Ok(script));
            continue;
        }
        let key = (script, extension.iter().map(&mut id).collect::<Vec<_>>());
        let row = *set_index.entry(key.clone()).or_insert_with(|| {
            sets.push(key);
            sets.len() - 1
        });
        values.push(Err(row));
    }
    let flat: Vec<usize> = values.into_iter().map(|v| v.unwrap_or_else(|row| codes.len() + row)).collect();
    let mut pages: Vec<&[usize]> = Vec::new();
    let mut page_index: HashMap<&[usize], usize> = HashMap::new();
    let mut stage1 = Vec::new();
    for page in flat.chunks(PAGE) {
        let next = pages.len();
        let at = *page_index.entry(page).or_insert(next);
        if at == next {
            pages.push(page);
        }
        stage1.push(at);
    }
    let mut out = String::new();
    let _ = writeln!(out, "static CODES: [[u8; 4]; {}] = [", codes.len());
    for code in &codes {
        let _ = writeln!(out, "*b\"{code}\",");
    }
    let _ = writeln!(out, "];\nstatic STAGE1: [u16; {}] = {:?};", stage1.len(), stage1);
    let stage2: Vec<usize> = pages.concat();
    let _ = writeln!(out, "static STAGE2: [u16; {}] = {:?};", stage2.len(), stage2);
    let _ = writeln!(out, "static EXTENSIONS: [(u8, &[u8]); {}] = [", sets.len());
    for (script, set) in &sets {
        let _ = writeln!(out, "({script}, &{set:?}),");
    }
    out.push_str("];\n");
    out
}

/// Writes the table where `src/script.rs` includes it from.
pub(super) fn generate() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=build/script_table.rs");
    let out = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    std::fs::write(format!("{out}/script_table.rs"), source())
}
