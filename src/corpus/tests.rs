use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::Path;

/// A folder with one file, and what reading it gives: `label|text` or the error after the file's name.
fn read_as(name: &str, content: &[u8], options: &ReadOptions) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    show(folder.path(), open(&[path], options))
}

fn show(root: &Path, documents: Documents) -> Vec<String> {
    let prefix = format!("{}/", root.display());
    documents
        .map(|document| match document {
            Ok(document) => format!("{}|{}", document.label.unwrap_or_default(), document.text),
            Err(error) => error.to_string().replace(&prefix, ""),
        })
        .collect()
}

#[track_caller]
fn check(name: &str, content: impl AsRef<[u8]>, expected: &[&str]) {
    assert_eq!(read_as(name, content.as_ref(), &ReadOptions::default()), expected);
}

fn gzip(content: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const TWO: &str =
    "{\"text\":\"rain\",\"label\":\"weather\",\"year\":[1,{}]}\n\n{\"label\":3,\"text\":\"goal\"}";
const TWO_READ: [&str; 2] = ["weather|rain", "3|goal"];

#[test]
fn jsonl_reads_known_keys_and_ignores_the_rest() {
    check("a.jsonl", TWO, &TWO_READ);
    check("a.jsonl", format!("\u{feff}{}\r\n", TWO.replace('\n', "\r\n")), &TWO_READ);
    check("a.jsonl", "", &[]);
}

#[test]
fn jsonl_keeps_every_field() {
    let line = r#"{"text":"a b","title":"t","label":null,"lang":"eng","script":"Latn","source":"s","id":7,
        "class":"noisy","spans":[{"start":0,"end":1,"kind":"bidi","same_script":true,"extra":0}]}"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, line.replace('\n', " ")).unwrap();
    let document = open(&[path], &ReadOptions::default()).next().unwrap().unwrap();
    let some = |value: &str| Some(value.to_owned());
    assert_eq!(
        document,
        Document {
            text: "a b".into(),
            title: "t".into(),
            label: None,
            lang: some("eng"),
            script: some("Latn"),
            source: some("s"),
            id: some("7"),
            class: some("noisy"),
            spans: vec![GoldSpan {
                range: 0..1,
                kind: "bidi".into(),
                script: None,
                lang: None,
                same_script: true,
                quoted: false,
            }],
        }
    );
}

#[test]
fn a_bad_line_is_named_and_the_next_one_still_read() {
    check(
        "a.jsonl",
        b"{\"text\":\"a\"\n[1]\n{\"text\":\"\xff\"}\n{\"text\":5}\n{\"label\":\"x\"}\n{\"text\":\" \"}\n{\"text\":\"a\"}{}\n{\"text\":\"ok\"}\n",
        &[
            "a.jsonl:1: not a JSON object: it ends too early at column 11",
            "a.jsonl:2: not a JSON object: a value is not of the type its key asks for at column 0",
            "a.jsonl:3: not valid UTF-8 at byte 10 of the line",
            "a.jsonl:4: not a JSON object: a value is not of the type its key asks for at column 9",
            "a.jsonl:5: no text",
            "a.jsonl:6: empty text",
            "a.jsonl:7: not a JSON object: syntax error at column 13",
            "|ok",
        ],
    );
}

#[test]
fn errors_never_quote_the_article() {
    let secret = "SECRET";
    let contents: [(&str, String); 5] = [
        ("a.jsonl", format!("{{\"text\":\"{secret}")),
        ("a.jsonl", format!("{{\"spans\":\"{secret}\",\"text\":\"{secret}\"}}")),
        ("a.jsonl", secret.to_owned()),
        ("a.csv", format!("text,label\n{secret},b,{secret}\n")),
        ("a.csv", format!("{secret} said a thing,b\nc,d\n")),
    ];
    for (name, content) in contents {
        let read = read_as(name, content.as_bytes(), &ReadOptions::default());
        assert_eq!(read.len(), 1, "{read:?}");
        assert!(read[0].starts_with("a.") && !read[0].contains(secret), "{read:?}");
    }
}

#[test]
fn a_required_label_or_language_is_asked_of_every_row() {
    let content = "{\"text\":\"a\",\"lang\":\"eng\"}\n{\"text\":\"b\",\"label\":\"x\"}\n";
    let of = |require| ReadOptions { require, ..ReadOptions::default() };
    assert_eq!(read_as("a.jsonl", content.as_bytes(), &of(Require::Label)), ["a.jsonl:1: no label", "x|b"]);
    assert_eq!(
        read_as("a.jsonl", content.as_bytes(), &of(Require::Language)),
        ["|a", "a.jsonl:2: no language"]
    );
}

#[test]
fn tables_are_read_by_header() {
    check(
        "a.csv",
        "\u{feff}Label, text\r\nsport,\"one, \"\"two\"\"\nthree\"\r\n,plain\r\n",
        &["sport|one, \"two\"\nthree", "|plain"],
    );
    check("a.tsv", "text\tlabel\n\"quoted\" he said\tx\n", &["x|\"quoted\" he said"]);
    check(
        "a.csv",
        b"text,label\na\nb,y\n\xff,z\nc,w\n",
        &[
            "a.csv:2: 1 fields where the header has 2",
            "y|b",
            "a.csv:4: not valid UTF-8 in column \"text\"",
            "w|c",
        ],
    );
    check(
        "a.csv",
        "body,topic\na,b\n",
        &[
            "a.csv:1: no column \"text\" in the header, which has body, topic: expected a header line, or a mapping such as text=body",
        ],
    );
}

