//! Host only: checks invariants V1 to V3 of `docs/invariants.md` by walking every address space of an instance.

use crate::{AsidTable, Entry, Level, Table};
use capability::{Cap, FrameSize, Kind, Rights};
use memory::Ref;
use std::collections::HashMap;

/// Checks every address space that an ASID names. `caps` are all capabilities of the instance, `top` the kernel half.
pub fn check(asids: &AsidTable, caps: &[Cap], top: &[(u64, u64)]) -> Result<(), String> {
    let mut tables: HashMap<(u64, u16, u64), Kind> = HashMap::new();
    let mut frames: HashMap<(u64, u16, u64), Cap> = HashMap::new();
    for &cap in caps {
        let Some((asid, vaddr)) = cap.mapping_of_paging() else { continue };
        if cap.kind() == Kind::Frame {
            frames.insert((cap.phys().0, asid, vaddr), cap);
        } else {
            tables.insert((cap.phys().0, asid, vaddr), cap.kind());
        }
    }
    let mut named: HashMap<u64, u16> = HashMap::new();
    for asid in 1..4096 {
        let Some(root) = asids.root(asid) else { continue };
        if let Some(other) = named.insert(root.phys().0, asid) {
            return Err(format!("V3: {root:?} has two ASIDs, {other} and {asid}"));
        }
        if tables.get(&(root.phys().0, asid, 0)) != Some(&Kind::Pml4) {
            return Err(format!("V3: ASID {asid} names {root:?}, to which there is no capability"));
        }
        kernel_half(root, top)?;
        walk(root, Level::Pml4, 0, asid, &tables, &frames)?;
    }
    Ok(())
}

/// V1.
fn kernel_half(root: Ref<Table>, top: &[(u64, u64)]) -> Result<(), String> {
    for index in 256..512 {
        let expected = top.iter().find(|entry| entry.0 == index as u64).map_or(0, |entry| entry.1);
        if root.get(index).bits() != expected {
            return Err(format!("V1: entry {index} of {root:?} is not the kernel's"));
        }
    }
    Ok(())
}

/// V2.
fn walk(
    table: Ref<Table>,
    level: Level,
    base: u64,
    asid: u16,
    tables: &HashMap<(u64, u16, u64), Kind>,
    frames: &HashMap<(u64, u16, u64), Cap>,
) -> Result<(), String> {
    let entries = if level == Level::Pml4 { 256 } else { 512 };
    for index in 0..entries {
        let entry = table.get(index);
        if entry.is_empty() {
            continue;
        }
        let vaddr = base + ((index as u64) << level.bits());
        if !entry.contains(Entry::PRESENT) {
            return Err(format!("V2: an entry at {vaddr:#x} is neither empty nor present"));
        }
        let is_frame = level == Level::PageTable || level != Level::Pml4 && entry.contains(Entry::LARGE);
        if is_frame {
            let (size, kind) = match level {
                Level::PageTable => (FrameSize::Small, "small"),
                Level::PageDirectory => (FrameSize::Large, "large"),
                _ => (FrameSize::Huge, "huge"),
            };
            let address = entry.address().0 & !((1 << size.bits()) - 1);
            let cap = frames.get(&(address, asid, vaddr));
            let Some(cap) = cap.filter(|cap| cap.frame_size() == size) else {
                return Err(format!("V2: {vaddr:#x} of ASID {asid} maps a {kind} frame {address:#x} of nobody"));
            };
            if entry.contains(Entry::WRITABLE) && !cap.frame_rights().allow(Rights::WRITE) {
                return Err(format!("V2: {vaddr:#x} of ASID {asid} is writable against its capability"));
            }
            continue;
        }
        let (below, kind) = match level {
            Level::Pml4 => (Level::Pdpt, Kind::Pdpt),
            Level::Pdpt => (Level::PageDirectory, Kind::PageDirectory),
            _ => (Level::PageTable, Kind::PageTable),
        };
        if tables.get(&(entry.address().0, asid, vaddr)) != Some(&kind) {
            return Err(format!("V2: {vaddr:#x} of ASID {asid} leads to {:#x}, no {kind:?}", entry.address().0));
        }
        walk(Ref::at(entry.address()), below, vaddr, asid, tables, frames)?;
    }
    Ok(())
}

trait Mapped {
    fn mapping_of_paging(self) -> Option<(u16, u64)>;
}

impl Mapped for Cap {
    fn mapping_of_paging(self) -> Option<(u16, u64)> {
        match self.kind() {
            Kind::Frame | Kind::PageTable | Kind::PageDirectory | Kind::Pdpt | Kind::Pml4 => self.mapping(),
            _ => None,
        }
    }
}
