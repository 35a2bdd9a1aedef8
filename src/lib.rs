//! glotsift: language, noise, topic and spam of an article, each with a calibrated probability.
//!
//! Reading order: [`script`] → [`text`] → [`noise`], [`language`], [`features`] → [`bayes`] →
//! [`model`] → [`classify`], [`train`], [`evaluate`]; [`topic`] is a leaf. These modules are the core:
//! they do no I/O, read no clock and no environment, and accept any `&str`, so classifying cannot fail.
//! Around them stand the edges: [`storage`] and [`corpus`] (files), [`config`], [`rpc`] (the wire),
//! [`telemetry`], [`shutdown`] and [`cli`]. Generated protobuf types stay inside [`rpc`].
//!
//! One place composes the pipeline ([`classify`]), one file names whatlang (`language/whatlang.rs`)
//! and one names linfa (`bayes/fit.rs`).

pub mod bayes;
mod class;
pub mod classify;
pub mod cli;
pub mod config;
pub mod corpus;
pub mod evaluate;
pub mod features;
pub mod language;
pub mod model;
pub mod noise;
mod pool;
mod prefetch;
pub mod rpc;
pub mod script;
pub mod shutdown;
pub mod storage;
pub mod telemetry;
pub mod text;
pub mod topic;
pub mod train;
