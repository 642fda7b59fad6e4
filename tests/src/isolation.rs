//! Isolation, proved from the outside: page tables of a stopped machine against what the plan allows.
//!
//! For every instance: its kernel mappings lie in its own slice (and its own local APIC, and the I/O APIC if it owns
//! it); nothing is writable and executable, not even by two mappings of one frame; the user half holds no kernel
//! mapping and the kernel half no user mapping; programs reach only free memory of the slice, the instance's devices and
//! its channels, never a page table or kernel text. Where page tables are to be isolated, tables that map anything for programs map
//! of the kernel the gate and nothing else, with the rights that the kernel's ELF gives it. Between instances: no frame that any kernel may write is mapped by another kernel; programs
//! of two instances meet only in a channel declared between exactly these two. Tests: `isolation/tests.rs`, with
//! synthetic snapshots, each broken in one way.

use crate::walk::{AddressSpace, Mapping, Privilege};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

/// Where the local APIC's registers are; every core sees its own there.
pub const LOCAL_APIC: Range<u64> = 0xfee0_0000..0xfee0_1000;
/// Where the I/O APIC's registers are.
pub const IO_APIC: Range<u64> = 0xfec0_0000..0xfec0_1000;
/// First virtual address of the kernel half.
pub const KERNEL_HALF: u64 = 0xffff_8000_0000_0000;

/// What the plan gives an instance.
#[derive(Clone, Debug, Default)]
pub struct Allowance {
    /// The partition's name.
    pub name: String,
    /// Its RAM.
    pub slices: Vec<Range<u64>>,
    /// Its device memory.
    pub devices: Vec<Range<u64>>,
    /// Its channels, each with the channel's index in the system.
    pub channels: Vec<(usize, Range<u64>)>,
    /// If its page tables are to be isolated: what of the kernel is mapped beside programs.
    pub gate: Option<Vec<GatePart>>,
    /// Physical ranges its kernel may map besides slice and local APIC (the I/O APIC).
    pub kernel_devices: Vec<Range<u64>>,
}

/// A segment of a kernel that stays mapped while programs run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatePart {
    /// Virtual addresses, whole pages.
    pub virt: Range<u64>,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
}

/// What was found of an instance: the address spaces its cores were seen in.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// One per distinct top-level table.
    pub spaces: Vec<AddressSpace>,
}

/// A broken rule, in words that name the culprit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// The partition (or the two).
    pub partitions: Vec<String>,
    /// The offending mapping, in hexadecimal.
    pub detail: String,
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Tables are well-formed, in RAM.
    WellFormed,
    /// Page tables lie in the instance's own slice.
    TablesInSlice,
    /// Kernel mappings lie in the instance's own slice or its own interrupt controllers.
    KernelInSlice,
    /// No frame is both writable and executable for the kernel.
    WriteXorExecute,
    /// The user half holds user mappings only, the kernel half kernel mappings only.
    Halves,
    /// Programs reach only what the partition owns.
    UserInPartition,
    /// Programs never reach page tables, or frames that the kernel executes.
    UserOffKernel,
    /// Where page tables are isolated, those of programs map the gate and nothing else of the kernel.
    GateOnly,
    /// No two kernels share a frame that one of them may write.
    KernelsApart,
    /// Programs of two instances meet in their declared channels only.
    UsersMeetInChannels,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} broken by {}: {}", self.rule, self.partitions.join(" and "), self.detail)
    }
}

/// All broken rules of a system; empty when isolation holds. The two slices go together by index.
pub fn judge(allowances: &[Allowance], snapshots: &[Snapshot]) -> Vec<Violation> {
    let mut found = BTreeSet::new();
    for (allowance, snapshot) in allowances.iter().zip(snapshots) {
        judge_alone(allowance, snapshot, &mut found);
    }
    judge_together(allowances, snapshots, &mut found);
    found.into_iter().collect()
}

fn judge_alone(allowance: &Allowance, snapshot: &Snapshot, found: &mut BTreeSet<Violation>) {
    let mut report = |rule, detail| {
        found.insert(Violation { rule, partitions: vec![allowance.name.clone()], detail });
    };
    let tables: BTreeSet<u64> = snapshot.spaces.iter().flat_map(|space| space.tables.iter().copied()).collect();
    let kernel_text: Vec<&Mapping> = mappings(snapshot, Privilege::Supervisor).filter(|m| m.rights.execute).collect();
    for &table in &tables {
        if !covered(&(table..table + 4096), allowance.slices.iter()) {
            report(Rule::TablesInSlice, format!("table at {table:#x}"));
        }
    }
    for space in &snapshot.spaces {
        for bad in &space.malformed {
            report(Rule::WellFormed, format!("{} (entry {:#x} for {:#x})", bad.why, bad.entry, bad.virt));
        }
        for mapping in &space.mappings {
            let in_kernel_half = mapping.virt >= KERNEL_HALF;
            if in_kernel_half != (mapping.rights.privilege == Privilege::Supervisor) {
                report(Rule::Halves, describe(mapping));
            }
        }
    }
    if let Some(gate) = &allowance.gate {
        for mapping in snapshot.spaces.iter().flat_map(beside_programs).filter(|mapping| !is_of_gate(mapping, gate)) {
            report(Rule::GateOnly, describe(mapping));
        }
    }
    for mapping in mappings(snapshot, Privilege::Supervisor) {
        let own = allowance.slices.iter().chain(&allowance.kernel_devices).chain([&LOCAL_APIC]);
        if !covered(&mapping.phys, own) {
            report(Rule::KernelInSlice, describe(mapping));
        }
        if mapping.rights.write && kernel_text.iter().any(|text| overlap(&text.phys, &mapping.phys)) {
            report(Rule::WriteXorExecute, describe(mapping));
        }
    }
    for mapping in mappings(snapshot, Privilege::User) {
        let channels = allowance.channels.iter().map(|(_, range)| range);
        if !covered(&mapping.phys, allowance.slices.iter().chain(&allowance.devices).chain(channels)) {
            report(Rule::UserInPartition, describe(mapping));
        }
        let holds_table = tables.range(mapping.phys.start & !4095..mapping.phys.end).next().is_some();
        if holds_table || kernel_text.iter().any(|text| overlap(&text.phys, &mapping.phys)) {
            report(Rule::UserOffKernel, describe(mapping));
        }
    }
}

