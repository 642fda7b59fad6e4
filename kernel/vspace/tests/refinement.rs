//! The layer against its specification, `vspace::spec`: the same operations on both; after each, every address that the
//! operations name means the same to the specification and to a processor that reads the tables.
//!
//! Random sequences, and all sequences of a small system, to the fixpoint.

use capability::{FrameSize, Rights};
use machine::Machine;
use machine::model::Event;
use memory::host::Slice;
use memory::{Phys, Ref};
use proptest::prelude::*;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use vspace::spec::{Forgets, Frame, Id, Refused, Structure, System, walk_words};
use vspace::{AsidPool, AsidTable, Attributes, Level, MapError, Mapper, Table};

/// Two tops, and two structures of each smaller size.
const LEVELS: [Level; 8] = [
    Level::Pml4,
    Level::Pml4,
    Level::Pdpt,
    Level::Pdpt,
    Level::PageDirectory,
    Level::PageDirectory,
    Level::PageTable,
    Level::PageTable,
];
const SIZES: [FrameSize; 3] = [FrameSize::Small, FrameSize::Large, FrameSize::Huge];
/// Addresses in the same and in different parts of every structure, aligned for the largest frame or only for smaller ones.
const ADDRESSES: [u64; 6] = [0, 0x1000, 0x20_0000, 0x4000_0000, 0x4020_1000, 0x80_0000_0000];
const RIGHTS: [u64; 3] = [0, 2, 3];

/// Operations as the API allows them: structures are in one place at most, and an ASID is given to a top once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// (ASID, top)
    Assign(u16, Id),
    Release(u16, Id),
    /// (ASID, address, structure)
    MapStructure(u16, usize, Id),
    UnmapStructure(u16, usize, Id),
    /// (ASID, address, size, which frame, rights, memory type)
    MapFrame(u16, usize, usize, u64, usize, u64),
    UnmapFrame(u16, usize, usize, u64),
    RemovePool,
}

struct World {
    spec: System,
    machine: Machine,
    asids: AsidTable,
    base: Phys,
    /// Tops that had an ASID, and structures that are somewhere.
    used: HashSet<Id>,
    trail: Vec<Step>,
}

impl World {
    fn new(slice: &Slice) -> Self {
        let base = slice.range().base;
        memory::clear(base, 16);
        let structures = LEVELS.map(|level| Structure { part_bits: level.bits(), parts: Default::default() });
        let world = Self {
            spec: System { spaces: Default::default(), structures: structures.to_vec() },
            machine: Machine::new(),
            asids: AsidTable::default(),
            base,
            used: HashSet::new(),
            trail: Vec::new(),
        };
        world.asids.install(0, world.pool());
        world
    }

    fn pool(&self) -> Ref<AsidPool> {
        Ref::at(self.base)
    }

    fn table(&self, id: Id) -> Ref<Table> {
        Ref::at(self.base.offset(4096 * (1 + id as u64)))
    }

    /// Frame `which` of the size; frames of different sizes begin at the same places.
    fn frame(which: u64) -> Phys {
        Phys(0x10_0000_0000 + (which << 30))
    }

    fn run(&mut self, step: Step) {
        self.trail.push(step);
        self.machine.take_events();
        let (asid, forgets) = self.act(step);
        let events = self.machine.take_events();
        match forgets {
            Forgets::Nothing => assert_eq!(events, [], "nothing ended"),
            Forgets::Page(vaddr) => assert_eq!(events, [Event::FlushPage { vaddr, asid }]),
            Forgets::Space => {
                let top_table_phys = self.table(self.spec.spaces[&asid]).phys().0;
                assert_eq!(events, [Event::FlushAsid { asid, top_table_phys }]);
            }
        }
        for asid in 1..4 {
            let top = self.spec.spaces.get(&asid).map(|&top| self.table(top));
            assert_eq!(self.asids.root(asid), top);
        }
        for top in 0..2 {
            for vaddr in ADDRESSES.iter().flat_map(|&it| [it, it + 0x1234]) {
                let meaning = self.spec.translate(top, vaddr);
                assert_eq!(walk_words(self.table(top), vaddr), meaning, "{vaddr:#x} of top {top}");
            }
        }
    }

