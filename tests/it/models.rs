use crate::support::article;
use crate::tiny::{bundle, copy, done, glotsift, refused, utf8};
use glotsift::classify::{Options, classify};
use glotsift::model::Model;
use glotsift::storage::{load_bundle, read_bundle};
use glotsift::text::Article;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A harm done to a bundle and what must be said of it.
type Harm = (&'static str, fn(&Path), &'static str);

fn edit(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    write(folder, &manifest.to_string());
}

/// Changes a file, and its size and hash in the manifest with it: what only the contents can show.
fn forge(folder: &Path, task: &str, change: impl FnOnce(&mut Vec<u8>)) {
    edit(folder, |manifest| {
        let card = &mut manifest["tasks"][task];
        let path = folder.join(card["file"].as_str().unwrap());
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        card["bytes"] = bytes.len().into();
        card["blake3"] = blake3::hash(&bytes).to_hex().as_str().into();
        fs::write(path, bytes).unwrap();
    });
}

/// Where a tensor of a safetensors file lies.
fn tensor(bytes: &[u8], name: &str) -> usize {
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let json: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    8 + header + json[name]["data_offsets"][0].as_u64().unwrap() as usize
}

fn write(folder: &Path, manifest: &str) {
    fs::write(folder.join("manifest.json"), manifest).unwrap();
    // As whoever changes one by hand must.
    let _ = fs::remove_file(folder.join("manifest.blake3"));
}

