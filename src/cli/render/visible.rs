//! Characters that would disturb a terminal or show nothing, written out.

use std::borrow::Cow;

/// Text safe to print on one line: controls, directional marks and invisible characters appear as
/// `<U+200B>`. The joiners stay, since Persian, Hindi and emoji are written with them.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| show(c, false)).collect()
}

/// The same with the joiners written out too: inside a marked span they are what is marked.
pub(super) fn escaped(text: &str) -> String {
    text.chars().map(|c| show(c, true)).collect()
}

/// One character as it is printed.
pub(super) fn show(c: char, joiners: bool) -> Cow<'static, str> {
    let written_out = match c {
        '\t' => return Cow::Borrowed(" "),
        '\u{200c}' | '\u{200d}' => joiners,
        c if c.is_control() => true,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    };
    if written_out { Cow::Owned(format!("<U+{:04X}>", c as u32)) } else { Cow::Owned(c.to_string()) }
}