    /// Runs the step on both; says what must be forgotten of which space.
    fn act(&mut self, step: Step) -> (u16, Forgets) {
        let mapper = Mapper { machine: &self.machine, asids: &self.asids };
        let refused = |error: MapError| match error {
            MapError::MissingTable { bits_left } => Refused::Missing(bits_left),
            MapError::Occupied => Refused::Occupied,
        };
        match step {
            Step::Assign(asid, top) => {
                let is_free = self.asids.pool(asid).is_some() && !self.spec.spaces.contains_key(&asid);
                if is_free && self.used.insert(top) {
                    self.spec.spaces.insert(asid, top);
                    self.pool().assign(asid, self.table(top));
                }
                (asid, Forgets::Nothing)
            }
            Step::Release(asid, top) => {
                let released = self.spec.release(asid, top);
                assert_eq!(self.asids.release(asid, self.table(top).phys()), released);
                (asid, Forgets::Nothing)
            }
            Step::MapStructure(asid, at, id) => {
                let Some(&top) = self.spec.spaces.get(&asid) else { return (asid, Forgets::Nothing) };
                if !self.used.contains(&id) {
                    let (vaddr, table) = (ADDRESSES[at], self.table(id).phys());
                    let wanted = self.spec.map_structure(top, vaddr, id);
                    let any = Attributes::from_word(0);
                    let found = mapper.map_table(self.table(top), vaddr, LEVELS[id], table, any);
                    assert_eq!(found.map_err(refused), wanted);
                    if wanted.is_ok() {
                        self.used.insert(id);
                    }
                }
                (asid, Forgets::Nothing)
            }
            Step::UnmapStructure(asid, at, id) => {
                let forgets = self.spec.unmap_structure(asid, ADDRESSES[at], id);
                mapper.unmap_table(asid, ADDRESSES[at], LEVELS[id], self.table(id).phys());
                if forgets == Forgets::Space {
                    self.used.remove(&id);
                }
                (asid, forgets)
            }
            Step::MapFrame(asid, at, size, which, rights, memory_type) => {
                let Some(&top) = self.spec.spaces.get(&asid) else { return (asid, Forgets::Nothing) };
                let (size, rights, phys) = (SIZES[size], Rights::from_word(RIGHTS[rights]), Self::frame(which));
                let vaddr = ADDRESSES[at] >> size.bits() << size.bits();
                let wanted = self.spec.map_frame(top, vaddr, Frame::new(phys, size.bits(), rights, memory_type));
                let attributes = Attributes::from_word(memory_type);
                let root = self.table(top);
                let place = mapper.frame_place(root, vaddr, size).map_err(refused);
                assert_eq!(place, wanted.map(|_| ()));
                let found = mapper.map_frame(root, asid, vaddr, phys, size, rights, attributes);
                assert_eq!(found.map_err(refused), wanted.map(|forgets| forgets != Forgets::Nothing));
                (asid, wanted.unwrap_or(Forgets::Nothing))
            }
            Step::UnmapFrame(asid, at, size, which) => {
                let (bits, phys) = (SIZES[size].bits(), Self::frame(which));
                let vaddr = ADDRESSES[at] >> bits << bits;
                let forgets = self.spec.unmap_frame(asid, vaddr, phys, bits);
                let found = mapper.unmap_frame(asid, vaddr, phys, SIZES[size]);
                assert_eq!(found, forgets != Forgets::Nothing);
                (asid, forgets)
            }
            Step::RemovePool => {
                let mut named = Vec::new();
                self.asids.remove_pool(0, self.pool(), |asid, root| named.push((asid, root)));
                let expected: Vec<_> = self.spec.spaces.iter().map(|(&asid, &top)| (asid, self.table(top))).collect();
                assert_eq!(named, expected);
                self.spec.spaces.clear();
                (0, Forgets::Nothing)
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after {:?}", self.trail);
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let asid = || 1..4u16;
    let top = || 0..2usize;
    let at = || 0..ADDRESSES.len();
    let structure = || 2..LEVELS.len();
    let size = || 0..SIZES.len();
    prop_oneof![
        20 => (asid(), top()).prop_map(|(asid, top)| Step::Assign(asid, top)),
        2 => (asid(), top()).prop_map(|(asid, top)| Step::Release(asid, top)),
        80 => (asid(), at(), structure()).prop_map(|(asid, at, id)| Step::MapStructure(asid, at, id)),
        20 => (asid(), at(), structure()).prop_map(|(asid, at, id)| Step::UnmapStructure(asid, at, id)),
        80 => (asid(), at(), size(), 0..2u64, 0..RIGHTS.len(), 0..8u64)
            .prop_map(|(asid, at, size, which, rights, kind)| Step::MapFrame(asid, at, size, which, rights, kind)),
        40 => (asid(), at(), size(), 0..2u64).prop_map(|(asid, at, size, which)| Step::UnmapFrame(asid, at, size, which)),
        1 => Just(Step::RemovePool),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn addresses_mean_what_the_specification_says(steps in prop::collection::vec(step(), 1..150)) {
        let slice = Slice::new(2 << 20);
        let mut world = World::new(&slice);
        // Most sequences are about a space that is there.
        world.run(Step::Assign(1, 0));
        steps.into_iter().for_each(|step| world.run(step));
    }
}

/// Every reachable state of one address space of few structures and frames, and what becomes of it when its ASID goes to
/// another.
#[test]
fn all_sequences_mean_what_the_specification_says() {
    let alphabet = [
        Step::Release(1, 0),
        Step::Assign(1, 1),
        Step::MapStructure(1, 0, 2),
        Step::MapStructure(1, 0, 4),
        Step::MapStructure(1, 1, 6),
        Step::MapStructure(1, 2, 7),
        Step::UnmapStructure(1, 0, 2),
        Step::UnmapStructure(1, 0, 4),
        Step::UnmapStructure(1, 1, 6),
        Step::MapFrame(1, 1, 0, 0, 2, 4),
        Step::MapFrame(1, 1, 0, 1, 1, 0),
        Step::MapFrame(1, 0, 1, 0, 2, 4),
        Step::MapFrame(1, 0, 2, 0, 1, 7),
        Step::UnmapFrame(1, 1, 0, 0),
        Step::UnmapFrame(1, 0, 1, 0),
        Step::UnmapFrame(1, 0, 2, 0),
        Step::RemovePool,
    ];
    let slice = Slice::new(2 << 20);
    let after = |program: &[Step]| {
        let mut world = World::new(&slice);
        world.run(Step::Assign(1, 0));
        program.iter().for_each(|&step| world.run(step));
        let mut hasher = DefaultHasher::new();
        let mut used: Vec<_> = world.used.iter().copied().collect();
        used.sort_unstable();
        (&world.spec, used, world.asids.pool(1).is_some()).hash(&mut hasher);
        hasher.finish()
    };
    let mut seen = HashSet::from([after(&[])]);
    let mut frontier = vec![Vec::new()];
    let mut transitions = 0;
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for program in frontier {
            for step in alphabet {
                let longer = [program.as_slice(), &[step]].concat();
                transitions += 1;
                if seen.insert(after(&longer)) {
                    next.push(longer);
                }
            }
        }
        frontier = next;
    }
    println!("{} states, {transitions} transitions", seen.len());
    assert!(seen.len() > 180, "{} states", seen.len());
}
