//! Every refusal, shown: a small system that breaks one rule, the codes it is refused with, and the whole report as a
//! person sees it (`tests/snapshots/refusals__<case>.snap`; `INSTA_UPDATE=always` rewrites them).

mod cases;

use cases::cases;
use manifest::program::{BADGE_BITS, MAX_CHANNELS};
use partition_config::{Code, StubImages, check};
use std::collections::BTreeSet;
use std::path::Path;

fn images() -> StubImages {
    let mut images = StubImages::default();
    let mut file = |name: &str, bytes: Vec<u8>| images.files.insert(name.to_owned(), bytes);
    file("text.elf", b"#!/bin/sh\n".to_vec());
    file("arm.elf", cases::arm_elf());
    file("kernel-half.elf", partition_config::elf::tiny(0xffff_ffff_8000_0000, 0x1000));
    file("last-page.elf", partition_config::elf::tiny(0x7fff_ffff_e000, 0x2000));
    file("high.elf", partition_config::elf::tiny(0x1_0000_0000, 0x1000));
    file("seventeen.elf", cases::elf_of_segments(17));
    file("sixteen.elf", cases::elf_of_segments(16));
    file("overlapping.elf", cases::overlapping_elf());
    file("cut.elf", partition_config::elf::tiny(0x40_0000, 0x1000)[..100].to_vec());
    file("big.elf", partition_config::elf::tiny(0x40_0000, 600 << 20));
    file("root.elf", partition_config::elf::tiny(0x40_0000, 0x2000));
    images
}

#[test]
fn each_mistake_is_refused_with_its_code_and_shown_where_it_is() {
    for case in cases() {
        let Err(report) = check("system.toml", case.text, &images()) else { panic!("{} was accepted", case.name) };
        let text = report.to_plain_text();
        let expected: BTreeSet<Code> = case.codes.iter().copied().collect();
        assert_eq!(report.codes(), expected, "{}:\n{text}", case.name);
        for finding in report.findings() {
            assert!(text.contains(finding.code().as_str()), "{}", case.name);
        }
        insta::with_settings!({ description => case.text, omit_expression => true }, {
            insta::assert_snapshot!(case.name, text);
        });
    }
}

#[test]
fn the_underlined_text_is_the_culprit() {
    for case in cases().filter(|case| !case.culprit.is_empty()) {
        let report = check("system.toml", case.text, &images()).unwrap_err();
        let first = report.findings().iter().find(|finding| Some(&finding.code()) == case.codes.first()).unwrap();
        let rest = &case.text[first.offset()..];
        assert!(rest.starts_with(case.culprit), "{}: points at {:?}", case.name, rest.lines().next());
    }
}

#[test]
fn every_code_is_shown() {
    let shown: BTreeSet<Code> = cases().flat_map(|case| case.codes).copied().collect();
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !shown.contains(code)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn case_names_are_unique() {
    let names: BTreeSet<_> = cases().map(|case| case.name).collect();
    assert_eq!(names.len(), cases().count());
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let text = "\
[[partition]]
name = \"a\"
cores = [0]
memory = \"5M\"
colour = \"red\"
program = [{ image = \"hello\", priority = 300 }]
[[partition]]
name = \"a\"
cores = [0]
owns = [\"floppy\"]
program = [{ image = \"absent\" }]
[[channel]]
name = \"c\"
ends = [\"a/hello\", \"b/hello\"]
size = \"5Q\"
";
    let report = check("system.toml", text, &images()).unwrap_err();
    let codes: Vec<_> = report.findings().iter().map(|finding| finding.code()).collect();
    let expected = [
        Code::MemoryMisaligned,
        Code::UnknownKey,
        Code::Priority,
        Code::NameTaken,
        Code::CoreTaken,
        Code::DeviceUnknown,
        Code::ImageMissing,
        Code::ChannelEndUnknown,
        Code::Unit,
    ];
    assert_eq!(codes, expected, "{}", report.to_plain_text());
}

#[test]
fn what_just_fits_is_accepted() {
    let accepted = |text: &str| check("system.toml", text, &images()).map_err(|report| report.to_plain_text()).unwrap();
    accepted("[[partition]]\nname = \"a\"\nprogram = [{ image = \"sixteen.elf\" }]\n");
    let programs = "program = [{ name = \"x\", image = \"hello\", driver = true }, { name = \"y\", image = \"hello\", driver = true }]";
    // Device memory and the console do not make two drivers too many.
    accepted(&format!("[[partition]]\nname = \"a\"\nmmio = [\"0xd0000000+4K\"]\n{programs}\n"));
    let channel = |number| format!("[[channel]]\nname = \"c{number}\"\nends = [\"a/x\", \"a/y\"]\nsize = \"4K\"\n");
    let programs = programs.replacen("driver = true", "driver = false", 1);
    let channels: String = (0..MAX_CHANNELS).map(channel).collect();
    let left = BADGE_BITS as usize - MAX_CHANNELS;
    let text = |interrupts: usize| {
        format!("[[partition]]\nname = \"a\"\ninterrupts = [\"msi 1-{interrupts}\"]\n{programs}\n{channels}")
    };
    accepted(&text(left));
    let report = check("system.toml", &text(left + 1), &images()).unwrap_err();
    assert_eq!(report.codes(), BTreeSet::from([Code::ChannelMany]));
}

#[test]
fn the_reference_lists_every_code_and_key() {
    use partition_config::schema::{Channel, Defaults, File, NamedFile, Partition, Program, System};
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/partition-file.md");
    let reference = std::fs::read_to_string(path).unwrap();
    let row = |code: &Code| format!("| `{}` | {} |", code.as_str(), code.meaning());
    let missing: Vec<_> = Code::ALL.iter().map(row).filter(|row| !reference.contains(row)).collect();
    assert!(missing.is_empty(), "docs/partition-file.md lacks\n{}", missing.join("\n"));
    let tables = [System::KEYS, Defaults::KEYS, Partition::KEYS, Program::KEYS, NamedFile::KEYS, Channel::KEYS];
    for key in tables.into_iter().flatten() {
        assert!(reference.contains(&format!("`{key}`")), "docs/partition-file.md lacks the key `{key}`");
    }
    for key in File::KEYS {
        assert!(reference.contains(&format!("[{key}]")), "docs/partition-file.md lacks the table `{key}`");
    }
    for device in partition_config::devices::DEVICES {
        assert!(reference.contains(&format!("| `{}` |", device.name)), "docs/partition-file.md lacks {}", device.name);
    }
}
