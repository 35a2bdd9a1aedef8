//! What publishing does to a disk: a seam, so that a disk that loses its power can stand in for the real one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(super) trait Disk {
    fn exists(&self, path: &Path) -> bool;
    fn create_folder(&mut self, path: &Path) -> io::Result<()>;
    /// A hidden folder with a name of its own, which its owner alone may enter. It is ours until we end.
    fn create_hidden(&mut self, parent: &Path, prefix: &str) -> io::Result<PathBuf>;
    /// Lets others read a hidden folder.
    fn open_to_all(&mut self, folder: &Path) -> io::Result<()>;
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Of a file, what it holds; of a folder, which names are in it.
    fn sync(&mut self, path: &Path) -> io::Result<()>;
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Lets two folders change places in one step; `false` where that is not possible.
    fn exchange(&mut self, a: &Path, b: &Path) -> bool;
    fn remove_folder(&mut self, path: &Path) -> io::Result<()>;
    /// Makes a folder ours, when it is nobody else's.
    fn claim(&mut self, folder: &Path);
    /// Removes hidden folders with such names that are nobody's: whoever made them was killed.
    fn remove_abandoned(&mut self, parent: &Path, prefix: &str) -> io::Result<()>;
}

/// With the locks on the folders that are ours; they end with the process, however that ends.
#[derive(Default)]
pub(super) struct RealDisk {
    claimed: Vec<File>,
}

/// How often a new folder may be taken for an abandoned one before it is claimed.
const TRIES: usize = 10;
/// Random characters that end the name of a hidden folder.
const RANDOM_CHARS: usize = 6;

/// A folder that is nobody's, locked; `None` where it is somebody's, gone, or locks are not to be had.
fn lock(folder: &Path) -> Option<File> {
    #[cfg(unix)]
    {
        use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, open, stat};
        // Not through a link.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = open(folder, flags, Mode::empty()).ok()?;
        flock(&opened, FlockOperation::NonBlockingLockExclusive).ok()?;
        // It may have been removed, or changed places, before it was locked.
        let (ours, there) = (fstat(&opened).ok()?, stat(folder).ok()?);
        ((ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)).then(|| opened.into())
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

impl Disk for RealDisk {
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            // Somebody else was as quick.
            Err(_) if path.is_dir() => Ok(()),
            created => created,
        }
    }

    fn create_hidden(&mut self, parent: &Path, prefix: &str) -> io::Result<PathBuf> {
        let mut made = PathBuf::new();
        for _ in 0..TRIES {
            made =
                tempfile::Builder::new().prefix(prefix).rand_bytes(RANDOM_CHARS).tempdir_in(parent)?.keep();
            match lock(&made) {
                Some(claimed) => {
                    self.claimed.push(claimed);
                    break;
                }
                // Taken for abandoned in this moment; else there are no locks here.
                None if made.exists() => break,
                None => {}
            }
        }
        Ok(made)
    }

    fn open_to_all(&mut self, folder: &Path) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        let _ = folder;
        Ok(())
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        File::create(path)?.write_all(bytes)
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn exchange(&mut self, a: &Path, b: &Path) -> bool {
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

    fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn claim(&mut self, folder: &Path) {
        self.claimed.extend(lock(folder));
    }

    fn remove_abandoned(&mut self, parent: &Path, prefix: &str) -> io::Result<()> {
        let mut synced = false;
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            let name = entry.file_name();
            let random = name.to_str().and_then(|name| name.strip_prefix(prefix));
            let ours = |random: &str| {
                random.len() == RANDOM_CHARS && random.bytes().all(|b| b.is_ascii_alphanumeric())
            };
            if !random.is_some_and(ours) {
                continue;
            }
            if let Some(_claimed) = lock(&entry.path()) {
                // It may have given its name to a new bundle, of which the disk does not know yet.
                if !synced {
                    self.sync(parent)?;
                    synced = true;
                }
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}
