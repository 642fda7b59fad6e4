//! Address spaces as one would like to think of them: what each address means to a user program.
//!
//! A paging structure is a map from the parts of its span to frames or to smaller structures; a structure that is taken
//! out keeps what it holds. An ASID names the top of one address space, or nothing. Capabilities remember (ASID, address)
//! and may be *stale*: the ASID may name nothing or another space by now, and the address something else. Taking out with
//! a stale capability takes out nothing but exactly what the capability is for.
//!
//! What a program sees is [`System::translate`]. Beside the words of the tables, [`walk_words`] reads them as the
//! processor's manual says; a layer that is right makes the two the same. Every translation that ends is forgotten by the
//! processor: [`Forgets`] says which. Tests: `tests/refinement.rs`.

use crate::Table;
use capability::Rights;
use memory::{Phys, Ref};
use std::collections::BTreeMap;

/// Names a paging structure.
pub type Id = usize;

/// A frame and how it is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Where it is.
    pub phys: Phys,
    /// log2 of its bytes: 12, 21 or 30.
    pub bits: u32,
    /// May be read, and written only then.
    pub user: bool,
    /// May be written.
    pub writable: bool,
    /// Write-through, cache-disabled, PAT, as the API passes them.
    pub memory_type: u64,
}

impl Frame {
    /// A frame mapped with `rights`. The processor knows no right to write without reading.
    pub fn new(phys: Phys, bits: u32, rights: Rights, memory_type: u64) -> Self {
        let writable = rights.allow(Rights::WRITE);
        Self { phys, bits, user: writable || rights.allow(Rights::READ), writable, memory_type: memory_type & 7 }
    }
}

/// What a part of a structure's span holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A smaller structure.
    Structure(Id),
    /// A frame.
    Frame(Frame),
}

/// A paging structure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Structure {
    /// log2 of the bytes of a part: 12, 21, 30 or 39. It has 512.
    pub part_bits: u32,
    /// What its parts hold, by number.
    pub parts: BTreeMap<u64, Part>,
}

/// Why nothing was mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A structure is missing whose span has so many bits.
    Missing(u32),
    /// Something is there.
    Occupied,
}

/// What the processor must forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgets {
    /// Nothing: no translation ended.
    Nothing,
    /// The page at an address.
    Page(u64),
    /// The whole space.
    Space,
}

/// What an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The byte of memory.
    pub phys: Phys,
    /// May be read by the program.
    pub user: bool,
    /// May be written.
    pub writable: bool,
    /// Write-through, cache-disabled, PAT.
    pub memory_type: u64,
}

/// The address spaces of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct System {
    /// The tops that ASIDs name.
    pub spaces: BTreeMap<u16, Id>,
    /// Structures.
    pub structures: Vec<Structure>,
}

impl System {
    fn part(&self, structure: Id, vaddr: u64) -> (u64, Option<Part>) {
        let Structure { part_bits, parts } = &self.structures[structure];
        let number = (vaddr >> part_bits) % 512;
        (number, parts.get(&number).copied())
    }

    /// The structure below `top` that `vaddr` lies in and whose parts have `part_bits`.
    fn descend(&self, top: Id, vaddr: u64, part_bits: u32) -> Result<Id, u32> {
        let mut at = top;
        while self.structures[at].part_bits > part_bits {
            let (_, Some(Part::Structure(below))) = self.part(at, vaddr) else {
                return Err(self.structures[at].part_bits);
            };
            at = below;
        }
        Ok(at)
    }

    /// What `vaddr` means in the space below `top`.
    pub fn translate(&self, top: Id, vaddr: u64) -> Option<Meaning> {
        let mut at = top;
        loop {
            match self.part(at, vaddr).1? {
                Part::Structure(below) => at = below,
                Part::Frame(Frame { phys, bits, user, writable, memory_type }) => {
                    return Some(Meaning { phys: phys.offset(vaddr % (1 << bits)), user, writable, memory_type });
                }
            }
        }
    }

