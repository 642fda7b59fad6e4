//! Separation of a configuration, judged from the manifest bytes that go into its image.
//!
//! Written against the manifest's format alone: it shares no code with the checks of `partition-config`. Every pair of
//! owners is compared, and each partition's own manifest must say what the system's says. Tests: below.

use anyhow::{Context, Result, ensure};
use manifest::{Manifest, record};
use std::collections::BTreeSet;

/// The loader's own memory ends here; slices and channels lie above.
const LOADER_END: u64 = 16 << 20;

/// Words with the bytes of a manifest, since it must be aligned.
fn aligned(bytes: &[u8]) -> Vec<u64> {
    let word = |chunk: &[u8]| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_ne_bytes(word)
    };
    bytes.chunks(8).map(word).collect()
}

fn decoded(words: &[u64]) -> Result<Manifest<'_>> {
    Manifest::decode(zerocopy::IntoBytes::as_bytes(words)).map_err(|error| anyhow::anyhow!("no manifest: {error:?}"))
}

/// Judges the archive of a system; the number of pairs compared.
///
/// # Errors
/// The first violation.
pub fn judge(archive: &[u8]) -> Result<usize> {
    let words = aligned(archive);
    let system = decoded(&words)?;
    let mut ranges = vec![("the loader".to_owned(), 0, LOADER_END)];
    let mut ports = Vec::new();
    let (mut cores, mut pins) = (BTreeSet::new(), BTreeSet::new());
    let mut io_apic = 0;
    for (index, partition) in system.partitions().iter().enumerate() {
        let name = partition.name.as_str().to_owned();
        for (kind, list) in [("memory", system.memory_of(partition)), ("devices", system.devices_of(partition))] {
            for range in list {
                let end = range.base.checked_add(range.size).context("a range leaves the address space")?;
                ensure!(kind == "devices" || range.size > 0, "{name} has an empty range");
                // Legacy device windows lie below the loader's end and are nobody's RAM.
                if kind == "memory" || range.base >= LOADER_END {
                    ranges.push((format!("{kind} of {name}"), range.base, end));
                }
            }
        }
        for port in system.ports_of(partition) {
            ports.push((index, port.first, port.last));
        }
        for core in system.cores_of(partition) {
            ensure!(cores.insert(core.number), "core {} is in two partitions", core.number);
        }
        for irq in system.irqs_of(partition).iter().filter(|irq| irq.kind == record::irq::PIN) {
            ensure!(pins.insert(irq.number), "pin {} is in two partitions", irq.number);
        }
        io_apic += u32::from(partition.flags & record::partition_flags::IOAPIC != 0);
        own_part(archive, &system, index).with_context(|| format!("the manifest of {name}"))?;
    }
    for channel in system.channels() {
        let end = channel.base.checked_add(channel.size).context("a channel leaves the address space")?;
        ranges.push((format!("channel {}", channel.name.as_str()), channel.base, end));
    }
    ensure!(io_apic <= 1, "{io_apic} partitions write the I/O APIC");
    let mut pairs = 0;
    for (index, (a, base, end)) in ranges.iter().enumerate() {
        for (b, other_base, other_end) in &ranges[..index] {
            ensure!(end <= other_base || other_end <= base, "{a} meets {b}");
            pairs += 1;
        }
    }
    for (index, (owner, first, last)) in ports.iter().enumerate() {
        for (other, other_first, other_last) in ports[..index].iter().filter(|(other, ..)| other != owner) {
            ensure!(last < other_first || other_last < first, "partitions {owner} and {other} share port {first:#x}");
            pairs += 1;
        }
    }
    let mut bells = BTreeSet::new();
    for bell in system.doorbells() {
        let listed = (ipi::DOORBELL_FIRST.into()..=ipi::DOORBELL_LAST.into()).contains(&bell.vector);
        ensure!(listed, "a doorbell has vector {:#x}", bell.vector);
        ensure!(cores.contains(&bell.core), "a doorbell goes to core {}, which is nobody's", bell.core);
        ensure!(bells.insert((bell.core, bell.vector)), "two doorbells share a vector of core {}", bell.core);
        pairs += bells.len() - 1;
    }
    Ok(pairs)
}

/// The manifest that partition `index` gets grants what the system's says of it, and nothing of others.
fn own_part(archive: &[u8], system: &Manifest<'_>, index: usize) -> Result<()> {
    let name = format!("manifest:{index}");
    let file = system.files().iter().find(|file| file.name.as_str() == name).context("is not in the archive")?;
    let start = usize::try_from(file.offset)?;
    let bytes = archive.get(start..start + usize::try_from(file.size)?).context("leaves the archive")?;
    let words = aligned(bytes);
    let own = decoded(&words)?;
    let [partition] = own.partitions() else { anyhow::bail!("is not of one partition") };
    let there = system.partitions().get(index).context("no such partition")?;
    let extents = |list: &[record::Memory]| list.iter().map(|range| (range.base, range.size)).collect::<Vec<_>>();
    ensure!(extents(own.memory()) == extents(system.memory_of(there)), "grants other memory");
    ensure!(extents(own.devices()) == extents(system.devices_of(there)), "grants other devices");
    let ports = |list: &[record::Ports]| list.iter().map(|ports| (ports.first, ports.last)).collect::<Vec<_>>();
    ensure!(ports(own.ports()) == ports(system.ports_of(there)), "grants other ports");
    let cores = |list: &[record::Core]| list.iter().map(|core| core.number).collect::<Vec<_>>();
    ensure!(cores(own.cores()) == cores(system.cores_of(there)), "has other cores");
    let bells = |list: &[record::Doorbell]| list.iter().map(|bell| (bell.core, bell.vector)).collect::<Vec<_>>();
    ensure!(bells(own.doorbells()) == bells(system.doorbells_of(there)), "rings other doorbells");
    ensure!(partition.flags == there.flags, "has other rights");
    let channels: BTreeSet<_> = system.channels().iter().map(|channel| (channel.base, channel.size)).collect();
    let known = own
        .channels()
        .iter()
        .filter(|channel| !channel.is_local())
        .all(|channel| channels.contains(&(channel.base, channel.size)));
    ensure!(known, "names a channel that the system has not");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use partition_config::{Plan, StubImages, check};

    fn plan() -> Plan {
        let text = partition_config::generate(3, "32M").expect("three cores are a system");
        check("generated", &text, &StubImages::default()).unwrap()
    }

    #[test]
    fn a_sound_system_is_accepted_and_something_was_compared() {
        assert!(judge(&plan().archive()).unwrap() > 10);
    }

    #[test]
    fn shared_memory_cores_and_ports_are_noticed() {
        let sound = plan();
        let mut shared = sound.clone();
        shared.partitions[1].memory[0].base = shared.partitions[0].memory[0].base;
        assert!(judge(&shared.archive()).unwrap_err().to_string().contains("meets"));
        let mut shared = sound.clone();
        shared.partitions[1].cores = shared.partitions[0].cores.clone();
        assert!(judge(&shared.archive()).unwrap_err().to_string().contains("in two partitions"));
        let mut shared = sound.clone();
        shared.partitions[2].ports = shared.partitions[0].ports.clone();
        assert!(judge(&shared.archive()).unwrap_err().to_string().contains("share port"));
        let mut shared = sound.clone();
        shared.channels[0].memory.base = shared.partitions[1].memory[0].base;
        assert!(judge(&shared.archive()).unwrap_err().to_string().contains("meets"));
    }

    #[test]
    fn damage_is_an_error() {
        assert!(judge(&[0; 64]).is_err());
    }
}
