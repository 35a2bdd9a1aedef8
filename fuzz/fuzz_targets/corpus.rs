#![no_main]

#[allow(dead_code)]
#[path = "../mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("corpus", input));
