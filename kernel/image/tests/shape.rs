//! What the kernel's sources must be: few, safe above the layer that holds references to objects, and in layers.

mod layers;

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of code that the kernel may have: without tests, audits, specifications and the model of the machine. The loader
/// is gone when the kernels run and is not counted.
const MOST_LINES: usize = 12_000;
/// Layers above `memory`.
const SAFE: [&str; 6] = ["capability", "vspace", "thread", "ipc", "interrupt", "api"];
const KERNEL: [&str; 5] = ["abi", "machine", "sync", "memory", "image"];
/// Files and folders for the host only.
const NOT_COUNTED: [&str; 6] = ["audit.rs", "explored.rs", "host.rs", "model", "spec", "tests.rs"];

fn layer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("they can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if NOT_COUNTED.iter().any(|it| name == *it || name.strip_suffix(".rs") == Some(it)) {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The attribute of what no kernel that runs has: what the audits ask.
const NOT_IN_A_KERNEL: &str = "#[cfg(not(target_os = \"none\"))]";

/// Lines that are neither empty nor comment, up to the tests at a file's end, without what is in no kernel.
fn code(text: &str) -> Vec<&str> {
    let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    let mut kept = Vec::new();
    // How far the item is indented that is left out.
    let mut skipped = None;
    for line in code.filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//")) {
        let (indent, text) = (line.len() - line.trim_start().len(), line.trim());
        match skipped {
            Some(item) if indent == item && (text.starts_with('}') || text.ends_with(';') || text.ends_with('}')) => {
                skipped = None
            }
            Some(_) => {}
            None if text == NOT_IN_A_KERNEL => skipped = Some(indent),
            None => kept.push(line),
        }
    }
    kept
}

fn lines(path: &Path) -> usize {
    code(&fs::read_to_string(path).expect("it can be read")).len()
}

#[test]
fn the_kernel_stays_small() {
    let mut files = Vec::new();
    for name in SAFE.iter().chain(&KERNEL) {
        sources(&layer(name), &mut files);
    }
    let total: usize = files.iter().map(|path| lines(path)).sum();
    println!("{total} lines of code in {} files", files.len());
    assert!((5_000..=MOST_LINES).contains(&total), "{total} lines of code");
}

#[test]
fn layers_above_memory_forbid_unsafe_code() {
    for name in SAFE {
        let text = fs::read_to_string(layer(name).join("lib.rs")).expect("it can be read");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{name}");
    }
}
