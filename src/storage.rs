//! Files of bundles: read whole, published by write, fsync, rename, fsync of the folder.

use crate::model::format::ModelFormatError;
use crate::model::manifest::Manifest;
use crate::model::{Bundle, Model};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub const MANIFEST: &str = "manifest.json";
/// No file of a bundle is larger; a larger one is refused before it is read.
const MAX_FILE_BYTES: u64 = 4 << 30;

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("cannot {action} {path}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{path}: {problem}")]
    Refused { path: PathBuf, problem: String },
    #[error("{path} is not a usable model")]
    Format { path: PathBuf, source: ModelFormatError },
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StorageError {
    let path = path.to_owned();
    move |source| StorageError::Io { action, path, source }
}

/// Reads the card of a bundle alone.
pub fn read_manifest(folder: &Path) -> Result<Manifest, StorageError> {
    let bytes = read_file(&folder.join(MANIFEST))?;
    let format = |source| StorageError::Format { path: folder.to_owned(), source };
    Manifest::parse(&bytes).map_err(format)
}

/// Reads the files of a bundle; [`Model::from_bundle`] checks what is in them.
pub fn read_bundle(folder: &Path) -> Result<Bundle, StorageError> {
    let path = folder.join(MANIFEST);
    let manifest = read_manifest(folder)?;
    let mut files = BTreeMap::new();
    for card in manifest.tasks.values() {
        // A manifest must not make us read outside its folder.
        if card.file.is_empty() || card.file.contains(['/', '\\', '\0']) || card.file.starts_with('.') {
            let problem = format!("file name {:?} is not a plain name", card.file);
            return Err(StorageError::Refused { path, problem });
        }
        files.insert(card.file.clone(), Bytes::from(read_file(&folder.join(&card.file))?));
    }
    Ok(Bundle { manifest, files })
}

fn read_file(path: &Path) -> Result<Vec<u8>, StorageError> {
    let metadata = fs::symlink_metadata(path).map_err(io_error("read", path))?;
    // A link could lead out of the bundle, and a device or pipe might never end.
    if !metadata.is_file() {
        let problem = "not a plain file".to_string();
        return Err(StorageError::Refused { path: path.to_owned(), problem });
    }
    let length = metadata.len();
    if length > MAX_FILE_BYTES {
        let problem = format!("{length} bytes, at most {MAX_FILE_BYTES} are read");
        return Err(StorageError::Refused { path: path.to_owned(), problem });
    }
    fs::read(path).map_err(io_error("read", path))
}

/// Reads and checks the bundle in a folder.
pub fn load_bundle(folder: &Path) -> Result<Model, StorageError> {
    let bundle = read_bundle(folder)?;
    Model::from_bundle(&bundle).map_err(|source| StorageError::Format { path: folder.to_owned(), source })
}

/// Refuses a folder that a bundle may not replace: anything but nothing, an empty folder and a bundle.
pub fn check_target(folder: &Path) -> Result<(), StorageError> {
    if folder.exists() && !folder.join(MANIFEST).is_file() {
        let empty =
            folder.is_dir() && fs::read_dir(folder).map_err(io_error("read", folder))?.next().is_none();
        if !empty {
            let problem =
                "exists and is no bundle: name a new folder or one with a manifest.json".to_string();
            return Err(StorageError::Refused { path: folder.to_owned(), problem });
        }
    }
    Ok(())
}

/// Writes a bundle so that a reader sees all of it or nothing: into a hidden folder beside `folder`,
/// everything synced, then renamed. An existing bundle is replaced; anything else in the way is refused.
pub fn publish_bundle(bundle: &Bundle, folder: &Path) -> Result<(), StorageError> {
    check_target(folder)?;
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    let staging = tempfile::Builder::new()
        .prefix(".glotsift-")
        .tempdir_in(parent)
        .map_err(io_error("create a folder in", parent))?;
    for (name, bytes) in &bundle.files {
        write_synced(&staging.path().join(name), bytes)?;
    }
    write_synced(&staging.path().join(MANIFEST), &bundle.manifest.to_bytes())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(staging.path(), fs::Permissions::from_mode(0o755))
            .map_err(io_error("set permissions of", staging.path()))?;
    }
    sync_folder(staging.path())?;
    if exchange(staging.path(), folder) {
        // what is in the staging folder now is the old bundle, and goes with it
        drop(staging);
    } else if folder.exists() {
        // Where two folders cannot change places in one step, the old one steps aside first and goes last.
        let aside = tempfile::Builder::new()
            .prefix(".glotsift-old-")
            .tempdir_in(parent)
            .map_err(io_error("create a folder in", parent))?;
        fs::rename(folder, aside.path().join("bundle")).map_err(io_error("move aside", folder))?;
        fs::rename(staging.keep(), folder).map_err(io_error("rename to", folder))?;
    } else {
        fs::rename(staging.keep(), folder).map_err(io_error("rename to", folder))?;
    }
    sync_folder(parent)
}

/// Lets two folders change places in one step; `false` where that is not possible.
fn exchange(a: &Path, b: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (a, b);
        false
    }
}

/// Replaces one file whole: written beside it, synced, renamed.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".glotsift-")
        .tempfile_in(parent)
        .map_err(io_error("create a file in", parent))?;
    file.write_all(bytes).map_err(io_error("write", path))?;
    file.as_file().sync_all().map_err(io_error("sync", path))?;
    file.persist(path).map_err(|e| io_error("rename to", path)(e.error))?;
    sync_folder(parent)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let mut file = File::create(path).map_err(io_error("create", path))?;
    file.write_all(bytes).map_err(io_error("write", path))?;
    file.sync_all().map_err(io_error("sync", path))
}

fn sync_folder(folder: &Path) -> Result<(), StorageError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(io_error("sync", folder))
}
