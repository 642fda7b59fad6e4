//! The programs that run without an operating system: building them, and where Cargo put each.

use crate::target::Library;
use crate::workspace;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The packages built for the bare-metal target.
pub const PACKAGES: [&str; 7] = [
    "skerry-image",
    "skerry-loader",
    "skerry-root-task",
    "skerry-programs",
    "skerry-bench",
    "skerry-probe",
    "skerry-stress",
];
/// The loader's binary.
pub const LOADER: &str = "skerry-loader";
/// The kernel's binary.
pub const KERNEL: &str = "skerry-kernel";
/// The root task's binary.
pub const ROOT_TASK: &str = "skerry-root-task";

/// The binary of the root task that measures.
pub const BENCH: &str = "skerry-bench";

/// The binary of the root task that provokes its kernel.
pub const PROBE: &str = "skerry-probe";

/// The binary of the root task that makes random system calls.
pub const HOSTILE: &str = "skerry-hostile";

/// The binary of the root task that shows what it was given of a screen, and paints it.
pub const PAINTER: &str = "skerry-painter";

/// The locks of a kernel for several cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Lock {
    /// Fine-grained, fair by tickets.
    #[default]
    Ticket,
    /// Fine-grained, fair by queues of waiting cores (Mellor-Crummey and Scott).
    Mcs,
    /// One lock for everything: the baseline.
    Big,
}

impl Lock {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ticket, Self::Mcs, Self::Big];

    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Mcs => "mcs",
            Self::Big => "big",
        }
    }

    /// The kernel's Cargo features.
    pub const fn features(self) -> &'static str {
        match self {
            Self::Ticket => "smp",
            Self::Mcs => "smp,lock-mcs",
            Self::Big => "smp,lock-big",
        }
    }
}

/// The binary of the root task that storms its kernel.
pub const STRESS: &str = "skerry-stress";

/// Built executables by name.
#[derive(Clone, Debug, Default)]
pub struct Artifacts {
    paths: BTreeMap<String, PathBuf>,
}

impl Artifacts {
    /// Builds kernel, loader, root task and programs, optimised; quick when nothing changed.
    ///
    /// # Errors
    /// When the target's library cannot be had, or the build fails (Cargo has said why).
    pub fn build() -> Result<Self> {
        let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
        let paths = build(packages).context("building the kernel, the loader and the programs failed")?;
        let artifacts = Self { paths };
        for name in [LOADER, KERNEL, ROOT_TASK, BENCH, HOSTILE, PAINTER, PROBE, STRESS] {
            ensure!(artifacts.paths.contains_key(name), "the build made no {name}");
        }
        Ok(artifacts)
    }

    /// The kernel with locks, built when it is first wanted.
    ///
    /// # Errors
    /// When the build fails (Cargo has said why).
    pub fn kernel_with(&self, lock: Lock) -> Result<PathBuf> {
        static BUILT: Mutex<BTreeMap<Lock, PathBuf>> = Mutex::new(BTreeMap::new());
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = built.get(&lock) {
            return Ok(path.clone());
        }
        let paths =
            build_beside(&format!("kernel-{}", lock.name()), ["-p", "skerry-image", "--features", lock.features()])
                .with_context(|| format!("building the kernel with {} locks failed", lock.name()))?;
        let path = paths.get(KERNEL).with_context(|| format!("the build made no {KERNEL}"))?.clone();
        built.insert(lock, path.clone());
        Ok(path)
    }

    /// The same with the release kernel: without debug system calls.
    ///
    /// # Errors
    /// As [`Artifacts::build`].
    pub fn with_release_kernel(mut self) -> Result<Self> {
        let paths = build_beside("kernel-release", ["-p", "skerry-image", "--no-default-features"])
            .context("building the release kernel failed")?;
        self.paths.extend(paths);
        Ok(self)
    }

