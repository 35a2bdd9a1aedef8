use super::*;
use http_body_util::BodyExt;
use std::task::Context;
use tonic_types::StatusExt;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[derive(Clone, Copy)]
enum Behaviour {
    Panic,
    Hang,
    PanicInBody,
}

/// A service as broken as the test wants it.
#[derive(Clone)]
struct Broken(Behaviour);

fn calls(behaviour: Behaviour, max_in_flight: usize) -> Calls<Broken> {
    let receive = Duration::from_secs(1);
    let limits = CallLimits {
        max_wait: Duration::from_secs(1),
        max_in_flight,
        max_in_flight_bytes: 100,
        max_waiting: 100,
        rate: None,
        max_frame_bytes: 100,
        receive,
        before_call: None,
    };
    Calls::new(Broken(behaviour), Auth::open(), limits, CancellationToken::new())
}

struct PanickingBody;

impl http_body::Body for PanickingBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        panic!("a stream went wrong")
    }
}

impl Service<Request<Body>> for Broken {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        match self.0 {
            Behaviour::Panic => panic!("the handler went wrong"),
            Behaviour::Hang => Box::pin(std::future::pending()),
            Behaviour::PanicInBody => Box::pin(async { Ok(Response::new(Body::new(PanickingBody))) }),
        }
    }
}

fn request(headers: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = Request::new(Body::default());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

async fn status_of(response: Response<CallBody>) -> Status {
    let from_headers = Status::from_header_map(response.headers());
    let collected = response.into_body().collect().await.unwrap();
    from_headers.or_else(|| Status::from_header_map(collected.trailers().unwrap())).unwrap()
}

#[tokio::test]
async fn a_panic_costs_one_call() {
    for behaviour in [Behaviour::Panic, Behaviour::PanicInBody] {
        let wrapped = calls(behaviour, 1);
        let shares = wrapped.shares(HERE);
        for _ in 0..3 {
            let response =
                wrapped.clone().handle(request(&[("x-request-id", "r-7")]), &shares).await.unwrap();
            assert_eq!(response.headers()["x-request-id"], "r-7");
            let status = status_of(response).await;
            assert_eq!(status.code(), Code::Internal);
            assert!(!status.message().contains("wrong"), "the detail belongs in the log");
            assert_eq!(status.get_details_error_info().unwrap().metadata["request_id"], "r-7");
            assert_eq!(status.get_details_request_info().unwrap().request_id, "r-7");
        }
    }
}

#[tokio::test]
async fn a_passed_deadline_is_deadline_exceeded() {
    let wrapped = calls(Behaviour::Hang, 1);
    let shares = wrapped.shares(HERE);
    let response = wrapped.handle(request(&[("grpc-timeout", "20m")]), &shares).await.unwrap();
    assert_eq!(status_of(response).await.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn over_the_limit_is_refused_with_a_retry_delay_and_health_is_exempt() {
    let wrapped = calls(Behaviour::Hang, 0);
    let shares = wrapped.shares(HERE);
    let status = status_of(wrapped.clone().handle(request(&[]), &shares).await.unwrap()).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());

    let mut check = request(&[("grpc-timeout", "5m")]);
    *check.uri_mut() = "/grpc.health.v1.Health/Check".parse().unwrap();
    assert_eq!(status_of(wrapped.handle(check, &shares).await.unwrap()).await.code(), Code::DeadlineExceeded);
}

#[test]
fn odd_request_ids_are_replaced() {
    let id = |value: &str| request_id(request(&[("x-request-id", value)]).headers());
    assert_eq!(id("abc-1.2"), "abc-1.2");
    assert_ne!(id("two words"), "two words");
    assert_ne!(id(&"x".repeat(129)), "x".repeat(129));
    assert_ne!(id("a"), id(""));
}

#[test]
fn timeouts_as_the_protocol_writes_them() {
    let parse = |value: &str| timeout(request(&[("grpc-timeout", value)]).headers());
    assert_eq!(parse("300m"), Some(Duration::from_millis(300)));
    assert_eq!(parse("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
    for odd in ["", "m", "3", "-1S", "123456789S", "1.5S"] {
        assert_eq!(parse(odd), None, "{odd:?}");
    }
}
