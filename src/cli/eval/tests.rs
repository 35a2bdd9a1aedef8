use super::*;
use clap::Parser;
use std::path::Path;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    eval: EvalArgs,
}

fn args(line: &str, file: &Path) -> EvalArgs {
    let words = std::iter::once("eval").chain(line.split_whitespace());
    Cli::parse_from(words.map(Into::into).chain([file.as_os_str().to_owned()])).eval
}

/// What eval prints and notes for rows in a file of this name; the folder's name is taken out.
fn eval(line: &str, name: &str, rows: &str) -> (Result<String, String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, rows).unwrap();
    let mut notes = Vec::new();
    let printed = evaluate(&args(line, &path), &Model::default(), &mut notes);
    let prefix = format!("{}/", folder.path().display());
    let clean = |text: String| text.replace(&prefix, "");
    (printed.map_err(|error| clean(format!("{error:#}"))), clean(String::from_utf8(notes).unwrap()))
}

const TOPICS: &str = r#"{"text":"The match ended in a draw.","label":"sport","lang":"eng","source":"a"}
{"text":"Der Zug kam zu spät.","label":"medtop:04000000","lang":"deu"}
{"text":"oops"}
{"text":"Carrots like loose soil.","label":"gardening","lang":"eng","source":"a"}
"#;

#[test]
fn json_has_the_fixed_keys() {
    for (task, rows, more) in [
        ("topic", TOPICS, vec![]),
        (
            "spam",
            "{\"text\":\"a\",\"label\":\"SPAM\"}\n{\"text\":\"b\",\"label\":0}\n",
            vec!["spam_recall", "ham_recall", "f1_spam", "unsure"],
        ),
        ("language", "{\"text\":\"a\",\"lang\":\"eng\"}\n", vec!["accuracy_strict"]),
    ] {
        let (printed, _) = eval(&format!("--task {task} --format json"), "a.jsonl", rows);
        let json: serde_json::Value = serde_json::from_str(&printed.unwrap()).unwrap();
        let shared =
            ["task", "n", "accuracy", "macro_f1", "ece", "coverage", "accuracy_covered", "top2_accuracy"];
        for key in shared.into_iter().chain(["per_label", "groups"]).chain(more) {
            assert!(json.get(key).is_some(), "{task} lacks {key}");
        }
        assert_eq!(json["task"], task);
        let label = json["per_label"].as_object().unwrap().values().next().unwrap();
        for key in ["precision", "recall", "f1", "support"] {
            assert!(label[key].is_number(), "{task} lacks {key} per label");
        }
    }
}

#[test]
fn topics_are_matched_by_name_or_id_and_bad_rows_counted() {
    let (printed, notes) = eval("--task topic --format json --group-by source", "a.jsonl", TOPICS);
    let json: serde_json::Value = serde_json::from_str(&printed.unwrap()).unwrap();
    let labels: Vec<&String> = json["per_label"].as_object().unwrap().keys().collect();
    assert_eq!(labels, ["gardening", "medtop:04000000", "medtop:15000000"]);
    assert_eq!(json["unknown_labels"]["gardening"], 1);
    assert_eq!((json["n"].as_u64(), json["skipped"].as_u64()), (Some(3), Some(1)));
    assert_eq!((&json["groups"]["a"]["n"], &json["groups"]["unknown"]["n"]), (&2.into(), &1.into()));
    assert_eq!(notes, "warning: row skipped: a.jsonl:3: no label\n");
}

#[test]
fn strict_stops_at_the_first_bad_row() {
    let (printed, _) = eval("--task topic --strict", "a.jsonl", TOPICS);
    assert_eq!(printed, Err("a.jsonl:3: no label".to_owned()));
    let (printed, _) = eval("--task spam --strict", "a.csv", "text,label\na,eggs\n");
    assert_eq!(printed, Err("a.csv:2: label \"eggs\" is neither spam nor ham".to_owned()));
}

#[test]
fn a_file_that_cannot_be_read_stops_the_work() {
    let (printed, _) = eval("--task topic", "a.jsonl.gz", "not gzip at all, whatever it says");
    assert!(printed.unwrap_err().starts_with("a.jsonl.gz:1: cannot read: "));
    let (printed, notes) = eval("--task topic", "a.jsonl", &"{}\n".repeat(9));
    assert_eq!(printed, Err("no labelled documents to score: 9 rows skipped".to_owned()));
    assert_eq!(notes.lines().count(), 6);
    assert!(notes.ends_with("warning: 9 rows skipped in all\n"));
}

#[test]
fn more_rows_than_a_chunk_are_all_scored() {
    let rows: String = (0..CHUNK_DOCUMENTS * 2 + 5).map(|i| format!("__label__sport row {i}\n")).collect();
    let (printed, _) = eval("--task topic --format json", "a.txt", &rows);
    let json: serde_json::Value = serde_json::from_str(&printed.unwrap()).unwrap();
    assert_eq!(json["n"], CHUNK_DOCUMENTS * 2 + 5);
}

#[test]
fn noise_has_its_own_keys() {
    let rows = r#"{"text":"ab кот cd","spans":[{"start":3,"end":9,"kind":"foreign_word","quoted":true}],"class":"noisy"}
{"text":"nothing here","spans":[]}
"#;
    let (printed, _) = eval("--task noise --format json", "a.jsonl", rows);
    let json: serde_json::Value = serde_json::from_str(&printed.unwrap()).unwrap();
    assert_eq!((&json["task"], &json["n"]), (&"noise".into(), &2.into()));
    for key in ["precision", "recall", "f1", "f1_overlap", "false_alarm_clean"] {
        assert!(json[key].is_number(), "{key}");
    }
    assert_eq!(json["per_kind"]["foreign_word:quoted"]["n"], 1);
    assert!(
        eval("--task noise", "a.jsonl", rows).0.unwrap().starts_with("noise: 2 documents, 0 rows skipped\n")
    );
}

#[test]
fn predictions_say_of_each_row_what_was_said_and_not_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("said.jsonl");
    let line = format!("--task topic --predictions {}", file.display());
    let rows = "{\"text\":\"oops\"}\n{\"text\":\"The match ended in a draw.\",\"label\":\"sport\",\"lang\":\"eng\",\"id\":7}\n";
    eval(&line, "a.jsonl", rows).0.unwrap();
    let said = std::fs::read_to_string(&file).unwrap();
    let row: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&row["line"], &row["id"], &row["lang"]), (&2.into(), &"7".into(), &"eng".into()));
    assert_eq!((&row["gold"], row["predicted"].is_string()), (&"medtop:15000000".into(), false));
    assert!(row["file"].as_str().unwrap().ends_with("a.jsonl") && row["decided"].is_null());
    assert!(!said.contains("match"), "{said}");
    let refused = eval(&line.replace("topic", "noise"), "a.jsonl", rows).0.unwrap_err();
    assert!(refused.contains("--predictions goes with"), "{refused}");
    let refused = eval("--task topic --predictions no/such/folder/x", "a.jsonl", rows).0.unwrap_err();
    assert!(refused.starts_with("cannot write --predictions no/such/folder/x"), "{refused}");
}
