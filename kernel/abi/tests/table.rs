//! `docs/sel4-api.md` lists every name and number of the interface. The page is written from the enumerations, and this
//! test fails when it differs from them; `UPDATE_DOCS=1 cargo test -p skerry-abi --test table` writes it anew.

use abi::error::{Error, LookupFailure};
use abi::fault::FaultType;
use abi::invocation::Invocation;
use abi::object::ObjectType;
use abi::syscall::Syscall;
use std::fmt::Write;
use std::path::Path;

const NUMBERS: &str = "`kernel/abi/tests/numbers.rs`";
const MARSHALLING: &str = "`user-libs/sel4/tests/marshalling.rs`";
const VIEWS: &str = "`user-libs/sel4/tests/views.rs`";

/// Who answers an invocation label.
fn origin(invocation: Invocation) -> &'static str {
    match invocation {
        Invocation::SkerryIssueDoorbell | Invocation::SkerryHearDoorbell => "Skerry",
        _ => "seL4",
    }
}

/// In which builds a system call exists.
fn build(call: Syscall) -> &'static str {
    match call {
        Syscall::SkerryDebugPanic | Syscall::SkerryDebugPeek => "debug, Skerry",
        call if call.is_debug() => "debug",
        _ => "all",
    }
}

/// Size of an object, as the table shows it.
fn size(object: ObjectType) -> String {
    match object {
        ObjectType::Untyped => "2^n, n from 4 to 47".into(),
        ObjectType::CapTable => "2^n slots of 32 bytes".into(),
        ObjectType::SchedContext => "2^n, n from 7".into(),
        fixed => format!("2^{}", fixed.size_bits(0)),
    }
}

fn page() -> String {
    let mut page = String::from(
        "# The seL4 API, by number\n\n\
         Names and numbers of seL4 16.0.0, x86_64, MCS, and Skerry's own beside them. This page is written from the\n\
         enumerations of `kernel/abi` and checked against them by `kernel/abi/tests/table.rs`; do not edit it by hand.\n\
         The column *tests* says where the number and its message layout are checked.\n",
    );
    let mut section = |title: &str, columns: &[&str], rows: Vec<Vec<String>>| {
        writeln!(page, "\n## {title}\n\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len())).unwrap();
        for row in rows {
            writeln!(page, "| {} |", row.join(" | ")).unwrap();
        }
    };
    let both = format!("{NUMBERS}, {MARSHALLING}");
    section(
        "System calls",
        &["number", "name", "builds", "tests"],
        Syscall::ALL
            .iter()
            .map(|call| vec![call.word().to_string(), call.name().into(), build(*call).into(), both.clone()])
            .collect(),
    );
    section(
        "Object types",
        &["number", "name", "bytes", "tests"],
        ObjectType::ALL
            .iter()
            .map(|object| vec![object.word().to_string(), object.name().into(), size(*object), NUMBERS.into()])
            .collect(),
    );
    section(
        "Invocations",
        &["label", "name", "origin", "tests"],
        Invocation::ALL
            .iter()
            .map(|invocation| {
                // No wrapper sends the generic one: x86 refuses it.
                let tests = if *invocation == Invocation::IRQIssueIRQHandler { NUMBERS } else { &both };
                let label = match invocation.word() {
                    skerry @ abi::invocation::SKERRY_FIRST.. => format!("{skerry:#x}"),
                    label => label.to_string(),
                };
                vec![label, invocation.name().into(), origin(*invocation).into(), tests.into()]
            })
            .collect(),
    );
    section(
        "Errors",
        &["label", "name", "tests"],
        Error::ALL.iter().map(|error| vec![error.word().to_string(), error.name().into(), both.clone()]).collect(),
    );
    section(
        "Lookup failures",
        &["number", "name", "detail words", "tests"],
        LookupFailure::ALL
            .iter()
            .map(|failure| {
                let details = failure.detail_words().to_string();
                vec![failure.word().to_string(), failure.name().into(), details, both.clone()]
            })
            .collect(),
    );
    section(
        "Faults",
        &["label", "name", "tests"],
        FaultType::ALL
            .iter()
            .map(|fault| vec![fault.word().to_string(), fault.name().into(), format!("{NUMBERS}, {VIEWS}")])
            .collect(),
    );
    page
}

#[test]
fn the_api_page_lists_what_the_crate_defines() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sel4-api.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/sel4-api.md is out of date; set UPDATE_DOCS=1 and run this test again");
}
