//! `glotsift classify`: standard input, several files, exit codes, plain output when piped.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn classify(args: &[&str], stdin: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glotsift"));
    command.arg("classify").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // a child that refuses its arguments never reads
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn article(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/articles").join(name)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn standard_input_is_read_with_and_without_its_name() {
    let named = classify(&["-"], "Two goals in stoppage time decided the match.".as_bytes());
    let unnamed = classify(&[], "Two goals in stoppage time decided the match.".as_bytes());
    assert!(named.status.success() && unnamed.status.success(), "{}", text(&named.stderr));
    assert_eq!(named.stdout, unnamed.stdout);
    let page = text(&named.stdout);
    assert!(page.starts_with("standard input  45 bytes\n"), "{page}");
    for name in ["language", "topics", "spam", "noise"] {
        assert!(page.lines().any(|line| line.trim_start().starts_with(name)), "{name} is not in {page}");
    }
}

#[test]
fn a_pipe_gets_no_colour_and_no_control_characters() {
    let files = ["arabic_environment.txt", "german_science.txt"].map(article);
    let output = classify(&files.each_ref().map(|path| path.to_str().unwrap()), b"");
    assert!(output.status.success());
    let page = text(&output.stdout);
    let hidden = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}');
    assert!(!page.contains(hidden), "{page:?}");
}

#[test]
fn an_unreadable_file_is_one_line_and_the_others_are_done() {
    let sport = article("english_sport.txt");
    let output = classify(&["no/such/file.txt", sport.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("english_sport.txt"));
    let stderr = text(&output.stderr);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("error: no/such/file.txt: cannot read: "), "{stderr}");
}

#[test]
fn wrong_arguments_are_exit_2() {
    for args in [["--language-hint", "q1"], ["--format", "xml"], ["--model", "no/such/model"]] {
        let output = classify(&args, b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty() && text(&output.stderr).contains(args[1]), "{args:?}");
    }
}

#[test]
fn json_is_one_object_a_line_per_input() {
    let files = ["english_sport.txt", "greek_politics.txt"].map(article);
    let paths = files.each_ref().map(|path| path.to_str().unwrap());
    for format in ["json", "jsonl"] {
        let output = classify(&["--format", format, paths[0], paths[1]], b"");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let lines: Vec<serde_json::Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line["language"].is_object() && line["spam"].is_object()));
    }
}
