//! A client that sends messages encoded beforehand: what `glotsift bench` loads a server with.
//!
//! Replies are decoded in full, because a reply that nobody could read is no answer.

mod lane;

pub use lane::Lane;

use crate::rpc::codec::{CheckedCodec, CheckedDecoder};
use crate::rpc::pb;
use crate::rpc::pb::classifier_service_client::ClassifierServiceClient;
use bytes::{BufMut, Bytes};
use hyper_util::rt::TokioIo;
use prost::{Message, Name};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// Of the connection and of the first call each: a server that takes longer is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// Replies of a thousand articles with much noise have megabytes.
const MAX_REPLY_BYTES: usize = 256 << 20;

/// Which server, and how to be let in.
#[derive(Clone)]
pub struct Target {
    address: String,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    authorization: Option<MetadataValue<Ascii>>,
}

/// Why a [`Target`] is none. Neither the token nor the certificates are quoted.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTarget {
    #[error("address is {0:?}, expected HOST:PORT such as 127.0.0.1:50051")]
    Address(String),
    #[error("the file of tls-ca {0}")]
    Authorities(String),
    #[error("the file of token-file holds no token, expected the one line that `glotsift token` prints")]
    Token,
}

impl Target {
    /// `authorities` are certificates in PEM form, of which one must have signed the server's: with them the
    /// connections are TLS, without them plain text.
    pub fn new(
        address: &str,
        authorities: Option<&[u8]>,
        token: Option<&str>,
    ) -> Result<Self, InvalidTarget> {
        let wrong = || InvalidTarget::Address(address.to_owned());
        let authority: http::uri::Authority = address.parse().map_err(|_| wrong())?;
        if authority.port_u16().is_none() || authority.host().is_empty() || address.contains('@') {
            return Err(wrong());
        }
        let tls = authorities.map(|pem| {
            let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
            Ok((trusting(pem)?, ServerName::try_from(host).map_err(|_| wrong())?))
        });
        let authorization = token.map(|token| match token.trim() {
            "" => Err(InvalidTarget::Token),
            token => MetadataValue::try_from(format!("Bearer {token}")).map_err(|_| InvalidTarget::Token),
        });
        Ok(Self {
            address: address.to_owned(),
            tls: tls.transpose()?,
            authorization: authorization.transpose()?,
        })
    }

    pub async fn connect(&self) -> Result<Connection, tonic::transport::Error> {
        // The scheme is http with TLS as well: the connector below has seen to it.
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?.connect_timeout(PATIENCE);
        let channel = match self.tls.clone() {
            None => endpoint.connect().await?,
            Some((config, name)) => {
                let (connector, address) = (TlsConnector::from(config), self.address.clone());
                let connect = tower::service_fn(move |_: http::Uri| {
                    let (connector, address, name) = (connector.clone(), address.clone(), name.clone());
                    async move {
                        let stream = TcpStream::connect(address).await?;
                        stream.set_nodelay(true)?;
                        Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
                    }
                });
                endpoint.connect_with_connector(connect).await?
            }
        };
        Ok(Connection { channel, authorization: self.authorization.clone() })
    }
}

