//! The ready systems and the generated ones are valid, and the published schema is current.

use partition_config::plan::Bell;
use partition_config::size::{Extent, MIB};
use partition_config::{Console, Plan, StubImages, check, generate, schema_json};
use std::path::Path;

fn plan(name: &str, text: &str) -> Plan {
    check(name, text, &StubImages::default()).unwrap_or_else(|report| panic!("{}", report.to_plain_text()))
}

fn ready(name: &str) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systems").join(name);
    plan(name, &std::fs::read_to_string(path).unwrap())
}

#[test]
fn every_ready_system_is_valid() {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("systems")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(ready(&name).partitions.iter().any(|partition| partition.finishes()), "{name} would never end");
    }
}

#[test]
fn the_smallest_system_gets_core_0_and_com1_above_the_loader() {
    let plan = ready("one-core.toml");
    let [solo] = plan.partitions.as_slice() else { panic!("one partition") };
    assert_eq!((plan.name(), solo.cores.as_slice(), solo.console), ("one-core", &[0][..], Console::Uart(0x3f8)));
    assert_eq!(solo.memory, [Extent { base: 16 * MIB, size: 4 * MIB }]);
    assert_eq!(solo.programs[0].name, "hello");
}

#[test]
fn the_pipeline_has_four_cores_and_a_doorbell_each_way_on_three_channels() {
    let plan = ready("pipeline.toml");
    assert_eq!(plan.core_count(), 4);
    assert_eq!(plan.channels.len(), 3);
    assert!(plan.channels.iter().flat_map(|channel| &channel.ends).all(|end| end.rings.is_some()));
    let counter = plan.channels[1].ends[0].rings.and_then(Bell::doorbell).unwrap();
    assert_eq!((counter.core, counter.vector), (2, 0xa0));
    assert_eq!(plan.heard_by(&plan.channels[1], 1), Some(Bell::Doorbell(counter)));
}

#[test]
fn a_root_task_of_the_users_own_is_an_end_by_its_partitions_name() {
    let mut images = StubImages::default();
    images.files.insert("own.elf".to_owned(), partition_config::elf::tiny(0x40_0000, 0x2000));
    let text = "[[partition]]\nname = \"own\"\nmemory = \"32M\"\nroot-task = \"own.elf\"\n\
                [[partition]]\nname = \"ours\"\nprogram = [{ image = \"hello\" }]\n\
                [[channel]]\nname = \"c\"\nends = [\"own\", \"ours/hello\"]\n";
    let plan = check("ends.toml", text, &images).unwrap_or_else(|report| panic!("{}", report.to_plain_text()));
    let [own, ours] = &plan.channels[0].ends;
    assert_eq!(((own.partition, own.program), (ours.partition, ours.program)), ((0, None), (1, Some(0))));
    let bytes = plan.partition_manifest(0);
    let words: Vec<u64> = bytes.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    let manifest = manifest::Manifest::decode(zerocopy::IntoBytes::as_bytes(words.as_slice())).unwrap();
    assert_eq!(manifest.ends_of_program(manifest::NONE).count(), 1);
}

#[test]
fn generated_systems_of_any_number_of_cores_are_valid() {
    for cores in [1, 2, 3, 4, 8, 16, 32, 64, 255] {
        let plan = plan("generated", &generate(cores, "8M").unwrap());
        assert_eq!(plan.core_count(), cores);
        assert_eq!(plan.channels.len(), if cores == 1 { 0 } else { cores as usize });
        assert!(plan.partitions.iter().all(|partition| partition.memory_bytes() == 8 * MIB));
    }
}

#[test]
fn mitigations_are_what_the_processor_needs_unless_the_file_says_otherwise() {
    use manifest::mitigations as bit;
    let chosen = |defaults: &str, own: &str| {
        let text = format!(
            "[system.defaults]\n{defaults}\n[[partition]]\nname = \"a\"\n{own}\nprogram = [{{ image = \"hello\" }}]\n"
        );
        let plan = plan("a", &text);
        let archive = plan.archive();
        let manifest = manifest::Manifest::decode(&archive.bytes).unwrap();
        manifest.partitions()[0].mitigations
    };
    assert_eq!(chosen("", ""), bit::AUTO);
    assert_eq!(chosen("", "mitigations = \"none\""), 0);
    assert_eq!(chosen("", "mitigations = \"all\""), bit::ALL);
    assert_eq!(chosen("", "mitigations = []"), 0);
    assert_eq!(chosen("", "mitigations = [\"kpti\", \"verw\"]"), bit::KPTI | bit::VERW);
    assert_eq!(chosen("mitigations = \"none\"", ""), 0);
    assert_eq!(chosen("mitigations = \"none\"", "mitigations = \"auto\""), bit::AUTO);
}

#[test]
fn nonsense_is_not_generated() {
    assert!(generate(0, "8M").is_err());
    assert!(generate(256, "8M").is_err());
    assert!(generate(4, "3M").is_err());
    assert!(generate(4, "lots").is_err());
}

#[test]
fn the_tables_of_the_pipeline_read_well() {
    insta::assert_snapshot!("pipeline-tables", ready("pipeline.toml").tables());
}

#[test]
fn the_published_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.json");
    if std::env::var_os("SKERRY_UPDATE").is_some() {
        std::fs::write(&path, schema_json()).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == schema_json(),
        "schema.json is stale: run the tests with SKERRY_UPDATE=1, or `cargo xtask schema`"
    );
}

#[test]
fn memory_is_placed_around_devices_and_named_ranges() {
    let text = "\
[[partition]]
name = \"a\"
mmio = [\"0x1000000+4K\"]
program = [{ image = \"hello\" }]
[[partition]]
name = \"b\"
memory = [\"0x1200000+4M\"]
program = [{ image = \"hello\" }]
";
    let plan = plan("placed.toml", text);
    assert_eq!(plan.partitions[0].memory, [Extent { base: 0x160_0000, size: 4 * MIB }]);
}

#[test]
fn a_console_that_another_partition_names_is_left_to_it() {
    let text = "\
[[partition]]
name = \"a\"
program = [{ image = \"hello\" }]
[[partition]]
name = \"b\"
owns = [\"com1\"]
console = \"com1\"
program = [{ image = \"hello\", driver = true }]
[[partition]]
name = \"c\"
program = [{ image = \"hello\" }]
";
    let plan = plan("consoles.toml", text);
    let consoles: Vec<_> = plan.partitions.iter().map(|partition| partition.console).collect();
    assert_eq!(consoles, [Console::Debugcon(0x2e00), Console::Uart(0x3f8), Console::Uart(0x3e8)]);
}

#[test]
fn pins_come_with_devices_only_beside_the_io_apic() {
    let text =
        |owns: &str| format!("[[partition]]\nname = \"a\"\nowns = [{owns}]\nprogram = [{{ image = \"hello\" }}]\n");
    let pins = |owns: &str| plan("pins.toml", &text(owns)).partitions[0].interrupts.len();
    assert_eq!(pins("\"com1\", \"keyboard\""), 0);
    assert_eq!(pins("\"com1\", \"com3\", \"keyboard\", \"ioapic\""), 3, "com1 and com3 share a line");
}
