//! What runs: programs, channels, doorbells.

use super::Case;
use partition_config::Code;

/// 65 channels, all ringing the same core.
const MANY_CHANNELS: &str = include_str!("many-channels.toml");

pub const CASES: &[Case] = &[
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
        name: "image-above-4-gib",
        text: r#"[[partition]]
name = "a"
program = [{ image = "high.elf" }]
[[partition]]
name = "b"
root-task = "high.elf"
"#,
        codes: &[Code::ImageOutside],
        culprit: r#""high.elf" }"#,
    },
    Case {
        name: "image-of-17-segments",
        text: r#"[[partition]]
name = "a"
root-task = "seventeen.elf"
"#,
        codes: &[Code::ImageFormat],
        culprit: r#""seventeen.elf""#,
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
        name: "vector-within-a-partition",
        text: r#"[[partition]]
name = "a"
program = [{ name = "x", image = "hello" }, { name = "y", image = "hello" }]
[[channel]]
name = "c"
ends = ["a/x", "a/y"]
forward-vector = 0xa0
"#,
        codes: &[Code::DoorbellVector],
        culprit: r#"0xa0"#,
    },
    Case {
        name: "program-on-a-core-of-another",
        text: r#"[[partition]]
name = "a"
cores = [0, 2]
program = [{ image = "hello", core = 1 }]
"#,
        codes: &[Code::ProgramCore],
        culprit: r#"1 }"#,
    },
    Case {
        name: "more-doorbells-than-vectors",
        text: MANY_CHANNELS,
        codes: &[Code::DoorbellExhausted, Code::DeviceTooMany, Code::ChannelMany],
        culprit: r#""c64""#,
    },
    Case {
        name: "more-interrupts-than-a-driver-can-tell-apart",
        text: r#"[[partition]]
name = "a"
interrupts = ["msi 0-63"]
program = [{ name = "net", image = "hello", driver = true }, { image = "hello" }]
[[channel]]
name = "c"
ends = ["a/net", "a/hello"]
"#,
        codes: &[Code::ChannelMany],
        culprit: r#""net""#,
    },
    Case {
        name: "two-drivers",
        text: r#"[[partition]]
name = "a"
owns = ["rtc"]
[[partition.program]]
name = "clock"
image = "hello"
driver = true
[[partition.program]]
name = "calendar"
image = "hello"
driver = true
"#,
        codes: &[Code::DriverTwice],
        culprit: "true",
    },
];
