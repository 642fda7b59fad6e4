//! `docs/layers.md` says which layer of the kernel uses what of which others. The page is written from the manifests of
//! the crates and from the paths in their sources, and the test fails when it differs from them, or when a layer depends
//! on one that is not below it; `UPDATE_DOCS=1 cargo test -p skerry-image --test shape` writes it anew.

mod paths;

use super::{code, layer, sources};
use paths::names_of;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, bottom up: each may use those before it, and nothing else of the kernel.
const ORDER: [&str; 11] =
    ["abi", "machine", "sync", "memory", "capability", "vspace", "thread", "ipc", "interrupt", "api", "image"];
/// What kernels share with configuration and user libraries: below all layers.
const SHARED: [&str; 2] = ["ipi", "manifest"];

/// For each crate that a layer uses, the names it uses of it, from the crate's root on.
type Uses = BTreeMap<&'static str, BTreeSet<String>>;

fn crates() -> impl Iterator<Item = &'static str> {
    SHARED.into_iter().chain(ORDER)
}

/// What the manifest of a layer names as dependencies of the kernel itself.
fn declared(name: &str) -> BTreeSet<&'static str> {
    let manifest = fs::read_to_string(layer(name).join("../Cargo.toml")).expect("every layer is a crate");
    let mut section = "";
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]" {
            let dependency = line.split(' ').next().unwrap_or_default();
            found.extend(crates().find(|it| *it == dependency));
        }
    }
    found
}

/// What the kernel's code of a layer names of other crates.
fn used(name: &str) -> Uses {
    let mut files = Vec::new();
    sources(&layer(name), &mut files);
    let mut uses = Uses::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("it can be read");
        let kernel = code(&text).join("\n");
        for other in crates().filter(|other| *other != name) {
            let names = names_of(other, &kernel);
            if !names.is_empty() {
                uses.entry(other).or_default().extend(names);
            }
        }
    }
    uses
}

/// What a layer says of itself first.
fn purpose(name: &str) -> String {
    let text = fs::read_to_string(layer(name).join("lib.rs")).expect("it can be read");
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn page() -> String {
    let uses: Vec<(&str, Uses)> = ORDER.iter().map(|name| (*name, used(name))).collect();
    let mut page = String::from(
        "# The layers of the kernel\n\n\
         One crate a layer, bottom up. What a layer uses of the others was read from its sources, without tests, specifications\n\
         and audits, and from its manifest. This page is checked by `kernel/image/tests/layers`, which also fails if a layer\n\
         depends on one that is not above it in the table; do not edit it by hand.\n\n\
         ## Who uses whom\n\n\
         Numbers count the different names that the layer of the row uses of the crate of the column. `ipi` and `manifest` are\n\
         not the kernel's: the check, the loader and user libraries share them.\n\n",
    );
    writeln!(page, "| | {} |", crates().collect::<Vec<_>>().join(" | ")).unwrap();
    writeln!(page, "|---|{}", "---:|".repeat(crates().count())).unwrap();
    for (name, uses) in &uses {
        let count = |other| uses.get(other).map(|names| names.len().to_string()).unwrap_or_default();
        writeln!(page, "| `{name}` | {} |", crates().map(count).collect::<Vec<_>>().join(" | ")).unwrap();
    }
    for (name, uses) in &uses {
        writeln!(page, "\n## {name}\n\n{}\n", purpose(name)).unwrap();
        if uses.is_empty() {
            writeln!(page, "It uses nothing of the kernel.").unwrap();
            continue;
        }
        writeln!(page, "| of | it uses |\n|---|---|").unwrap();
        for other in crates() {
            let Some(names) = uses.get(other) else { continue };
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            writeln!(page, "| `{other}` | {} |", names.join(", ")).unwrap();
        }
    }
    page
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/layers.md")
}

#[test]
fn no_layer_knows_one_above_it() {
    for (index, name) in ORDER.iter().enumerate() {
        let below: BTreeSet<&str> = SHARED.iter().chain(&ORDER[..index]).copied().collect();
        let declared = declared(name);
        assert!(declared.is_subset(&below), "{name} depends on {declared:?}");
        let used: BTreeSet<&str> = used(name).into_keys().collect();
        assert_eq!(used, declared, "{name}: what it uses is not what its manifest names");
    }
}

#[test]
fn the_page_of_layers_says_what_the_sources_say() {
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path(), &page).expect("it can be written");
    }
    let written = fs::read_to_string(path()).unwrap_or_default();
    assert!(written == page, "docs/layers.md differs from the sources: see the head of this file");
}
