//! The command line: parse, dispatch, turn failures into exit codes.

pub mod classify;
pub mod columns;
pub mod eval;
pub mod load;
pub mod render;

/// Why a subcommand did not succeed; the variant decides the exit code.
#[derive(Debug)]
pub enum Failure {
    /// The arguments, the configuration or a named model were wrong: exit 2.
    Usage(anyhow::Error),
    /// The work itself failed: exit 1.
    Work(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Work(error)
    }
}
