//! The walker on tables written by hand.

use super::*;
use crate::synthetic::{Tables, bits};

const ROOT: u64 = 0x1000;

#[test]
fn an_empty_table_maps_nothing() {
    let memory = Tables::default();
    memory.table(ROOT);
    let space = walk(&memory, ROOT | 0x18);
    assert_eq!(space, AddressSpace { tables: vec![ROOT], ..Default::default() });
}

#[test]
fn neighbouring_pages_with_the_same_rights_become_one_mapping() {
    let memory = Tables::default();
    let mut next = 0x10_0000;
    for page in 0..3 {
        memory.map(ROOT, &mut next, 0x40_0000 + page * PAGE, 0x80_0000 + page * PAGE, bits::USER);
    }
    memory.map(ROOT, &mut next, 0x40_3000, 0x80_3000, bits::USER | bits::WRITE | bits::NX);
    let space = walk(&memory, ROOT);
    let rights = Rights { privilege: Privilege::User, write: false, execute: true };
    assert_eq!(
        space.mappings,
        [
            Mapping { virt: 0x40_0000, phys: 0x80_0000..0x80_3000, rights },
            Mapping {
                virt: 0x40_3000,
                phys: 0x80_3000..0x80_4000,
                rights: Rights { write: true, execute: false, ..rights }
            },
        ]
    );
    assert_eq!(space.tables.len(), 4);
}

#[test]
fn an_upper_level_takes_rights_away() {
    let memory = Tables::default();
    let mut next = 0x10_0000;
    memory.map(ROOT, &mut next, 0xffff_8000_0000_0000, 0x20_0000, bits::USER | bits::WRITE);
    memory.set(ROOT, 256, 0x10_0000 | 1 | bits::NX);
    let space = walk(&memory, ROOT);
    let rights = Rights { privilege: Privilege::Supervisor, write: false, execute: false };
    assert_eq!(space.mappings, [Mapping { virt: 0xffff_8000_0000_0000, phys: 0x20_0000..0x20_1000, rights }]);
}

#[test]
fn large_and_huge_pages_have_their_size() {
    let memory = Tables::default();
    memory.set(ROOT, 0, 0x2000 | 3);
    memory.set(0x2000, 0, 0x3000 | 3);
    memory.set(0x2000, 1, 0x4000_0000 | 0x83);
    memory.set(0x3000, 1, 0x20_0000 | 0x83 | 1 << 12);
    let space = walk(&memory, ROOT);
    let phys: Vec<_> = space.mappings.iter().map(|mapping| mapping.phys.clone()).collect();
    assert_eq!(phys, [0x20_0000..0x40_0000, 0x4000_0000..0x8000_0000]);
    assert!(space.malformed.is_empty(), "bit 12 of a large page is PAT");
}

#[test]
fn a_table_that_names_itself_ends_the_walk() {
    let memory = Tables::default();
    memory.set(ROOT, 511, ROOT | 3);
    let space = walk(&memory, ROOT);
    assert_eq!(space.malformed.len(), 1, "{:?}", space.malformed);
}

#[test]
fn reserved_bits_and_tables_outside_ram_are_malformed() {
    let memory = Tables::default();
    memory.set(ROOT, 0, 0x2000 | 3);
    memory.set(0x2000, 0, 0x3000 | 3);
    memory.set(0x3000, 0, 0x3_6000 | 0x83);
    memory.set(ROOT, 1, 0x9000_0000 | 3);
    memory.set(ROOT, 2, 0x83);
    let why: Vec<_> = walk(&memory, ROOT).malformed.iter().map(|bad| bad.why).collect();
    assert_eq!(
        why,
        [
            "reserved address bits in a large page",
            "the table lies where there is no RAM",
            "reserved bit 7 in a top-level entry"
        ]
    );
}
