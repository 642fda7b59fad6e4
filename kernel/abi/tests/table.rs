//! `docs/sel4-api.md` lists every name and number of the interface, each with tests of what it does. The page is written
//! from the enumerations and from the tests' sources, and this test fails when it differs from them, or when some row has
//! no test; `UPDATE_DOCS=1 cargo test -p skerry-abi --test table` writes it anew.

mod behaviour;

use abi::error::{Error, LookupFailure};
use abi::fault::FaultType;
use abi::invocation::Invocation;
use abi::object::ObjectType;
use abi::syscall::Syscall;
use std::fmt::Write;
use std::path::Path;

use behaviour::Tests;

/// Who answers an invocation label.
fn origin(invocation: Invocation) -> &'static str {
    match invocation {
        Invocation::SkerryIssueDoorbell | Invocation::SkerryHearDoorbell => "Skerry",
        _ if is_debug(invocation) => "seL4, hardware debug API",
        _ => "seL4",
    }
}

/// Whether it exists only with the hardware debug API.
fn is_debug(invocation: Invocation) -> bool {
    (Invocation::TCBSetBreakpoint..=Invocation::TCBConfigureSingleStepping).contains(&invocation)
}

/// The label without the hardware debug API, and with it.
fn labels(invocation: Invocation) -> [String; 2] {
    let (own, moved) = (invocation.word(), if abi::HARDWARE_DEBUG { 0 } else { 4 });
    let first_debug = Invocation::TCBSetBreakpoint.word();
    let with = match own {
        abi::invocation::SKERRY_FIRST.. if is_debug(invocation) => own - first_debug + 16,
        abi::invocation::SKERRY_FIRST.. => return [(); 2].map(|()| format!("{own:#x}")),
        own if own > Invocation::TCBUnbindNotification.word() && !is_debug(invocation) => own + moved,
        own => own,
    };
    let without = if with < 20 { with } else { with - 4 };
    [if is_debug(invocation) { "–".into() } else { without.to_string() }, with.to_string()]
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

fn page(tests: &Tests) -> String {
    let mut page = String::from(
        "# The seL4 API, by number\n\n\
         Names and numbers of seL4 16.0.0, x86_64, MCS, and Skerry's own beside them. This page is written from the\n\
         enumerations of `kernel/abi` and the sources of the tests, and checked against them by\n\
         `kernel/abi/tests/table.rs`; do not edit it by hand.\n\n\
         The column *tests* names up to three tests of what the row does:\n\
         `file::test` is in `kernel/image/tests/instance/file.rs`, where a whole instance runs on a model of the machine and\n\
         every invariant is checked after every entry. Numbers and layouts are checked in `kernel/abi/tests/numbers.rs`,\n\
         what the user library sends and understands in `user-libs/sel4/tests/marshalling.rs` and `views.rs`; faults, system\n\
         calls and flags at the processor itself by `user-libs/probe`, which the system tests run.\n\n\
         A kernel with seL4's hardware debug API (`cargo xtask run --hardware-debug`) has four invocations and a fault more,\n\
         and other labels; the tests of these rows are in `breakpoints.rs`, for that kernel only.\n",
    );
    let mut section = |title: &str, columns: &[&str], rows: Vec<Vec<String>>| {
        writeln!(page, "\n## {title}\n\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len())).unwrap();
        for row in rows {
            writeln!(page, "| {} |", row.join(" | ")).unwrap();
        }
    };
    section(
        "System calls",
        &["number", "name", "builds", "tests"],
        Syscall::ALL
            .iter()
            .map(|call| {
                let tests = tests.of("Syscall", call.name());
                vec![call.word().to_string(), call.name().into(), build(*call).into(), tests]
            })
            .collect(),
    );
    section(
        "Object types",
        &["number", "name", "bytes", "tests"],
        ObjectType::ALL
            .iter()
            .map(|object| {
                let tests = tests.of("ObjectType", object.name());
                vec![object.word().to_string(), object.name().into(), size(*object), tests]
            })
            .collect(),
    );
    section(
        "Invocations",
        &["label", "with hardware debug", "name", "origin", "tests"],
        Invocation::ALL
            .iter()
            .map(|invocation| {
                let [label, with_debug] = labels(*invocation);
                let tests = tests.of("Invocation", invocation.name());
                vec![label, with_debug, invocation.name().into(), origin(*invocation).into(), tests]
            })
            .collect(),
    );
    section(
        "Errors",
        &["label", "name", "tests"],
        Error::ALL
            .iter()
            .map(|error| vec![error.word().to_string(), error.name().into(), tests.of("Error", error.name())])
            .collect(),
    );
    section(
        "Lookup failures",
        &["number", "name", "detail words", "tests"],
        LookupFailure::ALL
            .iter()
            .map(|failure| {
                let (details, tests) = (failure.detail_words().to_string(), tests.of("LookupFailure", failure.name()));
                vec![failure.word().to_string(), failure.name().into(), details, tests]
            })
            .collect(),
    );
    section(
        "Faults",
        &["label", "name", "tests"],
        FaultType::ALL
            .iter()
            .map(|fault| vec![fault.word().to_string(), fault.name().into(), tests.of("FaultType", fault.name())])
            .collect(),
    );
    page
}

#[test]
fn the_api_page_lists_what_the_crate_defines() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sel4-api.md");
    let tests = Tests::read();
    let page = page(&tests);
    assert_eq!(tests.missing(), Vec::<String>::new(), "rows without a test in kernel/image/tests/instance");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/sel4-api.md is out of date; set UPDATE_DOCS=1 and run this test again");
}
