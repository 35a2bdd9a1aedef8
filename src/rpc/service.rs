//! The methods of `ClassifierService`. What classifies has a place at a CPU (`cpu`), whatever its method.

use crate::model::Model;
use crate::rpc::call::CallContext;
use crate::rpc::convert::{InvalidRequest, Limits, MAX_BATCH_ITEMS};
use crate::rpc::cpu::{Part, Stop};
use crate::rpc::pb;
use crate::rpc::respond::{classify_unless_stopped, detect_unless_stopped};
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
    /// The article's fault is the inner error; the outer ends the call.
    async fn classify(
        &self,
        request: pb::ClassifyArticleRequest,
        context: &CallContext,
        part: Part,
    ) -> Result<Result<pb::ClassifyArticleResponse, InvalidRequest>, Status> {
        let bytes = context.add_text(request.article.as_ref());
        let (model, limits) = (self.model.clone(), self.limits);
        let work = move |stop: &Stop| classify_unless_stopped(&model, request, &limits, stop);
        context.cpu.work(bytes, context, part, work).await
    }
}

fn context(extensions: &Extensions) -> Result<Arc<CallContext>, Status> {
    extensions.get::<Arc<CallContext>>().cloned().ok_or_else(|| Status::internal("no context"))
}

#[tonic::async_trait]
impl pb::classifier_service_server::ClassifierService for Classifier {
    async fn classify_article(
        &self,
        request: Request<pb::ClassifyArticleRequest>,
    ) -> Result<Response<pb::ClassifyArticleResponse>, Status> {
        let context = context(request.extensions())?;
        self.classify(request.into_inner(), &context, Part::Call)
            .await?
            .map(Response::new)
            .map_err(|error| status::invalid(&error))
    }

    async fn batch_classify_articles(
        &self,
        request: Request<pb::BatchClassifyArticlesRequest>,
    ) -> Result<Response<pb::BatchClassifyArticlesResponse>, Status> {
        use pb::batch_classify_result::Result as Item;
        let context = context(request.extensions())?;
        let batch = request.into_inner();
        if batch.articles.len() > MAX_BATCH_ITEMS {
            let (items, max) = (batch.articles.len(), MAX_BATCH_ITEMS);
            return Err(status::invalid(&InvalidRequest::BatchTooLarge { items, max }));
        }
        context.charge(batch.articles.len().saturating_sub(1));
        let mut results = Vec::with_capacity(batch.articles.len());
        for article in batch.articles {
            let request = pb::ClassifyArticleRequest {
                article: Some(article),
                offset_encoding: batch.offset_encoding,
                options: batch.options.clone(),
            };
            let part = if results.is_empty() { Part::First } else { Part::Item };
            let result = match self.classify(request, &context, part).await? {
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
        let context = context(request.extensions())?;
        let (requests, classifier) = (request.into_inner(), self.clone());
        let stream = ClassifyStream { requests, classifier, context, items: 0, working: None };
        Ok(Response::new(stream))
    }

    async fn detect_language(
        &self,
        request: Request<pb::DetectLanguageRequest>,
    ) -> Result<Response<pb::DetectLanguageResponse>, Status> {
        let context = context(request.extensions())?;
        let request = request.into_inner();
        let bytes = context.add_text(request.article.as_ref());
        let (model, limits) = (self.model.clone(), self.limits);
        let work = move |stop: &Stop| detect_unless_stopped(&model, request, &limits, stop);
        context
            .cpu
            .work(bytes, &context, Part::Call, work)
            .await?
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

type Reply = Result<pb::StreamClassifyArticlesResponse, Status>;

/// Answers each request as it is read: the client's own pace is the back-pressure, nothing is queued.
pub(crate) struct ClassifyStream {
    requests: Streaming<pb::StreamClassifyArticlesRequest>,
    classifier: Classifier,
    context: Arc<CallContext>,
    items: u64,
    working: Option<Pin<Box<dyn Future<Output = Reply> + Send>>>,
}

impl Stream for ClassifyStream {
    type Item = Reply;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Reply>> {
        loop {
            if let Some(working) = &mut self.working {
                let reply = ready!(working.as_mut().poll(cx));
                self.working = None;
                self.context.item_answered();
                return Poll::Ready(Some(reply));
            }
            match ready!(Pin::new(&mut self.requests).poll_next(cx)) {
                None => return Poll::Ready(None),
                Some(Err(status)) => {
                    let status = status::adopt(status, self.classifier.limits.max_frame_bytes);
                    return Poll::Ready(Some(Err(status)));
                }
                Some(Ok(request)) => {
                    let (classifier, context) = (self.classifier.clone(), self.context.clone());
                    // The call's own admission has paid for the first.
                    let paid = self.items == 0;
                    self.items += 1;
                    self.working = Some(Box::pin(item(classifier, context, request, paid)));
                }
            }
        }
    }
}

async fn item(
    classifier: Classifier,
    context: Arc<CallContext>,
    request: pb::StreamClassifyArticlesRequest,
    paid: bool,
) -> Reply {
    use pb::stream_classify_articles_response::Result as Item;
    let pb::StreamClassifyArticlesRequest { request_id, article, offset_encoding, options } = request;
    let request = pb::ClassifyArticleRequest { article, offset_encoding, options };
    if !paid {
        context.may_go_on().await;
    }
    let result = match classifier.classify(request, &context, Part::Item).await? {
        Ok(response) => Item::Response(response),
        Err(error) => Item::Error(status::item_error(&error)),
    };
    Ok(pb::StreamClassifyArticlesResponse { request_id, result: Some(result) })
}
