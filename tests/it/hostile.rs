use crate::support::{TestServer, expect_error, framed, request};
use glotsift::rpc::pb;
use glotsift::rpc::server::ServeConfig;
use prost::Message;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Status};

const CLASSIFY: &str = "glotsift.v1.ClassifierService/ClassifyArticle";

async fn send(server: &TestServer, message: &[u8]) -> Status {
    server.post(CLASSIFY, &[], framed(false, message)).await
}

#[tokio::test]
async fn broken_messages_are_the_callers_fault() {
    let server = TestServer::start().await;
    let whole = request("an id", "A text long enough to be cut anywhere.").encode_to_vec();

    // article.text of two bytes that are not UTF-8.
    let status = send(&server, &[0x0a, 0x04, 0x1a, 0x02, 0xff, 0xfe]).await;
    expect_error(&status, Code::InvalidArgument, "MALFORMED_REQUEST");
    for cut in 1..whole.len() {
        let status = send(&server, &whole[..cut]).await;
        expect_error(&status, Code::InvalidArgument, "MALFORMED_REQUEST");
    }
    for garbage in [&b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"[..], b"<html>", &[0x0b; 5000], &[0x07]] {
        let status = send(&server, garbage).await;
        expect_error(&status, Code::InvalidArgument, "MALFORMED_REQUEST");
    }
    server.client().await.classify_article(request("", "still here")).await.unwrap();
}

#[tokio::test]
async fn broken_frames_are_the_callers_fault() {
    let server = TestServer::start().await;
    let message = request("", "text").encode_to_vec();
    let mut short = framed(false, &message);
    short.truncate(short.len() - 2);
    for (headers, body) in [
        (&[][..], short),
        (&[][..], vec![9, 0, 0, 0, 0]),
        (&[][..], Vec::new()),
        (&[][..], framed(true, &message)),
        (&[("grpc-encoding", "gzip")][..], framed(true, b"this is no gzip stream")),
        (&[("grpc-encoding", "zstd")][..], framed(true, b"this is no zstd stream")),
    ] {
        let status = server.post(CLASSIFY, headers, body).await;
        expect_error(&status, Code::InvalidArgument, "MALFORMED_REQUEST");
    }
    let status = server.post(CLASSIFY, &[("grpc-encoding", "lzw")], framed(true, &message)).await;
    expect_error(&status, Code::Unimplemented, "UNIMPLEMENTED");
    let status = server.post("glotsift.v1.ClassifierService/Nothing", &[], framed(false, &[])).await;
    expect_error(&status, Code::Unimplemented, "UNIMPLEMENTED");
    let status = server.post("no.such.Service/Nothing", &[], framed(false, &[])).await;
    expect_error(&status, Code::Unimplemented, "UNIMPLEMENTED");
}

#[tokio::test]
async fn a_broken_message_ends_its_stream_only() {
    let server = TestServer::start().await;
    let good =
        pb::StreamClassifyArticlesRequest { article: request("", "fine").article, ..Default::default() };
    let mut body = framed(false, &good.encode_to_vec());
    body.extend(framed(false, b"\xff\xff\xff"));
    let status = server.post("glotsift.v1.ClassifierService/StreamClassifyArticles", &[], body).await;
    expect_error(&status, Code::InvalidArgument, "MALFORMED_REQUEST");
}

#[tokio::test]
async fn millions_of_empty_languages_are_refused_cheaply() {
    let server = TestServer::start().await;
    let languages = [0x3a, 0x00].repeat(1 << 20);
    let mut message = vec![0x1a];
    prost::encoding::encode_varint(languages.len() as u64, &mut message);
    message.extend(languages);
    let status = send(&server, &message).await;
    expect_error(&status, Code::InvalidArgument, "TOO_MANY_ENTRIES");
}

#[tokio::test]
async fn odd_texts_are_classified_like_any_other() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for text in
        ["\0", "\u{feff}", "\u{202e}abc\u{202c}", &"\u{301}".repeat(10_000), &"a\u{200d}".repeat(10_000)]
    {
        let reply = client.classify_article(request("", text)).await.unwrap().into_inner();
        assert_eq!(reply.text_bytes_total as usize, text.len());
    }
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let config = ServeConfig { handshake: Duration::from_millis(300), ..Default::default() };
    let server = TestServer::with(config).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"PRI * HTTP/2.0").await.unwrap();
    let begun = Instant::now();
    for stream in [&mut silent, &mut slow] {
        // The server's SETTINGS may come first; then the end, or a reset.
        let mut sink = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut sink)).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(4));

    // One that has shaken hands may stay idle.
    let mut client = server.client().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    client.classify_article(request("", "after a pause")).await.unwrap();
}