const HARMS: [Harm; 28] = [
    (
        "cut short",
        |f| {
            let file = fs::File::options().write(true).open(f.join("topic.safetensors")).unwrap();
            file.set_len(file.metadata().unwrap().len() - 100).unwrap();
        },
        "topic.safetensors: ",
    ),
    (
        "one byte more",
        |f| {
            let mut bytes = fs::read(f.join("spam.safetensors")).unwrap();
            bytes.push(0);
            fs::write(f.join("spam.safetensors"), bytes).unwrap();
        },
        "the manifest says",
    ),
    (
        "one bit flipped",
        |f| {
            let mut bytes = fs::read(f.join("language.safetensors")).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
            fs::write(f.join("language.safetensors"), bytes).unwrap();
        },
        "language.safetensors: its contents do not have the hash the manifest gives",
    ),
    (
        "a file gone",
        |f| fs::remove_file(f.join("boilerplate.safetensors")).unwrap(),
        "boilerplate.safetensors",
    ),
    (
        "no safetensors",
        |f| forge(f, "topic", |b| *b = b"PK\x03\x04 not weights".to_vec()),
        "topic.safetensors: ",
    ),
    ("an empty file", |f| forge(f, "boilerplate", Vec::clear), "boilerplate.safetensors: "),
    (
        "weights that are no numbers",
        |f| {
            forge(f, "topic", |b| {
                let at = tensor(b, "temperature");
                b[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
            });
        },
        "not finite",
    ),
    (
        "weights that no sum can hold",
        |f| {
            forge(f, "topic", |b| {
                let at = tensor(b, "offset");
                b[at..at + 4].copy_from_slice(&f32::MAX.to_le_bytes());
            });
        },
        "topic.safetensors: a weight, bias or offset is beyond ±1000000",
    ),
    (
        "records that lead nowhere",
        |f| {
            forge(f, "topic", |b| {
                let at = tensor(b, "lengths");
                b[at] += 1;
                b[at + 1] -= 1;
            });
        },
        "topic.safetensors: bucket 0 holds a broken record",
    ),
    (
        "fingerprints out of order",
        |f| {
            forge(f, "boilerplate", |b| {
                let at = tensor(b, "fingerprints");
                b[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
            });
        },
        "tensor fingerprints is not ascending",
    ),
    (
        "another task's file",
        |f| {
            edit(f, |m| {
                for key in ["file", "bytes", "blake3"] {
                    m["tasks"]["topic"][key] = m["tasks"]["spam"][key].clone();
                }
            });
        },
        "spam.safetensors: tensors do not fit",
    ),
    (
        "another pipeline",
        |f| edit(f, |m| m["tasks"]["topic"]["pipeline"] = "0123456789abcdef".into()),
        "topic.safetensors: trained with pipeline 0123456789abcdef, this program has pipeline",
    ),
    (
        "other features than it was trained with",
        |f| edit(f, |m| m["tasks"]["topic"]["features"]["ngram_max"] = 4.into()),
        "topic.safetensors: trained with pipeline",
    ),
    (
        "features out of range",
        |f| edit(f, |m| m["tasks"]["spam"]["features"]["ngram_max"] = 9.into()),
        "features",
    ),
    (
        "a language nobody knows",
        |f| edit(f, |m| m["tasks"]["language"]["labels"][0]["id"] = "q1q_Latn".into()),
        "language label \"q1q_Latn\": expected a known code_Script pair",
    ),
    (
        "labels left out",
        |f| edit(f, |m| drop(m["tasks"]["topic"]["labels"].as_array_mut().unwrap().pop())),
        "tensors do not fit",
    ),
    (
        "a threshold over one",
        |f| edit(f, |m| m["tasks"]["topic"]["decision"]["threshold"] = 7.into()),
        "task topic has no usable decision",
    ),
    (
        "no spam among the labels of spam",
        |f| edit(f, |m| m["tasks"]["spam"]["labels"][1]["id"] = "junk".into()),
        "task spam has no label \"spam\"",
    ),
    (
        "a task left out",
        |f| edit(f, |m| drop(m["tasks"].as_object_mut().unwrap().remove("spam"))),
        "\"spam\"",
    ),
    ("an empty manifest", |f| write(f, ""), "manifest.json: EOF"),
    ("a manifest of nothing", |f| write(f, "{}"), "manifest.json: missing field `schema`"),
    (
        "a manifest without tasks",
        |f| write(f, r#"{"schema":1,"name":"x","tasks":{}}"#),
        "names no task \"topic\"",
    ),
    (
        "a manifest of tomorrow",
        |f| edit(f, |m| m["schema"] = 2.into()),
        "schema 2, this program reads schema 1",
    ),
    ("a manifest that is prose", |f| write(f, "Dear reader"), "manifest.json: "),
    ("a bottomless manifest", |f| write(f, &"[".repeat(200_000)), "manifest.json: "),
    (
        "a file outside",
        |f| edit(f, |m| m["tasks"]["topic"]["file"] = "../topic.safetensors".into()),
        "\"../topic",
    ),
    (
        "a file at the root",
        |f| edit(f, |m| m["tasks"]["topic"]["file"] = "/etc/hostname".into()),
        "file name \"/etc/hostname\" is not a plain name",
    ),
    (
        "no file name",
        |f| edit(f, |m| m["tasks"]["topic"]["file"] = "".into()),
        "file name \"\" is not a plain name",
    ),
];

#[test]
fn a_damaged_bundle_is_refused_at_every_door_with_its_name_and_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    for (name, harm, says) in HARMS {
        let folder = dir.path().join(name);
        copy(&folder);
        fs::copy(bundle().join("topic.safetensors"), dir.path().join("topic.safetensors")).unwrap();
        harm(&folder);
        let folder = utf8(&folder);
        for (args, expected) in [
            (&["model", "verify", folder][..], 1),
            (&["serve", "--check", "--models", folder][..], 2),
            (&["classify", "--model", folder, "-"][..], 2),
        ] {
            let (code, stderr) = refused(args);
            assert_eq!(code, expected, "{name}: {args:?}: {stderr}");
            assert!(stderr.contains(says) && stderr.contains(folder), "{name}: {stderr}");
        }
    }
}

#[cfg(unix)]
#[test]
fn only_plain_files_inside_the_folder_are_read() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["manifest.json", "topic.safetensors"] {
        let folder = dir.path().join(file);
        copy(&folder);
        let path = folder.join(file);
        let expected = format!("error: {}: not a plain file\n", utf8(&path));
        let (aside, verify) = (dir.path().join("aside"), ["model", "verify", utf8(&folder)]);
        fs::rename(&path, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, &path).unwrap();
        assert_eq!(refused(&verify), (1, expected.clone()));
        fs::remove_file(&path).unwrap();
        // Neither may be waited for: nobody writes into the pipe, and the device never ends.
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_eq!(refused(&verify), (1, expected.clone()));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(refused(&verify), (1, expected));
    }
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(bundle(), &link).unwrap();
    assert!(done(&["model", "verify", utf8(&link)]).ends_with(" is whole\n"), "the folder may be a link");
}

#[test]
fn verify_goes_on_after_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    let (bad, missing, good) = (dir.path().join("bad"), dir.path().join("missing"), dir.path().join("good"));
    copy(&bad);
    copy(&good);
    write(&bad, "{}");
    let output = glotsift(&["model", "verify", utf8(&bad), utf8(&missing), utf8(&good)]);
    assert_eq!(output.status.code(), Some(1));
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(
        stdout.starts_with(&format!("{}: tiny@", utf8(&good))) && stdout.lines().count() == 1,
        "{stdout}"
    );
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("bad") && lines[1].contains("missing"), "{stderr}");
}

