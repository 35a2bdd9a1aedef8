//! Failures as AIP-193 statuses: every one carries an `ErrorInfo` of our domain and, on its way out, a
//! `RequestInfo`.

use crate::rpc::convert::InvalidRequest;
use crate::rpc::pb;
use crate::rpc::share::Refused;
use memchr::memmem;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub const DOMAIN: &str = "glotsift";

/// Long enough for a burst to pass, short enough not to be noticed.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// The caller's request is at fault.
pub fn invalid(error: &InvalidRequest) -> Status {
    let metadata = error.metadata().into_iter().map(|(k, v)| (k.to_owned(), v));
    let mut details = info(error.reason(), metadata);
    if !error.field().is_empty() {
        details.add_bad_request_violation(error.field(), error.to_string());
    }
    Status::with_error_details(Code::InvalidArgument, error.to_string(), details)
}

/// The same failure as one item of a batch or stream.
pub fn item_error(error: &InvalidRequest) -> pb::ItemError {
    pb::ItemError {
        code: Code::InvalidArgument as i32,
        message: error.to_string(),
        reason: error.reason().to_owned(),
        metadata: error.metadata().into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
    }
}

/// A broken invariant; what it was is in the log under the same request id.
pub(crate) fn internal(request_id: &str) -> Status {
    let details = info("INTERNAL", [("request_id".to_owned(), request_id.to_owned())]);
    let message = "the server failed on this request; its log has the details under the request id";
    Status::with_error_details(Code::Internal, message, details)
}

pub(crate) fn deadline_exceeded() -> Status {
    let details = info("DEADLINE_EXCEEDED", []);
    Status::with_error_details(Code::DeadlineExceeded, "the call's deadline passed", details)
}

/// The answer would take `needed` at best.
pub(crate) fn deadline_out_of_reach(needed: Duration, left: Duration) -> Status {
    let details = info("DEADLINE_EXCEEDED", []);
    let (needed, left) = (needed.as_millis(), left.as_millis());
    let message =
        format!("the answer would take {needed} ms at best, expected within the deadline in {left} ms");
    Status::with_error_details(Code::DeadlineExceeded, message, details)
}

pub(crate) fn token_missing() -> Status {
    let message = "this method needs a token, expected metadata `authorization: Bearer TOKEN`";
    Status::with_error_details(Code::Unauthenticated, message, info("TOKEN_MISSING", []))
}

pub(crate) fn token_unknown() -> Status {
    let details = info("TOKEN_UNKNOWN", []);
    Status::with_error_details(Code::Unauthenticated, "the token is not known here", details)
}

pub(crate) fn too_many_strangers(wait: Duration) -> Status {
    let mut details = info("AUTH_RATE_EXCEEDED", []);
    details.set_retry_info(Some(wait));
    let message = format!("too many calls of this address came without a known token, try again in {wait:?}");
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

pub(crate) fn role_missing(role: &str) -> Status {
    let details = info("ROLE_MISSING", [("role".to_owned(), role.to_owned())]);
    let message = format!("this method needs a token with the role {role}");
    Status::with_error_details(Code::PermissionDenied, message, details)
}

pub(crate) fn too_slow(patience: Duration) -> Status {
    let details = info("REQUEST_TOO_SLOW", [("seconds".to_owned(), patience.as_secs_f64().to_string())]);
    let message = format!("the request message did not arrive within {patience:?}");
    Status::with_error_details(Code::DeadlineExceeded, message, details)
}

pub(crate) fn too_many_in_flight(refused: Refused) -> Status {
    overloaded("max_in_flight", refused, "calls in flight")
}

pub(crate) fn too_much_in_flight(refused: Refused) -> Status {
    overloaded("max_in_flight_bytes", refused, "bytes of requests in flight")
}

pub(crate) fn too_many_waiting(refused: Refused) -> Status {
    overloaded("max_waiting", refused, "places to wait for a CPU")
}

/// `wait` is what is expected; who comes again before [`RETRY_DELAY`] would only be refused again.
pub(crate) fn too_long_a_wait(wait: Duration, max: Duration) -> Status {
    // A server that refuses thousands a second says the same to all of them.
    static LAST: Mutex<Option<([u128; 2], Status)>> = Mutex::new(None);
    let told @ [retry_ms, max_ms] = [wait.max(RETRY_DELAY), max].map(|told| told.as_millis());
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, status)) = last.as_ref().filter(|(before, _)| *before == told) {
        return status.clone();
    }
    let mut details = info("OVERLOADED", [("max_wait_ms".to_owned(), max_ms.to_string())]);
    details.set_retry_info(Some(wait.max(RETRY_DELAY)));
    let message = format!("no CPU is free within {max_ms} ms, try again in {retry_ms} ms");
    let status = Status::with_error_details(Code::ResourceExhausted, message, details);
    *last = Some((told, status.clone()));
    status
}