    /// Maps `frame` at `vaddr`; a frame that is there is replaced.
    pub fn map_frame(&mut self, top: Id, vaddr: u64, frame: Frame) -> Result<Forgets, Refused> {
        let structure = self.descend(top, vaddr, frame.bits).map_err(Refused::Missing)?;
        let (number, old) = self.part(structure, vaddr);
        if matches!(old, Some(Part::Structure(_))) {
            return Err(Refused::Occupied);
        }
        self.structures[structure].parts.insert(number, Part::Frame(frame));
        Ok(if old.is_some() { Forgets::Page(vaddr) } else { Forgets::Nothing })
    }

    /// Takes the frame of a capability out, if it is still where the capability says.
    pub fn unmap_frame(&mut self, asid: u16, vaddr: u64, phys: Phys, bits: u32) -> Forgets {
        let structure = self.spaces.get(&asid).and_then(|&top| self.descend(top, vaddr, bits).ok());
        let Some(structure) = structure else { return Forgets::Nothing };
        match self.part(structure, vaddr) {
            (number, Some(Part::Frame(frame))) if frame.phys == phys => {
                self.structures[structure].parts.remove(&number);
                Forgets::Page(vaddr)
            }
            _ => Forgets::Nothing,
        }
    }

    /// Puts `structure` where `vaddr` is in the next larger one.
    pub fn map_structure(&mut self, top: Id, vaddr: u64, structure: Id) -> Result<(), Refused> {
        let part_bits = self.structures[structure].part_bits + 9;
        let larger = self.descend(top, vaddr, part_bits).map_err(Refused::Missing)?;
        let (number, old) = self.part(larger, vaddr);
        if old.is_some() {
            return Err(Refused::Occupied);
        }
        self.structures[larger].parts.insert(number, Part::Structure(structure));
        Ok(())
    }

    /// Takes `structure` out, if it is still where its capability says.
    pub fn unmap_structure(&mut self, asid: u16, vaddr: u64, structure: Id) -> Forgets {
        let part_bits = self.structures[structure].part_bits + 9;
        let larger = self.spaces.get(&asid).and_then(|&top| self.descend(top, vaddr, part_bits).ok());
        let Some(larger) = larger else { return Forgets::Nothing };
        let (number, found) = self.part(larger, vaddr);
        if found != Some(Part::Structure(structure)) {
            return Forgets::Nothing;
        }
        self.structures[larger].parts.remove(&number);
        Forgets::Space
    }

    /// Ends the name `asid`, if it is still that of `top`; says whether it was.
    pub fn release(&mut self, asid: u16, top: Id) -> bool {
        let named = self.spaces.get(&asid) == Some(&top);
        if named {
            self.spaces.remove(&asid);
        }
        named
    }
}

/// What `vaddr` means to a processor whose top-level table is `root`. Source: Intel SDM volume 3, 4-level paging.
pub fn walk_words(root: Ref<Table>, vaddr: u64) -> Option<Meaning> {
    let (mut table, mut user, mut writable) = (root, true, true);
    for shift in [39, 30, 21, 12] {
        let word = table.get((vaddr >> shift) as usize & 0x1ff).bits();
        let bit = |number: u32| word >> number & 1;
        if bit(0) == 0 {
            return None;
        }
        (user, writable) = (user && bit(2) != 0, writable && bit(1) != 0);
        if shift == 12 || shift < 39 && bit(7) != 0 {
            let pat = if shift == 12 { bit(7) } else { bit(12) };
            let base = word & 0x000f_ffff_ffff_f000 & !((1 << shift) - 1);
            let phys = Phys(base + vaddr % (1 << shift));
            return Some(Meaning { phys, user, writable, memory_type: bit(3) | bit(4) << 1 | pat << 2 });
        }
        table = Ref::at(Phys(word & 0x000f_ffff_ffff_f000));
    }
    None
}
