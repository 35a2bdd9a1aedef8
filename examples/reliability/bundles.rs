//! Bundles harmed in every way, and a publisher killed at any moment.

use crate::fuzz::bundle::{TEXTS, made, sealed};
use crate::fuzz::mutate::Random;
use crate::fuzz::sound::problem;
use crate::{Outcome, outcome};
use bytes::Bytes;
use glotsift::classify::{Classification, Options, classify};
use glotsift::model::{Model, TASKS};
use glotsift::storage::{load_bundle, publish_bundle};
use glotsift::text::Article;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn answers(model: &Model) -> Vec<Classification> {
    let options = Options { explain: true, max_topics: 0, ..Options::default() };
    let one = |text| classify(model, &Article { title: "Ferry", text, ..Article::default() }, &options);
    TEXTS.into_iter().map(one).collect()
}

/// The bundle before it is harmed.
struct Whole {
    version: String,
    answers: Vec<Classification>,
}

/// What became of the harmed bundles of one kind.
#[derive(Default)]
struct Tally {
    refused: usize,
    /// Loaded, and answered as the whole one does.
    identical: usize,
    /// Loaded under another version, and answered otherwise but soundly: a manifest is what says what a bundle is.
    other: usize,
    /// Panicked, answered what cannot be, or otherwise than the bundle whose version it claims to be.
    broken: Vec<String>,
    slowest: Duration,
}

impl Tally {
    fn of(
        &mut self,
        harm: &str,
        whole: &Whole,
        load: impl FnOnce() -> Option<Model> + std::panic::UnwindSafe,
    ) {
        let begun = Instant::now();
        let said = catch_unwind(|| load().map(|model| (model.version().to_owned(), answers(&model))));
        self.slowest = self.slowest.max(begun.elapsed());
        match said {
            Ok(None) => self.refused += 1,
            Ok(Some((_, answers))) if answers == whole.answers => self.identical += 1,
            Ok(Some((version, answers))) => {
                let ill = answers.iter().zip(TEXTS).find_map(|(a, text)| problem("Ferry", text, a));
                match ill {
                    Some(problem) => {
                        self.broken.push(format!("{harm}: {}", &problem[..60.min(problem.len())]))
                    }
                    None if version == whole.version => self.broken.push(format!("{harm}: another answer")),
                    None => self.other += 1,
                }
            }
            Err(_) => self.broken.push(format!("{harm}: panicked")),
        }
    }

    fn all(&self) -> usize {
        self.refused + self.identical + self.other + self.broken.len()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { refused, identical, other, broken, .. } = self;
        write!(
            f,
            "{refused} refused, {identical} without effect, {other} another version, {} broken",
            broken.len()
        )
    }
}

/// Numbers that no count may be, by width and place.
const COUNTS: [u64; 4] = [1 << 63, u64::MAX, 1 << 32, (1 << 31) - 1];
const FLOATS: [f32; 5] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN];

