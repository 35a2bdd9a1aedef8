//! Fuzzing: what takes bytes or text from others, given what nobody would write. The loop is ours and runs on
//! stable Rust (`engine`, `mutate`); `cargo run --profile fuzz --example fuzz` drives it for long, `tests/it/fuzz.rs`
//! for a moment, `cargo fuzz` with libFuzzer's. A target panics where something is wrong and else says what came out of it.

pub mod bundle;
mod corpus;
mod counts;
pub mod engine;
mod model;
pub mod mutate;
mod request;
mod settings;
pub mod sound;
mod text;

pub struct Target {
    pub name: &'static str,
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Pieces of the format that chance would not find.
    pub words: &'static [&'static str],
    /// Panics when something is wrong; else names the outcome, so that inputs with new ones are kept.
    pub run: fn(&[u8]) -> u64,
}

pub const TARGETS: [Target; 9] = [
    Target { name: "request", seeds: request::seeds, words: request::WORDS, run: request::run },
    Target { name: "text", seeds: text::seeds, words: text::WORDS, run: text::run },
    Target { name: "spans", seeds: text::seeds, words: text::WORDS, run: text::spans },
    Target { name: "model", seeds: model::seeds, words: &[], run: model::run },
    Target { name: "manifest", seeds: model::manifests, words: model::WORDS, run: model::manifest },
    Target { name: "corpus", seeds: corpus::seeds, words: corpus::WORDS, run: corpus::run },
    Target { name: "counts", seeds: counts::seeds, words: &[], run: counts::run },
    Target { name: "settings", seeds: settings::seeds, words: settings::WORDS, run: settings::run },
    Target { name: "tokens", seeds: settings::token_seeds, words: settings::WORDS, run: settings::tokens },
];

/// Runs one target for libFuzzer (`fuzz_targets/`), which says by itself what is new.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    target.map(|target| (target.run)(input)).unwrap_or_else(|| panic!("{name:?} is no target"));
}

/// An outcome by whatever tells it from others.
fn outcome(of: impl std::hash::Hash) -> u64 {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    BuildHasherDefault::<DefaultHasher>::default().hash_one(of)
}

/// The first byte, which chooses among ways to take the rest.
fn choice(input: &[u8]) -> (u8, &[u8]) {
    input.split_first().map_or((0, input), |(first, rest)| (*first, rest))
}