#[test]
fn the_built_in_bundle_is_whole_and_shows_its_card() {
    let line = done(&["model", "verify"]);
    let version =
        line.trim_end().strip_prefix("built in: ").and_then(|l| l.strip_suffix(" is whole")).unwrap();
    assert_eq!(version, Model::built_in().version());
    let card: Value = serde_json::from_str(&done(&["model", "inspect", "--format", "json"])).unwrap();
    assert_eq!((&card["version"], &card["usable"]), (&version.into(), &true.into()));
    let tasks: Vec<&String> = card["tasks"].as_object().unwrap().keys().collect();
    assert_eq!(tasks, ["boilerplate", "language", "spam", "topic"]);
    let topic = &card["tasks"]["topic"];
    assert_eq!(topic["labels"].as_array().unwrap().len(), 17);
    assert!(topic["sources"].as_array().unwrap().iter().all(|source| source["licence"].is_string()));
    let table = done(&["model", "inspect"]);
    assert!(table.contains("medtop:15000000") && table.contains("naive Bayes on"), "{table}");
}

#[test]
fn a_card_is_shown_with_the_fault_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("old");
    copy(&folder);
    edit(&folder, |m| m["tasks"]["topic"]["pipeline"] = "0123456789abcdef".into());
    let card: Value =
        serde_json::from_str(&done(&["model", "inspect", "--format", "json", utf8(&folder)])).unwrap();
    assert_eq!(card["usable"], json!(false));
    assert!(card["fault"].as_str().unwrap().contains("pipeline 0123456789abcdef"), "{card}");
    assert!(done(&["model", "inspect", utf8(&folder)]).contains("\nusable: no, "));
    let (code, stderr) = refused(&["model", "inspect", utf8(dir.path())]);
    assert!(code == 2 && stderr.contains("manifest.json"), "{stderr}");
}

#[test]
fn any_flipped_bit_of_a_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("flipped");
    copy(&folder);
    let tasks = ["boilerplate", "language", "spam", "topic"].map(|task| format!("{task}.safetensors"));
    for file in tasks.into_iter().chain(["manifest.json", "manifest.blake3"].map(String::from)) {
        let path = folder.join(&file);
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 12) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, bytes).unwrap();
            use glotsift::storage::StorageError::{Format, Refused};
            let error = load_bundle(&folder).unwrap_err();
            let noticed = matches!(error, Format { .. })
                || (file.starts_with("manifest") && matches!(error, Refused { .. }));
            assert!(noticed, "{file} {at}: {error}");
        }
        fs::write(&path, whole).unwrap();
    }
    load_bundle(&folder).unwrap();
    // Bundles of before have none.
    fs::remove_file(folder.join("manifest.blake3")).unwrap();
    load_bundle(&folder).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A hash says who made a file, not that it is well made: whatever passes the checks must classify.
    #[test]
    fn forged_contents_are_refused_or_harmless(
        task in 0_usize..4,
        patches in prop::collection::vec((any::<prop::sample::Index>(), any::<[u8; 4]>(), 1_usize..5), 1..6),
    ) {
        let mut bundle = read_bundle(bundle()).unwrap();
        let card = bundle.manifest.tasks.values_mut().nth(task).unwrap();
        let mut bytes = bundle.files[&card.file].to_vec();
        for (at, patch, length) in patches {
            let at = at.index(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes[at..end].copy_from_slice(&patch[..end - at]);
        }
        card.blake3 = blake3::hash(&bytes).to_hex().to_string();
        bundle.files.insert(card.file.clone(), bytes.into());
        if let Ok(model) = Model::from_bundle(&bundle) {
            let text = article("", "The invoice was wrong twice. Моя посылка не пришла.").text;
            let seen = classify(&model, &Article { text: &text, ..Article::default() }, &Options::default());
            prop_assert!(seen.topics.iter().all(|topic| (0.0..=1.0).contains(&topic.probability)), "{seen:?}");
            prop_assert!((0.0..=1.0).contains(&seen.spam.probability));
        }
    }
}

/// The old bundle or the new one, whenever the publisher dies.
#[test]
fn a_publisher_killed_at_any_moment_leaves_a_whole_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let (out, data) = (dir.path().join("bundle"), dir.path().join("lines.jsonl"));
    copy(&out);
    fs::write(&data, "{\"text\": \"Leave a comment\"}\n").unwrap();
    let publish = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glotsift"));
        command
            .args(["train", "--task", "boilerplate", "--base"])
            .arg(&out)
            .arg("--out")
            .arg(&out)
            .arg(&data);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command.spawn().unwrap()
    };
    let begun = std::time::Instant::now();
    assert!(publish().wait().unwrap().success());
    let whole = begun.elapsed();
    for i in 0..30 {
        let mut publisher = publish();
        std::thread::sleep(whole.mul_f64(f64::from(i) / 25.0));
        let _ = publisher.kill();
        publisher.wait().unwrap();
        load_bundle(&out).unwrap();
    }
    assert!(publish().wait().unwrap().success());
    load_bundle(&out).unwrap();
}
