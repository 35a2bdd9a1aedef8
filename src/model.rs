//! A loaded bundle: valid by construction.

/// Everything classifying needs. Loaded once, shared, never changed.
#[derive(Debug, Default)]
pub struct Model {
    version: String,
}

impl Model {
    /// `name@digest`, as said in every reply.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Topic labels in the model's order: `(id, name)`.
    pub fn topic_labels(&self) -> Vec<(String, String)> {
        crate::topic::TOP_LEVEL.iter().map(|(c, n)| (c.to_string(), n.to_string())).collect()
    }

    /// Language and script pairs the model can answer.
    pub fn languages(&self) -> Vec<(crate::language::Language, crate::script::Script)> {
        Vec::new()
    }
}