fn header(bytes: &[u8]) -> usize {
    8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

/// A file with its header's JSON changed, and its length with it.
fn with_header(bytes: &[u8], change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let end = header(bytes);
    let mut json = serde_json::from_slice(&bytes[8..end]).unwrap();
    change(&mut json);
    let json = json.to_string().into_bytes();
    [&(json.len() as u64).to_le_bytes()[..], &json, &bytes[end..]].concat()
}

/// Every tensor of a file in turn, changed by `change`.
fn each_tensor(bytes: &[u8], change: impl Fn(&mut serde_json::Value, &serde_json::Value)) -> Vec<Vec<u8>> {
    let json: serde_json::Value = serde_json::from_slice(&bytes[8..header(bytes)]).unwrap();
    let tensors = json.as_object().unwrap();
    let first = tensors.values().next().unwrap();
    tensors.keys().map(|name| with_header(bytes, |json| change(&mut json[name.as_str()], first))).collect()
}

/// What is wrong below digests that are right.
fn forgeries(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let start = header(bytes);
    for at in (start..bytes.len() - 7).step_by(4) {
        for count in COUNTS {
            all.push([&bytes[..at], &count.to_le_bytes(), &bytes[at + 8..]].concat());
        }
        for float in FLOATS {
            all.push([&bytes[..at], &float.to_le_bytes(), &bytes[at + 4..]].concat());
        }
    }
    for count in COUNTS {
        all.push([&count.to_le_bytes()[..], &bytes[8..]].concat());
        all.extend(each_tensor(bytes, |tensor, _| tensor["shape"] = serde_json::json!([count])));
        all.extend(each_tensor(bytes, |tensor, _| tensor["shape"] = serde_json::json!([count, 2])));
        all.extend(each_tensor(bytes, |tensor, _| tensor["data_offsets"][1] = count.into()));
    }
    // On top of each other, backwards, of nothing, of another type.
    all.extend(each_tensor(bytes, |tensor, first| tensor["data_offsets"] = first["data_offsets"].clone()));
    all.extend(each_tensor(bytes, |tensor, _| tensor["data_offsets"].as_array_mut().unwrap().reverse()));
    all.extend(each_tensor(bytes, |tensor, _| tensor["shape"] = serde_json::json!([0])));
    all.extend(each_tensor(bytes, |tensor, _| tensor["dtype"] = "F64".into()));
    all
}

/// T10: every way to harm a bundle is refused, or changes nothing but under another version.
pub fn hostile_bundles() -> Outcome {
    // What panics is counted, not shown.
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let bundle = made();
    let model = Model::from_bundle(&bundle).unwrap();
    let whole = Whole { version: model.version().to_owned(), answers: answers(&model) };
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("bundle");
    publish_bundle(&bundle, &folder).unwrap();
    let names = TASKS.map(|task| format!("{task}.safetensors"));
    let names = names.into_iter().chain(["manifest.json", "manifest.blake3"].map(String::from));
    let files: Vec<(PathBuf, Vec<u8>)> =
        names.map(|name| (folder.join(&name), fs::read(folder.join(name)).unwrap())).collect();
    let mut damaged = Tally::default();
    damage(&folder, &files, &mut |harm| damaged.of(harm, &whole, || load_bundle(&folder).ok()));
    let swapped = swapped(&folder, &files, &whole);
    let mut forged = Tally::default();
    for (path, bytes) in files.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "safetensors"))
    {
        let name = path.file_name().unwrap().to_str().unwrap();
        for (i, bytes) in forgeries(bytes).into_iter().enumerate() {
            let mut bundle = bundle.clone();
            bundle.files.insert(name.to_owned(), Bytes::from(bytes));
            let bundle = sealed(bundle);
            forged.of(&format!("{name} {i}"), &whole, || Model::from_bundle(&bundle).ok());
        }
    }
    std::panic::set_hook(others);
    let all = [&damaged, &swapped, &forged];
    for broken in all.iter().flat_map(|tally| &tally.broken).take(20) {
        eprintln!("  {broken}");
    }
    let slowest = all.iter().map(|tally| tally.slowest).max().unwrap().as_secs_f64() * 1e3;
    outcome(
        all.iter().all(|tally| tally.broken.is_empty()) && slowest <= 1_000.0,
        format!(
            "{} damaged (each byte of the headers, 10,000 flips, 256 cuts a file, links, devices): {damaged}; {} loads \
            while files were swapped: {swapped}; {} forged with right digests: {forged}; slowest {slowest:.0} ms (1,000)",
            damaged.all(),
            swapped.all(),
            forged.all(),
        ),
    )
}

