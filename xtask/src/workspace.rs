//! Where things lie: the source tree, the build directory, and a run's scratch directory.
//!
//! With `SKERRY_KEEP` in the environment a run's directory outlives it (until a later run sweeps).

use anyhow::{Context, Result};
use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// The root of the source tree.
pub fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Cargo's build directory.
pub fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Our own corner of the build directory, created if need be.
///
/// # Errors
/// When it cannot be created.
pub fn skerry_dir() -> Result<PathBuf> {
    let dir = target_dir().join("skerry");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// The partition files that come with the tree.
pub fn systems_dir() -> PathBuf {
    root().join("partition-config/systems")
}

/// Puts `bytes` at `path` in one step: an end from outside leaves what was there, or all of them.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Keeps other runs from the directory `dir` while the answer lives.
///
/// # Errors
/// When the lock beside it cannot be made or taken.
pub fn alone(dir: &Path) -> Result<File> {
    let path = dir.with_extension("lock");
    let lock = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(lock)
}

/// A directory for one run, removed with the value. Unique per process and per call.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Creates `target/skerry/run-<pid>-<n>`.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            sweep()?;
        }
        let path = skerry_dir()?.join(format!("run-{}-{number}", process::id()));
        // A process of the same number may have been killed.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if env::var_os("SKERRY_KEEP").is_none() {
            // Nothing depends on its absence; a leftover is in `target/`, where leftovers belong.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes what runs left behind that were killed.
fn sweep() -> Result<()> {
    for entry in std::fs::read_dir(skerry_dir()?)?.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix("run-")?.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Another process may be sweeping too.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}
