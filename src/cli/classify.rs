//! `glotsift classify`: the pipeline on files and standard input, without a server.

use super::Failure;
use super::load::load_model;
use super::render::{Page, View, render};
use crate::classify::{Options, classify};
use crate::language::Language;
use crate::model::Model;
use crate::rpc::convert::MAX_ID_BYTES;
use crate::rpc::{Limits, classify_to_response, pb, to_json};
use crate::text::Article;
use anyhow::{Context, anyhow};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

const STDIN: &str = "-";

/// Columns of a page that is not a terminal.
const PLAIN_WIDTH: usize = 100;

/// Classify files or standard input
#[derive(Debug, Clone, clap::Args)]
pub struct ClassifyArgs {
    /// Articles as plain UTF-8 text; - or nothing is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// A table for people, or one line of JSON per input
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub format: OutputFormat,
    /// Show the pieces of text that weighed most
    #[arg(long)]
    pub explain: bool,
    /// Title of the article, classified with the text
    #[arg(long, default_value = "", hide_default_value = true)]
    pub title: String,
    /// What the language is believed to be, such as eng, pt-BR or zh-Hant
    #[arg(long, value_name = "CODE", value_parser = language)]
    pub language_hint: Option<Language>,
    /// How many topics to show; 0 is all
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub max_topics: u32,
    /// Folder of the model; the one inside the binary when left out
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Refuse longer inputs
    #[arg(long, value_name = "BYTES", default_value_t = 32 << 20)]
    pub max_bytes: u64,
    /// Classify the beginning of a longer input instead of refusing it
    #[arg(long)]
    pub truncate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    Table,
    Json,
    Jsonl,
}

fn language(code: &str) -> Result<Language, String> {
    Language::parse(code).ok_or_else(|| {
        format!("unknown language {code:?}: expected ISO 639-3 or BCP 47, such as eng or pt-BR")
    })
}

