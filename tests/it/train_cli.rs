use crate::support::fixture;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const MANIFEST: &str = "manifest.json";
const TOPIC: &str = "topic.safetensors";

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
fn texts_of_too_few_words_are_ranked_but_not_decided() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("bill.txt");
    std::fs::write(&text, "You charged my card twice and the invoice is wrong.").unwrap();
    let table = fixture("own_labels.csv");
    let decision = |name: &str, more: &[&str]| {
        let out = dir.path().join(name);
        let args = ["train", "--task", "topic", "--out", out.to_str().unwrap(), table.to_str().unwrap()];
        done(&[&args[..], more].concat());
        let args = ["classify", "--format", "json", "--model", out.to_str().unwrap(), text.to_str().unwrap()];
        let reply: serde_json::Value = serde_json::from_str(&done(&args)).unwrap();
        assert_eq!(reply["topics"][0]["labelId"], "billing");
        reply["topicDecision"]["reason"].as_str().unwrap_or_default().to_string()
    };
    assert_eq!(decision("eleven", &["--min-words", "11"]), "REASON_TOO_SHORT");
    assert_ne!(decision("ten", &["--min-words", "10"]), "REASON_TOO_SHORT");
    // Labels of one's own start from none, and are trained again by the rule they have.
    assert_ne!(decision("any", &[]), "REASON_TOO_SHORT");
    let base = dir.path().join("eleven");
    let base = base.to_str().unwrap();
    assert_eq!(decision("again", &["--base", base]), "REASON_TOO_SHORT");
    assert_ne!(decision("anew", &["--base", base, "--min-words", "0"]), "REASON_TOO_SHORT");

    let refused =
        glotsift(&["train", "--task", "spam", "--min-words", "3", "--out", base, table.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        String::from_utf8(refused.stderr).unwrap().contains("--min-words goes with --task topic, not spam")
    );
    let refused = glotsift(&["train", "--task", "topic", "--min-words", "few", "--out", base]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("few") && said.contains("expected a whole number from 0 to"), "{said}");
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

/// Trains on `data` with more arguments, and returns the files of the bundle, by name.
#[track_caller]
fn trained(dir: &Path, name: &str, more: &[&str], threads: &str) -> Vec<(String, Vec<u8>)> {
    let out = dir.join(name);
    let args = ["train", "--task", "topic", "--name", "own", "--out", out.to_str().unwrap()];
    let output = Command::new(env!("CARGO_BIN_EXE_glotsift"))
        .args(args)
        .args(more)
        .env("RAYON_NUM_THREADS", threads)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{name}: {stderr}");
    // linfa's fit prints every weight it finds; none of it may reach a user
    assert!(!stderr.lines().any(|line| line.trim_start().starts_with('[')), "{name}: {stderr}");
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // the other tasks are the base's, and large
        .filter(|path| [MANIFEST, TOPIC].iter().any(|name| path.ends_with(name)))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() == 2);
    files
}

fn header_and_rows() -> (String, Vec<String>) {
    let table = std::fs::read_to_string(fixture("own_labels.csv")).unwrap();
    let mut lines = table.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.collect())
}

