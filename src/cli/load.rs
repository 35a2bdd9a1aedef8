//! Finding the model a command works with.

use super::Failure;
use crate::model::Model;
use anyhow::anyhow;
use crate::storage::load_bundle;
use std::path::Path;
use std::sync::Arc;

/// The model in `folder`, or the one inside the binary. A folder that holds no usable model is the
/// caller's mistake, so it is [`Failure::Usage`].
pub fn load_model(folder: Option<&Path>) -> Result<Arc<Model>, Failure> {
    match folder {
        None => Ok(Model::built_in()),
        Some(folder) => load_bundle(folder).map(Arc::new).map_err(|e| Failure::Usage(anyhow!(e))),
    }
}
