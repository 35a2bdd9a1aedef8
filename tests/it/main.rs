//! Behaviour through the public doors: a real server on a free port, and the real binary.

// Helpers fail like the tests they serve; clippy.toml covers only test functions themselves.
#![allow(clippy::unwrap_used)]

// What a run of the example tells besides is not asked for here.
#[allow(dead_code)]
#[path = "../../fuzz/mod.rs"]
mod fuzzing;
mod raw;
mod support;
mod tiny;

// How often the heap is asked.
mod allocations;
// Ten articles with planted noise through the library: language, topic, spam, noise.
mod articles;
// The same characters in another encoding: the same answer.
mod canonical;
// Tokens, roles, `glotsift token`.
mod auth;
// `glotsift bench`: what it counts, what a stall looks like, exit codes.
mod bench_cli;
// `glotsift classify`: inputs, formats, exit codes.
mod classify_cli;
// The methods: ids, order, offsets, options, server info.
mod classify_rpc;
// `glotsift eval`: formats of data, exit codes.
mod eval_cli;
// Frames that no client may send, and floods of those it may.
mod frames;
// What takes bytes or text from others, given mutated inputs for a moment.
mod fuzz;
// grpc.health.v1 through start, running and drain.
mod health;
// Requests broken below the level of messages.
mod hostile;
// What is refused, with which code and details.
mod limits;
// Two languages in one text; where whatlang decides.
mod mixed;
// Broken, foreign and hostile bundles; `glotsift model`.
mod models;
// Clients of another age than the server: the contract as it was, and as it may become.
mod other_ages;
// Publishing where there is no room, or nothing may be written.
#[cfg(target_os = "linux")]
mod full_disk;
// The proto follows the lint rules and does not change unseen.
mod proto_lint;
// `glotsift serve`: settings, exit codes, signals.
mod serve_cli;
// Request ids in and out; what a panic costs.
mod request_id;
// A drain ends, whatever clients hold open.
mod shutdown;
// TLS, client certificates, renewed certificates.
mod tls;
// Text no author would write.
mod torture;
// `glotsift train`: one's own labels, from a table to a served bundle.
mod train_cli;
// The articles again, through the server: every method and every unit of offsets.
mod wire_articles;
// The shipped weights against a fit of kept counts.
mod weights_slice;
