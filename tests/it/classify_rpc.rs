use crate::support::{TestServer, article, cut, model, request};
use glotsift::rpc::pb;
use glotsift::rpc::{Limits, classify_to_response, to_json};
use tonic::{Code, Request};

const ENGLISH: &str =
    "The town council met on Tuesday evening and agreed to repair the old bridge before winter.";
/// Astral, two-byte and three-byte characters, with a foreign word in the middle.
const MIXED: &str =
    "🙂 The café on the corner, said the owner, слава богу, stays open until Sunday — 你好 to all guests.";

#[tokio::test]
async fn one_article() {
    let server = TestServer::start().await;
    let reply = server.client().await.classify_article(request("a-1", ENGLISH)).await.unwrap().into_inner();
    assert_eq!(reply.article_id, "a-1");
    assert_eq!(reply.text_bytes_total as usize, ENGLISH.len());
    assert!(reply.text_bytes_used <= reply.text_bytes_total);
    assert!(!reply.truncated);
    let language = reply.language.unwrap();
    assert_eq!((language.language_code.as_str(), language.script_code.as_str()), ("eng", "Latn"));
    assert_eq!(language.bcp47_tag, "en");
    assert!(language.reliable && language.probability > 0.9);
    assert_eq!(reply.topics.len(), 5);
    assert!(reply.topics.iter().map(|t| t.probability).sum::<f64>() <= 1.0 + 1e-9);
    assert_eq!(reply.spam.unwrap().verdict(), pb::SpamVerdict::Ham);
    assert!(reply.timings.unwrap().total_micros > 0);
    assert_eq!(reply.model_version, model().version());
}

#[tokio::test]
async fn an_empty_text_has_no_linguistic_content() {
    let server = TestServer::start().await;
    let reply = server.client().await.classify_article(request("", "")).await.unwrap().into_inner();
    let language = reply.language.unwrap();
    assert_eq!((language.language_code.as_str(), language.script_code.as_str()), ("zxx", "Zyyy"));
    assert_eq!(reply.topic_decision.unwrap().outcome(), pb::decision::Outcome::Abstained);
}

#[tokio::test]
async fn spans_slice_the_text_in_every_unit() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut counts = Vec::new();
    for encoding in [pb::EncodingType::Unspecified, pb::EncodingType::Utf16, pb::EncodingType::Utf32] {
        let mut request = request("", MIXED);
        request.offset_encoding = encoding as i32;
        let reply = client.classify_article(request).await.unwrap().into_inner();
        counts.push(reply.noise.len());
        for span in &reply.noise {
            assert_eq!(cut(MIXED, encoding, span.start, span.end), span.text);
            assert_eq!(span.field(), pb::TextField::Text);
        }
    }
    assert_eq!(counts, [2; 3], "the Cyrillic words and the greeting");
}

#[tokio::test]
async fn a_batch_answers_in_order_and_item_by_item() {
    use pb::batch_classify_result::Result as Item;
    let server = TestServer::start().await;
    let mut articles: Vec<_> = (0..50).map(|i| article(&i.to_string(), ENGLISH)).collect();
    articles[20].language_hint = "not-a-language".into();
    let batch = pb::BatchClassifyArticlesRequest { articles, ..Default::default() };
    let reply = server.client().await.batch_classify_articles(batch).await.unwrap().into_inner();
    assert_eq!(reply.results.len(), 50);
    for (i, result) in reply.results.into_iter().enumerate() {
        match result.result.unwrap() {
            Item::Response(response) => assert_eq!(response.article_id, i.to_string()),
            Item::Error(error) => {
                assert_eq!((i, error.code), (20, Code::InvalidArgument as i32));
                assert_eq!(error.reason, "UNKNOWN_LANGUAGE");
                assert_eq!(error.metadata["field"], "article.language_hint");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_carries_ids_and_survives_a_bad_item() {
    use pb::stream_classify_articles_response::Result as Item;
    let server = TestServer::start().await;
    let requests = (0..20).map(|i| pb::StreamClassifyArticlesRequest {
        request_id: format!("r{i}"),
        article: (i != 7).then(|| article("same", ENGLISH)),
        ..Default::default()
    });
    let stream = tokio_stream::iter(requests.collect::<Vec<_>>());
    let mut replies = server.client().await.stream_classify_articles(stream).await.unwrap().into_inner();
    let mut seen = Vec::new();
    while let Some(reply) = replies.message().await.unwrap() {
        match reply.result.unwrap() {
            Item::Response(response) => assert_eq!(response.article_id, "same"),
            Item::Error(error) => {
                assert_eq!((reply.request_id.as_str(), error.reason.as_str()), ("r7", "FIELD_MISSING"))
            }
        }
        seen.push(reply.request_id);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 20);
}

#[tokio::test]
async fn language_alone_agrees_with_the_whole() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let whole = client.classify_article(request("d", MIXED)).await.unwrap().into_inner();
    let detect = pb::DetectLanguageRequest { article: Some(article("d", MIXED)), ..Default::default() };
    let alone = client.detect_language(detect).await.unwrap().into_inner();
    assert_eq!(alone.article_id, "d");
    assert_eq!(alone.language, whole.language);
    assert_eq!(alone.noise, whole.noise);
    assert_eq!(alone.text_bytes_total as usize, MIXED.len());
}

#[tokio::test]
async fn server_info_tells_the_limits() {
    let server = TestServer::start().await;
    let info = server.client().await.get_server_info(pb::GetServerInfoRequest {}).await.unwrap().into_inner();
    let limits = info.limits.unwrap();
    assert_eq!(limits.max_text_bytes, 1 << 20);
    assert_eq!(limits.max_frame_bytes, 8 << 20);
    assert_eq!(limits.max_batch_items, 1000);
    assert_eq!(info.server_version, env!("CARGO_PKG_VERSION"));
    assert_eq!(info.topic_labels.len(), 17);
    assert_eq!(info.languages.len(), 205);
    assert!(info.languages.iter().all(|l| !l.name.is_empty() && l.bcp47_tag.len() >= 2));
}

#[tokio::test]
async fn request_ids_come_back() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut request = Request::new(request("", ENGLISH));
    request.metadata_mut().insert("x-request-id", "trace-42".parse().unwrap());
    let reply = client.classify_article(request).await.unwrap();
    assert_eq!(reply.metadata().get("x-request-id").unwrap(), "trace-42");
    let own = client.classify_article(crate::support::request("", ENGLISH)).await.unwrap();
    assert!(!own.metadata().get("x-request-id").unwrap().is_empty());
}

#[tokio::test]
async fn compressed_requests_are_read() {
    use tonic::codec::CompressionEncoding::{Gzip, Zstd};
    let server = TestServer::start().await;
    for encoding in [Gzip, Zstd] {
        let mut client = server.client().await.send_compressed(encoding);
        let reply = client.classify_article(request("z", &ENGLISH.repeat(50))).await.unwrap().into_inner();
        assert_eq!(reply.text_bytes_total as usize, ENGLISH.len() * 50);
    }
}

#[test]
fn the_command_lines_json_reads_back_as_the_same_message() {
    let reply = classify_to_response(&model(), request("j", MIXED), &Limits::default()).unwrap();
    let json = to_json(&reply);
    assert!(!json.contains('\n'));
    let back: pb::ClassifyArticleResponse = serde_json::from_str(&json).unwrap();
    assert_eq!(back, reply);
}
