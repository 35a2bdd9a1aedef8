//! Bombs, crowds, silence and broken frames.

use crate::raw::{
    CONTINUATION, DATA, END_HEADERS, HEADERS, PING, RST_STREAM, SETTINGS, call_headers, frame, greet,
    malformed, pour,
};
use crate::server::{Client, Server, article, ms, percentile, usual};
use crate::{Outcome, outcome};
use bytes::Bytes;
use glotsift::rpc::pb;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::Write;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tonic::{Code, Status, Streaming};

pub const CLASSIFY: &str = "glotsift.v1.ClassifierService/ClassifyArticle";
const BATCH: &str = "glotsift.v1.ClassifierService/BatchClassifyArticles";

/// Where attackers run: on threads that give way to all others, as what their own work takes of the CPUs, which elsewhere
/// would be those of other machines, is not to count as what the server did to its other callers.
pub fn elsewhere() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let give_way = || {
            let thread = rustix::thread::gettid().to_string();
            let done = Command::new("chrt").args(["--idle", "--pid", "0", &thread]).status();
            assert!(done.is_ok_and(|status| status.success()), "chrt, of util-linux, is needed");
        };
        Builder::new_multi_thread().worker_threads(2).on_thread_start(give_way).enable_all().build().unwrap()
    });
    &RUNTIME
}

pub type Sender = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

