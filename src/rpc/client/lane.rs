//! One long stream of articles, used by many callers at once.

use super::{Answer, Connection, Encoded, EncodedCodec, path};
use crate::rpc::pb;
use crate::rpc::pb::stream_classify_articles_response::Result as Item;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status, Streaming};

/// A call of `StreamClassifyArticles` that stays open. One that the server ends, for its age or an error, is opened
/// again by the next article.
pub struct Lane {
    connection: Connection,
    open: tokio::sync::Mutex<Option<Arc<Open>>>,
    next_id: AtomicU64,
}

impl Lane {
    pub fn new(connection: Connection) -> Self {
        Self { connection, open: tokio::sync::Mutex::default(), next_id: AtomicU64::new(0) }
    }

    /// Sends one article and waits for the reply that carries its id. The deadline is kept here: one on the call
    /// would end the stream for all.
    pub async fn classify(&self, article: &Encoded, deadline: Option<Duration>) -> Answer {
        let asked = self.ask(article);
        let answered = match deadline {
            None => asked.await,
            Some(deadline) => {
                tokio::time::timeout(deadline, asked).await.unwrap_or(Err(Code::DeadlineExceeded))
            }
        };
        match answered {
            Ok(()) => Answer { code: Code::Ok, articles: 1, failed: Vec::new() },
            Err(code) => Answer::failed(code),
        }
    }

    async fn ask(&self, article: &Encoded) -> Result<(), Code> {
        let open = self.open().await;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed).to_string();
        let reply = open.expect_reply(id.clone())?;
        // Forgets the reply if we are not there any more to get it.
        let _waiting = Waiting { open: &open, id: &id };
        open.requests.send(article.named(id.clone())).map_err(|_| open.end())?;
        reply.await.unwrap_or_else(|_| Err(open.end()))
    }

    async fn open(&self) -> Arc<Open> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_ref().filter(|open| open.waiting().ended.is_none()) {
            return open.clone();
        }
        let (requests, receiver) = mpsc::unbounded_channel();
        let fresh = Arc::new(Open { requests, waiting: Mutex::default() });
        // The reply's headers may come with the first reply, which needs a request: nobody waits for them here.
        tokio::spawn(fresh.clone().follow(self.connection.clone(), receiver));
        open.insert(fresh).clone()
    }
}

/// A stream, until it ends.
struct Open {
    requests: mpsc::UnboundedSender<Encoded>,
    waiting: Mutex<Replies>,
}

#[derive(Default)]
struct Replies {
    /// By request id.
    expected: HashMap<String, oneshot::Sender<Result<(), Code>>>,
    /// How the stream ended, once it has.
    ended: Option<Code>,
}

impl Open {
    fn waiting(&self) -> MutexGuard<'_, Replies> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) -> Code {
        self.waiting().ended.unwrap_or(Code::Unavailable)
    }

    fn expect_reply(&self, id: String) -> Result<oneshot::Receiver<Result<(), Code>>, Code> {
        let mut waiting = self.waiting();
        if let Some(code) = waiting.ended {
            return Err(code);
        }
        let (sender, receiver) = oneshot::channel();
        waiting.expected.insert(id, sender);
        Ok(receiver)
    }

    async fn follow(self: Arc<Self>, connection: Connection, receiver: mpsc::UnboundedReceiver<Encoded>) {
        let code = match self.replies(connection, receiver).await {
            // Ended in peace, but not by us.
            Ok(()) => Code::Unavailable,
            Err(status) => status.code(),
        };
        let mut waiting = self.waiting();
        waiting.ended = Some(code);
        for (_, expected) in waiting.expected.drain() {
            let _ = expected.send(Err(code));
        }
    }

    async fn replies(
        &self,
        connection: Connection,
        receiver: mpsc::UnboundedReceiver<Encoded>,
    ) -> Result<(), Status> {
        let mut grpc = connection.grpc().await?;
        let request = connection.request(UnboundedReceiverStream::new(receiver), None);
        let codec = EncodedCodec::<pb::StreamClassifyArticlesResponse>(PhantomData);
        let replies = grpc.streaming(request, path("StreamClassifyArticles")?, codec).await?;
        let mut replies: Streaming<pb::StreamClassifyArticlesResponse> = replies.into_inner();
        while let Some(reply) = replies.message().await? {
            let answer = match reply.result {
                Some(Item::Response(_)) => Ok(()),
                Some(Item::Error(error)) => Err(Code::from(error.code)),
                None => Err(Code::Internal),
            };
            // One that nobody waits for any more came after its deadline.
            if let Some(expected) = self.waiting().expected.remove(&reply.request_id) {
                let _ = expected.send(answer);
            }
        }
        Ok(())
    }
}

struct Waiting<'a> {
    open: &'a Open,
    id: &'a str,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.open.waiting().expected.remove(self.id);
    }
}