    /// The release kernel of another source tree, built in a place of its own.
    ///
    /// # Errors
    /// When the build fails (Cargo has said why).
    pub fn release_kernel_of(tree: &Path) -> Result<PathBuf> {
        let folder = workspace::skerry_dir()?.join("kernel-planted");
        let mut command = release(tree)?;
        command.args(["-p", "skerry-image", "--no-default-features", "--target-dir"]).arg(folder);
        let paths = run(&mut command)?;
        Ok(paths.get(KERNEL).with_context(|| format!("the build made no {KERNEL}"))?.clone())
    }

    /// The same with a kernel that measures how long its (ticket) locks are held.
    ///
    /// # Errors
    /// As [`Artifacts::build`].
    pub fn with_hold_times(mut self) -> Result<Self> {
        let paths = build_beside("kernel-hold-times", ["-p", "skerry-image", "--features", "smp,hold-times"])
            .context("building the measuring kernel failed")?;
        self.paths.extend(paths);
        Ok(self)
    }

    /// Kernel and everything that speaks to it with seL4's hardware debug API, whose invocations have other labels.
    ///
    /// # Errors
    /// As [`Artifacts::build`].
    pub fn with_hardware_debug(mut self) -> Result<Self> {
        // What is built together shares the crate that has the labels, and so its feature.
        let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
        let arguments = packages.chain(["--features", "skerry-image/hardware-debug"]);
        let paths = build_beside("hardware-debug", arguments).context("building for the hardware debug API failed")?;
        self.paths.extend(paths);
        Ok(self)
    }

    /// Executables from elsewhere, by name.
    pub fn from_paths(paths: BTreeMap<String, PathBuf>) -> Self {
        Self { paths }
    }

    /// Path of the executable called `name`.
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.paths.get(name).map(PathBuf::as_path)
    }

    /// Names of the programs a partition file may use as `image`.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.paths
            .keys()
            .map(String::as_str)
            .filter(|name| ![LOADER, KERNEL, ROOT_TASK, BENCH, HOSTILE, PAINTER, PROBE, STRESS].contains(name))
    }

    /// The loader's bytes.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn loader(&self) -> Result<Vec<u8>> {
        let path = self.path(LOADER).context("the loader is not built")?;
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// Builds for the bare-metal target, optimised; the executables by name.
fn build<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<BTreeMap<String, PathBuf>> {
    run(release(&workspace::root())?.args(arguments))
}

/// The same with other features: executables go to a folder of their own, all else is shared with [`build`].
fn build_beside<'a>(folder: &str, arguments: impl IntoIterator<Item = &'a str>) -> Result<BTreeMap<String, PathBuf>> {
    let mut command = release(&workspace::root())?;
    command.env("CARGO_BUILD_BUILD_DIR", workspace::target_dir());
    run(command.args(arguments).arg("--target-dir").arg(workspace::skerry_dir()?.join(folder)))
}

/// Cargo about to build `tree` for the bare-metal target.
fn release(tree: &Path) -> Result<Command> {
    let library = Library::ensure()?;
    let mut command = cargo();
    command.current_dir(tree).args(["build", "--release", "--message-format=json-render-diagnostics"]);
    // Progress for those who watch; logs need none.
    command.args((!std::io::stderr().is_terminal()).then_some("--quiet"));
    library.apply(&mut command);
    Ok(command)
}

fn run(command: &mut Command) -> Result<BTreeMap<String, PathBuf>> {
    let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "cargo: {}", output.status);
    Ok(executables(&String::from_utf8_lossy(&output.stdout)))
}

/// Cargo, in the source tree.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    command
}

/// The executables in Cargo's JSON messages.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter_map(|message| {
            let path = message.get("executable")?.as_str()?;
            Some((message.get("target")?.get("name")?.as_str()?.to_owned(), PathBuf::from(path)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_the_messages() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"abi\"},\"executable\":null}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"hello\"},\"executable\":\"/t/hello\"}\n",
            "not json\n"
        );
        assert_eq!(executables(messages), BTreeMap::from([("hello".to_owned(), PathBuf::from("/t/hello"))]));
    }
}
