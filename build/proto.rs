//! Turns `proto/` into Rust, with a descriptor set and proto3-JSON, by crates alone: no protoc needed.

use prost::Message;
use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 2] = ["glotsift/v1/article.proto", "glotsift/v1/classifier.proto"];

pub(crate) fn generate() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build/proto.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = protox::compile(FILES, ["proto"])?;
    let encoded = descriptors.encode_to_vec();
    fs::write(out.join("descriptors.bin"), &encoded)?;

    let mut config = tonic_prost_build::Config::new();
    // The codec tells requests from replies, and batches from the rest, by their names.
    config.enable_type_names();
    tonic_prost_build::configure()
        .codec_path("crate::rpc::codec::CheckedCodec")
        .compile_fds_with_config(descriptors, config)?;

    // Defaults are written out: an offset of 0 is a fact, not an absence.
    pbjson_build::Builder::new().register_descriptors(&encoded)?.emit_fields().build(&[".glotsift.v1"])?;
    Ok(())
}
