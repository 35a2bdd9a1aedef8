//! Files of bundles: read whole, published by write, fsync, rename, fsync of the folder.

mod disk;
#[cfg(test)]
mod tests;

use crate::model::format::ModelFormatError;
use crate::model::manifest::Manifest;
use crate::model::{Bundle, Model};
use bytes::Bytes;
use disk::{Disk, RealDisk};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub const MANIFEST: &str = "manifest.json";
/// The manifest's own digest, as `b3sum --check` reads it. The manifest has those of all other files; it cannot have this
/// one. Bundles of before have none.
const DIGEST: &str = "manifest.blake3";
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
    let path = folder.join(MANIFEST);
    let bytes = read_file(&path)?;
    let digest_path = folder.join(DIGEST);
    if fs::symlink_metadata(&digest_path).is_ok() && read_file(&digest_path)? != digest_of(&bytes).as_bytes()
    {
        let problem =
            format!("is not what {DIGEST} says: damaged, or changed by hand, after which {DIGEST} has to go");
        return Err(StorageError::Refused { path, problem });
    }
    let format = |source| StorageError::Format { path: folder.to_owned(), source };
    Manifest::parse(&bytes).map_err(format)
}

fn digest_of(manifest: &[u8]) -> String {
    format!("{}  {MANIFEST}\n", blake3::hash(manifest))
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

/// Writes a bundle so that a reader sees all of it or nothing, and no loss of power leaves less: into a hidden folder
/// beside `folder`, everything synced, then renamed. An existing bundle is replaced; anything else in the way is refused.
/// Hidden folders that killed publishers have left there are removed.
pub fn publish_bundle(bundle: &Bundle, folder: &Path) -> Result<(), StorageError> {
    check_target(folder)?;
    publish_on(&mut RealDisk::default(), bundle, folder)
}

const STAGING: &str = ".glotsift-";
const ASIDE: &str = ".glotsift-old-";

fn publish_on(disk: &mut impl Disk, bundle: &Bundle, folder: &Path) -> Result<(), StorageError> {
    let parent = parent_of(folder);
    create_folders(disk, parent)?;
    // First, as they may be what fills the disk. That they stay is no failure.
    let _ = disk.remove_abandoned(parent, STAGING);
    let staging = disk.create_hidden(parent, STAGING).map_err(io_error("create a folder in", parent))?;
    let old = fill(disk, bundle, &staging)
        .and_then(|()| swap(disk, &staging, folder, parent))
        // The failure is what is told, not one of cleaning up after it.
        .inspect_err(|_| drop(disk.remove_folder(&staging)))?;
    disk.sync(parent).map_err(io_error("sync", parent))?;
    if let Some(old) = old {
        // Only now that the disk knows whose the name is; a bundle that stays for longer is no failure.
        let _ = disk.remove_folder(&old);
    }
    Ok(())
}

/// Creates what is missing of a path, each folder's name synced before anything is put into it.
fn create_folders(disk: &mut impl Disk, path: &Path) -> Result<(), StorageError> {
    if disk.exists(path) {
        return Ok(());
    }
    let parent = parent_of(path);
    create_folders(disk, parent)?;
    disk.create_folder(path).map_err(io_error("create", path))?;
    disk.sync(parent).map_err(io_error("sync", parent))
}

fn fill(disk: &mut impl Disk, bundle: &Bundle, staging: &Path) -> Result<(), StorageError> {
    let manifest = bundle.manifest.to_bytes();
    let digest = digest_of(&manifest);
    let files = bundle.files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..]));
    for (name, bytes) in files.chain([(MANIFEST, &manifest[..]), (DIGEST, digest.as_bytes())]) {
        let path = staging.join(name);
        disk.write(&path, bytes).map_err(io_error("write", &path))?;
        disk.sync(&path).map_err(io_error("sync", &path))?;
    }
    disk.open_to_all(staging).map_err(io_error("set permissions of", staging))?;
    disk.sync(staging).map_err(io_error("sync", staging))
}

/// Gives the staged bundle its name; where the bundle is that had it.
fn swap(
    disk: &mut impl Disk,
    staging: &Path,
    folder: &Path,
    parent: &Path,
) -> Result<Option<PathBuf>, StorageError> {
    if !disk.exists(folder) {
        disk.rename(staging, folder).map_err(io_error("rename to", folder))?;
        return Ok(None);
    }
    // Until the disk knows whose the name is, the old one must not pass for abandoned where it is hidden.
    disk.claim(folder);
    if disk.exchange(staging, folder) {
        return Ok(Some(staging.to_owned()));
    }
    // Where two folders cannot change places in one step, the old one steps aside first.
    let aside = disk.create_hidden(parent, ASIDE).map_err(io_error("create a folder in", parent))?;
    let stepped = aside.join("bundle");
    disk.rename(folder, &stepped).map_err(io_error("move aside", folder))?;
    if let Err(error) = disk.rename(staging, folder) {
        let _ = disk.rename(&stepped, folder);
        return Err(io_error("rename to", folder)(error));
    }
    Ok(Some(aside))
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Replaces one file whole: written beside it, synced, renamed.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let parent = parent_of(path);
    let mut file = tempfile::Builder::new()
        .prefix(".glotsift-")
        .tempfile_in(parent)
        .map_err(io_error("create a file in", parent))?;
    file.write_all(bytes).map_err(io_error("write", path))?;
    file.as_file().sync_all().map_err(io_error("sync", path))?;
    file.persist(path).map_err(|e| io_error("rename to", path)(e.error))?;
    RealDisk::default().sync(parent).map_err(io_error("sync", parent))
}
