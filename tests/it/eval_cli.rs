//! `glotsift eval`: exit codes, streams, formats of data.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn eval(args: &[&str], stdin: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glotsift"));
    command.arg("eval").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // a child that refuses its arguments never reads
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code and the one line of standard error; nothing on standard output.
#[track_caller]
fn refused(output: &Output) -> (i32, String) {
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output.status.code().unwrap(), stderr)
}

const ROWS: &[u8] = br#"{"text":"The striker scored twice.","label":"sport","lang":"eng"}
{"text":"Der Regen bleibt bis Sonntag.","label":"medtop:17000000","lang":"deu"}
"#;

#[test]
fn standard_input_is_scored_as_jsonl() {
    let args = ["--task", "topic", "--group-by", "language", "--format", "json", "-"];
    let output = eval(&args, ROWS);
    let scores = json(&output);
    assert_eq!((&scores["task"], &scores["n"]), (&"topic".into(), &2.into()));
    let keys = |key: &str| scores[key].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys("per_label"), ["medtop:15000000", "medtop:17000000"]);
    assert_eq!(keys("groups"), ["deu", "eng"]);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, eval(&args, ROWS).stdout, "the same rows must score the same");
}

#[test]
fn rows_of_language_need_no_label() {
    let scores = json(&eval(&["--task", "language", "--format", "json", "-"], ROWS));
    assert_eq!(scores["n"], 2);
    assert!(scores["accuracy_strict"].is_number());
}

#[test]
fn own_labels_of_a_table_are_scored_and_named_as_unknown() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/own_labels.csv");
    let scores = json(&eval(&["--task", "topic", "--format", "json", table.to_str().unwrap()], b""));
    assert_eq!(scores["n"], 54);
    assert_eq!(scores["per_label"]["billing"]["support"], 15);
    assert_eq!(scores["unknown_labels"]["account"], 9);
}

#[test]
fn what_is_wrong_with_the_arguments_is_exit_2_with_the_work_exit_1() {
    let (code, stderr) = refused(&eval(&["--task", "colour", "-"], b""));
    assert_eq!(code, 2, "{stderr}");
    let (code, stderr) = refused(&eval(&["--task", "topic", "--model", "no/such/model", "-"], ROWS));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("no/such/model"), "{stderr}");
    let (code, stderr) = refused(&eval(&["--task", "topic", "no/such/file.jsonl"], b""));
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("no/such/file.jsonl: cannot read"), "{stderr}");
    let (code, stderr) = refused(&eval(&["--task", "topic", "--strict", "-"], b"{\"text\":\"a\"}\n"));
    assert_eq!((code, stderr.as_str()), (1, "error: standard input:1: no label\n"));
    let rows = b"{\"text\":\"a\",\"label\":\"ham\"}\n{\"text\":\"b\",\"label\":\"eggs\"}\n";
    let (code, stderr) = refused(&eval(&["--task", "spam", "--strict", "-"], rows));
    let expected = "error: standard input:2: label \"eggs\" is neither spam nor ham\n";
    assert_eq!((code, stderr.as_str()), (1, expected));
}
