//! The bytes of a call, by the decoder the server has and the whole of a unary call but its transport.

use super::{choice, outcome};
use bytes::Bytes;
use glotsift::model::Model;
use glotsift::rpc::codec::CheckedCodec;
use glotsift::rpc::unpack::{Encoding, Unpacking};
use glotsift::rpc::{Limits, classify_to_response, detect_to_response, pb, to_json};
use http_body_util::Full;
use prost::{Message, Name};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tonic::codec::{Codec, Streaming};
use tonic::{Code, Status};

/// Small, so that inputs reach them.
const LIMITS: Limits = Limits { max_text_bytes: 2_000, max_title_bytes: 200, max_frame_bytes: 1 << 20 };

/// The first byte chooses the method, whether gRPC's framing is put before the bytes or part of them, and a compression.
pub(super) fn run(input: &[u8]) -> u64 {
    let (how, wire) = choice(input);
    let framed = match how & 8 {
        0 => [&[0][..], &(wire.len() as u32).to_be_bytes(), wire].concat(),
        _ => wire.to_vec(),
    };
    let encoding = match how >> 4 & 3 {
        1 => Some(Encoding::Gzip),
        2 => Some(Encoding::Zstd),
        _ => None,
    };
    let seen = match how & 7 {
        0..=2 => decode(&framed, encoding)
            .map(|request: Option<pb::ClassifyArticleRequest>| request.map_or(0, classified)),
        3 => decode(&framed, encoding)
            .map(|request: Option<pb::DetectLanguageRequest>| request.map_or(1, detected)),
        4 | 5 => decode(&framed, encoding).map(|batch: Option<pb::BatchClassifyArticlesRequest>| {
            let Some(batch) = batch else { return 2 };
            assert!(batch.articles.len() <= glotsift::rpc::convert::MAX_BATCH_ITEMS);
            let one = |article| pb::ClassifyArticleRequest {
                article: Some(article),
                offset_encoding: batch.offset_encoding,
                options: batch.options.clone(),
            };
            outcome(batch.articles.into_iter().take(3).map(|a| classified(one(a))).collect::<Vec<_>>())
        }),
        6 => decode(&framed, encoding).map(|item: Option<pb::StreamClassifyArticlesRequest>| {
            let Some(pb::StreamClassifyArticlesRequest { article, offset_encoding, options, .. }) = item
            else {
                return 3;
            };
            classified(pb::ClassifyArticleRequest { article, offset_encoding, options })
        }),
        _ => {
            decode(&framed, encoding).map(|info: Option<pb::GetServerInfoRequest>| u64::from(info.is_some()))
        }
    };
    seen.unwrap_or_else(|status| {
        // Nothing that a client sends is the server's fault.
        assert!(!matches!(status.code(), Code::Ok | Code::Unknown | Code::DataLoss), "{status:?}");
        outcome((how & 7, status.code() as i32, status.message().split(':').next()))
    })
}

/// The first message of a body, by tonic's framing and our codec.
fn decode<T: Message + Name + Default + Send + 'static>(
    framed: &[u8],
    encoding: Option<Encoding>,
) -> Result<Option<T>, Status> {
    let decoder = CheckedCodec::<(), T>::default().decoder();
    let body = match (encoding, framed) {
        (Some(encoding), [1, _, _, _, _, packed @ ..]) => unpacked(encoding, packed)?,
        _ => Bytes::copy_from_slice(framed),
    };
    let mut stream = Streaming::new_request(decoder, Full::new(body), None, Some(LIMITS.max_frame_bytes));
    let next = pin!(stream.message());
    match next.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(message) => message,
        Poll::Pending => panic!("a body that is all there is waited for"),
    }
}

fn unpacked(encoding: Encoding, packed: &[u8]) -> Result<Bytes, Status> {
    let mut unpacking = Unpacking::new(encoding, LIMITS.max_frame_bytes);
    packed.chunks(512).try_for_each(|piece| unpacking.push(piece))?;
    let message = unpacking.finish()?;
    assert!(message.len() <= LIMITS.max_frame_bytes);
    let prefix = [&[0][..], &(message.len() as u32).to_be_bytes()].concat();
    Ok([prefix, message.to_vec()].concat().into())
}

fn classified(request: pb::ClassifyArticleRequest) -> u64 {
    let article = request.article.clone().unwrap_or_default();
    let encoding = request.offset_encoding;
    match classify_to_response(&Model::built_in(), request, &LIMITS) {
        Err(error) => refused(&error, &article),
        Ok(reply) => {
            let json = to_json(&reply);
            assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
            assert_eq!(reply.article_id, article.id);
            let noise = reply.noise.iter().map(|s| (s.field(), s.start, s.end));
            let evidence = reply.evidence.iter().map(|s| (s.field(), s.start, s.end));
            noise
                .chain(evidence)
                .for_each(|(field, start, end)| within(&article, field, encoding, start, end));
            for span in &reply.language_spans {
                within(&article, pb::TextField::Text, encoding, span.start, span.end);
            }
            let of = (reply.noise.len().min(8), reply.evidence.len(), reply.topics.len(), reply.truncated);
            let kind = outcome((of, reply.language.as_ref().map(|l| l.language_code.clone()), encoding));
            assert_eq!(pb::ClassifyArticleResponse::decode(&*reply.encode_to_vec()), Ok(reply), "comes back");
            kind
        }
    }
}

