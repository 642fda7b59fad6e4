//! The form of the file, names, programs, channels, doorbells.

use super::Case;
use partition_config::Code;

/// 65 channels, all ringing the same core.
const MANY_CHANNELS: &str = include_str!("many-channels.toml");

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
    Case {
        name: "unknown-program",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "absent"
"#,
        codes: &[Code::ImageMissing],
        culprit: r#""absent""#,
    },
    Case {
        name: "missing-image",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "nowhere.elf"
"#,
        codes: &[Code::ImageMissing],
        culprit: r#""nowhere.elf""#,
    },
    Case {
        name: "missing-root-task",
        text: r#"[[partition]]
name = "a"
root-task = "nowhere.elf"
"#,
        codes: &[Code::ImageMissing],
        culprit: r#""nowhere.elf""#,
    },
    Case {
        name: "image-is-no-elf",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "text.elf"
"#,
        codes: &[Code::ImageFormat],
        culprit: r#""text.elf""#,
    },
    Case {
        name: "image-for-another-processor",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "arm.elf"
"#,
        codes: &[Code::ImageFormat],
        culprit: r#""arm.elf""#,
    },
    Case {
        name: "image-cut-short",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "cut.elf"
"#,
        codes: &[Code::ImageFormat],
        culprit: r#""cut.elf""#,
    },
    Case {
        name: "image-in-the-kernel-half",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "kernel-half.elf"
"#,
        codes: &[Code::ImageOutside],
        culprit: r#""kernel-half.elf""#,
    },
    Case {
        name: "image-in-the-last-user-page",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "last-page.elf"
"#,
        codes: &[Code::ImageOutside],
        culprit: r#""last-page.elf""#,
    },
    Case {
        name: "root-task-in-the-kernel-half",
        text: r#"[[partition]]
name = "a"
root-task = "kernel-half.elf"
"#,
        codes: &[Code::ImageOutside],
        culprit: r#""kernel-half.elf""#,
    },
    Case {
        name: "image-with-overlapping-segments",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "overlapping.elf"
"#,
        codes: &[Code::ImageOverlap],
        culprit: r#""overlapping.elf""#,
    },
    Case {
        name: "budget-above-period",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "hello"
budget = "20ms"
period = "10ms"
"#,
        codes: &[Code::Budget],
        culprit: r#""20ms""#,
    },
    Case {
        name: "budget-above-default-period",
        text: r#"[system.defaults]
period = "1ms"
[[partition]]
name = "a"
[[partition.program]]
image = "hello"
budget = "2ms"
"#,
        codes: &[Code::Budget],
        culprit: r#""2ms""#,
    },
    Case {
        name: "budget-too-short",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "hello"
budget = "5us"
period = "10ms"
"#,
        codes: &[Code::Budget],
        culprit: r#""5us""#,
    },
    Case {
        name: "priority-of-the-root-task",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "hello"
priority = 255
"#,
        codes: &[Code::Priority],
        culprit: r#"255"#,
    },
    Case {
        name: "stack-of-half-a-page",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "hello"
stack = "2K"
"#,
        codes: &[Code::Stack],
        culprit: r#""2K""#,
    },
    Case {
        name: "heap-of-half-a-page",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "hello"
heap = "2K"
"#,
        codes: &[Code::Heap],
        culprit: r#""2K""#,
    },
    Case {
        name: "empty-argument",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "hello"
args = ["one", ""]
"#,
        codes: &[Code::Argument],
        culprit: r#""""#,
    },
    Case {
        name: "missing-data-file",
        text: r#"[[partition]]
name = "a"
[[partition.program]]
image = "hello"
files = ["missing.txt"]
"#,
        codes: &[Code::FileMissing],
        culprit: r#""missing.txt""#,
    },
    Case {
        name: "channel-with-one-end",
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
ends = ["a/hello"]
"#,
        codes: &[Code::ChannelEnds],
        culprit: r#"["a/hello"]"#,
    },
    Case {
        name: "channel-to-an-unknown-partition",
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
ends = ["a/hello", "x/hello"]
"#,
        codes: &[Code::ChannelEndUnknown],
        culprit: r#""x/hello""#,
    },
    Case {
        name: "channel-to-an-unknown-program",
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
ends = ["a/hallo", "b/hello"]
"#,
        codes: &[Code::ChannelEndUnknown],
        culprit: r#""a/hallo""#,
    },
    Case {
        name: "channel-with-both-ends-at-one-program",
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
ends = ["a/hello", "a/hello"]
"#,
        codes: &[Code::ChannelSameProgram],
        culprit: r#"["a/hello", "a/hello"]"#,
    },
    Case {
        name: "channel-of-half-a-page",
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
size = "2K"
"#,
        codes: &[Code::ChannelSize],
        culprit: r#""2K""#,
    },
    Case {
        name: "channel-that-nobody-writes",
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
access = ["r", "r"]
"#,
        codes: &[Code::ChannelAccess],
        culprit: r#"["r", "r"]"#,
    },
    Case {
        name: "channel-with-unknown-access",
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
access = ["rw", "w"]
"#,
        codes: &[Code::ChannelAccess],
        culprit: r#""w""#,
    },
    Case {
        name: "channel-with-three-accesses",
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
access = ["rw", "r", "r"]
"#,
        codes: &[Code::ChannelAccess],
        culprit: r#"["rw""#,
    },
    Case {
        name: "doorbell-vector-clash",
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
forward-vector = 0xa3
[[channel]]
name = "d"
ends = ["a/hello", "b/hello"]
forward-vector = 0xa3
"#,
        codes: &[Code::DoorbellTaken],
        culprit: r#"0xa3"#,
    },
    Case {
        name: "doorbell-vector-out-of-range",
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
forward-vector = 0x30
"#,
        codes: &[Code::DoorbellVector],
        culprit: r#"0x30"#,
    },
    Case {
        name: "vector-without-doorbell",
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
doorbells = "forward"
backward-vector = 0xa0
"#,
        codes: &[Code::DoorbellVector],
        culprit: r#"0xa0"#,
    },
    Case {
        name: "more-doorbells-than-vectors",
        text: MANY_CHANNELS,
        codes: &[Code::DoorbellExhausted, Code::DeviceTooMany],
        culprit: r#""c64""#,
    },
];