fn write_csv(path: &Path, header: &str, rows: &[String]) -> String {
    std::fs::write(path, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn neither_order_nor_threads_change_a_byte() {
    let dir = tempfile::tempdir().unwrap();
    let (header, mut rows) = header_and_rows();
    let straight = write_csv(&dir.path().join("straight.csv"), &header, &rows);
    rows.reverse();
    rows.rotate_left(17);
    let shuffled = write_csv(&dir.path().join("shuffled.csv"), &header, &rows);
    let expected = trained(dir.path(), "a", &[&straight], "1");
    assert!(trained(dir.path(), "b", &[&straight], "2") == expected, "two threads");
    assert!(trained(dir.path(), "c", &[&shuffled], "2") == expected, "another order");
}

/// A row of about 190 characters in an invented language: its syllables are those `letters` makes.
fn invented(letters: &str, seed: u64, more: &str) -> String {
    let letters: Vec<char> = letters.chars().collect();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut text = String::new();
    while text.len() < 190 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (consonant, vowel) = ((state >> 33) as usize % (letters.len() - 3), (state >> 45) as usize % 3);
        text.extend([letters[3 + consonant], letters[vowel]]);
        if state >> 60 < 6 {
            text.push(' ');
        }
    }
    format!("{{\"text\": {:?}, {more}}}", text.trim())
}

#[test]
fn a_language_has_more_text_than_is_looked_at_and_the_order_of_files_does_not_show() {
    let dir = tempfile::tempdir().unwrap();
    let with_script: Vec<String> = (0..300)
        .flat_map(|i| {
            [
                invented("aeirtns", i, r#""lang": "ace", "script": "Latn""#),
                invented("ouigkmb", 1000 + i, r#""lang": "ban", "script": "Latn""#),
            ]
        })
        .collect();
    let articles: Vec<String> = (0..2500)
        .flat_map(|i| {
            // every fifth is in both files, every seventh is said to be in two languages
            let source = if i % 5 == 0 { "b" } else { "a" };
            let lang = if i % 7 == 0 { "ban" } else { "ace" };
            let more = format!(r#""lang": "ace", "source": "{source}""#);
            let again = format!(r#""lang": "{lang}", "source": "a""#);
            [invented("aeirtns", 5000 + i, &more), invented("aeirtns", 5000 + i / 5 * 5, &again)]
        })
        .collect();
    let write = |name: &str, rows: Vec<&String>| {
        let path = dir.path().join(name);
        let rows: Vec<&str> = rows.into_iter().map(String::as_str).collect();
        std::fs::write(&path, rows.join("\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let straight =
        [write("1.jsonl", with_script.iter().collect()), write("2.jsonl", articles.iter().collect())];
    let mixed = [
        write("3.jsonl", articles.iter().rev().step_by(2).collect()),
        write("4.jsonl", with_script.iter().rev().collect()),
        write("5.jsonl", articles.iter().rev().skip(1).step_by(2).collect()),
    ];
    let bundle = |name: &str, files: &[String]| {
        let out = dir.path().join(name);
        let output = Command::new(env!("CARGO_BIN_EXE_glotsift"))
            .args(["train", "--task", "language", "--base", "none", "--name", "own", "--out"])
            .arg(&out)
            .args(files)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        [MANIFEST, "language.safetensors"].map(|file| std::fs::read(out.join(file)).unwrap())
    };
    let expected = bundle("a", &straight);
    assert!(bundle("b", &mixed) == expected);
    let manifest: serde_json::Value = serde_json::from_slice(&expected[0]).unwrap();
    let documents = manifest["tasks"]["language"]["recipe"]["documents"].as_u64().unwrap();
    assert!((600..2900).contains(&documents), "{documents} of {} texts", with_script.len() + articles.len());
}

#[test]
fn counts_are_added_to_and_forgotten_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (header, rows) = header_and_rows();
    // every other row, so that both parts have every label
    let part = |odd: usize| rows.iter().skip(odd).step_by(2).cloned().collect::<Vec<_>>();
    let table = |folder: &str, rows: &[String]| {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        write_csv(&dir.path().join(folder).join("rows.csv"), &header, rows)
    };
    let all = table("all", &rows);
    let first = table("first", &part(0));
    let second = table("second", &part(1));
    let (counts_all, counts_first, counts_second) = (path("all.zst"), path("first.zst"), path("second.zst"));

    trained(dir.path(), "whole", &["--save-counts", &counts_all, &all], "2");
    trained(dir.path(), "half", &["--save-counts", &counts_first, &first], "2");
    trained(dir.path(), "other", &["--save-counts", &counts_second, &second], "2");
    // The counts and not the bundles: calibrating needs the held-back texts themselves, which counts lack.
    let again = path("again.zst");
    let counts = |path: &str| std::fs::read(path).unwrap();
    let same = |name: &str, more: &[&str], expected: &str| {
        trained(dir.path(), name, &[more, &["--save-counts", &again]].concat(), "2");
        assert!(counts(&again) == counts(expected), "{name}");
    };
    same("added", &["--add-to", &counts_first, &second], &counts_all);
    same("merged", &["--add-to", &counts_second, "--add-to", &counts_first], &counts_all);
    same("forgotten", &["--add-to", &counts_all, "--forget", &second], &counts_first);
}

/// What each fault says, and with which status.
#[test]
fn faults_in_the_data_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (header, mut rows) = header_and_rows();
    rows.push("Where is my parcel,teleportation".to_owned());
    let unknown = write_csv(&dir.path().join("unknown.csv"), &header, &rows);
    rows.insert(1, "a text without a label,".to_owned());
    let unlabelled = write_csv(&dir.path().join("unlabelled.csv"), &header, &rows);
    let one_class: Vec<String> = (0..9).map(|i| format!("invoice number {i} is wrong,billing")).collect();
    let one_class = write_csv(&dir.path().join("one.csv"), &header, &one_class);
    let packed = dir.path().join("cut.jsonl.gz");
    // the head of a gzip stream, and then nothing
    std::fs::write(&packed, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]).unwrap();
    let packed = packed.to_str().unwrap();
    let labels = "account,billing,returns,shipping";
    let counts = dir.path().join("counts.zst").to_str().unwrap().to_owned();
    trained(
        dir.path(),
        "kept",
        &["--save-counts", &counts, fixture("own_labels.csv").to_str().unwrap()],
        "2",
    );
    let cases: [(&[&str], &str); 6] = [
        (
            &["--strict", "--labels", labels, &unknown],
            "unknown.csv:56: unknown label \"teleportation\": expected one of account, billing, returns, shipping",
        ),
        (&["--strict", &unlabelled], "unlabelled.csv:3"),
        (
            &["--strict", "--add-to", &counts, "--forget", &unknown],
            "unknown.csv:56: unknown label \"teleportation\"",
        ),
        (&[&one_class], "all 9 documents have the label \"billing\": at least two labels are needed"),
        (&["no/such/data.csv"], "no/such/data.csv"),
        (&[packed], "cut.jsonl.gz"),
    ];
    let out = dir.path().join("none");
    let mut wrong = Vec::new();
    for (more, said) in cases {
        let args = ["train", "--task", "topic", "--out", out.to_str().unwrap()];
        let output = glotsift(&[&args[..], more].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code();
        if !(matches!(code, Some(1 | 2)) && stderr.contains(said)) {
            wrong.push(format!("{more:?}: {code:?}, no {said:?} in {stderr}"));
        }
        assert!(!out.exists(), "{more:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sources_are_left_out_in_turn_to_say_what_new_ones_may_expect() {
    let dir = tempfile::tempdir().unwrap();
    let (header, rows) = header_and_rows();
    let desk = |name: &str, openings: [&str; 2]| {
        // other beginnings: near-duplicates are held back together
        let plain = rows.iter().filter(|row| !row.contains('"'));
        let again = plain.flat_map(|row| openings.map(|opening| format!("{opening} {row},{name}")));
        write_csv(
            &dir.path().join(format!("{name}.csv")),
            &format!("{header},source"),
            &again.collect::<Vec<_>>(),
        )
    };
    let (east, west) = (desk("east", ["Hello", "Hi there"]), desk("west", ["Dear all", "Please"]));
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    let report = |files: &[&str]| -> serde_json::Value {
        let args = ["train", "--task", "topic", "--format", "json", "--out", out];
        let output = glotsift(&[&args[..], files].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let both = report(&[&east, &west]);
    assert_eq!(both["unseen_sources"]["documents"], both["held_back"]["documents"], "{both}");
    // each desk says the same in other words
    assert!(both["unseen_sources"]["accuracy"].as_f64().unwrap() > 0.7, "{both}");
    let card = glotsift(&["model", "inspect", out]);
    assert!(String::from_utf8_lossy(&card.stdout).contains("new source"));
    let one = report(&[&east]);
    assert!(one["unseen_sources"].is_null() && one["held_back"]["documents"].as_u64() > Some(0), "{one}");
}

/// Each kind of fault is counted in the report, and the first of each are shown with their places.
#[test]
fn rows_that_are_skipped_are_counted_and_placed() {
    let dir = tempfile::tempdir().unwrap();
    let (header, rows) = header_and_rows();
    let mut faulty = rows.clone();
    for (at, row) in
        [(2, "beam me up,teleportation"), (4, "a text without a label,"), (6, "again,teleportation")]
    {
        faulty.insert(at, row.to_owned());
    }
    faulty.extend((0..9).map(|i| format!("number {i},")));
    let data = write_csv(&dir.path().join("faulty.csv"), &header, &faulty);
    let out = dir.path().join("out");
    let labels = "account,billing,returns,shipping";
    let args = ["train", "--task", "topic", "--labels", labels, "--format", "json", "--out"];
    let output = glotsift(&[&args[..], &[out.to_str().unwrap(), &data]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let unknown = "unknown label \"teleportation\": expected one of account, billing, returns, shipping";
    assert_eq!(report["skipped"], serde_json::json!({ unknown: 2, "no label": 10 }));
    assert_eq!(report["documents"], rows.len());
    let places: Vec<&str> = stderr.lines().filter_map(|line| line.split("faulty.csv").nth(1)).collect();
    assert_eq!(
        places,
        [
            &format!(":4: {unknown}"),
            ":6: no label",
            &format!(":8: {unknown}"),
            ":59: no label",
            ":60: no label"
        ]
    );
}

#[test]
fn strict_takes_sound_data() {
    let dir = tempfile::tempdir().unwrap();
    let table = fixture("own_labels.csv");
    let strict = trained(dir.path(), "strict", &["--strict", table.to_str().unwrap()], "2");
    assert!(strict == trained(dir.path(), "lenient", &[table.to_str().unwrap()], "2"));
}

#[test]
fn a_text_of_a_folder_is_named_by_its_file() {
    let dir = tempfile::tempdir().unwrap();
    for (label, text) in [("billing", "the invoice is wrong"), ("teleportation", "beam me up")] {
        std::fs::create_dir(dir.path().join(label)).unwrap();
        std::fs::write(dir.path().join(label).join("1.txt"), text).unwrap();
    }
    let out = dir.path().join("out");
    let args = ["train", "--task", "topic", "--strict", "--labels", "billing,shipping", "--out"];
    let output = glotsift(&[&args[..], &[out.to_str().unwrap(), dir.path().to_str().unwrap()]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("teleportation/1.txt: unknown label \"teleportation\""), "{stderr}");
}

#[test]
fn a_row_of_standard_input_is_placed_there() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut child = Command::new(env!("CARGO_BIN_EXE_glotsift"))
        .args([
            "train",
            "--task",
            "topic",
            "--strict",
            "--labels",
            "a,b",
            "--out",
            out.to_str().unwrap(),
            "-",
        ])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let rows = b"{\"text\":\"one\",\"label\":\"a\"}\n{\"text\":\"two\",\"label\":\"c\"}\n";
    child.stdin.take().unwrap().write_all(rows).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = "error: standard input:2: unknown label \"c\": expected one of a, b\n";
    assert_eq!((output.status.code(), stderr.as_str()), (Some(1), expected));
}

/// Refused before any work is done, as arguments are.
#[test]
fn wrong_arguments_are_exit_2() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("notes.txt"), "not a bundle").unwrap();
    let (occupied, out) = (dir.path().to_str().unwrap(), dir.path().join("out"));
    let cases: [(&[&str], &str); 7] = [
        (&["--out", occupied, "no/such/data.csv"], "exists and is no bundle"),
        (&["--alpha", "0"], "expected a number above 0"),
        (&["--alpha", "nan"], "expected a number above 0"),
        (&["--balance", "1.5"], "expected a number from 0 to 1"),
        (&["--balance", "nan"], "expected a number from 0 to 1"),
        (&["--bytes=-1"], "expected a number 0 or more"),
        (&["--language", "q1"], "--language \"q1\": expected a code such as eng"),
    ];
    for (more, said) in cases {
        let table = fixture("own_labels.csv");
        let mut args = vec!["train", "--task", "topic", table.to_str().unwrap()];
        if !more.contains(&"--out") {
            args.extend(["--out", out.to_str().unwrap()]);
        }
        let output = glotsift(&[&args[..], more].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && stderr.contains(said), "{more:?}: {stderr}");
        assert!(!out.exists(), "{more:?}");
    }
}

/// Interrupted or killed, a training leaves the bundle that was there, or the whole new one.
#[cfg(target_os = "linux")]
#[test]
fn a_training_that_is_stopped_leaves_a_whole_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("mine");
    train(&bundle);
    let table = fixture("own_labels.csv");
    for (signal, after) in [("-INT", 20), ("-KILL", 20), ("-KILL", 150), ("-KILL", 250), ("-KILL", 320)] {
        let args = ["train", "--task", "topic", "--alpha", "0.5", "--out", bundle.to_str().unwrap()];
        let mut child = Command::new(env!("CARGO_BIN_EXE_glotsift"))
            .args(args)
            .arg(&table)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(after));
        let _ = Command::new("kill").arg(signal).arg(child.id().to_string()).stderr(Stdio::null()).status();
        child.wait().unwrap();
        done(&["model", "verify", bundle.to_str().unwrap()]);
    }
}
