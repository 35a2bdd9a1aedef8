//! `grpc.health.v1`: the protocol to its letter, and streams that end when the server drains.
//!
//! `tonic-health` gives the messages and the trait; its own reporter refuses a Watch on an unknown service
//! and keeps Watch streams open for ever, which no drain survives.

use crate::rpc::status;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::watch;
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// The whole server, and the one service it exists for.
const SERVICES: [&str; 2] = ["", "glotsift.v1.ClassifierService"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The model is not warm yet.
    Starting,
    Serving,
    /// No new work; Watch streams end after saying so.
    Draining,
}

#[derive(Clone, Debug)]
pub struct HealthService {
    phase: watch::Receiver<Phase>,
}

impl HealthService {
    pub fn new(phase: watch::Receiver<Phase>) -> Self {
        Self { phase }
    }
}

fn serving_status(known: bool, phase: Phase) -> ServingStatus {
    match (known, phase) {
        (false, _) => ServingStatus::ServiceUnknown,
        (true, Phase::Serving) => ServingStatus::Serving,
        (true, Phase::Starting | Phase::Draining) => ServingStatus::NotServing,
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        if !SERVICES.contains(&service.as_str()) {
            return Err(status::unknown_service(&service));
        }
        let status = serving_status(true, *self.phase.borrow()) as i32;
        Ok(Response::new(HealthCheckResponse { status }))
    }

    type WatchStream = StatusStream;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<StatusStream>, Status> {
        let known = SERVICES.contains(&request.into_inner().service.as_str());
        let phases = WatchStream::new(self.phase.clone());
        Ok(Response::new(StatusStream { known, phases, last: None, ended: false }))
    }
}

/// The current status at once, then every change, until the server drains.
#[derive(Debug)]
pub struct StatusStream {
    known: bool,
    phases: WatchStream<Phase>,
    last: Option<ServingStatus>,
    ended: bool,
}

impl Stream for StatusStream {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let Some(phase) = ready!(Pin::new(&mut self.phases).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            self.ended = phase == Phase::Draining;
            let status = serving_status(self.known, phase);
            if self.last.replace(status) != Some(status) {
                return Poll::Ready(Some(Ok(HealthCheckResponse { status: status as i32 })));
            }
        }
    }
}