fn detected(request: pb::DetectLanguageRequest) -> u64 {
    let article = request.article.clone().unwrap_or_default();
    let encoding = request.offset_encoding;
    match detect_to_response(&Model::built_in(), request, &LIMITS) {
        Err(error) => refused(&error, &article),
        Ok(reply) => {
            for span in &reply.noise {
                within(&article, span.field(), encoding, span.start, span.end);
            }
            let kind =
                outcome((reply.noise.len().min(8), reply.language.as_ref().map(|l| l.language_code.clone())));
            assert_eq!(pb::DetectLanguageResponse::decode(&*reply.encode_to_vec()), Ok(reply), "comes back");
            kind
        }
    }
}

fn refused(error: &glotsift::rpc::InvalidRequest, article: &pb::Article) -> u64 {
    let said = error.to_string();
    assert!(article.text.len() < 12 || !said.contains(&article.text), "the text is told: {said}");
    assert!(said.len() < 500, "{said}");
    outcome((error.reason(), error.field().split('[').next().map(str::to_owned), error.metadata().len()))
}

fn within(article: &pb::Article, field: pb::TextField, encoding: i32, start: u32, end: u32) {
    let text = if field == pb::TextField::Title { &article.title } else { &article.text };
    let units = match pb::EncodingType::try_from(encoding) {
        Ok(pb::EncodingType::Utf16) => text.encode_utf16().count(),
        Ok(pb::EncodingType::Utf32) => text.chars().count(),
        _ => {
            assert!(text.get(start as usize..end as usize).is_some(), "{start}..{end} cuts a character");
            text.len()
        }
    };
    assert!(start <= end && end as usize <= units, "{start}..{end} of {units}");
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let article = |text: &str| pb::Article {
        id: "an id".into(),
        title: "The ferry".into(),
        text: text.into(),
        language_hint: "en".into(),
    };
    let options = pb::ClassifyOptions {
        explain: true,
        include_clean_text: true,
        max_topics: Some(3),
        topic_threshold: Some(0.5),
        spam_threshold: Some(0.25),
        truncate: true,
        allowed_languages: vec!["en".into(), "rus".into()],
        strict_languages: true,
    };
    let texts = [
        "The ferry will not run on Sunday, the harbour office said. Leave a comment",
        "Паром между островами 👩\u{200d}👧 не будет ходить: с запада ожидается шторм. pаypаl",
    ];
    let mut seeds = Vec::new();
    for (text, offset_encoding) in texts.into_iter().zip([2, 3]) {
        let options = Some(options.clone());
        let unary = pb::ClassifyArticleRequest {
            article: Some(article(text)),
            offset_encoding,
            options: options.clone(),
        };
        let stream = pb::StreamClassifyArticlesRequest {
            request_id: "7".into(),
            article: Some(article(text)),
            offset_encoding,
            options: options.clone(),
        };
        let batch = pb::BatchClassifyArticlesRequest {
            articles: vec![article(text), pb::Article::default()],
            offset_encoding,
            options,
        };
        let detect = pb::DetectLanguageRequest {
            article: Some(article(text)),
            offset_encoding,
            truncate: false,
            allowed_languages: vec!["de".into()],
            strict_languages: false,
        };
        let unary = unary.encode_to_vec();
        seeds.extend(
            [(3, detect.encode_to_vec()), (4, batch.encode_to_vec()), (6, stream.encode_to_vec())]
                .map(|(method, wire)| [&[method][..], &wire].concat()),
        );
        // Framing of its own, whole and compressed.
        let frame =
            |flag: u8, bytes: &[u8]| [&[flag][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat();
        if let Ok(packed) = zstd::encode_all(&*unary, 1) {
            seeds.push([&[8 | 2 << 4][..], &frame(1, &packed)].concat());
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        if std::io::Write::write_all(&mut gzip, &unary).is_ok()
            && let Ok(packed) = gzip.finish()
        {
            seeds.push([&[8 | 1 << 4][..], &frame(1, &packed)].concat());
        }
        seeds.push([&[8][..], &frame(0, &unary)].concat());
        seeds.push([&[0][..], &unary].concat());
    }
    seeds
}

pub(super) const WORDS: &[&str] = &[
    // A key of field 1, 2, 3 or 7 and a length; a negative enum; a group without end.
    "\x0a\x02",
    "\x12\x05",
    "\x1a\x00",
    "\x3a\x02en",
    "\x10\x04",
    "\x0b",
    "\x0c",
    "zh-Hant",
    "klingon",
    "\u{1f469}\u{200d}",
    "Leave a comment\n",
    "&amp;",
];
