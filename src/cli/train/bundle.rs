//! The bundle a training starts from and the one it writes.

use super::{TrainArgs, TrainTask};
use crate::cli::Failure;
use crate::model::manifest::{Manifest, SCHEMA, TaskCard};
use crate::model::task::TextTask;
use crate::model::{Bundle, Model, built_in};
use crate::storage::{publish_bundle, read_bundle};
use anyhow::{Context, anyhow};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;

pub struct Base {
    pub bundle: Bundle,
    pub model: Model,
    /// The task about to be trained, as it was.
    pub previous: Option<TextTask>,
}

/// A bundle with one task of another.
fn alone(bundle: &Bundle, task: TrainTask) -> Bundle {
    let mut alone = bundle.clone();
    alone.manifest.tasks.retain(|name, _| name == task.name());
    alone
}

/// The base's own version of a task on words; `None` when it has none that this program can use.
fn previous(bundle: &Bundle, task: TrainTask) -> Option<TextTask> {
    let model = Model::from_parts(&alone(bundle, task)).ok()?;
    match task {
        TrainTask::Topic => model.topic().cloned(),
        TrainTask::Spam => model.spam().cloned(),
        TrainTask::Language | TrainTask::Boilerplate => None,
    }
}

impl Base {
    pub fn open(args: &TrainArgs) -> Result<Self, Failure> {
        let mut bundle = match args.base.as_str() {
            "none" => Bundle {
                manifest: Manifest { schema: SCHEMA, name: String::new(), tasks: BTreeMap::new() },
                files: BTreeMap::new(),
            },
            "default" => built_in::bundle().map_err(|e| Failure::Work(anyhow!(e)))?,
            folder => read_bundle(Path::new(folder)).map_err(|e| Failure::Usage(anyhow!(e)))?,
        };
        let whole = bundle.clone();
        // The task about to be trained need not be usable in the base.
        if let Some(card) = bundle.manifest.tasks.remove(args.task.name()) {
            bundle.files.remove(&card.file);
        }
        let (previous, model) = rayon::join(|| previous(&whole, args.task), || Model::from_parts(&bundle));
        let model = model
            .with_context(|| format!("the base {} is not a usable model", args.base))
            .map_err(Failure::Usage)?;
        Ok(Self { bundle, model, previous })
    }

    /// Puts the trained task beside the base's others and publishes; returns the new version.
    pub fn publish(&self, args: &TrainArgs, mut card: TaskCard, file: Vec<u8>) -> Result<String, Failure> {
        let mut bundle = self.bundle.clone();
        let name =
            match &args.name {
                Some(name) => name.clone(),
                None => args.out.file_name().map(|n| n.to_string_lossy().into_owned()).ok_or_else(|| {
                    Failure::Usage(anyhow!("--out {} has no folder name", args.out.display()))
                })?,
            };
        card.file = format!("{}.safetensors", args.task.name());
        card.bytes = file.len() as u64;
        card.blake3 = blake3::hash(&file).to_hex().to_string();
        card.origin = name.clone();
        bundle.files.insert(card.file.clone(), Bytes::from(file));
        bundle.manifest.name = name;
        bundle.manifest.tasks.insert(args.task.name().to_string(), card);
        // The others were loaded when the training began.
        Model::from_parts(&alone(&bundle, args.task))
            .context("the trained model does not load")
            .map_err(Failure::Work)?;
        publish_bundle(&bundle, &args.out).map_err(|e| Failure::Work(anyhow!(e)))?;
        Ok(bundle.manifest.version())
    }
}
