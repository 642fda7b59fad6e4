//! Where the check gets bytes from: built programs, the user's files, or a stand-in for tests.

use crate::elf;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The source of every file that a system needs.
pub trait Images {
    /// The kernel ELF for a partition of so many cores.
    fn kernel(&self, cores: usize) -> io::Result<Vec<u8>>;

    /// Skerry's root task ELF.
    fn root_task(&self) -> io::Result<Vec<u8>>;

    /// The ELF of a workspace program, if there is one of that name.
    fn workspace_program(&self, name: &str) -> Option<Vec<u8>>;

    /// A file by its path, relative to the system file.
    fn file(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The data file that a program is granted as `name`. Default: the file at `path`.
    fn data_file(&self, name: &str, path: &str) -> io::Result<Vec<u8>> {
        let _ = name;
        self.file(path)
    }

    /// Names of workspace programs, to suggest one when a name is unknown.
    fn workspace_programs(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Other contents for data files, chosen on the command line.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Granted name to path on the host.
    pub files: BTreeMap<String, PathBuf>,
}

/// Files from a disk.
#[derive(Clone, Debug)]
pub struct DiskImages {
    /// Folder of the system file: paths in it start here.
    pub folder: PathBuf,
    /// Folder of the built ELFs: `skerry-kernel`, `skerry-kernel-smp`, `skerry-root-task`, and the programs by name.
    pub built: PathBuf,
    /// Other contents for data files.
    pub overrides: Overrides,
}

impl DiskImages {
    /// Files of the kernel build that are not programs.
    const NOT_PROGRAMS: [&str; 4] = ["skerry-kernel", "skerry-kernel-smp", "skerry-root-task", "skerry-loader"];
}

impl Images for DiskImages {
    fn kernel(&self, cores: usize) -> io::Result<Vec<u8>> {
        std::fs::read(self.built.join(if cores > 1 { "skerry-kernel-smp" } else { "skerry-kernel" }))
    }

    fn root_task(&self) -> io::Result<Vec<u8>> {
        std::fs::read(self.built.join("skerry-root-task"))
    }

    fn workspace_program(&self, name: &str) -> Option<Vec<u8>> {
        // A bare name: nothing that could leave the folder.
        if name.contains(['/', '.', '\0']) || Self::NOT_PROGRAMS.contains(&name) {
            return None;
        }
        std::fs::read(self.built.join(name)).ok()
    }

    fn file(&self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.folder.join(path))
    }

    fn data_file(&self, name: &str, path: &str) -> io::Result<Vec<u8>> {
        match self.overrides.files.get(name) {
            Some(chosen) => std::fs::read(chosen),
            None => self.file(path),
        }
    }

    fn workspace_programs(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.built) else { return Vec::new() };
        let names = entries.flatten().filter(|entry| entry.path().is_file()).map(|entry| entry.file_name());
        let mut names: Vec<String> = names
            .filter_map(|name| name.into_string().ok())
            .filter(|name| Path::new(name).extension().is_none() && !Self::NOT_PROGRAMS.contains(&name.as_str()))
            .collect();
        names.sort();
        names
    }
}

/// Stand-ins: the kernel, the root task and every workspace program are the smallest possible ELF; data files are empty;
/// explicit paths are looked up in `files`. For tests, and for checking the form of a file before anything is built.
#[derive(Clone, Debug, Default)]
pub struct StubImages {
    /// Files by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl StubImages {
    /// The only workspace program name that does not exist here.
    pub const ABSENT: &str = "absent";
}

impl Images for StubImages {
    fn kernel(&self, cores: usize) -> io::Result<Vec<u8>> {
        Ok(elf::tiny(manifest::handoff::KERNEL_VIRT_BASE, if cores > 1 { 0x6_0000 } else { 0x4_0000 }))
    }

    fn root_task(&self) -> io::Result<Vec<u8>> {
        Ok(elf::tiny(0x40_0000, 0x2_0000))
    }

    fn workspace_program(&self, name: &str) -> Option<Vec<u8>> {
        (name != Self::ABSENT).then(|| elf::tiny(0x40_0000, 0x1_0000))
    }

    fn file(&self, path: &str) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn data_file(&self, _name: &str, path: &str) -> io::Result<Vec<u8>> {
        if path.starts_with("missing") { self.file(path) } else { Ok(self.file(path).unwrap_or_default()) }
    }
}
