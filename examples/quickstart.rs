//! Starts the service on the built-in model, classifies files through it over gRPC, and stops it again:
//! `cargo run --release --example quickstart FILE…`

use anyhow::Context;
use glotsift::model::Model;
use glotsift::rpc::pb::classifier_service_client::ClassifierServiceClient;
use glotsift::rpc::server::{ServeConfig, serve};
use glotsift::rpc::{pb, to_json};
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let server = tokio::spawn(serve(listener, Model::built_in(), ServeConfig::default(), stopped));
    eprintln!("serving on {address}");

    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    let mut client = ClassifierServiceClient::new(channel);
    for file in std::env::args_os().skip(1).map(PathBuf::from) {
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let article = pb::Article { id: file.display().to_string(), text, ..Default::default() };
        let request = pb::ClassifyArticleRequest { article: Some(article), ..Default::default() };
        println!("{}", to_json(&client.classify_article(request).await?.into_inner()));
    }
    drop(client);
    stop.cancel();
    server.await??;
    Ok(())
}
