//! A whole bundle trained on the fixtures: small enough to load in no time, damage and retrain.

use crate::support::{fixture, texts};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

pub(crate) fn glotsift(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_glotsift")).args(args).output().unwrap()
}

/// Standard output of a run that must succeed without a word on standard error.
#[track_caller]
pub(crate) fn done(args: &[&str]) -> String {
    let output = glotsift(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{args:?}: {:?} {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and standard error of a run that must fail with one line and print nothing.
#[track_caller]
pub(crate) fn refused(args: &[&str]) -> (i32, String) {
    let output = glotsift(args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{args:?}: {stderr}");
    assert!(stderr.starts_with("error: "), "{args:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    (output.status.code().unwrap(), stderr)
}

pub(crate) fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// One JSON object a line.
pub(crate) fn write_jsonl(path: &Path, rows: &[serde_json::Value]) {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(path, lines).unwrap();
}

/// The paragraphs of the article fixtures with their languages.
pub(crate) fn paragraphs() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, text) in texts("articles") {
        let json = std::fs::read_to_string(path.with_extension("json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let language = json["language_code"].as_str().unwrap();
        let long = text.lines().filter(|line| line.chars().count() > 60);
        found.extend(long.map(|line| (line.to_owned(), language.to_owned())));
    }
    found
}

/// The folder of the bundle. Trained once per process, where cargo wants tests to put their files.
pub(crate) fn bundle() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tiny");
        std::fs::create_dir_all(&dir).unwrap();
        let (out, data) = (dir.join("bundle"), dir.join("data.jsonl"));
        let train = |task: &str, base: &str, files: &[&str]| {
            let args = ["train", "--task", task, "--base", base, "--name", "tiny", "--out", utf8(&out)];
            done(&[&args[..], files].concat());
        };
        let rows = paragraphs().into_iter();
        let rows = rows.map(|(text, lang)| serde_json::json!({"text": text, "lang": lang, "label": "ham"}));
        let mut rows: Vec<_> = rows.collect();
        write_jsonl(&data, &rows);
        train("language", "none", &[utf8(&data)]);
        rows.extend(texts("spam").into_iter().flat_map(|(_, text)| {
            let lines: Vec<_> = text.lines().filter(|line| line.len() > 20).map(str::to_owned).collect();
            lines.into_iter().map(|text| serde_json::json!({"text": text, "label": "spam"}))
        }));
        write_jsonl(&data, &rows);
        train("spam", utf8(&out), &[utf8(&data)]);
        train("topic", utf8(&out), &[utf8(&fixture("own_labels.csv"))]);
        let lines = ["Leave a comment", "Share this story on every network you know"];
        write_jsonl(&data, &lines.map(|text| serde_json::json!({"text": text})));
        train("boilerplate", utf8(&out), &[utf8(&data)]);
        out
    })
}

/// A copy to do harm to.
pub(crate) fn copy(to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(bundle()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