#[tokio::test]
async fn a_frame_that_never_ends_closes_its_connection() {
    use crate::raw::{CONTINUATION, DATA, END_HEADERS, HEADERS, call_headers, frame, greet};
    let config = ServeConfig { receive: Duration::from_millis(300), ..Default::default() };
    let server = TestServer::with(config).await;
    let call = call_headers(&format!("/{CLASSIFY}"));
    let open = frame(HEADERS, END_HEADERS, 1, &call);
    let endless = [
        [open.clone(), frame(DATA, 0, 1, &[0; 1_000])].concat(),
        frame(HEADERS, END_HEADERS, 1, &call.repeat(10)),
        // Frames that end, of headers that do not.
        [frame(HEADERS, 0, 1, &call), frame(CONTINUATION, 0, 1, &[]).repeat(100)].concat(),
    ];
    for bytes in endless {
        let (mut reader, mut writer) = greet(server.address).await.unwrap().into_split();
        let dribble = tokio::spawn(async move {
            let (start, rest) = bytes.split_at(bytes.len().min(250));
            writer.write_all(start).await.unwrap();
            for byte in rest {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let _ = writer.write_all(&[*byte]).await;
            }
        });
        let mut sink = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(10), reader.read_to_end(&mut sink)).await.unwrap();
        assert!(!dribble.is_finished(), "it was sent in whole");
        dribble.abort();
    }
    // Between frames there is time.
    let mut idle = greet(server.address).await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_millis(900), idle.read_to_end(&mut Vec::new())).await;
    assert!(quiet.is_err(), "an idle connection was closed");
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_at_once() {
    let config = ServeConfig { max_connections: 1, ..Default::default() };
    let server = TestServer::with(config).await;
    let mut client = server.client().await;
    client.classify_article(request("", "first")).await.unwrap();
    let mut second = TcpStream::connect(server.address).await.unwrap();
    let mut byte = [0; 1];
    let read = tokio::time::timeout(Duration::from_secs(5), second.read(&mut byte)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    client.classify_article(request("", "still served")).await.unwrap();
}

#[tokio::test]
async fn a_message_that_does_not_arrive_is_given_up() {
    use http_body_util::{BodyExt, StreamBody};
    use tokio_stream::StreamExt;
    use tower::ServiceExt;

    let config = ServeConfig { receive: Duration::from_millis(300), ..Default::default() };
    let server = TestServer::with(config).await;
    let begun = Instant::now();
    for (method, sent) in [
        (CLASSIFY, &b""[..]),
        (CLASSIFY, &[0, 0, 0, 0, 9, 1]),
        // The message is whole, but the call never is.
        (CLASSIFY, &[0, 0, 0, 0, 0]),
        ("glotsift.v1.ClassifierService/StreamClassifyArticles", &[0, 0, 0, 0, 9, 1]),
    ] {
        let frame = http_body::Frame::data(bytes::Bytes::from_static(sent));
        let frames = tokio_stream::iter([Ok::<_, Status>(frame)]).chain(tokio_stream::pending());
        let request = http::Request::post(format!("http://{}/{method}", server.address))
            .header("content-type", "application/grpc")
            .body(tonic::body::Body::new(StreamBody::new(frames)))
            .unwrap();
        let response = server.channel().await.oneshot(request).await.unwrap();
        let from_headers = Status::from_header_map(response.headers());
        let collected = response.into_body().collect().await.unwrap();
        let status = from_headers.or_else(|| Status::from_header_map(collected.trailers()?)).unwrap();
        expect_error(&status, Code::DeadlineExceeded, "REQUEST_TOO_SLOW");
    }
    assert!(begun.elapsed() < Duration::from_secs(5));

    // A stream that is quiet between messages is left alone.
    let (requests, stream) = tokio::sync::mpsc::channel(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
    let mut replies = server.client().await.stream_classify_articles(stream).await.unwrap().into_inner();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let item =
        pb::StreamClassifyArticlesRequest { article: request("", "late").article, ..Default::default() };
    requests.send(item).await.unwrap();
    replies.message().await.unwrap().unwrap();
}

#[tokio::test]
async fn one_address_cannot_have_all_connections() {
    let config = ServeConfig { max_connections_per_ip: 1, ..Default::default() };
    let server = TestServer::with(config).await;
    let mut client = server.client().await;
    client.classify_article(request("", "first")).await.unwrap();
    let mut second = TcpStream::connect(server.address).await.unwrap();
    let mut byte = [0; 1];
    let read = tokio::time::timeout(Duration::from_secs(5), second.read(&mut byte)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    // The loopback network has more addresses.
    let elsewhere = tokio::net::TcpSocket::new_v4().unwrap();
    elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = elsewhere.connect(server.address).await.unwrap();
    other.write_all(crate::raw::PREFACE).await.unwrap();
    other.read_exact(&mut byte).await.unwrap();
    client.classify_article(request("", "still served")).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_too_old_ends_after_its_grace() {
    let config = ServeConfig {
        connection_age: Duration::from_millis(300),
        connection_grace: Duration::from_millis(300),
        ..Default::default()
    };
    let server = TestServer::with(config).await;
    let begun = Instant::now();
    // An idle one ends at its age, an open call at the end of the grace, and is told.
    let mut idle = crate::raw::greet(server.address).await.unwrap();
    let mut client = server.client().await;
    let mut replies = client.stream_classify_articles(tokio_stream::pending()).await.unwrap().into_inner();
    let status = tokio::time::timeout(Duration::from_secs(10), replies.message()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(begun.elapsed() >= Duration::from_millis(500));
    let mut sink = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), idle.read_to_end(&mut sink)).await.unwrap();
    client.classify_article(request("", "on a new connection")).await.unwrap();
}
