//! In a mount namespace of its own, with a disk of a few megabytes: nothing of the machine is filled or changed.

use crate::serve_cli::Running;
use crate::support::{channel, request};
use crate::tiny::{bundle, utf8};
use glotsift::rpc::pb;
use glotsift::rpc::pb::classifier_service_client::ClassifierServiceClient;
use std::io::{BufRead, Read, Write};
use std::process::{Command, Output, Stdio};

/// Whether namespaces can be had here; says so where not, as the test then shows nothing.
fn can_mount() -> bool {
    let tried = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("SKIPPED: a disk of its own needs unshare and user namespaces");
    }
    can
}

/// `$0` is the binary, `$1` a bundle, and the folder the script runs in a small disk that holds a copy of it.
fn on_a_small_disk(script: &str) -> Command {
    let setup = "set -e; mount -t tmpfs -o size=8m none \"$2\"; cd \"$2\"; cp -r \"$1\" bundle; \
        printf '{\"text\": \"Leave a comment\"}\\n' > lines.jsonl; set +e\n";
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("small-disk");
    std::fs::create_dir_all(&dir).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &format!("{setup}{script}"), env!("CARGO_BIN_EXE_glotsift")]);
    command.args([utf8(bundle()), utf8(&dir)]).stdin(Stdio::null());
    command
}

const TRAIN: &str = "$0 train --task boilerplate --base bundle --out bundle lines.jsonl";

fn ran(script: &str) -> (String, String) {
    let Output { status, stdout, stderr } = on_a_small_disk(script).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{status}: {stdout}{stderr}");
    (stdout, stderr)
}

#[test]
fn without_room_the_old_bundle_stays_and_the_next_publisher_succeeds() {
    if !can_mount() {
        return;
    }
    let (said, error) = ran(&format!(
        "$0 model verify bundle
        head -c 100m /dev/zero > full 2> /dev/null
        {TRAIN}; echo status $?
        ls -A
        $0 model verify bundle
        rm full
        {TRAIN} 2> /dev/null; echo status $?
        $0 model verify bundle
        ls -A"
    ));
    let lines: Vec<&str> = said.lines().collect();
    let [before, failed, b, f, l, between, .., done, after, _, _] = lines[..] else {
        panic!("{said}{error}")
    };
    assert_eq!((failed, done), ("status 1", "status 0"), "{said}{error}");
    // Nothing else was left behind.
    assert_eq!([b, f, l], ["bundle", "full", "lines.jsonl"], "{said}");
    assert_eq!(lines[lines.len() - 2..], ["bundle", "lines.jsonl"], "{said}");
    assert!(before == between && before != after && after.ends_with(" is whole"), "{said}");
    assert!(error.lines().count() == 1 && error.starts_with("error: cannot "), "{error}");
    assert!(error.trim_end().ends_with("No space left on device (os error 28)"), "{error}");
}

#[test]
fn where_nothing_may_be_written_the_old_bundle_stays() {
    if !can_mount() {
        return;
    }
    let (said, error) = ran(&format!(
        "mount -o remount,ro \"$2\"
        {TRAIN}; echo status $?
        $0 train --task boilerplate --base bundle --out new/bundle lines.jsonl; echo status $?
        $0 model verify bundle"
    ));
    let lines: Vec<&str> = said.lines().collect();
    assert!(matches!(lines[..], ["status 1", "status 1", whole] if whole.ends_with(" is whole")), "{said}");
    let [old, new] = error.lines().collect::<Vec<_>>()[..] else { panic!("{error}") };
    for (line, begins) in [(old, "error: cannot create a folder in ."), (new, "error: cannot create new")] {
        assert!(line.starts_with(begins), "{line}");
        assert!(line.contains("Read-only file system (os error 30)"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_goes_on_serving_what_cannot_be_replaced() {
    if !can_mount() {
        return;
    }
    // The disk fills up, and later the server ends, when told to; also when this test has failed and tells no more.
    let mut server = Running::run(
        on_a_small_disk(&format!(
            "$0 serve --listen 127.0.0.1:0 --models bundle &
            read _
            head -c 100m /dev/zero > full 2> /dev/null
            {TRAIN} 2> /dev/null; echo status $? >&2
            read _
            kill $!
            wait"
        ))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped()),
    );
    let mut tell = server.child.stdin.take().unwrap();
    let mut client = ClassifierServiceClient::new(channel(server.address).await);
    let mut asked = async || {
        let reply = client.classify_article(request("", "The ferry will not run.")).await.unwrap();
        pb::ClassifyArticleResponse { timings: None, ..reply.into_inner() }
    };
    let before = asked().await;
    tell.write_all(b"\n").unwrap();
    let published =
        server.stderr.by_ref().lines().map(Result::unwrap).find(|line| line.starts_with("status"));
    assert_eq!(published.unwrap(), "status 1");
    assert_eq!(asked().await, before, "an answer changed while the disk was full");
    tell.write_all(b"\n").unwrap();
    let (code, log) = server.ended();
    assert!(code == 0 && log.contains("stopped"), "{code} {log}");
}