fn trusting(pem: &[u8]) -> Result<Arc<ClientConfig>, InvalidTarget> {
    let wrong = |problem: &str| InvalidTarget::Authorities(problem.to_owned());
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(pem) {
        let authority = authority.map_err(|_| wrong("holds no certificate in PEM form"))?;
        roots.add(authority).map_err(|error| wrong(&format!("holds a bad certificate: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("holds no certificate in PEM form"));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&format!("cannot be used: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// One HTTP/2 connection; clones share it.
#[derive(Clone)]
pub struct Connection {
    channel: Channel,
    authorization: Option<MetadataValue<Ascii>>,
}

impl Connection {
    fn request<T>(&self, message: T, deadline: Option<Duration>) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        request
    }

    /// The version of the model that answers: a call that shows whether this is a server of ours that lets us in.
    pub async fn model_version(&self) -> Result<String, Status> {
        let mut client = ClassifierServiceClient::new(self.channel.clone());
        let request = self.request(pb::GetServerInfoRequest {}, Some(PATIENCE));
        Ok(client.get_server_info(request).await?.into_inner().model_version)
    }

    /// One call of one article.
    pub async fn classify(&self, article: &Encoded, deadline: Option<Duration>) -> Answer {
        match self.unary::<pb::ClassifyArticleResponse>("ClassifyArticle", article, deadline).await {
            Ok(_) => Answer { code: Code::Ok, articles: 1, failed: Vec::new() },
            Err(code) => Answer::failed(code),
        }
    }

    /// One call of several articles.
    pub async fn classify_batch(&self, articles: &Encoded, deadline: Option<Duration>) -> Answer {
        use pb::batch_classify_result::Result as Item;
        let method = "BatchClassifyArticles";
        let results = match self.unary::<pb::BatchClassifyArticlesResponse>(method, articles, deadline).await
        {
            Ok(reply) => reply.results,
            Err(code) => return Answer::failed(code),
        };
        let mut answer = Answer { code: Code::Ok, articles: 0, failed: Vec::new() };
        for item in results {
            match item.result {
                Some(Item::Response(_)) => answer.articles += 1,
                Some(Item::Error(error)) => answer.failed.push(Code::from(error.code)),
                None => answer.failed.push(Code::Internal),
            }
        }
        answer
    }

    async fn unary<U>(
        &self,
        method: &'static str,
        message: &Encoded,
        deadline: Option<Duration>,
    ) -> Result<U, Code>
    where
        U: Message + Name + Default + Send + Sync + 'static,
    {
        let begun = Instant::now();
        let call = async {
            let mut grpc = self.grpc().await?;
            let request = self.request(message.clone(), deadline);
            let codec = EncodedCodec::<U>(PhantomData);
            Ok::<_, Status>(grpc.unary(request, path(method)?, codec).await?.into_inner())
        };
        call.await.map_err(|status| match status.code() {
            // tonic ends a call at its deadline with this; nobody else cancels here.
            Code::Cancelled if deadline.is_some_and(|d| begun.elapsed() >= d) => Code::DeadlineExceeded,
            code => code,
        })
    }

    /// Ready to take a call.
    async fn grpc(&self) -> Result<tonic::client::Grpc<Channel>, Status> {
        let mut grpc =
            tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_REPLY_BYTES);
        grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
        Ok(grpc)
    }
}

fn path(method: &str) -> Result<http::uri::PathAndQuery, Status> {
    let path = format!("/glotsift.v1.ClassifierService/{method}");
    path.parse().map_err(|_| Status::internal("not a path"))
}

/// What became of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: Code,
    /// Articles that were classified.
    pub articles: u64,
    /// Why the others of an answered batch were not.
    pub failed: Vec<Code>,
}

impl Answer {
    fn failed(code: Code) -> Self {
        Self { code, articles: 0, failed: Vec::new() }
    }
}

/// A request as it is on the wire; clones share the bytes.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Of a stream's item, which says it before the rest: the fields of a message may come in any order.
    request_id: Option<String>,
    message: Bytes,
}

impl Encoded {
    /// A request of `ClassifyArticle`.
    pub fn unary(title: &str, text: &str) -> Self {
        let request =
            pb::ClassifyArticleRequest { article: Some(article(title, text)), ..Default::default() };
        Self::of(&request)
    }

    /// A request of `BatchClassifyArticles`, of titles and texts.
    pub fn batch<'a>(articles: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let articles = articles.into_iter().map(|(title, text)| article(title, text)).collect();
        Self::of(&pb::BatchClassifyArticlesRequest { articles, ..Default::default() })
    }

    /// A request of `StreamClassifyArticles`; its id is given when it is sent.
    pub fn item(title: &str, text: &str) -> Self {
        let request =
            pb::StreamClassifyArticlesRequest { article: Some(article(title, text)), ..Default::default() };
        Self::of(&request)
    }

    fn of(request: &impl Message) -> Self {
        Self { request_id: None, message: request.encode_to_vec().into() }
    }

    fn named(&self, request_id: String) -> Self {
        Self { request_id: Some(request_id), message: self.message.clone() }
    }
}

fn article(title: &str, text: &str) -> pb::Article {
    pb::Article { title: title.to_owned(), text: text.to_owned(), ..Default::default() }
}

struct EncodedCodec<U>(PhantomData<U>);

impl<U: Message + Name + Default + Send + 'static> Codec for EncodedCodec<U> {
    type Encode = Encoded;
    type Decode = U;
    type Encoder = EncodedEncoder;
    type Decoder = CheckedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        EncodedEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        CheckedCodec::<(), U>::default().decoder()
    }
}

struct EncodedEncoder;

impl Encoder for EncodedEncoder {
    type Item = Encoded;
    type Error = Status;

    fn encode(&mut self, item: Encoded, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        if let Some(request_id) = item.request_id {
            let head = pb::StreamClassifyArticlesRequest { request_id, ..Default::default() };
            head.encode(buffer).map_err(|error| Status::internal(error.to_string()))?;
        }
        buffer.put_slice(&item.message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_targets_are_refused_and_secrets_not_quoted() {
        let refused = |address: &str, ca: Option<&[u8]>, token| match Target::new(address, ca, token) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        for address in ["", "nowhere", "a b:1", "http://127.0.0.1:1", ":1", "127.0.0.1:99999", "me@host:1"] {
            let told = format!("address is {address:?}, expected HOST:PORT such as 127.0.0.1:50051");
            assert_eq!(refused(address, None, None), told);
        }
        for address in ["127.0.0.1:1", "localhost:50051", "[::1]:50051"] {
            assert_eq!(refused(address, None, Some("glotsift_x\n")), "");
        }
        let told = refused("localhost:1", Some(b"a secret"), None);
        assert_eq!(told, "the file of tls-ca holds no certificate in PEM form");
        for token in ["", "\n", "a\nsecret"] {
            let told = refused("localhost:1", None, Some(token));
            assert!(told.starts_with("the file of token-file holds no token") && !told.contains("secret"));
        }
    }

    #[test]
    fn an_item_is_its_id_and_what_was_encoded_before() {
        let item = Encoded::item("title", "text").named("7".to_owned());
        let head = pb::StreamClassifyArticlesRequest { request_id: "7".into(), ..Default::default() };
        let bytes = [head.encode_to_vec(), item.message.to_vec()].concat();
        let read = pb::StreamClassifyArticlesRequest::decode(&bytes[..]).unwrap();
        assert_eq!((read.request_id.as_str(), read.article), ("7", Some(article("title", "text"))));
    }
}
