//! What is accepted is sound, and what is written is what is read: over generated systems and damaged ones.

mod strategy;

use manifest::{LOCAL, Manifest, NONE, checksum};
use partition_config::plan::Bell;
use partition_config::size::Extent;
use partition_config::writer::Tables;
use partition_config::{Plan, StubImages, check};
use proptest::prelude::*;
use std::collections::BTreeSet;
use zerocopy::IntoBytes;

fn aligned(bytes: &[u8]) -> Vec<u64> {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    words.collect()
}

/// Follows everything that a reader of a manifest can follow; the number of things seen.
fn walk(manifest: &Manifest<'_>) -> usize {
    let mut seen = manifest.name().len();
    for partition in manifest.partitions() {
        seen += manifest.cores_of(partition).len() + manifest.memory_of(partition).len();
        seen += manifest.devices_of(partition).len() + manifest.ports_of(partition).len();
        seen += manifest.irqs_of(partition).len() + manifest.doorbells_of(partition).len();
        seen += manifest.files_of(partition).iter().map(|file| file.name.as_str().len()).sum::<usize>();
        for program in manifest.programs_of(partition) {
            seen += manifest.args_of(program).map(str::len).sum::<usize>() + manifest.grants_of(program).count();
            assert!(manifest.file(program.image).is_some());
        }
        for end in manifest.ends_of(partition) {
            assert!(manifest.channel_of(end).is_some());
            assert_eq!(manifest.doorbell_of(end).is_some(), ![NONE, LOCAL].contains(&end.rings));
        }
    }
    seen
}

/// No two owners share anything, and nothing lies in a hole.
fn assert_separate(plan: &Plan) {
    let archive = plan.archive();
    let mut ranges = vec![Extent { base: 0, size: 16 << 20 }];
    ranges.extend(plan.partitions.iter().flat_map(|partition| &partition.memory));
    ranges.extend(plan.shared_channels().map(|(_, channel)| channel.memory));
    ranges.push(Extent { base: archive.load_base, size: archive.len() as u64 });
    let mmio = plan.partitions.iter().flat_map(|partition| &partition.mmio);
    ranges.extend(mmio.filter(|extent| extent.base >= 16 << 20));
    for (index, a) in ranges.iter().enumerate() {
        assert!(ranges.iter().skip(index + 1).all(|b| !a.overlaps(*b)), "{a} meets another of {ranges:?}");
    }
    assert!(plan.partitions.iter().flat_map(|partition| &partition.memory).all(|range| range.is_aligned(2 << 20)));

    let cores: Vec<_> = plan.partitions.iter().flat_map(|partition| &partition.cores).collect();
    assert_eq!(cores.iter().collect::<BTreeSet<_>>().len(), cores.len(), "a core is in two partitions");
    let bells = plan.channels.iter().flat_map(|channel| &channel.ends).filter_map(|end| end.rings?.doorbell());
    let bells: Vec<_> = bells.map(|bell| (bell.core, bell.vector)).collect();
    assert_eq!(bells.iter().collect::<BTreeSet<_>>().len(), bells.len(), "two doorbells share a vector");
    let ports: Vec<_> = plan.partitions.iter().flat_map(|partition| &partition.ports).collect();
    for (index, a) in ports.iter().enumerate() {
        assert!(ports.iter().skip(index + 1).all(|b| !a.overlaps(**b)), "ports {a} have two owners");
    }
}

