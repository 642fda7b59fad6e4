//! The layer against its specification, `interrupt::spec`: random sequences, and every reachable state of a small instance.

use capability::{Cap, Kind, Rights};
use interrupt::spec::System;
use interrupt::{Allowed, Grant, InterruptTable, Refusal};
use ipc::{Ipc, Notification};
use ipi::route::{Command, Route};
use machine::model::Event;
use machine::{Machine, Polarity, Trigger};
use memory::host::Slice;
use memory::{Phys, Ref};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use sync::{CoreIndex, PerCore, Recalls};
use thread::{Core, Epoch, Threads};
use vspace::AsidTable;

const NOTIFICATIONS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// (pin, vector)
    Pin(u32, u8),
    Message(u8),
    Doorbell(u8),
    Release(u8),
    /// (vector, notification, badge); the listener is the last that was set.
    Listen(u8, usize, u64),
    /// The listener's capability lets nothing be signalled.
    ListenWithoutRight(u8, usize),
    Acknowledge(u8),
    Deliver(u8),
    Ring(u64),
    /// Somebody hears what the notification holds.
    Hear(usize),
}

struct World {
    spec: System,
    table: InterruptTable,
    cores: PerCore<Core>,
    recalls: Recalls,
    epoch: Epoch,
    asids: AsidTable,
    base: Phys,
    /// Pins as the I/O APIC has them.
    open: BTreeSet<u32>,
    trail: Vec<Step>,
}

impl World {
    fn new(slice: &Slice) -> Self {
        let base = slice.range().base;
        memory::clear(base, 17);
        let object = |page: u64| base.offset(page * 4096);
        let allowed = Allowed { pins: 0b1_0110, messages: [0b1010, 1 | 1 << 43 | 1 << 60], doorbells: 0b101 };
        let routes: Vec<Route> = [(1, 0xa0), (7, 0xdf)].iter().filter_map(|&(id, to)| Route::new(id, to)).collect();
        assert_eq!(routes.len(), 2);
        let spec = System::new(&allowed, &routes);
        let table = InterruptTable::new(Ref::at(object(0)), allowed, routes.into_iter());
        let core = |index| {
            let (idle, context) = (Ref::at(object(3)), Ref::at(object(4)));
            Ok::<_, ()>(Core::new(index, Machine::new(), idle, context, Ref::at(object(5))))
        };
        let cores = PerCore::try_from_fn(1, core).expect("one core");
        let (recalls, epoch, asids) = (Recalls::new(), Epoch::new(), AsidTable::default());
        Self { spec, table, cores, recalls, epoch, asids, base, open: BTreeSet::new(), trail: Vec::new() }
    }

    fn notification(&self, index: usize) -> Ref<Notification> {
        Ref::at(self.base.offset(2 * 4096 + 64 * index as u64))
    }

