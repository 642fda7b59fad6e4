//! Merged systems: the same programs on the same cores, channels that became memory, and what cannot be merged.

use partition_config::plan::{Bell, Plan};
use partition_config::size::{Extent, MIB};
use partition_config::{Images, StubImages, check, generate};
use std::path::Path;

fn plan(text: &str) -> Plan {
    check("test.toml", text, &StubImages::default()).unwrap_or_else(|report| panic!("{}", report.to_plain_text()))
}

fn pipeline() -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systems/pipeline.toml");
    plan(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn the_pipeline_becomes_one_partition_with_every_program_on_its_core() {
    let (apart, merged) = (pipeline(), pipeline().merged(1, &StubImages::default()).unwrap());
    let [smp] = merged.partitions.as_slice() else { panic!("one partition") };
    assert_eq!((smp.name.as_str(), smp.cores.as_slice()), ("smp", &[0, 1, 2, 3][..]));
    let programs: Vec<_> = smp.programs.iter().map(|program| (program.name.as_str(), program.node)).collect();
    let expected = [("reader/reader", 0), ("tokenizer/tokenizer", 1), ("counter/counter", 2), ("reporter/reporter", 3)];
    assert_eq!(programs, expected);
    let bytes = |plan: &Plan| plan.partitions.iter().map(partition_config::Partition::memory_bytes).sum::<u64>();
    assert_eq!(bytes(&merged), bytes(&apart), "the sum of memory");
    assert_eq!(smp.memory, [Extent { base: 16 * MIB, size: bytes(&apart) }]);
    assert_eq!(smp.console, apart.partitions[0].console);
    for (channel, before) in merged.channels.iter().zip(&apart.channels) {
        assert_eq!(channel.memory, Extent { base: 0, size: before.memory.size });
        assert!(channel.ends.iter().all(|end| end.rings == Some(Bell::Notification)));
    }
    let input = |plan: &Plan| {
        let found = plan.partitions.iter().flat_map(|partition| &partition.files).find(|file| file.name == "input");
        found.unwrap().content.clone()
    };
    assert_eq!(input(&merged), input(&apart));
}

#[test]
fn two_clusters_keep_the_doorbells_between_them_with_vectors_of_their_own() {
    let merged = pipeline().merged(2, &StubImages::default()).unwrap();
    let cores: Vec<_> = merged.partitions.iter().map(|partition| partition.cores.clone()).collect();
    assert_eq!(cores, [[0, 1], [2, 3]]);
    let local: Vec<_> = merged.channels.iter().map(|channel| channel.is_local()).collect();
    assert_eq!(local, [true, false, true]);
    let bells = merged.channels[1].ends.each_ref().map(|end| end.rings.and_then(Bell::doorbell).unwrap());
    // The tokenizer rings the counter, on core 2; the counter rings the tokenizer, on core 1.
    assert_eq!(bells.map(|bell| (bell.core, bell.vector)), [(2, 0xa0), (1, 0xa0)]);
}

#[test]
fn a_cluster_of_one_is_left_as_it_was() {
    let apart = plan(&generate(3, "8M").unwrap());
    let merged = apart.merged(2, &StubImages::default()).unwrap();
    assert_eq!(merged.partitions[0].name, "core-0");
    assert_eq!(merged.partitions[0].kernel, apart.partitions[0].kernel);
    assert_eq!(merged.partitions[1].cores, [1, 2]);
    assert_ne!(merged.partitions[1].kernel, apart.partitions[1].kernel, "two cores need the other kernel");
}

#[test]
fn every_kernel_that_is_needed_is_in_the_archive_once() {
    let kernels = |plan: &Plan| {
        let archive = plan.archive();
        let words: Vec<u64> = archive.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        let manifest = manifest::Manifest::decode(zerocopy::IntoBytes::as_bytes(words.as_slice())).unwrap();
        manifest.files().iter().filter(|file| file.name.as_str() == "kernel").count()
    };
    let apart = plan(&generate(3, "8M").unwrap());
    assert_eq!(kernels(&apart), 1);
    assert_eq!(kernels(&apart.merged(1, &StubImages::default()).unwrap()), 1);
    assert_eq!(kernels(&apart.merged(2, &StubImages::default()).unwrap()), 2);
}

#[track_caller]
fn refused(plan: &Plan, count: usize, words: &str) {
    let error = plan.merged(count, &StubImages::default()).expect_err("it cannot be merged").to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn what_cannot_be_merged_says_why() {
    refused(&pipeline(), 5, "4 partitions cannot be merged into 5");
    refused(&pipeline(), 0, "into 0");
    refused(&plan(&generate(17, "8M").unwrap()), 1, "17 cores; the most is 16");
    let mut images = StubImages::default();
    images.files.insert("root.elf".into(), images.root_task().unwrap());
    let foreign = "[[partition]]\nname = \"a\"\nroot-task = \"root.elf\"\n[[partition]]\nname = \"b\"\nprogram = [{ image = \"hello\" }]\n";
    let foreign = check("test.toml", foreign, &images).unwrap();
    refused(&foreign, 1, "`a` has a root task of its own");
    let driver = |name: &str, device: &str| {
        format!(
            "[[partition]]\nname = \"{name}\"\nowns = [\"{device}\"]\nprogram = [{{ image = \"hello\", driver = true }}]\n"
        )
    };
    refused(&plan(&(driver("a", "rtc") + &driver("b", "pit"))), 1, "`a` and `b` both have a driver");
    let long = "[[partition]]\nname = \"a-name-that-is-as-long-as-it-can\"\nprogram = [{ image = \"hello\" }]\n[[partition]]\nname = \"b\"\nprogram = [{ image = \"hello\" }]\n";
    refused(&plan(long), 1, "longer than 32 bytes");
    let apart = "[[partition]]\nname = \"a\"\nmemory = [\"16M+8M\"]\nprogram = [{ image = \"hello\", files = [{ name = \"x\", from = \"x\" }] }]\n\
                 [[partition]]\nname = \"b\"\nmemory = [\"32M+8M\"]\nprogram = [{ image = \"hello\", files = [{ name = \"y\", from = \"y\" }] }]\n";
    let mut images = StubImages::default();
    images.files.insert("x".into(), vec![1; 2 << 20]);
    images.files.insert("y".into(), vec![2; 2 << 20]);
    let apart = check("test.toml", apart, &images).unwrap_or_else(|report| panic!("{}", report.to_plain_text()));
    refused(&apart, 1, "in one range");
}

#[test]
fn a_partition_with_several_cores_spreads_its_programs() {
    let text = "[[partition]]\nname = \"a\"\ncores = [2, 0, 1]\n\
                program = [{ name = \"p\", image = \"hello\" }, { name = \"q\", image = \"hello\" }, \
                { name = \"r\", image = \"hello\", core = 2 }, { name = \"s\", image = \"hello\" }]\n";
    let plan = plan(text);
    let nodes: Vec<_> = plan.partitions[0].programs.iter().map(|program| program.node).collect();
    assert_eq!(nodes, [0, 1, 0, 2]);
    assert_eq!(plan.partitions[0].kernel[..], {
        let kernel = StubImages::default().kernel(3).unwrap();
        partition_config::elf::examine(&kernel, partition_config::elf::Kind::Kernel).unwrap().content.to_vec()
    });
}
