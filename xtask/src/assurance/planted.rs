//! A copy of the tree in which bugs are planted, one at a time, to see which check finds them.
//!
//! The working tree is never touched. Unchanged files keep their times, so that only what a bug touches is compiled again.
//! Tests: below.

use super::read_kept;
use crate::workspace::{alone, root, skerry_dir};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// A realistic mistake: a replacement in one file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Planted {
    /// What the mistake is.
    pub why: String,
    /// Path from the root of the tree.
    pub file: String,
    /// Text that occurs exactly once.
    pub from: String,
    /// What replaces it.
    pub to: String,
}

impl Planted {
    /// The text with the bug in it.
    ///
    /// # Errors
    /// When the text to replace is not there, or more than once.
    pub fn applied(&self, text: &str) -> Result<String> {
        let found = text.matches(&self.from).count();
        ensure!(found == 1, "`{}` occurs {found} times in {}", self.from, self.file);
        Ok(text.replace(&self.from, &self.to))
    }
}

/// A planted bug that a check found.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Caught {
    /// The obligation whose check it was.
    pub id: String,
    /// The bug.
    pub bug: Planted,
    /// What the check said.
    pub said: String,
}

impl Caught {
    /// Reads what is kept at `path`; nothing is if there is no such file.
    ///
    /// # Errors
    /// When the file is not as expected.
    pub fn load(path: &Path) -> Result<Vec<Self>> {
        Ok(read_kept(path)?.unwrap_or_default())
    }

    /// Adds what was `new`ly found to what is `kept`. An older finding of the same bug by the same check goes.
    pub fn merge(kept: Vec<Self>, new: &[Self]) -> Vec<Self> {
        let renewed = |old: &Self| new.iter().any(|new| new.id == old.id && new.bug.why == old.bug.why);
        let mut all: Vec<_> = kept.into_iter().filter(|old| !renewed(old)).chain(new.iter().cloned()).collect();
        all.sort_by(|one, other| (&one.id, &one.bug.why).cmp(&(&other.id, &other.bug.why)));
        all
    }
}

/// What of the tree is copied.
const PARTS: [&str; 9] =
    [".cargo", "Cargo.toml", "Cargo.lock", "kernel", "ipi", "partition-config", "user-libs", "tests", "xtask"];

/// A copy of the tree.
#[derive(Debug)]
pub struct Copy {
    dir: PathBuf,
    /// Keeps other runs from it: one would take out what another planted.
    lock: Option<fs::File>,
}

impl Copy {
    /// Brings the copy up to date with the tree.
    ///
    /// # Errors
    /// When files cannot be read or written.
    pub fn of_the_tree() -> Result<Self> {
        Ok(Self { lock: None, ..Self::alone("planted")? })
    }

    /// The same, of several copies the one with this name; other runs wait until the value is gone.
    ///
    /// # Errors
    /// When files cannot be read or written.
    pub fn alone(name: &str) -> Result<Self> {
        let dir = skerry_dir()?.join(name);
        let lock = Some(alone(&dir)?);
        for part in PARTS {
            sync(&root().join(part), &dir.join(part)).with_context(|| format!("cannot copy {part}"))?;
        }
        Ok(Self { dir, lock })
    }

    /// Where the copy is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs `with` while `bug` is in the copy.
    ///
    /// # Errors
    /// When the bug does not fit its file, or what `with` returns.
    pub fn plant<T>(&self, bug: &Planted, with: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let _alone = if self.lock.is_none() { Some(alone(&self.dir)?) } else { None };
        let path = self.dir.join(&bug.file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, bug.applied(&text)?)?;
        let result = with(&self.dir);
        fs::write(&path, text)?;
        result
    }
}

/// Makes `to` what `from` is, touching only what differs.
fn sync(from: &Path, to: &Path) -> Result<()> {
    if from.is_file() {
        let wanted = fs::read(from)?;
        if fs::read(to).ok().as_ref() != Some(&wanted) {
            fs::create_dir_all(to.parent().context("a file lies in a directory")?)?;
            fs::write(to, wanted)?;
        }
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != "target" {
            sync(&from.join(&name), &to.join(&name))?;
        }
    }
    for entry in fs::read_dir(to)?.flatten() {
        if !from.join(entry.file_name()).exists() {
            let gone = entry.path();
            if gone.is_dir() { fs::remove_dir_all(gone)? } else { fs::remove_file(gone)? }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_fits_one_place_or_is_refused() {
        let bug = Planted { why: "w".into(), file: "f".into(), from: "a < b".into(), to: "a <= b".into() };
        assert_eq!(bug.applied("if a < b {").unwrap(), "if a <= b {");
        assert!(bug.applied("if a > b {").is_err());
        assert!(bug.applied("a < b; a < b").is_err());
    }

    #[test]
    fn a_new_finding_replaces_an_old_one_of_the_same_bug() {
        let caught = |id: &str, from: &str| {
            let bug = Planted { why: "w".into(), file: "f".into(), from: from.into(), to: "b".into() };
            Caught { id: id.into(), bug, said: String::new() }
        };
        let merged = Caught::merge(vec![caught("L1-b", "old"), caught("L1-c", "a")], &[caught("L1-b", "new")]);
        assert_eq!(merged, [caught("L1-b", "new"), caught("L1-c", "a")]);
    }

    #[test]
    fn a_copy_becomes_what_the_original_is() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        fs::create_dir_all(from.join("x")).unwrap();
        fs::write(from.join("x/f"), "1").unwrap();
        fs::create_dir_all(to.join("old")).unwrap();
        sync(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("x/f")).unwrap(), "1");
        assert!(!to.join("old").exists());
    }
}
