//! What publishing does to a disk: a seam, so that a disk that loses its power can stand in for the real one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(super) trait Disk {
    fn exists(&self, path: &Path) -> bool;
    fn create_folder(&mut self, path: &Path) -> io::Result<()>;
    /// A hidden folder with a name of its own, which its owner alone may enter.
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
}

pub(super) struct RealDisk;

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
        Ok(tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?.keep())
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
}
