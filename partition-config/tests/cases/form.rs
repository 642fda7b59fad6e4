//! The form of the file: syntax, keys, values, names, and what every partition must have.

use super::Case;
use partition_config::Code;

pub const CASES: &[Case] = &[
    Case {
        name: "not-toml",
        text: r#"[[partition]
name = "#,
        codes: &[Code::Syntax],
        culprit: "",
    },
    Case {
        name: "duplicate-key",
        text: r#"[[partition]]
name = "a"
name = "b"
"#,
        codes: &[Code::Syntax],
        culprit: "",
    },
    Case {
        name: "unknown-table",
        text: r#"[[partition]]
name = "a"
program = [{ image = "hello" }]
[[chanel]]
name = "c"
"#,
        codes: &[Code::UnknownKey],
        culprit: r#"chanel"#,
    },
    Case {
        name: "unknown-key",
        text: r#"[[partition]]
name = "a"
cors = [0]
program = [{ image = "hello" }]
"#,
        codes: &[Code::UnknownKey],
        culprit: r#"cors"#,
    },
    Case {
        name: "unknown-program-key",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "hello"
colour = "red"
"#,
        codes: &[Code::UnknownKey],
        culprit: r#"colour"#,
    },
    Case {
        name: "missing-name",
        text: r#"[[partition]]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MissingKey],
        culprit: r#"[[partition]]"#,
    },
    Case {
        name: "missing-ends",
        text: r#"[[partition]]
name = "a"
program = [{ image = "hello" }]
[[channel]]
name = "c"
"#,
        codes: &[Code::MissingKey],
        culprit: r#"[[channel]]"#,
    },
    Case {
        name: "program-without-image",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
priority = 5
"#,
        codes: &[Code::MissingKey],
        culprit: "",
    },
    Case {
        name: "wrong-type",
        text: r#"[[partition]]
name = "a"
cores = "all"
program = [{ image = "hello" }]
"#,
        codes: &[Code::WrongType],
        culprit: r#""all""#,
    },
    Case {
        name: "negative-core",
        text: r#"[[partition]]
name = "a"
cores = [-1]
program = [{ image = "hello" }]
"#,
        codes: &[Code::WrongType],
        culprit: r#"-1"#,
    },
    Case {
        name: "unknown-value",
        text: r#"[[partition]]
name = "a"
cores = [0]
program = [{ image = "hello" }]
[[partition]]
name = "b"
cores = [1]
program = [{ image = "hello" }]
[[channel]]
name = "c"
ends = ["a/hello", "b/hello"]
doorbells = "twice"
"#,
        codes: &[Code::UnknownValue],
        culprit: r#""twice""#,
    },
    Case {
        name: "unknown-unit-of-size",
        text: r#"[[partition]]
name = "a"
memory = "64Q"
program = [{ image = "hello" }]
"#,
        codes: &[Code::Unit],
        culprit: r#""64Q""#,
    },
    Case {
        name: "unknown-unit-of-time",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "hello"
period = "10m"
"#,
        codes: &[Code::Unit],
        culprit: r#""10m""#,
    },
    Case {
        name: "size-beyond-64-bits",
        text: r#"[[partition]]
name = "a"
memory = "99999999999T"
program = [{ image = "hello" }]
"#,
        codes: &[Code::Unit],
        culprit: "",
    },
    Case {
        name: "unreadable-range",
        text: r#"[[partition]]
name = "a"
memory = ["0x2000000 64M"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::BadRange],
        culprit: r#""0x2000000 64M""#,
    },
    Case {
        name: "unreadable-ports",
        text: r#"[[partition]]
name = "a"
ports = ["0x3ff-0x3f8"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::BadRange],
        culprit: r#""0x3ff-0x3f8""#,
    },
    Case {
        name: "two-partitions-of-one-name",
        text: r#"[[partition]]
name = "a"
program = [{ image = "hello" }]
[[partition]]
name = "a"
program = [{ image = "hello" }]
"#,
        codes: &[Code::NameTaken],
        culprit: r#""a""#,
    },
    Case {
        name: "two-programs-of-one-name",
        text: r#"[[partition]]
name = "a"
program = [{ image = "hello" }, { name = "hello", image = "ping" }]
"#,
        codes: &[Code::NameTaken],
        culprit: r#""hello""#,
    },
    Case {
        name: "two-channels-of-one-name",
        text: r#"[[partition]]
name = "a"
cores = [0]
program = [{ image = "hello" }]
[[partition]]
name = "b"
cores = [1]
program = [{ image = "hello" }]
[[channel]]
name = "c"
ends = ["a/hello", "b/hello"]
[[channel]]
name = "c"
ends = ["a/hello", "b/hello"]
"#,
        codes: &[Code::NameTaken],
        culprit: r#""c""#,
    },
    Case {
        name: "two-files-of-one-name",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "hello"
files = ["one/text", "two/text"]
"#,
        codes: &[Code::NameTaken],
        culprit: r#""two/text""#,
    },
    Case {
        name: "name-too-long",
        text: r#"[[partition]]
name = "a-name-that-has-more-than-thirty-two-bytes"
program = [{ image = "hello" }]
"#,
        codes: &[Code::NameInvalid],
        culprit: r#""a-name"#,
    },
    Case {
        name: "name-with-a-slash",
        text: r#"[[partition]]
name = "a/b"
program = [{ image = "hello" }]
"#,
        codes: &[Code::NameInvalid],
        culprit: r#""a/b""#,
    },
    Case {
        name: "empty-name",
        text: r#"[[partition]]
name = ""
program = [{ image = "hello" }]
"#,
        codes: &[Code::NameInvalid],
        culprit: r#""""#,
    },
    Case {
        name: "system-name-too-long",
        text: r#"[system]
name = "a system with a name that nobody could ever remember"
[[partition]]
name = "a"
program = [{ image = "hello" }]
"#,
        codes: &[Code::NameInvalid],
        culprit: "",
    },
    Case {
        name: "no-partition",
        text: r#"[system]
name = "empty"
"#,
        codes: &[Code::NoPartition],
        culprit: "",
    },
    Case {
        name: "partition-with-nothing-to-run",
        text: r#"[[partition]]
name = "a"
"#,
        codes: &[Code::PartitionEmpty],
        culprit: r#""a""#,
    },
    Case {
        name: "root-task-and-programs",
        text: r#"[[partition]]
name = "a"
root-task = "root.elf"
program = [{ image = "hello" }]
"#,
        codes: &[Code::RootTaskWithPrograms],
        culprit: r#""root.elf""#,
    },
];
