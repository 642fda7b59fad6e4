//! Cores: each belongs to one partition, and each program runs on one of its partition's.

use super::{items, name_of, name_span};
use crate::code::Code;
use crate::diagnostic::{Finding, Findings, Span};
use crate::read::Spot;
use crate::schema::Partition;
use manifest::handoff::MAX_CORES;
use std::collections::BTreeMap;

/// Highest logical core: local APIC ids have 8 bits, and 255 is the broadcast.
const CORE_LAST: u32 = 254;

/// The cores of each partition.
pub(super) fn resolve(partitions: &[Spot<Partition>], findings: &mut Findings) -> Vec<Vec<u32>> {
    let mut owners = BTreeMap::<u32, (usize, Span)>::new();
    let mut resolved = vec![Vec::new(); partitions.len()];
    for (index, (partition, cores)) in partitions.iter().zip(&mut resolved).enumerate() {
        let Some(list) = &partition.value.cores else { continue };
        for core in items(&partition.value.cores) {
            if claim(partitions, index, core, &mut owners, findings) {
                cores.push(core.value);
            }
        }
        if list.value.is_empty() {
            let message = format!("partition `{}` has no core", name_of(&partition.value));
            let finding = Finding::new(Code::CoreNone, message, &list.span, "an empty list");
            findings.add(finding.help("name a core, or leave `cores` out to get the first free one"));
        }
        if list.value.len() > MAX_CORES {
            let message = format!("partition `{}` has {} cores", name_of(&partition.value), list.value.len());
            let finding = Finding::new(Code::CoreMany, message, &list.span, "too many for one kernel");
            findings.add(finding.help(format!(
                "one kernel runs on at most {MAX_CORES} cores: make several partitions, and connect them with channels"
            )));
        }
    }
    for (index, (partition, cores)) in partitions.iter().zip(&mut resolved).enumerate() {
        if partition.value.cores.is_some() {
            continue;
        }
        match (0..=CORE_LAST).find(|core| !owners.contains_key(core)) {
            Some(core) => {
                owners.insert(core, (index, name_span(partition).clone()));
                cores.push(core);
            }
            None => {
                let message = format!("there is no core left for partition `{}`", name_of(&partition.value));
                let finding = Finding::new(Code::CoreRange, message, name_span(partition), "needs a core");
                findings.add(finding.help(format!("a machine has at most {} cores", CORE_LAST + 1)));
            }
        }
    }
    resolved
}

/// For each program of `partition`, the position of its core among the partition's `cores`: the one it names, or the
/// next in turn.
pub(super) fn nodes(partition: &Partition, cores: &[u32], findings: &mut Findings) -> Vec<usize> {
    let mut turn = (0..cores.len()).cycle();
    let nodes = items(&partition.program).iter().map(|program| {
        let Some(core) = &program.value.core else { return turn.next().unwrap_or(0) };
        let position = cores.iter().position(|own| *own == core.value);
        position.unwrap_or_else(|| {
            let message = format!("partition `{}` does not have core {}", name_of(partition), core.value);
            let finding = Finding::new(Code::ProgramCore, message, &core.span, "another partition's, or nobody's");
            let own: Vec<_> = cores.iter().map(u32::to_string).collect();
            findings.add(finding.help(format!("its cores are: {}", own.join(", "))));
            0
        })
    });
    nodes.collect()
}

fn claim(
    partitions: &[Spot<Partition>],
    index: usize,
    core: &Spot<u32>,
    owners: &mut BTreeMap<u32, (usize, Span)>,
    findings: &mut Findings,
) -> bool {
    let number = core.value;
    if number > CORE_LAST {
        let message = format!("there is no core {number}");
        let finding = Finding::new(Code::CoreRange, message, &core.span, "too high");
        findings.add(finding.help(format!("cores are counted from 0, in the order of the ACPI MADT, to {CORE_LAST}")));
        return false;
    }
    let Some((owner, first)) = owners.get(&number) else {
        owners.insert(number, (index, core.span.clone()));
        return true;
    };
    let finding = if *owner == index {
        Finding::new(Code::CoreTwice, format!("core {number} is named twice"), &core.span, "again here")
            .also(first, "first here")
            .help("remove one")
    } else {
        let owner = partitions.get(*owner).map(|owner| name_of(&owner.value)).unwrap_or_default();
        let message = format!("core {number} belongs to partition `{owner}` already");
        Finding::new(Code::CoreTaken, message, &core.span, "a core has one owner")
            .also(first, format!("partition `{owner}` has it"))
            .help("choose another core, or leave `cores` out to get the first free one")
    };
    findings.add(finding);
    false
}