/// A connection by which anything can be sent.
pub async fn http2(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub async fn post(mut sender: Sender, method: &str, headers: &[(&str, &str)], body: Bytes) -> Status {
    let mut request = http::Request::post(format!("http://localhost/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Full::new(body)).unwrap()).await;
    let Ok(response) = response else { return Status::unknown("the connection ended") };
    let from_headers = Status::from_header_map(response.headers());
    match (from_headers, response.into_body().collect().await) {
        (Some(status), _) => status,
        (None, Ok(body)) => body.trailers().and_then(Status::from_header_map).unwrap_or(Status::ok("")),
        (None, Err(error)) => Status::unknown(error.to_string()),
    }
}

pub fn framed(compressed: bool, message: &[u8]) -> Bytes {
    let mut framed = vec![u8::from(compressed)];
    framed.extend((message.len() as u32).to_be_bytes());
    framed.extend(message);
    Bytes::from(framed)
}

/// A polite client that asks again and again and notes how long it waits.
struct Bystander {
    stop: Arc<AtomicBool>,
    task: JoinHandle<(Vec<f64>, usize)>,
}

impl Bystander {
    fn start(mut client: Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let text = usual();
        let task = tokio::spawn(async move {
            let (mut times, mut failed) = (Vec::new(), 0);
            while !stopped.load(Ordering::Relaxed) {
                let begun = Instant::now();
                failed += usize::from(client.classify_article(article(&text)).await.is_err());
                times.push(ms(begun));
                sleep(Duration::from_millis(5)).await;
            }
            (times, failed)
        });
        Self { stop, task }
    }

    async fn p99(self) -> (f64, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut times, failed) = self.task.await.unwrap();
        (percentile(&mut times, 99.0), failed)
    }
}

async fn undisturbed(server: &Server) -> f64 {
    let bystander = Bystander::start(server.client().await);
    sleep(Duration::from_secs(3)).await;
    bystander.p99().await.0
}

const VOLLEYS: usize = 20;

/// T4: a gibibyte of zeros, compressed, from a hundred at once.
pub async fn bombs() -> Outcome {
    let zeros = vec![0_u8; 1 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut zstd = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    for _ in 0..1024 {
        gzip.write_all(&zeros).unwrap();
        zstd.write_all(&zeros).unwrap();
    }
    let bombs =
        [("gzip", framed(true, &gzip.finish().unwrap())), ("zstd", framed(true, &zstd.finish().unwrap()))];
    let server = Server::start(&[]).warmed().await;
    let base = undisturbed(&server).await;
    let rss = server.rss();
    let bystander = Bystander::start(server.client().await);
    let address = server.address;
    let attack = async move {
        // More than once, for there to be a hundredth of the others' calls.
        let mut right = 0;
        for _ in 0..VOLLEYS {
            let mut calls = JoinSet::new();
            for i in 0..100 {
                let (encoding, bomb) = bombs[i % 2].clone();
                let sender = http2(address).await;
                calls.spawn(async move {
                    post(sender, CLASSIFY, &[("grpc-encoding", encoding)], bomb).await.code()
                });
            }
            let codes = calls.join_all().await;
            right += codes.into_iter().filter(|code| *code == Code::ResourceExhausted).count();
        }
        right
    };
    let right = elsewhere().spawn(attack).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    let (p99, failed) = bystander.p99().await;
    let grown = server.peak() - rss;
    outcome(
        right == VOLLEYS * 100 && grown <= 128.0 && p99 <= 3.0 * base && failed == 0,
        format!(
            "{VOLLEYS} times 100 bombs of 1 GiB, gzip and zstd: {right} RESOURCE_EXHAUSTED; memory +{grown:.0} MiB (128); others' p99 \
            {p99:.1} ms against {base:.1} (3x), {failed} failed"
        ),
    )
}

/// T5: two million empty articles in four mebibytes.
pub async fn empty_items() -> Outcome {
    let server = Server::start(&[]).warmed().await;
    let rss = server.rss();
    let body = framed(false, &[0x0a, 0x00].repeat(2 << 20));
    let begun = Instant::now();
    let status = post(http2(server.address).await, BATCH, &[], body).await;
    let took = ms(begun);
    let grown = server.peak() - rss;
    outcome(
        status.code() == Code::InvalidArgument && grown <= 16.0,
        format!("{:?} after {took:.0} ms, memory +{grown:.1} MiB (16)", status.code()),
    )
}

/// Until the other side closes, or a minute.
async fn closed(stream: &mut (impl AsyncReadExt + Unpin)) -> f64 {
    let begun = Instant::now();
    let mut sink = [0; 1024];
    let end = async { while matches!(stream.read(&mut sink).await, Ok(n) if n > 0) {} };
    let _ = timeout(Duration::from_secs(60), end).await;
    begun.elapsed().as_secs_f64()
}

/// A thousand that say nothing and two hundred that say a byte a second; each ends with how long it was let.
async fn crowd(address: SocketAddr) -> [JoinSet<f64>; 2] {
    let mut silent = JoinSet::new();
    for _ in 0..1_000 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        silent.spawn(async move { closed(&mut stream).await });
    }
    let mut slow = JoinSet::new();
    for i in 0..200 {
        // Half of them dribble the preface, half a call.
        let stream = if i % 2 == 0 { TcpStream::connect(address).await } else { greet(address).await };
        let (mut reader, mut writer) = stream.unwrap().into_split();
        slow.spawn(async move {
            let begun = Instant::now();
            let dribble = tokio::spawn(async move {
                let call = call_headers(&format!("/{CLASSIFY}"));
                let bytes = match i % 2 {
                    0 => crate::raw::PREFACE.to_vec(),
                    _ => [frame(HEADERS, END_HEADERS, 1, &call), frame(DATA, 0, 1, &[0; 1000])].concat(),
                };
                for byte in bytes {
                    if writer.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    sleep(Duration::from_secs(1)).await;
                }
            });
            closed(&mut reader).await;
            dribble.abort();
            begun.elapsed().as_secs_f64()
        });
    }
    [silent, slow]
}

/// A stream that sends as long as it can and reads nothing, while what is returned is kept.
async fn deaf(mut client: Client) -> (Streaming<pb::StreamClassifyArticlesResponse>, JoinHandle<()>) {
    let (requests, stream) = tokio::sync::mpsc::channel(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
    let replies = client.stream_classify_articles(stream).await.unwrap().into_inner();
    let sends = async move {
        let text = usual();
        loop {
            let item =
                pb::StreamClassifyArticlesRequest { article: article(&text).article, ..Default::default() };
            if !matches!(timeout(Duration::from_secs(60), requests.send(item)).await, Ok(Ok(()))) {
                return;
            }
        }
    };
    (replies, tokio::spawn(sends))
}

/// T6: a thousand that say nothing, two hundred that say a byte a second, fifty that do not listen.
pub async fn silent_and_slow() -> Outcome {
    let server = Server::start(&["--max-connections-per-ip", "10000"]).warmed().await;
    let base = undisturbed(&server).await;
    let bystander = Bystander::start(server.client().await);
    let [silent, slow] = elsewhere().spawn(crowd(server.address)).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let rss = server.rss();
    let mut streams = Vec::new();
    for _ in 0..50 {
        let channel = server.endpoint();
        let stream = async move { deaf(Client::new(channel.connect().await.unwrap())).await };
        streams.push(elsewhere().spawn(stream).await.unwrap());
    }
    sleep(Duration::from_secs(5)).await;
    let buffered = (server.rss() - rss) / 50.0;
    let most = |times: Vec<f64>| times.into_iter().fold(0.0, f64::max);
    let silent = most(silent.join_all().await);
    let slow = most(slow.join_all().await);
    let (p99, failed) = bystander.p99().await;
    outcome(
        silent <= 10.5 && slow <= 31.0 && buffered <= 1.0 && p99 <= 2.0 * base && failed == 0,
        format!(
            "1,000 silent closed after at most {silent:.1} s (10), 200 slow after {slow:.1} (30); 50 that do not \
            listen hold {buffered:.2} MiB each (1); others' p99 {p99:.1} ms against {base:.1} (2x), \
            {failed} failed"
        ),
    )
}

/// T7: a hundred thousand resets, floods, forty malformed frames.
pub async fn frames() -> Outcome {
    let server = Server::start(&[]).warmed().await;
    let rss = server.rss();
    let call = call_headers("/glotsift.v1.ClassifierService/GetServerInfo");
    let patience = Duration::from_secs(5);
    let resets: Vec<u8> = (0..100_000_u32)
        .flat_map(|i| {
            let stream = 2 * i + 1;
            [frame(HEADERS, END_HEADERS, stream, &call), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let begun = Instant::now();
    let mut ended = vec![pour(greet(server.address).await.unwrap(), &resets, patience).await];
    let took = ms(begun);
    let mut headers = frame(HEADERS, 0, 1, &call);
    for _ in 0..2_000 {
        headers.extend(frame(CONTINUATION, 0, 1, &[0, 1, b'x', 1, b'y'].repeat(1_000)));
    }
    ended.push(pour(greet(server.address).await.unwrap(), &headers, patience).await);
    // Answered one by one; whoever reads the answers may go on.
    for flood in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[])] {
        pour(greet(server.address).await.unwrap(), &flood.repeat(100_000), Duration::from_millis(200)).await;
    }
    let mut client = server.client().await;
    let cases = malformed();
    let (count, mut survived) = (cases.len(), 0);
    for (_, bytes) in cases {
        pour(greet(server.address).await.unwrap(), &bytes, Duration::from_millis(50)).await;
        survived += usize::from(client.classify_article(article("still here")).await.is_ok());
    }
    let grown = server.peak() - rss;
    outcome(
        ended.iter().all(|ended| *ended) && survived == count && grown <= 8.0,
        format!(
            "100,000 resets: connection closed {} after {took:.0} ms; endless headers: closed {}; others answered after \
            {survived} of {count} malformed frames; memory +{grown:.1} MiB (8)",
            ended[0], ended[1]
        ),
    )
}

/// A small attack, the `n`th of a long run.
pub async fn one_of_many(address: SocketAddr, n: u64) {
    let call = call_headers(&format!("/{CLASSIFY}"));
    let open = frame(HEADERS, END_HEADERS, 1, &call);
    let attack = match n % 8 {
        // Goes away in the midst of a message.
        0 => [open, frame(DATA, 0, 1, &[0, 0, 1, 0, 0, 1, 2, 3])].concat(),
        1 => [open, frame(DATA, 1, 1, &framed(false, b"\xff\xff\xff"))].concat(),
        2 => [open, frame(DATA, 1, 1, &framed(true, b"not compressed at all"))].concat(),
        3 => [open, frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])].concat(),
        4 => frame(PING, 0, 0, &[1; 8]).repeat(100),
        5 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        6 => [open, frame(DATA, 1, 1, &framed(false, &[0x0a, 0x00].repeat(4_000)))].concat(),
        _ => {
            let mut cases = malformed();
            cases.swap_remove((n / 8) as usize % cases.len()).1
        }
    };
    if let Ok(stream) = greet(address).await {
        pour(stream, &attack, Duration::from_millis(5)).await;
    }
}
