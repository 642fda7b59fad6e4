//! The bare-metal Rust target: its standard library, from rustup or from Debian.
//!
//! `x86_64-unknown-none` usually comes with `rustup target add`. Where rustup's server is out of reach, the library's
//! *source* is taken from Debian's package `rust-src` of exactly this compiler's version, unpacked below `target/`
//! (never installed), and Cargo builds `core` and `alloc` from it. Tests: below.

use crate::workspace::{alone, skerry_dir};
use anyhow::{Context, Result, anyhow, ensure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of everything that runs without an operating system.
pub const TRIPLE: &str = "x86_64-unknown-none";
/// Debian suites that may carry this compiler's source, tried in this order.
const SUITES: [&str; 5] = ["stable-backports", "trixie-backports", "testing", "sid", "stable"];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MIRROR: &str = "http://deb.debian.org/debian";

/// How to compile for the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Library {
    /// The compiler has the target's library.
    Ready,
    /// Cargo builds it from this directory (Rust's `library/`).
    Source(PathBuf),
}

impl Library {
    /// Finds the library, or fetches what is needed to build it.
    ///
    /// # Errors
    /// When neither rustup nor Debian can be reached; the message names the command that would do.
    pub fn ensure() -> Result<Self> {
        // For trying the fallback on a machine that does not need it.
        let forced = std::env::var_os("SKERRY_LIBRARY").is_some_and(|choice| choice == "source");
        if !forced && has_library()? {
            return Ok(Self::Ready);
        }
        if let Some(library) = source()? {
            return Ok(Self::Source(library));
        }
        if !forced {
            eprintln!("the Rust target {TRIPLE} is missing; running `rustup target add {TRIPLE}`");
            let added = Command::new("rustup").args(["target", "add", TRIPLE]).stdout(std::io::stderr()).status();
            if added.is_ok_and(|status| status.success()) && has_library()? {
                return Ok(Self::Ready);
            }
        }
        eprintln!("that failed; taking the library's source from Debian's rust-src instead");
        let library = fetch().with_context(|| format!("no library for {TRIPLE}: try `rustup target add {TRIPLE}`"))?;
        Ok(Self::Source(library))
    }

    /// Adds what Cargo needs to `cargo build --target …`.
    pub fn apply(&self, command: &mut Command) {
        command.args(["--target", TRIPLE]);
        // A user's RUSTFLAGS would replace the workspace's flags for the target.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if let Self::Source(library) = self {
            command.args(["-Zbuild-std=core,alloc,compiler_builtins", "-Zbuild-std-features=compiler-builtins-mem"]);
            command.env("RUSTC_BOOTSTRAP", "1").env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
        }
    }
}

/// The compiler Cargo would use.
fn rustc() -> OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn has_library() -> Result<bool> {
    let dir = output(Command::new(rustc()).args(["--print", "target-libdir", "--target", TRIPLE]))?;
    let Ok(entries) = std::fs::read_dir(dir.trim()) else { return Ok(false) };
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
}

/// The version as in `1.95.0`.
fn compiler_version() -> Result<String> {
    let text = output(Command::new(rustc()).arg("--version"))?;
    let version = text.split_ascii_whitespace().nth(1).and_then(|version| version.split('-').next());
    Ok(version.context("rustc prints no version")?.to_owned())
}

/// Rust's `library/` inside an unpacked `rust-src`.
fn library_in(unpacked: &Path) -> Option<PathBuf> {
    let sources = std::fs::read_dir(unpacked.join("usr/src")).ok()?;
    let mut libraries = sources.flatten().map(|entry| entry.path().join("library"));
    libraries.find(|library| library.join("core/Cargo.toml").exists())
}

/// The library's source, if it was fetched.
///
/// # Errors
/// When the compiler does not say its version.
pub fn source() -> Result<Option<PathBuf>> {
    Ok(library_in(&source_dir()?))
}

fn source_dir() -> Result<PathBuf> {
    Ok(skerry_dir()?.join("rust-src").join(compiler_version()?))
}

