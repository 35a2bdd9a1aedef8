//! The noise task: spans, not labels.

use super::EvalArgs;
use crate::model::Model;
use anyhow::bail;
use std::io::Write;

/// Scores the noise spans of every document against its gold spans.
pub(super) fn evaluate(_args: &EvalArgs, _model: &Model, _notes: &mut dyn Write) -> anyhow::Result<String> {
    bail!("task \"noise\" has no scorer in this build: expected topic, spam or language")
}
