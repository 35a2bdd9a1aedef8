//! Bundles whose digests are right and whose contents are not: refused, or as sound as any other.

use super::bundle::{TEXTS, made, sealed};
use super::sound::{kind, problem};
use super::{choice, outcome};
use bytes::Bytes;
use glotsift::classify::{Options, classify};
use glotsift::model::manifest::Manifest;
use glotsift::model::{Bundle, Model, TASKS};
use glotsift::text::Article;
use std::sync::OnceLock;

fn whole() -> &'static Bundle {
    static WHOLE: OnceLock<Bundle> = OnceLock::new();
    WHOLE.get_or_init(made)
}

/// The first byte chooses the task whose file the rest is.
pub(super) fn run(input: &[u8]) -> u64 {
    let (task, bytes) = choice(input);
    let task = TASKS[usize::from(task) % TASKS.len()];
    let mut bundle = whole().clone();
    bundle.files.insert(format!("{task}.safetensors"), Bytes::copy_from_slice(bytes));
    outcome((task, loaded(&sealed(bundle))))
}

/// The manifest as a file; what it says of sizes and digests is put right, or hardly any would get further.
pub(super) fn manifest(input: &[u8]) -> u64 {
    match Manifest::parse(input) {
        Ok(manifest) => {
            let again = Manifest::parse(&manifest.to_bytes()).map(|again| again.version());
            assert_eq!(again.ok(), Some(manifest.version()), "written and read again it is another");
            loaded(&sealed(Bundle { manifest, files: whole().files.clone() }))
        }
        Err(error) => refused(&error),
    }
}

fn loaded(bundle: &Bundle) -> u64 {
    let model = match Model::from_bundle(bundle) {
        Ok(model) => model,
        Err(error) => return refused(&error),
    };
    let options = Options { explain: true, clean_text: true, max_topics: 0, ..Options::default() };
    let kinds = TEXTS.map(|text| {
        let got = classify(&model, &Article { title: "Ferry", text, ..Article::default() }, &options);
        if let Some(problem) = problem("Ferry", text, &got) {
            panic!("{problem}");
        }
        kind(&got)
    });
    outcome((kinds, model.languages().len(), model.topic_labels().len()))
}

fn refused(error: &glotsift::model::format::ModelFormatError) -> u64 {
    let said = error.to_string();
    outcome(said.chars().filter(|c| c.is_alphabetic()).take(60).collect::<String>())
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let file = |(i, task): (usize, &&str)| {
        let bytes = whole().files.get(&format!("{task}.safetensors"));
        [&[i as u8][..], bytes.map_or(&[], |bytes| bytes)].concat()
    };
    TASKS.iter().enumerate().map(file).collect()
}

pub(super) fn manifests() -> Vec<Vec<u8>> {
    vec![whole().manifest.to_bytes()]
}

pub(super) const WORDS: &[&str] = &[
    "\"schema\":1,",
    "\"tasks\":{",
    "\"file\":\"../x\"",
    "\"norm\":65535",
    "\"count_cap\":0",
    "\"ngram_max\":8",
    "\"word_weight\":255",
    "\"ngram_chars\":4294967295",
    "\"word_chars\":4294967295",
    "\"marks\":true",
    "\"offers\":true",
    "\"labels\":[]",
    "\"tables\":[\"*\"]",
    "{\"id\":\"spam\",\"name\":\"\"},",
    "eng_Latn",
    "zho_Hant",
    "1e308",
    "null",
    "\"",
    ",",
    "{",
    "[",
    "}",
    "]",
];
