//! Checking a system file against what is built: the source of programs and data for `partition_config::check`.

use crate::artifacts::{Artifacts, KERNEL, ROOT_TASK};
use crate::form::Form;
use crate::workspace;
use anyhow::{Context, Result};
use partition_config::{Images, Plan, Report, check};
use std::io;
use std::path::{Path, PathBuf};

/// The name under which a program knows the file of `--input`.
pub const INPUT: &str = "input";

/// What the command line chose.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Content of the file granted as [`INPUT`].
    pub input: Option<PathBuf>,
    /// Which kernels there are; whoever wants partitions merged calls [`Form::apply`] on the checked plan.
    pub form: Form,
}

/// What came of a file.
#[derive(Debug)]
pub enum Checked {
    /// It is sound.
    Accepted(Box<Plan>),
    /// It is not, for these reasons.
    Refused(Report),
}

/// Reads and checks the system file at `path`.
///
/// # Errors
/// When the file cannot be read. A file that breaks a rule is no error but [`Checked::Refused`].
pub fn check_file(path: &Path, artifacts: &Artifacts, inputs: &Inputs) -> Result<Checked> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    Ok(check_text(&path.display().to_string(), &text, folder, artifacts, inputs))
}

/// As [`check_file`], for a text that need not be a file. `folder` is where its relative paths start.
pub fn check_text(name: &str, text: &str, folder: &Path, artifacts: &Artifacts, inputs: &Inputs) -> Checked {
    let images = BuiltImages { artifacts, folder, inputs };
    match check(name, text, &images) {
        Ok(plan) => Checked::Accepted(Box::new(plan)),
        Err(report) => Checked::Refused(report),
    }
}

/// `plan` with its partitions merged into `count`.
///
/// # Errors
/// When they cannot be merged, or their kernel cannot be built.
pub(crate) fn merge(plan: &Plan, count: usize, artifacts: &Artifacts, form: Form) -> Result<Plan> {
    let inputs = Inputs { form, ..Inputs::default() };
    Ok(plan.merged(count, &BuiltImages { artifacts, folder: Path::new("."), inputs: &inputs })?)
}

struct BuiltImages<'a> {
    artifacts: &'a Artifacts,
    folder: &'a Path,
    inputs: &'a Inputs,
}

impl BuiltImages<'_> {
    fn built(&self, name: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.artifacts.path(name).ok_or(io::ErrorKind::NotFound)?)
    }
}

impl Images for BuiltImages<'_> {
    fn kernel(&self, cores: usize) -> io::Result<Vec<u8>> {
        match self.inputs.form.lock_for(cores) {
            None => self.built(KERNEL),
            Some(lock) => {
                std::fs::read(self.artifacts.kernel_with(lock).map_err(|error| io::Error::other(format!("{error:#}")))?)
            }
        }
    }

    fn root_task(&self) -> io::Result<Vec<u8>> {
        self.built(ROOT_TASK)
    }

    fn workspace_program(&self, name: &str) -> Option<Vec<u8>> {
        self.artifacts.programs().any(|program| program == name).then(|| self.built(name).ok())?
    }

    fn file(&self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.folder.join(path))
    }

    fn data_file(&self, name: &str, path: &str) -> io::Result<Vec<u8>> {
        match &self.inputs.input {
            Some(chosen) if name == INPUT => std::fs::read(chosen),
            _ if self.folder.join(path).is_dir() => own_text(&self.folder.join(path)),
            _ => self.file(path),
        }
    }

    fn workspace_programs(&self) -> Vec<String> {
        self.artifacts.programs().map(str::to_owned).collect()
    }
}

/// The texts below `folder`, one after the other: documentation and sources, in the order of their paths.
fn own_text(folder: &Path) -> io::Result<Vec<u8>> {
    let mut paths = Vec::new();
    collect(folder, &mut paths)?;
    paths.sort();
    let mut text = Vec::new();
    for path in paths {
        text.extend(std::fs::read(path)?);
        text.push(b'\n');
    }
    Ok(text)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let text = path.extension().is_some_and(|extension| ["md", "rs", "toml"].iter().any(|text| extension == *text));
        if path.is_dir() && !hidden && path != workspace::target_dir() && !path.ends_with("target") {
            collect(&path, paths)?;
        } else if path.is_file() && text {
            paths.push(path);
        }
    }
    Ok(())
}