/// One of many alike, of clients that are told to come again.
pub(crate) fn is_for_want_of_room(status: &Status) -> bool {
    let retry_info = b"google.rpc.RetryInfo";
    status.code() == Code::ResourceExhausted && memmem::find(status.details(), retry_info).is_some()
}

fn overloaded(limit: &str, Refused(max): Refused, what: &str) -> Status {
    let mut details = info("OVERLOADED", [(limit.to_owned(), max.to_string())]);
    details.set_retry_info(Some(RETRY_DELAY));
    let message = format!("of the {max} {what}, or of this connection's part, none is left; try again later");
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

pub(crate) fn rate_exceeded(wait: Duration) -> Status {
    let mut details = info("RATE_EXCEEDED", []);
    details.set_retry_info(Some(wait));
    let message = format!("this client has asked for more articles than it may, try again in {wait:?}");
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

pub(crate) fn shutting_down() -> Status {
    let mut details = info("SHUTTING_DOWN", []);
    details.set_retry_info(Some(RETRY_DELAY));
    Status::with_error_details(Code::Unavailable, "the server is shutting down", details)
}

pub(crate) fn unknown_service(name: &str) -> Status {
    let name: String = name.chars().take(200).collect();
    let message = format!("service {name:?} is not known here, expected \"\" or a service of this server");
    let details = info("UNKNOWN_SERVICE", [("service".to_owned(), name)]);
    Status::with_error_details(Code::NotFound, message, details)
}

pub(crate) fn message_too_large(max_frame_bytes: usize) -> Status {
    let details = info("MESSAGE_TOO_LARGE", [("max_frame_bytes".to_owned(), max_frame_bytes.to_string())]);
    let told = format!("request message exceeds the limit of {max_frame_bytes} bytes");
    Status::with_error_details(Code::ResourceExhausted, told, details)
}

/// The call's bytes make no message.
pub(crate) fn malformed(why: &str) -> Status {
    let told = format!("request cannot be read: {why}");
    Status::with_error_details(Code::InvalidArgument, told, info("MALFORMED_REQUEST", []))
}

/// Gives the statuses of the layers below us the right code and an `ErrorInfo`; ours pass unchanged.
pub(crate) fn adopt(status: Status, max_frame_bytes: usize) -> Status {
    if !status.details().is_empty() || status.code() == Code::Ok {
        return status;
    }
    let message = status.message();
    let client_fault = ["failed to decode", "protocol error", "Unexpected EOF", "Missing"]
        .iter()
        .any(|start| message.starts_with(start));
    match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => message_too_large(max_frame_bytes),
        Code::Internal if client_fault => malformed(message),
        Code::Unimplemented => {
            let message = if message.is_empty() { "no such method on this server" } else { message };
            Status::with_error_details(Code::Unimplemented, message, info("UNIMPLEMENTED", []))
        }
        code => Status::with_error_details(code, message, info("TRANSPORT", [])),
    }
}

/// The same failure with the call's id among its details, for the caller to quote.
pub(crate) fn with_request_id(status: &Status, request_id: &str) -> Status {
    let metadata = status.metadata().clone();
    let mut details = ErrorDetails::new();
    details.set_request_info(request_id, "");
    if status.details().is_empty() {
        return Status::with_error_details_and_metadata(status.code(), status.message(), details, metadata);
    }
    // Messages of protobuf one after the other are one, whose lists are longer: nothing need be decoded.
    let id = Status::with_error_details(Code::Ok, "", details);
    let both = [status.details(), id.details()].concat();
    Status::with_details_and_metadata(status.code(), status.message(), both.into(), metadata)
}

fn info(reason: &str, metadata: impl IntoIterator<Item = (String, String)>) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, DOMAIN, metadata.into_iter().collect::<HashMap<_, _>>())
}
