//! Systems at random: tidy ones that keep every rule, and wild ones that keep few.

use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Write as _;

#[derive(Clone, Debug)]
enum Memory {
    Open,
    MibTimesTwo(u64),
    /// Within 256 MiB of the partition's own, so that two partitions' never meet.
    Ranges(Vec<u64>),
}

#[derive(Clone, Debug)]
struct Partition {
    memory: Memory,
    programs: usize,
    args: Vec<String>,
    files: usize,
    service: bool,
}

fn memory() -> impl Strategy<Value = Memory> {
    prop_oneof![
        Just(Memory::Open),
        (8_u64..40).prop_map(Memory::MibTimesTwo),
        vec(8_u64..16, 1..4).prop_map(Memory::Ranges),
    ]
}

fn partition() -> impl Strategy<Value = Partition> {
    (memory(), 1_usize..4, vec("[a-zé ]{1,9}", 0..3), 0_usize..3, any::<bool>())
        .prop_map(|(memory, programs, args, files, service)| Partition { memory, programs, args, files, service })
}

const DEVICES: [&str; 8] = ["ioapic", "pci-config", "pit", "hpet", "rtc", "keyboard", "vga", "debug-exit"];

/// Systems that keep every rule.
pub fn tidy() -> impl Strategy<Value = String> {
    let ends = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let channel = (ends, 1_u64..70, 0_usize..4, any::<bool>());
    let owners = vec(0_usize..6, DEVICES.len());
    (vec(partition(), 1..6), vec(channel, 0..7), owners).prop_map(|(partitions, channels, owners)| {
        let mut text = String::from("[system]\nname = \"tidy\"\n");
        let mut targets = Vec::new();
        for (index, partition) in partitions.iter().enumerate() {
            let _ = writeln!(text, "[[partition]]\nname = \"p{index}\"");
            match &partition.memory {
                Memory::Open => {}
                Memory::MibTimesTwo(twos) => drop(writeln!(text, "memory = \"{}M\"", twos * 2)),
                Memory::Ranges(sizes) => {
                    let base = |slot: usize| 256 * (index as u64 + 1) + 32 * slot as u64;
                    let ranges = sizes.iter().enumerate();
                    let ranges: Vec<_> = ranges.map(|(slot, size)| format!("\"{}M+{}M\"", base(slot), size * 2)).collect();
                    let _ = writeln!(text, "memory = [{}]", ranges.join(", "));
                }
            }
            let owned = DEVICES.iter().zip(&owners).filter(|(_, owner)| **owner == index);
            let owned: Vec<_> = owned.map(|(name, _)| format!("\"{name}\"")).collect();
            let _ = writeln!(text, "owns = [{}]\ninterrupts = [\"msi 3-5\"]", owned.join(", "));
            for program in 0..partition.programs {
                let args: Vec<_> = partition.args.iter().map(|arg| format!("{arg:?}")).collect();
                let files: Vec<_> = (0..partition.files).map(|file| format!("\"data/{file}\"")).collect();
                let _ = writeln!(
                    text,
                    "[[partition.program]]\nname = \"w{program}\"\nimage = \"hello\"\nargs = [{}]\nfiles = [{}]\nservice = {}",
                    args.join(", "),
                    files.join(", "),
                    partition.service
                );
                targets.push(format!("p{index}/w{program}"));
            }
        }
        for (number, ((first, second), pages, bells, read_only)) in channels.iter().enumerate() {
            let first = first.index(targets.len());
            let second = second.index(targets.len());
            if first == second {
                continue;
            }
            let bells = ["both", "forward", "backward", "none"][*bells];
            let access = if *read_only { "[\"rw\", \"r\"]" } else { "[\"rw\", \"rw\"]" };
            let _ = writeln!(
                text,
                "[[channel]]\nname = \"c{number}\"\nends = [\"{}\", \"{}\"]\nsize = \"{}K\"\ndoorbells = \"{bells}\"\naccess = {access}",
                targets[first],
                targets[second],
                pages * 4
            );
        }
        text
    })
}

/// Systems whose parts were drawn without looking at each other.
pub fn wild() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        (0_u32..3).prop_map(|core| format!("cores = [{core}]")),
        (0_u64..40).prop_map(|mib| format!("memory = \"{mib}M\"")),
        (0_u64..90, 0_u64..20).prop_map(|(base, size)| format!("memory = [\"{base}M+{size}M\"]")),
        (0_u64..9, 0_u64..9).prop_map(|(base, size)| format!("memory = [\"{base}G+{size}G\"]")),
        prop::sample::select(&DEVICES[..]).prop_map(|name| format!("owns = [\"{name}\", \"com1\"]")),
        (0_u32..0x1_0100, 0_u32..40).prop_map(|(first, count)| format!("ports = [\"{first:#x}+{count}\"]")),
        (any::<u64>(), 0_u64..9).prop_map(|(base, pages)| format!("mmio = [\"{base:#x}+{}K\"]", pages * 4)),
        (0_u32..66).prop_map(|pin| format!("owns = [\"ioapic\"]\ninterrupts = [\"pin {pin}\"]")),
        prop::sample::select(&["com1", "com2", "debugcon", "debugcon@0x2e01", "uart@0xfffa", "none"][..])
            .prop_map(|name| format!("console = \"{name}\"")),
        "[a-z-]{1,9} = [0-9a-z\"\\[]{1,5}",
    ];
    let partition = (0_u32..4, vec(line, 0..3), 0_u32..3);
    let channel = (0_u32..4, 0_u32..4, 0x9e_u32..0xe2, any::<bool>());
    (vec(partition, 0..5), vec(channel, 0..4)).prop_map(|(partitions, channels)| {
        let mut text = String::new();
        for (name, lines, programs) in partitions {
            let _ = writeln!(text, "[[partition]]\nname = \"p{name}\"\n{}", lines.join("\n"));
            for program in 0..programs {
                let _ = writeln!(text, "[[partition.program]]\nname = \"w{program}\"\nimage = \"hello\"");
            }
        }
        for (number, (first, second, vector, named)) in channels.into_iter().enumerate() {
            let _ = writeln!(text, "[[channel]]\nname = \"c{number}\"\nends = [\"p{first}/w0\", \"p{second}/w0\"]");
            if named {
                let _ = writeln!(text, "forward-vector = {vector:#x}");
            }
        }
        text
    })
}