    fn ipc(&self) -> Ipc<'_> {
        let core = self.cores.of(CoreIndex::FIRST);
        let threads = Threads {
            machine: &core.machine,
            core,
            cores: &self.cores,
            recalls: &self.recalls,
            epoch: &self.epoch,
            asids: &self.asids,
            kernel_root: self.base,
        };
        Ipc { threads }
    }

    fn run(&mut self, step: Step) {
        self.trail.push(step);
        self.ipc().machine.take_events();
        let (mut done, mut rung) = (0, None);
        match step {
            Step::Pin(pin, vector) => {
                let (trigger, polarity) = (Trigger::Edge, Polarity::High);
                self.take(Grant::Pin { pin, vector, trigger, polarity });
            }
            Step::Message(vector) => self.take(Grant::Message { vector }),
            Step::Doorbell(vector) => self.take(Grant::Doorbell { vector }),
            Step::Release(vector) => {
                self.spec.release(vector);
                self.table.release(self.ipc().machine, vector);
                self.table.slot(vector).set_cap(Cap::NULL);
            }
            Step::Listen(vector, to, badge) => self.listen(vector, to, badge, Rights::WRITE),
            Step::ListenWithoutRight(vector, to) => self.listen(vector, to, 1, Rights::READ),
            Step::Acknowledge(vector) => {
                self.spec.acknowledge(vector);
                self.table.acknowledge(self.ipc().machine, vector);
            }
            Step::Deliver(vector) => {
                self.spec.deliver(vector);
                self.table.deliver(&self.ipc(), vector);
                done = 1;
            }
            Step::Ring(route) => {
                rung = self.spec.ring(route).map(Command::ring);
                assert_eq!(self.table.has_route(route), rung.is_some());
                assert_eq!(self.table.ring(self.ipc().machine, route), rung.is_some());
            }
            Step::Hear(index) => {
                let held = self.spec.signals.remove(&index);
                let notification = self.notification(index);
                let heard = notification.is_active().then(|| notification.take());
                assert_eq!(heard, held);
            }
        }
        self.compare(done, rung);
    }

    fn take(&mut self, grant: Grant) {
        let wanted: Result<(), Refusal> = self.spec.check(grant);
        assert_eq!(self.table.check(grant), wanted);
        if wanted.is_ok() {
            self.spec.take(grant);
            self.table.take(self.ipc().machine, grant);
        }
    }

    /// As the API does: only a vector that is somebody's has a listener.
    fn listen(&mut self, vector: u8, to: usize, badge: u64, rights: Rights) {
        if !self.spec.raises.contains_key(&vector) {
            return;
        }
        self.spec.hears.remove(&vector);
        if rights.allow(Rights::WRITE) {
            self.spec.hears.insert(vector, (to, badge));
        }
        let cap = Cap::message_object(Kind::Notification, self.notification(to).phys(), rights, badge);
        self.table.slot(vector).set_cap(cap);
    }

    fn compare(&mut self, done: usize, rung: Option<Command>) {
        let events = self.ipc().machine.take_events();
        for event in &events {
            match *event {
                Event::RoutePin { pin, .. } | Event::MaskPin { pin } => drop(self.open.remove(&pin)),
                Event::UnmaskPin { pin } => drop(self.open.insert(pin)),
                _ => {}
            }
        }
        assert_eq!(self.open, self.spec.open, "pins that can interrupt");
        assert_eq!(events.iter().filter(|&&event| event == Event::EndOfInterrupt).count(), done);
        let commands: Vec<Command> = events
            .iter()
            .filter_map(|event| match event {
                Event::Ring { command } => Some(*command),
                _ => None,
            })
            .collect();
        assert_eq!(commands, Vec::from_iter(rung));
        for index in 0..NOTIFICATIONS {
            assert_eq!(self.notification(index).is_active(), self.spec.signals.contains_key(&index));
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
    let vector = || prop_oneof![Just(0x31), Just(0x33), Just(0x70), Just(0x9b), Just(0xa0), Just(0xa2), any::<u8>()];
    let pin = || prop_oneof![Just(1), Just(2), Just(4), 0..70u32];
    let to = || 0..NOTIFICATIONS;
    prop_oneof![
        (pin(), 0x30..0x9cu8).prop_map(|(pin, vector)| Step::Pin(pin, vector)),
        (pin(), prop_oneof![Just(0x31), Just(0x33)]).prop_map(|(pin, vector)| Step::Pin(pin, vector)),
        vector().prop_map(Step::Message),
        vector().prop_map(Step::Doorbell),
        vector().prop_map(Step::Release),
        (vector(), to(), 1..8u64).prop_map(|(vector, to, badge)| Step::Listen(vector, to, badge)),
        (vector(), to()).prop_map(|(vector, to)| Step::ListenWithoutRight(vector, to)),
        vector().prop_map(Step::Acknowledge),
        vector().prop_map(Step::Deliver),
        prop_oneof![0..4u64, any::<u64>()].prop_map(Step::Ring),
        to().prop_map(Step::Hear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn interrupts_do_what_the_specification_says(steps in prop::collection::vec(step(), 1..100)) {
        let slice = Slice::new(2 << 20);
        let mut world = World::new(&slice);
        steps.into_iter().for_each(|step| world.run(step));
    }
}

#[test]
fn all_sequences_do_what_the_specification_says() {
    let alphabet = [
        Step::Pin(1, 0x31),
        Step::Pin(1, 0x32),
        Step::Pin(2, 0x31),
        Step::Pin(3, 0x31),
        Step::Message(0x31),
        Step::Doorbell(0xa0),
        Step::Doorbell(0xa1),
        Step::Release(0x31),
        Step::Release(0xa0),
        Step::Listen(0x31, 0, 1),
        Step::Listen(0xa0, 0, 2),
        Step::ListenWithoutRight(0x31, 0),
        Step::Acknowledge(0x31),
        Step::Deliver(0x31),
        Step::Deliver(0xa0),
        Step::Ring(1),
        Step::Ring(2),
        Step::Hear(0),
    ];
    let slice = Slice::new(2 << 20);
    let after = |program: &[Step]| {
        let mut world = World::new(&slice);
        program.iter().for_each(|&step| world.run(step));
        let mut hasher = DefaultHasher::new();
        let spec = &world.spec;
        (&spec.raises, &spec.hears, &spec.open, &spec.signals).hash(&mut hasher);
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
    assert!(seen.len() > 100, "{} states", seen.len());
}
