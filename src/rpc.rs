//! The wire: generated messages, their conversion, and the server. Generated types stop here.
//!
//! A call passes through [`server`] (accepting, drain), `connection` (TLS, handshake, age), `framing` (what comes in, time of a frame), `call` (request id, [`auth`], deadline, panics, log),
//! `share` and `rate` (how much of everything a connection and a client get), `intake` (bytes and time of what comes in; [`unpack`] of what is compressed), [`codec`] (bounded decoding), `service` (the methods), `cpu` (who classifies when, in which order) and [`convert`] (checked values in, messages out).

mod aside;
pub mod auth;
mod call;
pub mod client;
pub mod codec;
mod connection;
pub mod convert;
mod cpu;
mod framing;
pub mod health;
mod intake;
mod offsets;
mod rate;
mod reload;
mod respond;
pub mod server;
mod service;
mod share;
pub mod status;
mod tag;
mod tls;
pub mod unpack;

pub use convert::{InvalidRequest, Limits};
pub use reload::FileError;
pub use respond::{classify_to_response, detect_to_response, to_json};
pub use tls::TlsFiles;

/// Messages, client and server of package `glotsift.v1`, with their proto3-JSON form.
#[allow(clippy::all, clippy::unwrap_used, unreachable_pub, rustdoc::all)]
pub mod pb {
    tonic::include_proto!("glotsift.v1");
    include!(concat!(env!("OUT_DIR"), "/glotsift.v1.serde.rs"));
}

/// The encoded `google.protobuf.FileDescriptorSet` of `glotsift.v1`, comments included.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
