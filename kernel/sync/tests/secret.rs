//! Only this crate knows which build it is: the features that choose are named here and in build files, nowhere else. And the
//! tokens of the lock order come from this crate only.
#![cfg(not(feature = "explore"))]

use std::fs;
use std::path::{Path, PathBuf};

/// Whether `source` asks for one of the features, or names one that has no other meaning.
fn names_a_mode(source: &str) -> bool {
    let dense: String = source.chars().filter(|character| !character.is_whitespace()).collect();
    ["lock-mcs", "lock-big", "lock_mcs", "lock_big", "feature=\"smp\"", "hold-times", "sync/smp", "CARGO_FEATURE_SMP"]
        .iter()
        .any(|name| dense.contains(name))
}

/// Where they may be named: in the layer, and in what builds.
fn may_name_a_mode(path: &Path) -> bool {
    path.starts_with("kernel/sync")
        || path.starts_with("xtask")
        || path.ends_with("Cargo.toml")
        || path.ends_with("build.rs")
}

/// All text that becomes programs, below `folder`.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if [".rs", ".toml", ".ld", ".S"].iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
}

/// All sources, by their path in the repository.
fn tree() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let mut found = Vec::new();
    sources(&root, &mut found);
    let read = |path: PathBuf| (path.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(path).unwrap());
    found.into_iter().map(read).collect()
}

#[test]
fn features_are_named_in_this_layer_and_in_build_files_only() {
    let tree = tree();
    let naming: Vec<&Path> =
        tree.iter().filter(|(_, source)| names_a_mode(source)).map(|(path, _)| path.as_path()).collect();
    assert!(naming.contains(&Path::new("kernel/sync/src/smp.rs")), "the search does not find what is there");
    let elsewhere: Vec<_> = naming.into_iter().filter(|path| !may_name_a_mode(path)).collect();
    assert!(elsewhere.is_empty(), "these ask which build they are in: {elsewhere:?}");
}

#[test]
fn the_kernel_makes_no_tokens_of_its_own() {
    let makes = |(path, source): &(PathBuf, String)| source.contains("at_kernel_entry").then(|| path.clone());
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        tree().iter().filter_map(makes).partition(|path| path.starts_with("kernel/sync"));
    assert!(!here.is_empty(), "the search does not find what is there");
    assert!(elsewhere.is_empty(), "tokens come from existence, but these make their own: {elsewhere:?}");
}

#[test]
fn the_search_knows_a_feature_when_it_sees_one() {
    assert!(names_a_mode("#[cfg(any(test, feature  =\n \"smp\"))]"));
    assert!(names_a_mode("cfg!(feature = \"lock-big\")"));
    assert!(!names_a_mode("let mode = \"smp\";"));
}
