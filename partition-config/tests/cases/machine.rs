//! What the machine is made of: cores, memory, devices, interrupts, consoles.

use super::Case;
use partition_config::Code;

pub const CASES: &[Case] = &[
    Case {
        name: "core-in-two-partitions",
        text: r#"[[partition]]
name = "a"
cores = [1]
program = [{ image = "hello" }]
[[partition]]
name = "b"
cores = [1]
program = [{ image = "hello" }]
"#,
        codes: &[Code::CoreTaken],
        culprit: r#"1]"#,
    },
    Case {
        name: "core-named-twice",
        text: r#"[[partition]]
name = "a"
cores = [2, 2]
program = [{ image = "hello" }]
"#,
        codes: &[Code::CoreTwice],
        culprit: r#"2]"#,
    },
    Case {
        name: "core-that-no-machine-has",
        text: r#"[[partition]]
name = "a"
cores = [255]
program = [{ image = "hello" }]
"#,
        codes: &[Code::CoreRange],
        culprit: r#"255"#,
    },
    Case {
        name: "partition-without-core",
        text: r#"[[partition]]
name = "a"
cores = []
program = [{ image = "hello" }]
"#,
        codes: &[Code::CoreNone],
        culprit: r#"[]"#,
    },
    Case {
        name: "no-domain",
        text: r#"[[partition]]
name = "a"
domains = 0
program = [{ image = "hello" }]
"#,
        codes: &[Code::Domains],
        culprit: "0",
    },
    Case {
        name: "more-domains-than-any-kernel-has",
        text: r#"[[partition]]
name = "a"
domains = 17
program = [{ image = "hello" }]
"#,
        codes: &[Code::Domains],
        culprit: "17",
    },
    Case {
        name: "root-cnode-smaller-than-any",
        text: r#"[[partition]]
name = "a"
root-cnode-bits = 12
program = [{ image = "hello" }]
"#,
        codes: &[Code::RootCNode],
        culprit: "12",
    },
    Case {
        name: "root-cnode-larger-than-any",
        text: r#"[[partition]]
name = "a"
root-cnode-bits = 21
program = [{ image = "hello" }]
"#,
        codes: &[Code::RootCNode],
        culprit: "21",
    },
    Case {
        name: "root-cnode-too-small-for-the-image",
        text: r#"[[partition]]
name = "a"
root-cnode-bits = 13
root-task = "big.elf"
"#,
        codes: &[Code::RootCNode],
        culprit: "13",
    },
    Case {
        name: "mitigation-policy-unknown",
        text: r#"[[partition]]
name = "a"
mitigations = "al"
program = [{ image = "hello" }]
"#,
        codes: &[Code::UnknownValue],
        culprit: r#""al""#,
    },
    Case {
        name: "mitigation-unknown",
        text: r#"[[partition]]
name = "a"
mitigations = ["kpti", "ibbp"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::UnknownValue],
        culprit: r#""ibbp""#,
    },
    Case {
        name: "mitigations-of-no-kind",
        text: r#"[[partition]]
name = "a"
mitigations = true
program = [{ image = "hello" }]
"#,
        codes: &[Code::WrongType],
        culprit: "true",
    },
    Case {
        name: "partition-with-seventeen-cores",
        text: r#"[[partition]]
name = "a"
cores = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
program = [{ image = "hello" }]
"#,
        codes: &[Code::CoreMany],
        culprit: r#"[0, 1"#,
    },
    Case {
        name: "memory-misaligned",
        text: r#"[[partition]]
name = "a"
memory = ["0x2100000+64M"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryMisaligned],
        culprit: r#""0x2100000+64M""#,
    },
    Case {
        name: "memory-size-misaligned",
        text: r#"[[partition]]
name = "a"
memory = "65M"
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryMisaligned],
        culprit: r#""65M""#,
    },
    Case {
        name: "default-memory-misaligned",
        text: r#"[system.defaults]
memory = "7M"
[[partition]]
name = "a"
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryMisaligned],
        culprit: r#""7M""#,
    },
    Case {
        name: "memory-overlap",
        text: r#"[[partition]]
name = "a"
memory = ["0x2000000+64M"]
program = [{ image = "hello" }]
[[partition]]
name = "b"
memory = ["0x5e00000+32M"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryOverlap],
        culprit: r#""0x5e00000+32M""#,
    },
    Case {
        name: "memory-overlap-within-a-partition",
        text: r#"[[partition]]
name = "a"
memory = ["0x2000000+64M", "0x2000000+2M"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryOverlap],
        culprit: r#""0x2000000+2M""#,
    },
    Case {
        name: "memory-beyond-52-bits",
        text: r#"[[partition]]
name = "a"
memory = ["0xfffffffe00000+4M"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryBeyondPhysical],
        culprit: r#""0xfff"#,
    },
    Case {
        name: "memory-beyond-the-window",
        text: r#"[[partition]]
name = "a"
memory = ["64T+64M"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryBeyondWindow],
        culprit: r#""64T+64M""#,
    },
    Case {
        name: "memory-that-fits-nowhere",
        text: r#"[[partition]]
name = "a"
memory = "64T"
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryBeyondWindow],
        culprit: r#""64T""#,
    },
    Case {
        name: "memory-in-the-first-mib",
        text: r#"[[partition]]
name = "a"
memory = ["0+32M"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryFirstMib],
        culprit: r#""0+32M""#,
    },
    Case {
        name: "memory-in-the-loader",
        text: r#"[[partition]]
name = "a"
memory = ["8M+64M"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryLoaderHole],
        culprit: r#""8M+64M""#,
    },
    Case {
        name: "memory-among-devices",
        text: r#"[[partition]]
name = "a"
memory = ["0xbfe00000+64M"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryDeviceHole],
        culprit: r#""0xbfe"#,
    },
    Case {
        name: "memory-too-small",
        text: r#"[[partition]]
name = "a"
memory = "2M"
program = [{ image = "hello", heap = "4M" }]
"#,
        codes: &[Code::MemoryTooSmall],
        culprit: r#""2M""#,
    },
    Case {
        name: "first-range-too-small",
        text: r#"[[partition]]
name = "a"
memory = ["16M+2M", "32M+1G"]
root-task = "big.elf"
owns = []
"#,
        codes: &[Code::MemoryTooSmall],
        culprit: r#""16M+2M""#,
    },
    Case {
        name: "no-memory-range",
        text: r#"[[partition]]
name = "a"
memory = []
program = [{ image = "hello" }]
"#,
        codes: &[Code::MemoryRanges],
        culprit: r#"[]"#,
    },
    Case {
        name: "unknown-device",
        text: r#"[[partition]]
name = "a"
owns = ["com5"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::DeviceUnknown],
        culprit: r#""com5""#,
    },
    Case {
        name: "device-of-two-owners",
        text: r#"[[partition]]
name = "a"
owns = ["pit"]
program = [{ image = "hello" }]
[[partition]]
name = "b"
owns = ["pit"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::DeviceTaken],
        culprit: r#""pit""#,
    },
    Case {
        name: "io-apic-of-two-owners",
        text: r#"[[partition]]
name = "a"
owns = ["ioapic"]
program = [{ image = "hello" }]
[[partition]]
name = "b"
owns = ["ioapic"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::DeviceTaken],
        culprit: r#""ioapic""#,
    },
    Case {
        name: "device-named-twice",
        text: r#"[[partition]]
name = "a"
owns = ["pit", "pit"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::DeviceTaken],
        culprit: r#""pit"]"#,
    },
    Case {
        name: "port-of-two-owners",
        text: r#"[[partition]]
name = "a"
ports = ["0x300-0x30f"]
program = [{ image = "hello" }]
[[partition]]
name = "b"
ports = ["0x30f"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::PortsTaken],
        culprit: r#""0x30f""#,
    },
    Case {
        name: "port-of-a-named-device",
        text: r#"[[partition]]
name = "a"
owns = ["rtc"]
program = [{ image = "hello" }]
[[partition]]
name = "b"
ports = ["0x71"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::PortsTaken],
        culprit: r#""0x71""#,
    },
    Case {
        name: "pci-and-reset-apart",
        text: r#"[[partition]]
name = "a"
owns = ["pci-config"]
program = [{ image = "hello" }]
[[partition]]
name = "b"
owns = ["reset"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::PortsTaken],
        culprit: r#""reset""#,
    },
    Case {
        name: "port-listed-twice",
        text: r#"[[partition]]
name = "a"
ports = ["0x300-0x30f", "0x308"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::PortsTaken],
        culprit: r#""0x308""#,
    },
    Case {
        name: "port-of-the-interrupt-controllers",
        text: r#"[[partition]]
name = "a"
ports = ["0x20-0x21"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::PortsReserved],
        culprit: r#""0x20-0x21""#,
    },
    Case {
        name: "mmio-of-two-owners",
        text: r#"[[partition]]
name = "a"
mmio = ["0xfebc0000+128K"]
program = [{ image = "hello" }]
[[partition]]
name = "b"
mmio = ["0xfebd0000+4K"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MmioTaken],
        culprit: r#""0xfebd0000+4K""#,
    },
    Case {
        name: "mmio-of-a-named-device",
        text: r#"[[partition]]
name = "a"
owns = ["hpet"]
program = [{ image = "hello" }]
[[partition]]
name = "b"
mmio = ["0xfed00000+4K"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MmioTaken],
        culprit: r#""0xfed00000+4K""#,
    },
    Case {
        name: "mmio-misaligned",
        text: r#"[[partition]]
name = "a"
mmio = ["0xfebc0800+4K"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MmioMisaligned],
        culprit: r#""0xfebc0800+4K""#,
    },
    Case {
        name: "mmio-beyond-52-bits",
        text: r#"[[partition]]
name = "a"
mmio = ["0x10000000000000+4K"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MmioBeyondPhysical],
        culprit: r#""0x1000"#,
    },
    Case {
        name: "mmio-of-the-local-apic",
        text: r#"[[partition]]
name = "a"
mmio = ["0xfee00000+4K"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MmioReserved],
        culprit: r#""0xfee"#,
    },
    Case {
        name: "mmio-of-the-io-apic",
        text: r#"[[partition]]
name = "a"
mmio = ["0xfec00000+4K"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MmioReserved],
        culprit: r#""0xfec"#,
    },
    Case {
        name: "mmio-in-the-first-mib",
        text: r#"[[partition]]
name = "a"
mmio = ["0xa0000+64K"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MmioReserved],
        culprit: r#""0xa0"#,
    },
    Case {
        name: "mmio-in-partition-memory",
        text: r#"[[partition]]
name = "a"
memory = ["0x2000000+64M"]
mmio = ["0x3000000+4K"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::MmioOnMemory],
        culprit: r#""0x3000000+4K""#,
    },
    Case {
        name: "too-many-port-ranges",
        text: r#"[[partition]]
name = "a"
ports = ["0x4000", "0x4010", "0x4020", "0x4030", "0x4040", "0x4050", "0x4060", "0x4070", "0x4080", "0x4090", "0x40a0", "0x40b0", "0x40c0", "0x40d0", "0x40e0", "0x40f0", "0x4100", "0x4110", "0x4120", "0x4130", "0x4140", "0x4150", "0x4160", "0x4170", "0x4180", "0x4190", "0x41a0", "0x41b0", "0x41c0", "0x41d0", "0x41e0", "0x41f0", "0x4200"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::DeviceTooMany],
        culprit: r#""a""#,
    },
    Case {
        name: "interrupt-pin-of-two-owners",
        text: r#"[[partition]]
name = "a"
owns = ["ioapic"]
interrupts = ["pin 11"]
program = [{ image = "hello" }]
[[partition]]
name = "b"
owns = ["ioapic"]
interrupts = ["pin 11"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::InterruptTaken, Code::DeviceTaken],
        culprit: r#""pin 11""#,
    },
    Case {
        name: "interrupt-named-twice",
        text: r#"[[partition]]
name = "a"
interrupts = ["msi 3", "msi 2-4"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::InterruptTaken],
        culprit: r#""msi 2-4""#,
    },
    Case {
        name: "interrupt-unknown",
        text: r#"[[partition]]
name = "a"
interrupts = ["irq 3"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::InterruptUnknown],
        culprit: r#""irq 3""#,
    },
    Case {
        name: "interrupt-vector-out-of-range",
        text: r#"[[partition]]
name = "a"
interrupts = ["msi 108"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::InterruptUnknown],
        culprit: r#""msi 108""#,
    },
    Case {
        name: "interrupt-pin-without-io-apic",
        text: r#"[[partition]]
name = "a"
interrupts = ["pin 11"]
program = [{ image = "hello" }]
"#,
        codes: &[Code::InterruptNoIoApic],
        culprit: r#""pin 11""#,
    },
    Case {
        name: "console-unknown",
        text: r#"[[partition]]
name = "a"
console = "com9"
program = [{ image = "hello" }]
"#,
        codes: &[Code::ConsoleUnknown],
        culprit: r#""com9""#,
    },
    Case {
        name: "console-of-two-owners",
        text: r#"[[partition]]
name = "a"
console = "com2"
program = [{ image = "hello" }]
[[partition]]
name = "b"
console = "com2"
program = [{ image = "hello" }]
"#,
        codes: &[Code::ConsoleTaken],
        culprit: r#""com2""#,
    },
    Case {
        name: "console-is-a-device-of-another",
        text: r#"[[partition]]
name = "a"
owns = ["com1"]
program = [{ image = "hello" }]
[[partition]]
name = "b"
console = "com1"
program = [{ image = "hello" }]
"#,
        codes: &[Code::ConsoleTaken],
        culprit: r#""com1""#,
    },
];