pub fn run(args: ClassifyArgs) -> Result<(), Failure> {
    let model = load_model(args.model.as_deref())?;
    let mut stdout = io::stdout().lock();
    let page =
        page(stdout.is_terminal(), |name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    Ok(classify_all(&args, &model, page, &mut stdout, &mut io::stderr())?)
}

/// Colour needs a terminal that wants it; `set` says whether a variable of the environment has a value.
fn page(terminal: bool, set: impl Fn(&str) -> bool) -> Page {
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    Page { width: width.filter(|_| terminal).unwrap_or(PLAIN_WIDTH), colour: terminal && !set("NO_COLOR") }
}

/// One block or line per input. An input that fails is told and the others still done; the failure to
/// return is the last one, or their number.
fn classify_all(
    args: &ClassifyArgs,
    model: &Model,
    page: Page,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> anyhow::Result<()> {
    let stdin = [PathBuf::from(STDIN)];
    let files = if args.files.is_empty() { &stdin[..] } else { &args.files };
    let mut failures = Vec::new();
    let mut printed = false;
    for path in files {
        let input = match read(path, args.max_bytes, args.truncate) {
            Ok(input) => input,
            Err(error) => {
                failures.push(error);
                continue;
            }
        };
        let block = one(args, model, page, path, &input)?;
        let gap = if printed && args.format == OutputFormat::Table { "\n" } else { "" };
        match write!(out, "{gap}{block}").and_then(|()| out.flush()) {
            Ok(()) => printed = true,
            // a reader that has seen enough is no failure of ours
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(error).context("cannot write"),
        }
    }
    let last = failures.pop();
    for error in failures {
        let _ = writeln!(notes, "error: {error:#}");
    }
    last.map_or(Ok(()), Err)
}

fn one(args: &ClassifyArgs, model: &Model, page: Page, path: &Path, input: &Input) -> anyhow::Result<String> {
    if args.format != OutputFormat::Table {
        return response_json(args, model, path, input);
    }
    let text = input.text.as_str();
    let article =
        Article { title: &args.title, text, language_hint: args.language_hint, ..Article::default() };
    let max_topics = args.max_topics as usize;
    let options = Options { explain: args.explain, max_topics, ..Options::default() };
    let mut result = classify(model, &article, &options);
    result.text_bytes_total = input.bytes;
    Ok(render(&View { name: &name(path), title: &args.title, text, result: &result }, page))
}

fn name(path: &Path) -> String {
    if path == Path::new(STDIN) { "standard input".to_owned() } else { path.display().to_string() }
}

/// One line of canonical proto3 JSON, ending in a line end: what the service would answer.
fn response_json(args: &ClassifyArgs, model: &Model, path: &Path, input: &Input) -> anyhow::Result<String> {
    let id = path.display().to_string();
    let request = pb::ClassifyArticleRequest {
        article: Some(pb::Article {
            // an identifier has a limit that a path may not respect
            id: id.chars().take(MAX_ID_BYTES / char::MAX.len_utf8()).collect(),
            title: args.title.clone(),
            text: input.text.clone(),
            language_hint: args.language_hint.map(|hint| hint.as_str().to_owned()).unwrap_or_default(),
        }),
        options: Some(pb::ClassifyOptions {
            explain: args.explain,
            max_topics: Some(args.max_topics),
            ..pb::ClassifyOptions::default()
        }),
        ..pb::ClassifyArticleRequest::default()
    };
    // --max-bytes has been asked already
    let limits =
        Limits { max_text_bytes: usize::MAX, max_title_bytes: usize::MAX, max_frame_bytes: usize::MAX };
    let mut response =
        classify_to_response(model, request, &limits).with_context(|| format!("{}: refused", name(path)))?;
    response.truncated = input.text.len() < input.bytes;
    response.text_bytes_total = u32::try_from(input.bytes).unwrap_or(u32::MAX);
    Ok(to_json(&response) + "\n")
}

/// What was read of an input, and how long it is.
struct Input {
    text: String,
    bytes: usize,
}

fn read(path: &Path, max: u64, truncate: bool) -> anyhow::Result<Input> {
    let name = name(path);
    let mut input: Box<dyn Read> = if path == Path::new(STDIN) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(|| format!("{name}: cannot read"))?)
    };
    let cannot_read = || format!("{name}: cannot read");
    let mut bytes = Vec::new();
    input.by_ref().take(max).read_to_end(&mut bytes).with_context(cannot_read)?;
    let mut rest = input.take(if truncate { u64::MAX } else { 1 });
    let beyond = io::copy(&mut rest, &mut io::sink()).with_context(cannot_read)?;
    if beyond > 0 && !truncate {
        let advice = "the limit that --max-bytes sets; --truncate takes the beginning";
        return Err(anyhow!("{name}: longer than {max} bytes, {advice}"));
    }
    let total = usize::try_from(beyond).unwrap_or(usize::MAX).saturating_add(bytes.len());
    if let Err(error) = std::str::from_utf8(&bytes) {
        // a character cut in two by the limit is no fault of the text's
        let at = error.valid_up_to();
        if beyond == 0 || error.error_len().is_some() {
            return Err(anyhow!("{name}: not valid UTF-8 at byte {at}: expected plain text in UTF-8"));
        }
        bytes.truncate(at);
    }
    Ok(Input { text: String::from_utf8(bytes).with_context(cannot_read)?, bytes: total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Cli {
        #[command(flatten)]
        classify: ClassifyArgs,
    }

    /// What is printed, noted and returned for these files of a fresh folder.
    fn classify_files(line: &str, files: &[(&str, Option<&[u8]>)]) -> (String, String, Result<(), String>) {
        let folder = tempfile::tempdir().unwrap();
        let paths = files.iter().map(|(name, content)| {
            let path = folder.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            path.into_os_string()
        });
        let words = std::iter::once("classify").chain(line.split_whitespace()).map(Into::into);
        let args = Cli::parse_from(words.chain(paths)).classify;
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let page = page(false, |_| false);
        let done = classify_all(&args, &Model::default(), page, &mut out, &mut notes);
        let prefix = format!("{}/", folder.path().display());
        let clean = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&prefix, "");
        (clean(out), clean(notes), done.map_err(|error| format!("{error:#}").replace(&prefix, "")))
    }

    #[test]
    fn every_readable_file_has_its_block_and_every_other_its_error() {
        let files: [(&str, Option<&[u8]>); 4] =
            [("a.txt", Some(b"one")), ("none.txt", None), ("bad.txt", Some(b"ab\xff")), ("b.txt", Some(b""))];
        let (out, notes, done) = classify_files("", &files);
        let heads: Vec<&str> = out.lines().filter(|line| line.contains(" bytes")).collect();
        assert_eq!(heads, ["a.txt  3 bytes", "b.txt  0 bytes"]);
        assert!(out.contains("\n\nb.txt"), "{out}");
        assert!(notes.starts_with("error: none.txt: cannot read: ") && notes.lines().count() == 1, "{notes}");
        assert_eq!(done, Err("bad.txt: not valid UTF-8 at byte 2: expected plain text in UTF-8".to_owned()));
    }

    #[test]
    fn an_input_over_the_limit_is_refused() {
        let (_, _, done) = classify_files("--max-bytes 3", &[("a.txt", Some(b"four"))]);
        let told =
            "a.txt: longer than 3 bytes, the limit that --max-bytes sets; --truncate takes the beginning";
        assert_eq!(done, Err(told.to_owned()));
        assert_eq!(classify_files("--max-bytes 4", &[("a.txt", Some(b"four"))]).2, Ok(()));
    }

    #[test]
    fn the_beginning_of_a_longer_input_is_taken_when_asked_for() {
        let text = "naïve".as_bytes();
        let (out, _, done) =
            classify_files("--truncate --max-bytes 3 --format json", &[("a.txt", Some(text))]);
        assert_eq!(done, Ok(()));
        let reply: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&reply["truncated"], &reply["textBytesTotal"]), (&true.into(), &6.into()), "{reply}");
        let (out, _, _) = classify_files("--truncate --max-bytes 3", &[("a.txt", Some(text))]);
        assert!(out.starts_with("a.txt  6 bytes"), "{out}");
        let (out, _, _) = classify_files("--truncate --format json", &[("a.txt", Some(text))]);
        assert!(out.contains("\"truncated\":false"), "{out}");
        let (_, _, done) = classify_files("--truncate --max-bytes 3", &[("a.txt", Some(b"a\xffbcd"))]);
        assert!(done.is_err_and(|e| e.contains("not valid UTF-8 at byte 1")));
    }

    #[test]
    fn an_unknown_hint_is_a_usage_error() {
        let error = Cli::try_parse_from(["classify", "--language-hint", "q1"]).unwrap_err().to_string();
        assert!(error.contains("unknown language \"q1\": expected ISO 639-3 or BCP 47"), "{error}");
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        assert!(page(true, |_| false).colour);
        assert!(!page(true, |name| name == "NO_COLOR").colour);
        assert!(!page(false, |_| false).colour);
        assert_eq!(page(false, |_| false).width, PLAIN_WIDTH);
    }
}
