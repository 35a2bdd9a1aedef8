//! Behaviour through the public doors: a real server on a free port, and the real binary.

// Helpers fail like the tests they serve; clippy.toml covers only test functions themselves.
#![allow(clippy::unwrap_used)]

mod support;

// The methods: ids, order, offsets, options, server info.
mod classify_rpc;
// grpc.health.v1 through start, running and drain.
mod health;
// Requests broken below the level of messages.
mod hostile;
// What is refused, with which code and details.
mod limits;
// The proto follows the lint rules and does not change unseen.
mod proto_lint;
// `glotsift serve`: settings, exit codes, signals.
mod serve_cli;
// A drain ends, whatever clients hold open.
mod shutdown;