/// The archive says what the plan says.
fn assert_carried(plan: &Plan) {
    let archive = plan.archive();
    assert_eq!(archive.len() % 4096, 0);
    let words = aligned(&archive);
    let manifest = Manifest::decode(words.as_bytes()).unwrap();
    walk(&manifest);
    let tables = Tables::from_manifest(&manifest);
    assert_eq!(tables.to_bytes(), manifest.bytes(), "what was decoded is written back the same");
    let content = |file: &manifest::File| &archive[file.offset as usize..(file.offset + file.size) as usize];
    assert!(manifest.files().iter().all(|file| checksum(content(file)) == file.checksum));

    for (index, (record, partition)) in manifest.partitions().iter().zip(&plan.partitions).enumerate() {
        assert_eq!(record.name.as_str(), partition.name);
        assert!(manifest.cores_of(record).iter().map(|core| core.number).eq(partition.cores.iter().copied()));
        let kernel = manifest.file(record.kernel).unwrap();
        assert_eq!(content(kernel), &*partition.kernel);
        assert_eq!(content(manifest.file(record.root_task).unwrap()), &*partition.root_task);
        assert!(manifest.files_of(record).iter().map(content).eq(partition.files.iter().map(|file| &*file.content)));

        let own = manifest.files().iter().find(|file| file.name.as_str() == format!("manifest:{index}")).unwrap();
        let words = aligned(content(own));
        let own = Manifest::decode(words.as_bytes()).unwrap();
        let [alone] = own.partitions() else { panic!("one partition") };
        assert_eq!(own.programs().len(), partition.programs.len());
        for (program, record) in partition.programs.iter().zip(own.programs_of(alone)) {
            assert_eq!((record.name.as_str(), record.priority), (program.name.as_str(), program.priority));
            assert!(own.args_of(record).eq(program.args.iter().map(String::as_str)));
            assert_eq!(own.grants_of(record).count(), program.grants.len());
        }
        let all_ends = plan.channels.iter().flat_map(|channel| &channel.ends);
        assert_eq!(own.ends().len(), all_ends.filter(|end| end.partition == index).count());
        for end in own.ends() {
            let channel = own.channel_of(end).unwrap();
            let meant = plan.channels.iter().find(|other| other.name == channel.name.as_str()).unwrap();
            assert_eq!((channel.base, channel.size), (meant.memory.base, meant.memory.size));
            let side = end.side as usize;
            let program = (end.program != manifest::NONE).then_some(end.program as usize);
            assert_eq!((meant.ends[side].partition, meant.ends[side].program), (index, program));
            let bell = own.doorbell_of(end).map(|bell| (bell.core, bell.vector));
            let rings = meant.ends[side].rings;
            assert_eq!(bell, rings.and_then(Bell::doorbell).map(|bell| (bell.core, bell.vector)));
            assert_eq!(end.rings == LOCAL, rings == Some(Bell::Notification));
            let hears =
                plan.heard_by(meant, side).map_or(NONE, |bell| bell.doorbell().map_or(LOCAL, |bell| bell.vector));
            assert_eq!(end.hears, hears);
            assert_eq!(own.peer_of(end).is_some(), meant.is_local());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_tidy_system_is_accepted_separate_and_carried(text in strategy::tidy()) {
        match check("tidy.toml", &text, &StubImages::default()) {
            Ok(plan) => {
                assert_separate(&plan);
                assert_carried(&plan);
                prop_assert!(!plan.tables().is_empty());
                for count in 1..plan.partitions.len() {
                    // A refusal to merge is a reason, not a broken system.
                    let Ok(merged) = plan.merged(count, &StubImages::default()) else { continue };
                    prop_assert_eq!(merged.partitions.len(), count);
                    assert_separate(&merged);
                    assert_carried(&merged);
                }
            }
            Err(report) => prop_assert!(false, "{}\n{}", report.to_plain_text(), text),
        }
    }

    #[test]
    fn a_wild_system_is_refused_with_reasons_or_separate(text in strategy::wild()) {
        match check("wild.toml", &text, &StubImages::default()) {
            Ok(plan) => {
                assert_separate(&plan);
                assert_carried(&plan);
            }
            Err(report) => {
                prop_assert!(!report.findings().is_empty());
                prop_assert!(report.to_plain_text().contains(report.findings()[0].code().as_str()));
            }
        }
    }

    /// Wild systems seldom have two good ranges close to each other: these always do.
    #[test]
    fn given_ranges_are_accepted_exactly_if_they_are_apart(bases in [8_u64..32, 8_u64..32], sizes in [4_u64..12, 4_u64..12]) {
        let partition = |name: &str, index: usize| {
            let (base, size) = (bases[index] * 2, sizes[index] * 2);
            format!("[[partition]]\nname = \"{name}\"\nmemory = [\"{base}M+{size}M\"]\nprogram = [{{ image = \"hello\" }}]\n")
        };
        let apart = bases[0] + sizes[0] <= bases[1] || bases[1] + sizes[1] <= bases[0];
        match check("two.toml", &(partition("one", 0) + &partition("two", 1)), &StubImages::default()) {
            Ok(plan) => {
                prop_assert!(apart);
                assert_separate(&plan);
            }
            Err(report) => prop_assert!(!apart, "{}", report.to_plain_text()),
        }
    }

    #[test]
    fn any_text_is_checked_without_a_panic(text in "[\\[\\]a-z0-9=\"\\-{}, .\n]{0,200}|\\PC*") {
        if let Err(report) = check("any.toml", &text, &StubImages::default()) {
            prop_assert!(!report.findings().is_empty());
            let _ = report.to_plain_text();
        }
    }

    #[test]
    fn a_damaged_manifest_is_refused_or_can_be_followed(
        cores in 1_u32..5,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            Just(0_u32), Just(u32::MAX), 0_u32..200, any::<u32>(),
        ]), 1..4),
    ) {
        let text = partition_config::generate(cores, "8M").unwrap();
        let plan = check("generated.toml", &text, &StubImages::default()).unwrap();
        let manifest = plan.partition_manifest(0);
        for bytes in [plan.archive().bytes, manifest] {
            let mut words = aligned(&bytes);
            let total = Manifest::decode(words.as_bytes()).unwrap().bytes().len();
            let halves: &mut [u32] = zerocopy::FromBytes::mut_from_bytes(words.as_mut_bytes()).unwrap();
            for (place, value) in &damage {
                // Magic, version and sizes stay; everything else may break.
                let place = 6 + place.index(total / 4 - 6);
                halves[place] = *value;
            }
            let header_bytes = size_of::<manifest::Header>();
            let sum = checksum(&words.as_bytes()[header_bytes..total]);
            words[3] = sum;
            if let Ok(manifest) = Manifest::decode(words.as_bytes()) {
                walk(&manifest);
            }
        }
    }
}
