//! Making the copy with all mutants in it, and its tests. Tests: below.

use super::Mutant;
use super::rewrite::rewrite;
use crate::artifacts::cargo;
use crate::assurance::planted::Copy;
use crate::workspace::skerry_dir;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Sources that are no part of the kernel: what the tests themselves compare with.
const NOT_KERNEL: [&str; 3] = ["audit.rs", "spec.rs", "tests.rs"];
/// A kernel whose host tests may notice.
struct Flavour {
    /// The folder that it is compiled in. Programs are run from where they lie, in turn.
    folder: &'static str,
    packages: &'static [&'static str],
    features: &'static [&'static str],
}

/// A kernel for one core, one for several, and one with the hardware debug API.
const FLAVOURS: [Flavour; 3] = [
    Flavour {
        folder: "one",
        packages: &["skerry-capability", "skerry-thread", "skerry-ipc", "skerry-vspace", "skerry-api", "skerry-image"],
        features: &[],
    },
    Flavour { folder: "several", packages: &["skerry-image"], features: &["skerry-image/smp"] },
    Flavour { folder: "debugged", packages: &["skerry-image"], features: &["skerry-image/hardware-debug"] },
];
/// How often what does not compile is taken out before giving up.
const ROUNDS: usize = 12;

/// A compiled tree with mutants in it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Built {
    /// What is in it.
    pub mutants: Vec<Mutant>,
    /// The test programs.
    pub programs: Vec<PathBuf>,
    /// The tree; the layers' folders, from which tests run, are below it.
    pub tree: PathBuf,
}

/// Rewrites `layers` (names of folders in `kernel/`) in a copy of the tree, and compiles their tests.
///
/// # Errors
/// When the copy cannot be made, or does not compile even without the mutants that the compiler pointed at.
pub fn build(layers: &[String]) -> Result<Built> {
    let mut refused = BTreeSet::new();
    for _ in 0..ROUNDS {
        let copy = Copy::alone("mutated")?;
        admit(copy.dir(), layers)?;
        let mutants = write(copy.dir(), layers, &refused)?;
        let mut programs = Vec::new();
        let mut wrong = BTreeSet::new();
        for flavour in &FLAVOURS {
            let said = compile(copy.dir(), flavour)?;
            wrong.extend(pointed_at(copy.dir(), &said));
            if !wrong.is_empty() {
                // The others would mostly say the same.
                break;
            }
            programs.extend(executables(&said));
            ensure!(!programs.is_empty(), "nothing was compiled: {}", rendered(&said));
        }
        if wrong.is_empty() {
            return Ok(Built { mutants, programs, tree: copy.dir().to_path_buf() });
        }
        refused.extend(wrong);
    }
    bail!("the rewritten tree still does not compile after {ROUNDS} rounds")
}

/// Makes the switch a package of the copy, on which the layers depend.
fn admit(tree: &Path, layers: &[String]) -> Result<()> {
    edit(&tree.join("Cargo.toml"), |text| {
        text.replacen("members = [", "members = [\n    \"tests/assurance/mutant\",", 1)
    })?;
    for layer in layers {
        edit(&tree.join("kernel").join(layer).join("Cargo.toml"), |text| {
            let switch = "[dependencies]\nskerry-mutant = { path = \"../../tests/assurance/mutant\" }";
            text.replacen("[dependencies]", switch, 1)
        })?;
    }
    Ok(())
}

fn edit(path: &Path, with: impl FnOnce(&str) -> String) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    fs::write(path, with(&text)).with_context(|| format!("cannot write {}", path.display()))
}

fn write(tree: &Path, layers: &[String], refused: &BTreeSet<u32>) -> Result<Vec<Mutant>> {
    let mut mutants: Vec<Mutant> = Vec::new();
    let mut next = 1;
    for layer in layers {
        for path in sources(&tree.join("kernel").join(layer).join("src"))? {
            let name = path.strip_prefix(tree)?.to_string_lossy().into_owned();
            let source = fs::read_to_string(&path)?;
            let rewritten = rewrite(&name, &source, next, refused)?;
            // Refused mutants are counted too: numbers stay what they were in the round before.
            next = rewritten.next;
            mutants.extend(rewritten.mutants);
            fs::write(path, rewritten.text)?;
        }
    }
    Ok(mutants)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no layer in {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !NOT_KERNEL.contains(&format!("{name}.rs").as_str()) {
                found.extend(sources(&path)?);
            }
        } else if name.ends_with(".rs") && !NOT_KERNEL.contains(&name.as_str()) && !name.ends_with("_tests.rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn compile(tree: &Path, flavour: &Flavour) -> Result<String> {
    let mut command: Command = cargo();
    command.current_dir(tree).args(["test", "--no-run", "--quiet", "--message-format=json", "--no-fail-fast"]);
    command.args(flavour.packages.iter().flat_map(|package| ["-p", package]));
    command.args(flavour.features.iter().flat_map(|feature| ["--features", feature]));
    // The switch asks for features of the compiler that are not stable.
    let place = skerry_dir()?.join("mutants").join(flavour.folder);
    command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", place);
    let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn messages(said: &str) -> impl Iterator<Item = Value> + '_ {
    said.lines().filter_map(|line| serde_json::from_str(line).ok())
}

fn executables(said: &str) -> Vec<PathBuf> {
    let tests = messages(said).filter(|message| message["profile"]["test"] == Value::Bool(true));
    tests.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).collect()
}

fn rendered(said: &str) -> String {
    messages(said).filter_map(|message| Some(message["message"]["rendered"].as_str()?.to_string())).collect()
}

/// The mutants at the places of the compiler's errors: the nearest switch before each, and the one behind it.
fn pointed_at(tree: &Path, said: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for message in messages(said).filter(|message| message["message"]["level"] == "error") {
        for span in message["message"]["spans"].as_array().into_iter().flatten() {
            let file = tree.join(span["file_name"].as_str().unwrap_or_default());
            let Ok(text) = fs::read_to_string(file) else { continue };
            let at = span["byte_start"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
            found.extend(around(&text, at));
        }
    }
    found
}

fn around(text: &str, at: usize) -> Vec<u32> {
    const SWITCH: &str = "::skerry_mutant::is(";
    let number = |place: usize| text[place + SWITCH.len()..].split(')').next().and_then(|number| number.parse().ok());
    let before = text.get(..at).and_then(|text| text.rfind(SWITCH)).and_then(number);
    let behind = text.get(at..).and_then(|text| text.find(SWITCH)).and_then(|place| number(at + place));
    before.into_iter().chain(behind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_points_at_the_switches_around_it() {
        let text = "if ::skerry_mutant::is(4) { a } else { b } if ::skerry_mutant::is(15) { c }";
        assert_eq!(around(text, 30), [4, 15]);
        assert_eq!(around(text, 0), [4]);
        assert_eq!(around(text, text.len()), [15]);
    }

    #[test]
    fn only_test_programs_are_run() {
        let said = r#"{"profile":{"test":true},"executable":"/t/a"}
{"profile":{"test":false},"executable":"/t/b"}
{"profile":{"test":true},"executable":null}
no JSON"#;
        assert_eq!(executables(said), [PathBuf::from("/t/a")]);
    }
}
