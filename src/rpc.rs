//! The wire: generated messages, their conversion, and the server. Generated types stop here.
//!
//! A call passes through [`server`] (connections, drain), `call` (request id, deadline, panics, log),
//! [`codec`] (bounded decoding), `service` (the methods) and [`convert`] (checked values in, messages out).

mod call;
pub mod codec;
pub mod convert;
pub mod health;
mod offsets;
mod respond;
pub mod server;
mod service;
pub mod status;
mod tag;

pub use convert::{InvalidRequest, Limits};
pub use respond::{classify_to_response, detect_to_response, to_json};

/// Messages, client and server of package `glotsift.v1`, with their proto3-JSON form.
#[allow(clippy::all, clippy::unwrap_used, unreachable_pub, rustdoc::all)]
pub mod pb {
    tonic::include_proto!("glotsift.v1");
    include!(concat!(env!("OUT_DIR"), "/glotsift.v1.serde.rs"));
}

/// The encoded `google.protobuf.FileDescriptorSet` of `glotsift.v1`, comments included.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
