use crate::support::fixture;
use std::path::Path;
use std::process::{Command, Output};

fn glotsift(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_glotsift")).args(args).output().unwrap()
}

#[track_caller]
fn done(args: &[&str]) -> String {
    let output = glotsift(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn train(out: &Path) {
    let table = fixture("own_labels.csv");
    let args = ["train", "--task", "topic", "--name", "own", "--out", out.to_str().unwrap()];
    done(&[&args[..], &[table.to_str().unwrap()]].concat());
}

#[test]
fn own_labels_train_serve_and_classify() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("mine");
    train(&bundle);
    let model = bundle.to_str().unwrap();
    let table = fixture("own_labels.csv");
    let scores =
        done(&["eval", "--task", "topic", "--model", model, "--format", "json", table.to_str().unwrap()]);
    let scores: serde_json::Value = serde_json::from_str(&scores).unwrap();
    assert_eq!(scores["n"], 54);
    assert!(scores["accuracy"].as_f64().unwrap() > 0.9, "{scores}");
    assert_eq!(scores["unknown_labels"], serde_json::json!({}));
    assert!(glotsift(&["serve", "--check", "--models", model]).status.success());

    let text = dir.path().join("bill.txt");
    std::fs::write(&text, "You charged my card twice and the invoice is wrong.").unwrap();
    let reply = done(&["classify", "--format", "json", "--model", model, text.to_str().unwrap()]);
    let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
    assert_eq!(reply["topics"][0]["labelId"], "billing");
    // The version said when loading is the version that was written.
    assert_eq!(reply["modelVersion"], scores["model_version"]);
    assert!(reply["modelVersion"].as_str().unwrap().starts_with("own@"));
}

#[test]
fn the_same_data_gives_the_same_bytes_and_leaves_the_other_tasks_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a"), dir.path().join("b"));
    train(&first);
    train(&second);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    for name in ["manifest.json", "topic.safetensors"] {
        assert!(
            std::fs::read(first.join(name)).unwrap() == std::fs::read(second.join(name)).unwrap(),
            "{name}"
        );
    }
    for name in ["language.safetensors", "spam.safetensors", "boilerplate.safetensors"] {
        assert!(
            std::fs::read(first.join(name)).unwrap() == std::fs::read(shipped.join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn a_damaged_bundle_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("mine");
    train(&bundle);
    let file = bundle.join("topic.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let output = glotsift(&["serve", "--check", "--models", bundle.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("topic.safetensors") && stderr.contains("hash"), "{stderr}");
}

#[test]
fn data_that_cannot_train_is_exit_1_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (out, data) = (dir.path().join("none"), dir.path().join("one.csv"));
    std::fs::write(&data, "text,label\nonly one label here,billing\nand once more,billing\n").unwrap();
    let args = ["train", "--task", "topic", "--out", out.to_str().unwrap(), data.to_str().unwrap()];
    let output = glotsift(&args);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!out.exists());
}
