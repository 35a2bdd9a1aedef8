use crate::support::{PATIENCE, TestServer, expect_error};
use glotsift::rpc::server::ServeConfig;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.into() }
}

#[tokio::test]
async fn check_knows_the_server_and_its_service() {
    let server = TestServer::start().await;
    let mut health = server.health().await;
    for service in ["", "glotsift.v1.ClassifierService"] {
        // Warming up is quick but not instant.
        loop {
            let status = health.check(of(service)).await.unwrap().into_inner().status();
            if status == ServingStatus::Serving {
                break;
            }
            assert_eq!(status, ServingStatus::NotServing);
        }
    }
    let status = health.check(of("no.such.Service")).await.unwrap_err();
    expect_error(&status, Code::NotFound, "UNKNOWN_SERVICE");
}

#[tokio::test]
async fn watch_follows_the_server_to_its_end() {
    let server = TestServer::start().await;
    let mut watch = server.health().await.watch(of("")).await.unwrap().into_inner();
    let mut next = async || timeout(PATIENCE, watch.message()).await.unwrap().unwrap().map(|r| r.status());
    let mut status = next().await;
    if status == Some(ServingStatus::NotServing) {
        status = next().await;
    }
    assert_eq!(status, Some(ServingStatus::Serving));
    server.stop.cancel();
    assert_eq!(next().await, Some(ServingStatus::NotServing));
    assert_eq!(next().await, None);
    assert_eq!(server.stopped().await.cut, 0);
}

#[tokio::test]
async fn watch_on_an_unknown_service_stays_open() {
    let server = TestServer::start().await;
    let mut watch = server.health().await.watch(of("later.Service")).await.unwrap().into_inner();
    let first = timeout(PATIENCE, watch.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    let quiet = timeout(std::time::Duration::from_millis(300), watch.message()).await;
    assert!(quiet.is_err(), "the stream said more or ended: {quiet:?}");
    server.stop.cancel();
    assert_eq!(timeout(PATIENCE, watch.message()).await.unwrap().unwrap(), None);
    assert_eq!(server.stopped().await.cut, 0);
}

#[tokio::test]
async fn reflection_lists_services_and_can_be_switched_off() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};

    let list = || {
        tokio_stream::iter([ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        }])
    };
    let server = TestServer::start().await;
    let mut client = ServerReflectionClient::new(server.channel().await);
    let mut replies = client.server_reflection_info(list()).await.unwrap().into_inner();
    let reply = replies.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(services) = reply else { panic!("{reply:?}") };
    let names: Vec<_> = services.service.into_iter().map(|ServiceResponse { name }| name).collect();
    for expected in ["glotsift.v1.ClassifierService", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|name| name == expected), "{names:?}");
    }

    let server = TestServer::with(ServeConfig { reflection: false, ..ServeConfig::default() }).await;
    let mut client = ServerReflectionClient::new(server.channel().await);
    let status = client.server_reflection_info(list()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
