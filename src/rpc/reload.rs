//! Small files that are read again while serving: certificates and tokens.
//!
//! Contents are compared, not times: a mounted secret is a link that changes its target, and not every file
//! system tells of that. What cannot be used is reported and what was in force stays in force.

use arc_swap::ArcSwap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// No certificate chain or list of tokens is larger.
const MAX_BYTES: u64 = 1 << 20;

/// Why a file that a setting names cannot be used. Neither its path nor its content is told: both may end
/// in a log.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("the file of {setting} cannot be read")]
    Read { setting: &'static str, source: io::Error },
    #[error("the file of {setting} has more than {MAX_BYTES} bytes")]
    TooLarge { setting: &'static str },
    #[error("the file of {setting} {problem}")]
    Content { setting: &'static str, problem: String },
    /// May become good without a change.
    #[error("the file of {setting} {problem}")]
    NotYet { setting: &'static str, problem: String },
}

/// A setting's name and its file.
pub(crate) type Source = (&'static str, PathBuf);

/// What is there besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Former {
    Nothing,
    StaysInForce,
}

/// Makes the value from the files' contents, in the order of the sources.
pub(crate) type Build<T> = fn(&[Vec<u8>], Former) -> Result<T, FileError>;

/// A value made from files, as of the last time that they were good.
pub(crate) struct Watched<T> {
    sources: Vec<Source>,
    build: Build<T>,
    current: ArcSwap<T>,
    /// The last contents of which was told that they are not taken up.
    told: Mutex<Option<blake3::Hash>>,
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads the files for the first time, and again each `every` until `stop` is cancelled.
    pub(crate) fn start(
        sources: Vec<Source>,
        build: Build<T>,
        every: Duration,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, FileError> {
        let contents = read(&sources)?;
        let seen = digest(&contents);
        let current = ArcSwap::from_pointee(build(&contents, Former::Nothing)?);
        let watched = Arc::new(Self { sources, build, current, told: Mutex::default() });
        tokio::spawn(watched.clone().follow(every, Some(seen), stop));
        Ok(watched)
    }

    pub(crate) fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    async fn follow(
        self: Arc<Self>,
        every: Duration,
        mut seen: Option<blake3::Hash>,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.cancelled() => return,
            }
            let watched = self.clone();
            match tokio::task::spawn_blocking(move || watched.refresh(seen)).await {
                Ok(now) => seen = now,
                Err(error) => tracing::error!(%error, "reading the files of settings again failed"),
            }
        }
    }

    /// Takes up what has changed since `seen`; what is wrong is told once for each content.
    fn refresh(&self, seen: Option<blake3::Hash>) -> Option<blake3::Hash> {
        let settings = || self.sources.iter().map(|(setting, _)| *setting).collect::<Vec<_>>().join(", ");
        let refused = |error: FileError| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, "not taken up, the former stays in force: {}", settings());
        };
        match read(&self.sources) {
            Err(error) => {
                if seen.is_some() {
                    refused(error);
                }
                None
            }
            Ok(contents) => {
                let now = digest(&contents);
                if seen != Some(now) {
                    let built = (self.build)(&contents, Former::StaysInForce);
                    let again = matches!(built, Err(FileError::NotYet { .. }));
                    let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                    match built {
                        Ok(value) => {
                            self.current.store(Arc::new(value));
                            *told = None;
                            tracing::info!("taken up: {}", settings());
                        }
                        Err(_) if *told == Some(now) => {}
                        Err(error) => {
                            *told = Some(now);
                            refused(error);
                        }
                    }
                    if again {
                        return seen;
                    }
                }
                Some(now)
            }
        }
    }
}

/// Reads and builds once, for a check of settings.
pub(crate) fn check<T>(sources: &[Source], build: Build<T>) -> Result<(), FileError> {
    build(&read(sources)?, Former::Nothing).map(drop)
}

fn read(sources: &[Source]) -> Result<Vec<Vec<u8>>, FileError> {
    let one = |(setting, path): &Source| {
        let mut content = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content));
        match read {
            Err(source) => Err(FileError::Read { setting, source }),
            Ok(n) if n as u64 > MAX_BYTES => Err(FileError::TooLarge { setting }),
            Ok(_) => Ok(content),
        }
    };
    sources.iter().map(one).collect()
}

/// Of contents and where each ends.
fn digest(contents: &[Vec<u8>]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for content in contents {
        hasher.update(&(content.len() as u64).to_le_bytes());
        hasher.update(content);
    }
    hasher.finalize()
}