/// Downloads and unpacks `rust-src` of this compiler's version; its `library/`.
///
/// # Errors
/// When Debian cannot be reached or does not have this version.
pub fn fetch() -> Result<PathBuf> {
    let version = compiler_version()?;
    let to = source_dir()?;
    let dir = skerry_dir()?.join("apt");
    let apt = PrivateApt::new(&dir)?;
    let _alone = alone(&dir)?;
    // Another run may have fetched it meanwhile.
    if let Some(library) = source()? {
        return Ok(library);
    }
    let mut last = None;
    for suite in SUITES {
        apt.use_suite(suite)?;
        let listing = match apt.update_and_list() {
            Ok(listing) => listing,
            Err(error) => {
                last = Some(error);
                continue;
            }
        };
        if let Some(exact) = pick_version(&listing, &version) {
            eprintln!("found rust-src {exact} in {suite}");
            apt.download(&[&format!("rust-src={exact}")], &to)?;
            return library_in(&to).context("Debian's rust-src has no library/core");
        }
    }
    let why = format!("no Debian suite offers rust-src {version}, or {MIRROR} cannot be reached");
    Err(match last {
        Some(last) => last.context(why),
        None => anyhow!(why),
    })
}

/// The newest listed version (as `apt-cache madison` prints it) that is `wanted`, whatever its Debian revision.
fn pick_version(madison: &str, wanted: &str) -> Option<String> {
    let versions = madison.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
    versions
        .filter(|version| {
            version.strip_prefix(wanted).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
        })
        .max()
        .map(str::to_owned)
}

/// apt with lists, cache and sources of its own: the machine's configuration is left alone.
pub(crate) struct PrivateApt {
    dir: PathBuf,
}

impl PrivateApt {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            std::fs::create_dir_all(dir.join(part))?;
        }
        Ok(Self { dir: dir.to_path_buf() })
    }

    pub(crate) fn use_suite(&self, suite: &str) -> Result<()> {
        let signed = if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
        Ok(std::fs::write(self.dir.join("sources.list"), format!("deb {signed}{MIRROR} {suite} main\n"))?)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let options = [
            ("Dir::Etc::sourcelist", self.dir.join("sources.list")),
            ("Dir::Etc::sourceparts", "-".into()),
            ("Dir::State::lists", self.dir.join("lists")),
            ("Dir::Cache", self.dir.join("cache")),
            ("APT::Sandbox::User", "root".into()),
            ("Acquire::Languages", "none".into()),
        ];
        for (key, value) in options {
            command.arg("-o").arg(format!("{key}={}", value.display()));
        }
        command
    }

    fn update_and_list(&self) -> Result<String> {
        self.update()?;
        output(self.command("apt-cache").args(["madison", "rust-src"]))
    }

    /// Fetches the index of the suite.
    pub(crate) fn update(&self) -> Result<()> {
        output(self.command("apt-get").arg("update")).map(drop)
    }

    /// Downloads `packages` and unpacks them into the new directory `to`.
    pub(crate) fn download(&self, packages: &[&str], to: &Path) -> Result<()> {
        let packages_here = || -> Result<Vec<PathBuf>> {
            let files = std::fs::read_dir(&self.dir)?.flatten().map(|entry| entry.path());
            Ok(files.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect())
        };
        // Of an attempt that was killed.
        packages_here()?.iter().try_for_each(std::fs::remove_file)?;
        output(self.command("apt-get").current_dir(&self.dir).arg("download").args(packages))?;
        // Unpacked beside its place first: a broken attempt never looks finished.
        let beside = to.with_extension("partial");
        let _ = std::fs::remove_dir_all(&beside);
        std::fs::create_dir_all(&beside)?;
        for package in packages_here()? {
            output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&beside))?;
            std::fs::remove_file(&package)?;
        }
        Ok(std::fs::rename(&beside, to)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exactly_this_version_will_do() {
        let listing = "  rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://deb.debian.org/debian trixie-backports/main amd64 Packages\n\
                         rust-src | 1.63.0+dfsg1-2 | http://deb.debian.org/debian bookworm/main amd64 Packages\n";
        assert_eq!(pick_version(listing, "1.95.0").as_deref(), Some("1.95.0+dfsg1-2~bpo13+1"));
        assert_eq!(pick_version(listing, "1.95"), None);
        assert_eq!(pick_version(listing, "1.9"), None);
        assert_eq!(pick_version("", "1.95.0"), None);
    }

    #[test]
    fn building_from_source_asks_cargo_for_it() {
        let mut command = Command::new("cargo");
        Library::Source("/s/library".into()).apply(&mut command);
        assert!(command.get_args().any(|arg| arg == "-Zbuild-std=core,alloc,compiler_builtins"));
        let mut command = Command::new("cargo");
        Library::Ready.apply(&mut command);
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["--target", TRIPLE]);
    }
}