#[test]
fn columns_are_mapped_by_name() {
    let columns: Columns = "text=body, label=topic".parse().unwrap();
    let options = ReadOptions { columns, ..ReadOptions::default() };
    assert_eq!(read_as("a.csv", b"topic,body,text\nx,y,z\n", &options), ["x|y"]);
    assert_eq!(read_as("a.jsonl", b"{\"topic\":\"x\",\"body\":\"y\",\"text\":[]}", &options), ["x|y"]);
    for bad in ["text", "body=text", "text="] {
        let error = bad.parse::<Columns>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("column mapping {bad:?} is not of the form")), "{error}");
    }
    assert_eq!(
        "xml".parse::<Format>().unwrap_err().to_string(),
        "unknown input format \"xml\": expected jsonl, csv, tsv or fasttext"
    );
}

#[test]
fn fasttext_takes_the_first_label() {
    check(
        "a.txt",
        "__label__spam __label__x buy  now\n__label__ham\nno label here\n",
        &["spam|buy  now", "a.txt:2: empty text", "|no label here"],
    );
}

#[test]
fn compressed_files_are_seen_through() {
    check("a.jsonl.gz", gzip(TWO), &TWO_READ);
    check("a.jsonl", gzip(TWO), &TWO_READ);
    let members = [gzip("{\"text\":\"a\"}\n"), gzip("{\"text\":\"b\"}\n")].concat();
    check("a.jsonl.gz", members, &["|a", "|b"]);
    check("a.jsonl.zst", zstd::encode_all(TWO.as_bytes(), 3).unwrap(), &TWO_READ);
}

#[test]
fn a_truncated_file_is_an_error_with_its_name() {
    let rows: String = (0..500u64)
        .map(|i| format!("{{\"text\":\"row {}\"}}\n", i.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    let zst = zstd::encode_all(rows.as_bytes(), 3).unwrap();
    for (name, whole) in [("a.jsonl.gz", gzip(&rows)), ("a.jsonl.zst", zst)] {
        for keep in [whole.len() / 2, whole.len() - 2, 1, 0] {
            let read = read_as(name, &whole[..keep], &ReadOptions::default());
            let last = read.last().map(String::as_str).unwrap_or_default();
            assert!(last.starts_with(name) && last.ends_with(": cannot read"), "{name} {keep}: {last}");
        }
    }
}

#[test]
fn folders_are_labels_or_data_files_in_name_order() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    write("sport/b.txt", b"second\n");
    write("sport/a.txt", b"first");
    write("sport/deep/c.txt", "\u{feff}third".as_bytes());
    write("sport/notes.md", b"not ours");
    write("crime/x.txt.gz", &gzip("zipped"));
    write("crime/y.txt", b"fine\nbad \xff");
    write("more.jsonl", TWO.as_bytes());
    write(".hidden/z.txt", b"no");
    assert_eq!(
        show(root.path(), open(&[root.path().to_owned()], &ReadOptions::default())),
        [
            "crime|zipped",
            "crime/y.txt:2: not valid UTF-8 at byte 5 of the line",
            "weather|rain",
            "3|goal",
            "sport|first",
            "sport|second\n",
            "sport|third",
        ]
    );
}

#[test]
fn a_missing_file_or_unknown_format_does_not_stop_the_next() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    std::fs::write(at("a.jsonl"), TWO).unwrap();
    std::fs::write(at("a.pdf"), TWO).unwrap();
    let paths = [at("none.jsonl"), at("a.pdf"), at("a.jsonl")];
    let read = show(root.path(), open(&paths, &ReadOptions::default()));
    assert_eq!(read[0], "none.jsonl: cannot read");
    assert!(read[1].starts_with("a.pdf: cannot tell the format of extension \"pdf\""), "{}", read[1]);
    assert_eq!(read[2..], TWO_READ);
    let forced = ReadOptions { format: Some(Format::Jsonl), ..ReadOptions::default() };
    assert_eq!(show(root.path(), open(&[at("a.pdf")], &forced)), TWO_READ);
}

#[test]
fn a_line_over_the_bound_is_passed_over() {
    let input: input::Input = Box::new(std::io::Cursor::new("short\n12345678\n1234567890\nend".to_owned()));
    let mut lines = lines::Lines::new(input, "x".into()).with_max(8);
    let mut next =
        || lines.next_line().map(|line| line.map(|(n, l)| (n, l.to_owned())).map_err(|e| e.to_string()));
    assert_eq!(next(), Some(Ok((1, "short".to_owned()))));
    assert_eq!(next(), Some(Ok((2, "12345678".to_owned()))));
    assert_eq!(next(), Some(Err("x:3: record longer than 8 bytes".to_owned())));
    assert_eq!(next(), Some(Ok((4, "end".to_owned()))));
    assert_eq!(next(), None);
}