/// Harms one file after the other, whole again after each; `look` is told of every harm.
fn damage(folder: &Path, files: &[(PathBuf, Vec<u8>)], look: &mut dyn FnMut(&str)) {
    let flip = |path: &Path, bytes: &[u8], at: usize, by: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= by;
        fs::write(path, bytes).unwrap();
        format!("{} byte {at}", path.display())
    };
    for (path, bytes) in files {
        let tensors = path.extension().is_some_and(|e| e == "safetensors");
        let head = if tensors { header(bytes) } else { bytes.len() };
        for at in 0..head {
            look(&flip(path, bytes, at, 0xff));
            look(&flip(path, bytes, at, 1 << (at % 8)));
        }
        for cut in 0..256 {
            fs::write(path, &bytes[..cut * bytes.len() / 256]).unwrap();
            look("cut");
        }
        fs::write(path, bytes).unwrap();
    }
    let mut random = Random(10);
    for _ in 0..10_000 {
        let (path, bytes) = &files[random.below(files.len())];
        look(&flip(path, bytes, random.below(bytes.len()), 1 << random.below(8)));
        fs::write(path, bytes).unwrap();
    }
    let aside = folder.with_extension("aside");
    for (path, bytes) in files {
        fs::rename(path, &aside).unwrap();
        for elsewhere in [&aside, Path::new("/dev/zero"), Path::new("/dev/null"), folder] {
            std::os::unix::fs::symlink(elsewhere, path).unwrap();
            look("a link");
            fs::remove_file(path).unwrap();
        }
        fs::create_dir(path).unwrap();
        look("a folder");
        fs::remove_dir(path).unwrap();
        look("nothing");
        fs::write(path, bytes).unwrap();
    }
}

/// Loads while every file in turn is another's, half written, or gone.
fn swapped(folder: &Path, files: &[(PathBuf, Vec<u8>)], whole: &Whole) -> Tally {
    let mut tally = Tally::default();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random(11);
            while !stop.load(Ordering::Relaxed) {
                let (path, bytes) = &files[random.below(files.len())];
                let (_, others) = &files[random.below(files.len())];
                match random.below(3) {
                    0 => fs::write(path, others).unwrap(),
                    1 => fs::write(path, &bytes[..random.below(bytes.len())]).unwrap(),
                    _ => fs::remove_file(path).unwrap(),
                }
                fs::write(path, bytes).unwrap();
                // Whole for a moment, or no load would ever succeed.
                std::thread::sleep(Duration::from_micros(random.below(2_000) as u64));
            }
        });
        for _ in 0..2_000 {
            tally.of("swapped", whole, || load_bundle(folder).ok());
        }
        stop.store(true, Ordering::Relaxed);
    });
    tally
}

/// The publisher to be killed: this program, with a folder; it publishes one bundle after the other.
pub fn publish_for_ever(folder: &Path) -> ExitCode {
    let mut bundle = made();
    for n in 0_u64.. {
        bundle.manifest.name = format!("made-{}", n % 10);
        if let Err(error) = publish_bundle(&bundle, folder) {
            eprintln!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// T11: a publisher killed five hundred times.
pub fn killed() -> Outcome {
    const TIMES: usize = 500;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("bundle");
    let mut bundle = made();
    let versions: Vec<String> = (0..10)
        .map(|n| {
            bundle.manifest.name = format!("made-{n}");
            bundle.manifest.version()
        })
        .collect();
    publish_bundle(&bundle, &folder).unwrap();
    let mut random = Random(12);
    let (mut whole, mut changed, mut last) = (0, 0, String::new());
    for _ in 0..TIMES {
        let mut publisher = Command::new(std::env::current_exe().unwrap())
            .arg("publish")
            .arg(&folder)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        // From before its first step to its tenth bundle or so.
        std::thread::sleep(Duration::from_micros(random.below(60_000) as u64));
        publisher.kill().unwrap();
        let ended = publisher.wait().unwrap();
        if let Ok(model) = load_bundle(&folder) {
            let known = versions.iter().any(|version| version == model.version());
            whole += usize::from(known && ended.code().is_none());
            changed += usize::from(last != model.version());
            last = model.version().to_owned();
        }
    }
    let left = fs::read_dir(dir.path()).unwrap().count() - 1;
    publish_bundle(&bundle, &folder).unwrap();
    outcome(
        whole == TIMES && changed > TIMES / 10 && load_bundle(&folder).is_ok(),
        format!(
            "a whole bundle after {whole} of {TIMES} kills, another than before after {changed}; {left} hidden folders of \
            the killed left beside it"
        ),
    )
}
