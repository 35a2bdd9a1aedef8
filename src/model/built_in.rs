//! The bundle inside the binary.

use super::manifest::Manifest;
use super::{Bundle, Model};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

macro_rules! files {
    ($($name:literal),+) => {
        [$(($name, include_bytes!(concat!("../../models/default/", $name)).as_slice())),+]
    };
}

const MANIFEST: &[u8] = include_bytes!("../../models/default/manifest.json");
const FILES: [(&str, &[u8]); 4] =
    files!["boilerplate.safetensors", "language.safetensors", "spam.safetensors", "topic.safetensors"];

/// The files compiled into the binary.
pub fn bundle() -> Result<Bundle, super::format::ModelFormatError> {
    let files: BTreeMap<String, Bytes> =
        FILES.iter().map(|(name, bytes)| (name.to_string(), Bytes::from_static(bytes))).collect();
    Ok(Bundle { manifest: Manifest::parse(MANIFEST)?, files })
}

impl Model {
    /// The model compiled into the binary, checked on first use and shared.
    ///
    /// # Panics
    ///
    /// Only in a binary that was built with a damaged `models/default`; a test loads it.
    pub fn built_in() -> Arc<Self> {
        static MODEL: OnceLock<Arc<Model>> = OnceLock::new();
        MODEL
            .get_or_init(|| {
                let model = bundle().and_then(|bundle| Self::from_bundle(&bundle));
                Arc::new(model.unwrap_or_else(|error| panic!("the built-in model is damaged: {error}")))
            })
            .clone()
    }
}
