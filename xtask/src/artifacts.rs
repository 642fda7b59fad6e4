//! The programs that run without an operating system: building them, and where Cargo put each.

use crate::target::Library;
use crate::workspace;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The packages built for the bare-metal target.
pub const PACKAGES: [&str; 5] =
    ["skerry-image", "skerry-loader", "skerry-root-task", "skerry-programs", "skerry-bench"];
/// The loader's binary.
pub const LOADER: &str = "skerry-loader";
/// The kernel's binary.
pub const KERNEL: &str = "skerry-kernel";
/// The root task's binary.
pub const ROOT_TASK: &str = "skerry-root-task";

/// The binary of the root task that measures.
pub const BENCH: &str = "skerry-bench";

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
        let library = Library::ensure()?;
        let mut command = cargo();
        command.args(["build", "--release", "--message-format=json-render-diagnostics"]);
        // Progress for those who watch; logs need none.
        command.args((!std::io::stderr().is_terminal()).then_some("--quiet"));
        library.apply(&mut command);
        for package in PACKAGES {
            command.args(["-p", package]);
        }
        let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        ensure!(output.status.success(), "building the kernel, the loader and the programs failed");
        let artifacts = Self { paths: executables(&String::from_utf8_lossy(&output.stdout)) };
        for name in [LOADER, KERNEL, ROOT_TASK, BENCH] {
            ensure!(artifacts.paths.contains_key(name), "the build made no {name}");
        }
        Ok(artifacts)
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
        self.paths.keys().map(String::as_str).filter(|name| ![LOADER, KERNEL, ROOT_TASK, BENCH].contains(name))
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
