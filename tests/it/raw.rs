//! HTTP/2 written by hand, so that it can be written wrong.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u32;
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header block of a call, by literals without an index (RFC 7541, 6.2.2).
pub fn call_headers(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (index, value) in [(4, path), (1, "localhost")] {
        block.extend([index, value.len() as u8]);
        block.extend(value.as_bytes());
    }
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        block.extend([0, name.len() as u8]);
        block.extend(name.as_bytes());
        block.push(value.len() as u8);
        block.extend(value.as_bytes());
    }
    block
}

/// Connects and sends the preface and empty settings.
pub async fn greet(address: std::net::SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(PREFACE).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    Ok(stream)
}

/// Sends all of it while reading and throwing away what comes back; whether the server had closed by then, or
/// within `patience` of the last byte.
pub async fn pour(stream: TcpStream, bytes: &[u8], patience: Duration) -> bool {
    let (mut reader, mut writer) = stream.into_split();
    let read = tokio::spawn(async move {
        let mut sink = vec![0; 64 << 10];
        while matches!(reader.read(&mut sink).await, Ok(n) if n > 0) {}
    });
    // Written in pieces: a closed connection ends it early.
    for piece in bytes.chunks(16 << 10) {
        if writer.write_all(piece).await.is_err() {
            read.abort();
            return true;
        }
    }
    tokio::time::timeout(patience, read).await.is_ok()
}

/// Forty frames that no client may send: each kind with a wrong stream, a wrong length, or out of its order.
pub fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let call = call_headers("/glotsift.v1.ClassifierService/GetServerInfo");
    let open = frame(HEADERS, END_HEADERS, 1, &call);
    let after_open = |bad: Vec<u8>| [open.clone(), bad].concat();
    let mut cases = vec![
        ("DATA on stream 0", frame(DATA, 0, 0, b"x")),
        ("DATA on an idle stream", frame(DATA, 0, 1, b"x")),
        ("DATA padded beyond its end", after_open(frame(DATA, 8, 1, &[9, 1]))),
        ("DATA padded without a length", after_open(frame(DATA, 8, 1, &[]))),
        ("DATA after its stream's end", {
            [frame(HEADERS, END_HEADERS | END_STREAM, 1, &call), frame(DATA, 0, 1, b"x")].concat()
        }),
        ("HEADERS on stream 0", frame(HEADERS, END_HEADERS, 0, &call)),
        ("HEADERS on an even stream", frame(HEADERS, END_HEADERS, 2, &call)),
        ("HEADERS on a lower stream", {
            [frame(HEADERS, END_HEADERS, 5, &call), frame(HEADERS, END_HEADERS, 3, &call)].concat()
        }),
        ("HEADERS of nonsense", frame(HEADERS, END_HEADERS, 1, &[0xff; 40])),
        ("HEADERS with an index that is not there", frame(HEADERS, END_HEADERS, 1, &[0xfe])),
        ("HEADERS without any", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[])),
        ("HEADERS with a name in capitals", frame(HEADERS, END_HEADERS, 1, &[0x83, 0, 1, b'A', 1, b'b'])),
        ("HEADERS with an unknown pseudo-header", frame(HEADERS, END_HEADERS, 1, b"\x83\x00\x02:x\x01y")),
        (
            "HEADERS with a table beyond its size",
            frame(HEADERS, END_HEADERS, 1, &[0x3f, 0xff, 0xff, 0xff, 0x7f]),
        ),
        ("HEADERS padded beyond its end", frame(HEADERS, END_HEADERS | 8, 1, &[200, 0x83])),
        ("HEADERS that depend on themselves", {
            frame(HEADERS, END_HEADERS | 0x20, 1, &[&[0, 0, 0, 1, 16][..], &call].concat())
        }),
        ("HEADERS in the midst of HEADERS", {
            [frame(HEADERS, 0, 1, &call), frame(HEADERS, END_HEADERS, 3, &call)].concat()
        }),
        ("PING in the midst of HEADERS", [frame(HEADERS, 0, 1, &call), frame(PING, 0, 0, &[0; 8])].concat()),
        ("PRIORITY of four bytes", frame(2, 0, 1, &[0; 4])),
        ("PRIORITY on stream 0", frame(2, 0, 0, &[0; 5])),
        ("RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, &[0; 4])),
        ("RST_STREAM of three bytes", after_open(frame(RST_STREAM, 0, 1, &[0; 3]))),
        ("RST_STREAM on an idle stream", frame(RST_STREAM, 0, 7, &[0; 4])),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, &[])),
        ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        ("SETTINGS acknowledged with a payload", frame(SETTINGS, 1, 0, &[0; 6])),
        ("SETTINGS with push neither on nor off", frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 9])),
        ("SETTINGS with a window of 2^32 - 1", frame(SETTINGS, 0, 0, &[0, 4, 255, 255, 255, 255])),
        ("SETTINGS with frames of one byte", frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1])),
        ("PUSH_PROMISE from a client", frame(5, END_HEADERS, 1, &[0, 0, 0, 2, 0x83])),
        ("PING of seven bytes", frame(PING, 0, 0, &[0; 7])),
        ("PING on a stream", frame(PING, 0, 1, &[0; 8])),
        ("GOAWAY on a stream", frame(7, 0, 1, &[0; 8])),
        ("GOAWAY of four bytes", frame(7, 0, 0, &[0; 4])),
        ("WINDOW_UPDATE of nothing", frame(8, 0, 0, &[0; 4])),
        ("WINDOW_UPDATE of three bytes", frame(8, 0, 0, &[0; 3])),
        ("WINDOW_UPDATE beyond 2^31", {
            let most = frame(8, 0, 0, &[0x7f, 255, 255, 255]);
            [most.clone(), most].concat()
        }),
        ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, &call)),
        ("CONTINUATION of another stream", {
            [frame(HEADERS, 0, 1, &call), frame(CONTINUATION, END_HEADERS, 3, &call)].concat()
        }),
    ];
    // Sixteen mebibytes announced, none sent.
    cases.push(("a frame over the size agreed on", vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1]));
    cases
}
