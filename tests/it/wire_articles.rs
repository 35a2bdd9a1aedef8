use crate::support::{TestServer, article, cut, request, texts};
use glotsift::rpc::pb;

/// Articles as requests, in the unit asked for.
fn requests(encoding: pb::EncodingType) -> Vec<pb::ClassifyArticleRequest> {
    let request = |(path, text): (std::path::PathBuf, String)| pb::ClassifyArticleRequest {
        offset_encoding: encoding as i32,
        ..request(&path.file_stem().unwrap().to_string_lossy(), &text)
    };
    let requests: Vec<_> = texts("articles").into_iter().map(request).collect();
    assert_eq!(requests.len(), 10);
    requests
}

/// All of a reply but what no two calls share.
fn untimed(mut reply: pb::ClassifyArticleResponse) -> pb::ClassifyArticleResponse {
    reply.timings = None;
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn every_offset_slices_the_text_in_every_unit() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut counts = Vec::new();
    for encoding in [pb::EncodingType::Utf8, pb::EncodingType::Utf16, pb::EncodingType::Utf32] {
        let mut found = 0;
        for mut request in requests(encoding) {
            request.options = Some(pb::ClassifyOptions { explain: true, ..Default::default() });
            let text = request.article.as_ref().unwrap().text.clone();
            let reply = client.classify_article(request).await.unwrap().into_inner();
            for span in &reply.noise {
                assert_eq!(cut(&text, encoding, span.start, span.end), span.text, "{}", reply.article_id);
            }
            for part in &reply.evidence {
                assert_eq!(cut(&text, encoding, part.start, part.end), part.text, "{}", reply.article_id);
            }
            let ends: Vec<u32> = reply.language_spans.iter().flat_map(|s| [s.start, s.end]).collect();
            assert!(ends.is_sorted() && !ends.is_empty(), "{}: {ends:?}", reply.article_id);
            for span in &reply.language_spans {
                assert!(!cut(&text, encoding, span.start, span.end).trim().is_empty());
            }
            assert!(!reply.noise.is_empty() && !reply.evidence.is_empty(), "{}", reply.article_id);
            found += reply.noise.len() + reply.evidence.len();
        }
        counts.push(found);
    }
    assert!(counts.iter().all(|n| *n == counts[0]), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_and_a_stream_say_what_single_calls_say() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let requests = requests(pb::EncodingType::Utf16);
    let mut single = Vec::new();
    for request in &requests {
        single.push(untimed(client.classify_article(request.clone()).await.unwrap().into_inner()));
    }

    let batch = pb::BatchClassifyArticlesRequest {
        articles: requests.iter().filter_map(|request| request.article.clone()).collect(),
        offset_encoding: pb::EncodingType::Utf16 as i32,
        options: None,
    };
    let reply = client.batch_classify_articles(batch).await.unwrap().into_inner();
    let batched = reply.results.into_iter().map(|item| match item.result.unwrap() {
        pb::batch_classify_result::Result::Response(reply) => untimed(reply),
        pb::batch_classify_result::Result::Error(error) => panic!("{error:?}"),
    });
    assert_eq!(batched.collect::<Vec<_>>(), single);

    let stream: Vec<_> = requests
        .iter()
        .map(|request| pb::StreamClassifyArticlesRequest {
            request_id: request.article.as_ref().unwrap().id.clone(),
            article: request.article.clone(),
            offset_encoding: request.offset_encoding,
            options: None,
        })
        .collect();
    let stream = tokio_stream::iter(stream);
    let mut replies = client.stream_classify_articles(stream).await.unwrap().into_inner();
    let mut streamed = Vec::new();
    while let Some(reply) = replies.message().await.unwrap() {
        match reply.result.unwrap() {
            pb::stream_classify_articles_response::Result::Response(response) => {
                assert_eq!(reply.request_id, response.article_id);
                streamed.push(untimed(response));
            }
            pb::stream_classify_articles_response::Result::Error(error) => panic!("{error:?}"),
        }
    }
    streamed.sort_by(|a, b| a.article_id.cmp(&b.article_id));
    assert_eq!(streamed, single);
}

#[tokio::test]
async fn a_title_has_noise_of_its_own() {
    let server = TestServer::start().await;
    let (_, text) = texts("articles").remove(2);
    let mut request = request("", &text);
    request.article.as_mut().unwrap().title = "Rovers reach the final — کوهنوردی".into();
    let reply = server.client().await.classify_article(request).await.unwrap().into_inner();
    let in_title: Vec<_> = reply.noise.iter().filter(|s| s.field() == pb::TextField::Title).collect();
    assert_eq!(in_title.len(), 1, "{:?}", reply.noise);
    assert_eq!((in_title[0].text.as_str(), in_title[0].script_code.as_str()), ("کوهنوردی", "Arab"));
    assert_eq!(reply.noise[0].field(), pb::TextField::Title, "the title's spans come first");
}

#[tokio::test]
async fn options_change_the_answer_as_documented() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let (_, text) = texts("articles").remove(2);
    let mut ask = async |options: pb::ClassifyOptions| {
        let request = pb::ClassifyArticleRequest { options: Some(options), ..request("", &text) };
        client.classify_article(request).await.unwrap().into_inner()
    };

    let clean = ask(pb::ClassifyOptions { include_clean_text: true, ..Default::default() }).await;
    let left = clean.clean_text.unwrap();
    assert!(left.contains("Coach Alison Grady") && !left.contains("Your email address"), "{left}");

    let all = ask(pb::ClassifyOptions { max_topics: Some(0), ..Default::default() }).await;
    assert_eq!(all.topics.len(), 17);
    let one = ask(pb::ClassifyOptions { max_topics: Some(1), ..Default::default() }).await;
    assert_eq!(one.topics, all.topics[..1]);
    let none =
        ask(pb::ClassifyOptions { max_topics: Some(0), topic_threshold: Some(0.0), ..Default::default() });
    assert!(none.await.topics.iter().all(|topic| topic.selected));

    let spam = ask(pb::ClassifyOptions { spam_threshold: Some(0.0), ..Default::default() }).await;
    assert_eq!(spam.spam.unwrap().verdict(), pb::SpamVerdict::Spam);

    let strict = pb::ClassifyOptions {
        allowed_languages: vec!["de".into(), "nld".into()],
        strict_languages: true,
        ..Default::default()
    };
    let code = ask(strict).await.language.unwrap().language_code;
    assert!(code == "deu" || code == "nld", "{code}");
}

#[tokio::test]
async fn a_cut_text_is_classified_by_its_beginning() {
    let server = TestServer::start().await;
    let text = "The council agreed to repair the bridge. ".repeat(30_000);
    assert!(text.len() > 1 << 20);
    let options = pb::ClassifyOptions { truncate: true, ..Default::default() };
    let request = pb::ClassifyArticleRequest {
        article: Some(article("long", &text)),
        options: Some(options),
        ..Default::default()
    };
    let reply = server.client().await.classify_article(request).await.unwrap().into_inner();
    assert!(reply.truncated);
    assert_eq!(reply.text_bytes_total as usize, text.len());
    assert!((1..=1 << 20).contains(&reply.text_bytes_used));
    assert_eq!(reply.language.unwrap().language_code, "eng");
}
