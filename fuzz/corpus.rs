//! Readers of labelled data, through a file as they get it.

use super::{choice, outcome};
use glotsift::corpus::{Format, ReadOptions, Require, open};
use std::collections::BTreeSet;
use std::io::Write;

const FORMATS: [Format; 4] = [Format::Jsonl, Format::Csv, Format::Tsv, Format::FastText];
const REQUIRED: [Require; 3] = [Require::Text, Require::Label, Require::Language];

pub(super) fn run(input: &[u8]) -> u64 {
    let (how, bytes) = choice(input);
    let mut file = tempfile::NamedTempFile::new().expect("a folder for temporary files");
    file.write_all(bytes).expect("room for a temporary file");
    let options = ReadOptions {
        format: Some(FORMATS[usize::from(how) % 4]),
        require: REQUIRED[usize::from(how / 4) % 3],
        columns: if how & 64 == 0 {
            Default::default()
        } else {
            "text=body,label=section".parse().expect("columns")
        },
    };
    let mut kinds = BTreeSet::new();
    let mut rows = open(&[file.path().to_owned()], &options);
    let mut n = 0_u64;
    while let Some(row) = rows.next() {
        n += 1;
        // A bomb of compressed blanks apart, each row has a byte of its own.
        assert!(n <= 1 << 20 || is_packed(bytes), "rows without end");
        match row {
            Ok(document) => {
                assert!(!document.text.trim().is_empty() || !document.title.trim().is_empty());
                assert!(options.require != Require::Label || document.label.is_some());
                assert!(options.require != Require::Language || document.lang.is_some());
                assert!(rows.place().line.is_none_or(|line| line > 0));
                kinds.insert(format!(
                    "row {} {} {} {}",
                    document.label.is_some(),
                    document.lang.is_some(),
                    document.spans.len().min(3),
                    document.title.is_empty()
                ));
            }
            Err(error) => {
                let said = error.to_string();
                assert!(said.len() < 1_500, "{} bytes of message", said.len());
                let structure: String = said.chars().filter(|c| c.is_alphabetic()).take(60).collect();
                kinds.insert(structure);
                if error.ends_file() {
                    assert!(rows.next().is_none(), "reading goes on after {said}");
                    break;
                }
            }
        }
    }
    outcome((how % 4, kinds, n.min(4)))
}

fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let jsonl = "{\"text\": \"The ferry will not run.\", \"label\": \"travel\", \"lang\": \"eng\", \"id\": 7}\n\
        {\"title\": \"Fähre\", \"text\": null, \"label\": 1.5, \"source\": true, \"other\": [{}, null]}\n\
        {\"text\": \"x \\u00e9 \\ud83d\\ude00\", \"spans\": [{\"start\": 0, \"end\": 1, \"kind\": \"markup\"}], \"class\": \"noisy\"}\n";
    let csv = "\u{feff}text,label,lang,title,source,id\r\n\"The \"\"ferry\"\", it is said\",travel,eng,,harbour,1\r\n\
        \"two\nlines\",post,deu,Fähre,,2\r\n";
    let tsv = "label\ttext\tlang\ntravel\tThe \"ferry will not run\teng\n\t\t\n";
    let fast = "__label__travel __label__sea The ferry will not run.\n__label__ no label\nno label at all\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let gzip = gzip.write_all(jsonl.as_bytes()).and_then(|()| gzip.finish()).unwrap_or_default();
    let zstd = zstd::encode_all(csv.as_bytes(), 1).unwrap_or_default();
    let plain = [(0, jsonl), (4, jsonl), (1, csv), (2, tsv), (3, fast), (8 + 3, fast)];
    let plain = plain.into_iter().map(|(how, text)| [&[how][..], text.as_bytes()].concat());
    plain.chain([[&[0][..], &gzip].concat(), [&[1][..], &zstd].concat()]).collect()
}

pub(super) const WORDS: &[&str] = &[
    "\"",
    "\"\"",
    ",",
    "\t",
    "\r",
    "\n",
    "\r\n",
    "\u{feff}",
    "{\"",
    "\":",
    "null",
    "[[",
    "}",
    "\\ud800",
    "\\u0000",
    "1e400",
    "-0",
    "__label__",
    "\"text\":",
    "\"label\":",
    "\"spans\":[",
    "\"start\":18446744073709551615",
    "body",
    "section",
    "\u{2028}",
    "\u{a0}",
    "\0",
];