/// The kernel's mappings in a space that has some for programs.
fn beside_programs(space: &AddressSpace) -> impl Iterator<Item = &Mapping> {
    let has_program = space.mappings.iter().any(|mapping| mapping.rights.privilege == Privilege::User);
    space.mappings.iter().filter(move |mapping| has_program && mapping.rights.privilege == Privilege::Supervisor)
}

fn is_of_gate(mapping: &Mapping, gate: &[GatePart]) -> bool {
    let last = mapping.virt.wrapping_add(mapping.phys.end - mapping.phys.start - 1);
    gate.iter().any(|part| {
        part.virt.contains(&mapping.virt)
            && part.virt.contains(&last)
            && (part.write || !mapping.rights.write)
            && (part.execute || !mapping.rights.execute)
    })
}

/// A mapping and the instance it belongs to.
type Owned<'a> = (usize, &'a Mapping);

fn judge_together(allowances: &[Allowance], snapshots: &[Snapshot], found: &mut BTreeSet<Violation>) {
    let mut all: Vec<Owned<'_>> = Vec::new();
    for (instance, snapshot) in snapshots.iter().enumerate() {
        let spaces = snapshot.spaces.iter().flat_map(|space| &space.mappings);
        all.extend(spaces.filter(|mapping| mapping.phys != LOCAL_APIC).map(|mapping| (instance, mapping)));
    }
    all.sort_by_key(|(_, mapping)| mapping.phys.start);
    // Sweep by physical address; `open` holds the mappings that may still meet the next one.
    let mut open: Vec<Owned<'_>> = Vec::new();
    for (instance, mapping) in all {
        open.retain(|(_, earlier)| earlier.phys.end > mapping.phys.start);
        for &(other, earlier) in open.iter().filter(|(other, _)| *other != instance) {
            if let Some(rule) = meeting(allowances, (other, earlier), (instance, mapping)) {
                let name = |index: usize| allowances.get(index).map(|a| a.name.clone()).unwrap_or_default();
                let (first, second) = (other.min(instance), other.max(instance));
                let shared = earlier.phys.start.max(mapping.phys.start)..earlier.phys.end.min(mapping.phys.end);
                let detail = format!("both map {:#x}..{:#x}", shared.start, shared.end);
                found.insert(Violation { rule, partitions: vec![name(first), name(second)], detail });
            }
        }
        open.push((instance, mapping));
    }
}

/// The rule that two overlapping mappings of two instances break, if any.
fn meeting(allowances: &[Allowance], a: Owned<'_>, b: Owned<'_>) -> Option<Rule> {
    let kernel = |(_, mapping): Owned<'_>| mapping.rights.privilege == Privilege::Supervisor;
    let harmless = !a.1.rights.write && !b.1.rights.write;
    match (kernel(a), kernel(b)) {
        (true, true) => (!harmless).then_some(Rule::KernelsApart),
        (true, false) | (false, true) => Some(Rule::KernelsApart),
        (false, false) => {
            let shared = a.1.phys.start.max(b.1.phys.start)..a.1.phys.end.min(b.1.phys.end);
            let channels = |index: usize| allowances.get(index).map_or(&[][..], |a| a.channels.as_slice());
            let declared = channels(a.0).iter().any(|(channel, range)| {
                channels(b.0).iter().any(|(other, _)| other == channel)
                    && range.start <= shared.start
                    && shared.end <= range.end
            });
            (!declared).then_some(Rule::UsersMeetInChannels)
        }
    }
}

fn mappings(snapshot: &Snapshot, privilege: Privilege) -> impl Iterator<Item = &Mapping> {
    let all = snapshot.spaces.iter().flat_map(|space| &space.mappings);
    all.filter(move |mapping| mapping.rights.privilege == privilege)
}

/// Whether `range` lies wholly in the union of `allowed` (which may touch one another).
fn covered<'a>(range: &Range<u64>, allowed: impl Iterator<Item = &'a Range<u64>>) -> bool {
    let mut allowed: Vec<_> = allowed.collect();
    allowed.sort_by_key(|allowed| allowed.start);
    let mut reached = range.start;
    for allowed in allowed {
        if allowed.start <= reached && reached < allowed.end {
            reached = allowed.end;
        }
    }
    reached >= range.end
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

fn describe(mapping: &Mapping) -> String {
    let Mapping { virt, phys, rights } = mapping;
    let write = if rights.write { "w" } else { "-" };
    let execute = if rights.execute { "x" } else { "-" };
    format!("{virt:#x} -> {:#x}..{:#x} r{write}{execute} {:?}", phys.start, phys.end, rights.privilege)
}

#[cfg(test)]
mod tests;
