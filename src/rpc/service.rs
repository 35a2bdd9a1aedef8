//! The methods of `ClassifierService`. Classifying runs on the async worker: texts are bounded, and handing
//! them to another thread costs more than it saves.

use crate::model::Model;
use crate::rpc::call::CallStats;
use crate::rpc::convert::{InvalidRequest, Limits, MAX_BATCH_ITEMS};
use crate::rpc::pb;
use crate::rpc::respond::{classify_to_response, detect_to_response};
use crate::rpc::status;
use crate::rpc::tag::bcp47;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio_stream::Stream;
use tonic::{Extensions, Request, Response, Status, Streaming};

#[derive(Clone)]
pub(crate) struct Classifier {
    pub(crate) model: Arc<Model>,
    pub(crate) limits: Limits,
}

impl Classifier {
    fn classify(
        &self,
        request: pb::ClassifyArticleRequest,
        stats: &CallStats,
    ) -> Result<pb::ClassifyArticleResponse, InvalidRequest> {
        stats.add_text(request.article.as_ref());
        classify_to_response(&self.model, request, &self.limits)
    }
}

fn stats(extensions: &Extensions) -> Arc<CallStats> {
    extensions.get::<Arc<CallStats>>().cloned().unwrap_or_default()
}

#[tonic::async_trait]
impl pb::classifier_service_server::ClassifierService for Classifier {
    async fn classify_article(
        &self,
        request: Request<pb::ClassifyArticleRequest>,
    ) -> Result<Response<pb::ClassifyArticleResponse>, Status> {
        let stats = stats(request.extensions());
        self.classify(request.into_inner(), &stats)
            .map(Response::new)
            .map_err(|error| status::invalid(&error))
    }

    async fn batch_classify_articles(
        &self,
        request: Request<pb::BatchClassifyArticlesRequest>,
    ) -> Result<Response<pb::BatchClassifyArticlesResponse>, Status> {
        use pb::batch_classify_result::Result as Item;
        let stats = stats(request.extensions());
        let batch = request.into_inner();
        if batch.articles.len() > MAX_BATCH_ITEMS {
            let (items, max) = (batch.articles.len(), MAX_BATCH_ITEMS);
            return Err(status::invalid(&InvalidRequest::BatchTooLarge { items, max }));
        }
        let mut results = Vec::with_capacity(batch.articles.len());
        for article in batch.articles {
            let request = pb::ClassifyArticleRequest {
                article: Some(article),
                offset_encoding: batch.offset_encoding,
                options: batch.options.clone(),
            };
            let result = match self.classify(request, &stats) {
                Ok(response) => Item::Response(response),
                // What the whole batch shares is the batch's fault, not an item's.
                Err(error) if !error.field().starts_with("article.") => return Err(status::invalid(&error)),
                Err(error) => Item::Error(status::item_error(&error)),
            };
            results.push(pb::BatchClassifyResult { result: Some(result) });
            // A thousand articles take a while: other calls and this one's deadline get their turn.
            tokio::task::yield_now().await;
        }
        Ok(Response::new(pb::BatchClassifyArticlesResponse { results }))
    }

    type StreamClassifyArticlesStream = ClassifyStream;

    async fn stream_classify_articles(
        &self,
        request: Request<Streaming<pb::StreamClassifyArticlesRequest>>,
    ) -> Result<Response<ClassifyStream>, Status> {
        let stats = stats(request.extensions());
        let stream = ClassifyStream { requests: request.into_inner(), classifier: self.clone(), stats };
        Ok(Response::new(stream))
    }

    async fn detect_language(
        &self,
        request: Request<pb::DetectLanguageRequest>,
    ) -> Result<Response<pb::DetectLanguageResponse>, Status> {
        let stats = stats(request.extensions());
        let request = request.into_inner();
        stats.add_text(request.article.as_ref());
        detect_to_response(&self.model, request, &self.limits)
            .map(Response::new)
            .map_err(|error| status::invalid(&error))
    }

    async fn get_server_info(
        &self,
        _request: Request<pb::GetServerInfoRequest>,
    ) -> Result<Response<pb::GetServerInfoResponse>, Status> {
        let languages = self.model.languages().into_iter().map(|(language, script)| pb::SupportedLanguage {
            language_code: language.as_str().to_owned(),
            script_code: script.to_string(),
            bcp47_tag: bcp47(Some(language), script),
            name: language.name().to_owned(),
        });
        let labels = self.model.topic_labels().into_iter();
        Ok(Response::new(pb::GetServerInfoResponse {
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            model_version: self.model.version().to_owned(),
            limits: Some(pb::RequestLimits {
                max_text_bytes: self.limits.max_text_bytes as u32,
                max_title_bytes: self.limits.max_title_bytes as u32,
                max_frame_bytes: self.limits.max_frame_bytes as u32,
                max_batch_items: MAX_BATCH_ITEMS as u32,
            }),
            topic_labels: labels.map(|(label_id, name)| pb::TopicLabel { label_id, name }).collect(),
            languages: languages.collect(),
        }))
    }
}

/// Answers each request as it is read: the client's own pace is the back-pressure, nothing is queued.
pub(crate) struct ClassifyStream {
    requests: Streaming<pb::StreamClassifyArticlesRequest>,
    classifier: Classifier,
    stats: Arc<CallStats>,
}

impl Stream for ClassifyStream {
    type Item = Result<pb::StreamClassifyArticlesResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        use pb::stream_classify_articles_response::Result as Item;
        let request = match ready!(Pin::new(&mut self.requests).poll_next(cx)) {
            None => return Poll::Ready(None),
            Some(Err(status)) => {
                let status = status::adopt(status, self.classifier.limits.max_frame_bytes);
                return Poll::Ready(Some(Err(status)));
            }
            Some(Ok(request)) => request,
        };
        let pb::StreamClassifyArticlesRequest { request_id, article, offset_encoding, options } = request;
        let request = pb::ClassifyArticleRequest { article, offset_encoding, options };
        let result = match self.classifier.classify(request, &self.stats) {
            Ok(response) => Item::Response(response),
            Err(error) => Item::Error(status::item_error(&error)),
        };
        let response = pb::StreamClassifyArticlesResponse { request_id, result: Some(result) };
        Poll::Ready(Some(Ok(response)))
    }
}
