//! Fuzzed functions: each takes any bytes, and panics exactly if something is wrong.
//!
//! `cargo xtask fuzz` links them with libFuzzer and looks for inputs that reach new code; what it found worth keeping is
//! in `corpus/`, one folder a function, and `tests/replay.rs` runs that in every test run. An input that once failed is
//! kept there too.

mod acpi;
mod boot_info;
mod boot_page;
mod elf;
mod environment;
mod instance;
mod manifest_decode;
mod memory;
mod ring;
mod toml_check;

#[path = "../../../kernel/image/tests/instance/harness/mod.rs"]
#[allow(dead_code, missing_docs, unused_imports, reason = "shared with the tests of a whole instance")]
mod harness;
#[path = "../../../kernel/image/tests/instance/fuzz/run/mod.rs"]
#[allow(dead_code, missing_docs, reason = "shared with the tests of a whole instance")]
mod run;

/// One fuzzed function.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and its corpus's.
    pub name: &'static str,
    /// What is tried.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "acpi", run: acpi::run },
    Target { name: "boot_info", run: boot_info::run },
    Target { name: "boot_page", run: boot_page::run },
    Target { name: "elf", run: elf::run },
    Target { name: "environment", run: environment::run },
    Target { name: "fast_and_slow", run: instance::fast_and_slow },
    Target { name: "instance", run: instance::run },
    Target { name: "manifest_decode", run: manifest_decode::run },
    Target { name: "ring", run: ring::run },
    Target { name: "toml_check", run: toml_check::run },
];

/// The function called `name`.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}
