//! The layer's objects in a slice of memory, the specification beside them, and the comparison.

use crate::Step;
use capability::{Cap, Kind, Rights};
use ipc::spec::{Id, Objects as AllObjects, System};
use ipc::{Endpoint, Ipc, MESSAGE_REGISTERS, Notification};
use machine::{Machine, Register};
use memory::host::Slice;
use memory::{Phys, Ref};
use std::fmt::Debug;
use sync::{CoreIndex, PerCore, Recalls};
use thread::audit::Population;
use thread::{Core, Epoch, Reply, SchedContext, State, Tcb, TcbSlot, Threads};
use vspace::AsidTable;

const CONTEXT_BITS: u32 = 8;
const TCB_BYTES: u64 = 2048;
/// Endpoints and notifications. Endpoint 1 is where faults go.
pub const ENDPOINTS: usize = 2;
pub const NOTIFICATIONS: usize = 2;
pub const CONTEXTS: usize = 3;
pub const REPLIES: usize = 2;
/// Badge of the capability through which faults go.
pub const FAULT_BADGE: u64 = 0xfa;

/// The layer's side: objects in memory.
pub struct Objects {
    threads: Vec<Ref<Tcb>>,
    contexts: Vec<(Ref<SchedContext>, u32)>,
    replies: Vec<Ref<Reply>>,
    endpoints: Vec<Ref<Endpoint>>,
    notifications: Vec<Ref<Notification>>,
    cores: PerCore<Core>,
    recalls: Recalls,
    epoch: Epoch,
    asids: AsidTable,
    kernel_root: Phys,
}

impl Objects {
    fn new(slice: &Slice, threads: usize) -> Self {
        let base = slice.range().base;
        let ready = base.offset(4096);
        let objects = ready.offset((size_of::<thread::ReadyQueues>() as u64).next_multiple_of(4096));
        let thread = |index: usize| Ref::at(objects.offset(index as u64 * TCB_BYTES));
        let behind = objects.offset(16 * TCB_BYTES);
        let context = |index: usize| Ref::at(behind.offset((index as u64) << CONTEXT_BITS));
        let rest = behind.offset(8 << CONTEXT_BITS);
        memory::clear(base, 17);
        let core = |index| Ok::<_, ()>(Core::new(index, Machine::new(), thread(0), context(0), Ref::at(ready)));
        Self {
            threads: (1..=threads).map(thread).collect(),
            contexts: (1..=CONTEXTS).map(|index| (context(index), CONTEXT_BITS)).collect(),
            replies: (0..REPLIES as u64).map(|index| Ref::at(rest.offset(32 * index))).collect(),
            endpoints: (0..ENDPOINTS as u64).map(|index| Ref::at(rest.offset(1024 + 16 * index))).collect(),
            notifications: (0..NOTIFICATIONS as u64).map(|index| Ref::at(rest.offset(2048 + 64 * index))).collect(),
            cores: PerCore::try_from_fn(1, core).expect("one core"),
            recalls: Recalls::new(),
            epoch: Epoch::new(),
            asids: AsidTable::default(),
            kernel_root: base,
        }
    }

    pub fn ipc(&self) -> Ipc<'_> {
        let core = self.cores.of(CoreIndex::FIRST);
        let threads = Threads {
            machine: &core.machine,
            core,
            cores: &self.cores,
            recalls: &self.recalls,
            epoch: &self.epoch,
            asids: &self.asids,
            kernel_root: self.kernel_root,
        };
        Ipc { threads }
    }

    fn all(&self) -> AllObjects<'_> {
        let below = Population { threads: &self.threads, contexts: &self.contexts, replies: &self.replies };
        AllObjects { below, endpoints: &self.endpoints, notifications: &self.notifications }
    }

    pub fn thread(&self, id: Id) -> Ref<Tcb> {
        self.threads[id - 1]
    }

    pub fn context(&self, id: Id) -> Ref<SchedContext> {
        self.contexts[id - 1].0
    }

    pub fn reply(&self, id: Id) -> Ref<Reply> {
        self.replies[id]
    }

    pub fn endpoint(&self, id: Id) -> Ref<Endpoint> {
        self.endpoints[id]
    }

    pub fn notification(&self, id: Id) -> Ref<Notification> {
        self.notifications[id]
    }

    /// A capability to the endpoint, and to the reply or none.
    pub fn caps(&self, endpoint: Id, reply: Option<Id>) -> (Cap, Cap) {
        let of = |kind, phys| Cap::message_object(kind, phys, Rights::ALL, 0);
        let reply = reply.map_or(Cap::NULL, |reply| of(Kind::Reply, self.reply(reply).phys()));
        (of(Kind::Endpoint, self.endpoint(endpoint).phys()), reply)
    }

    fn check(&self) -> Result<(), String> {
        thread::audit::check(&self.ipc().threads, &self.all().below)?;
        let contexts: Vec<_> = self.contexts.iter().map(|it| it.0).collect();
        ipc::audit::check(&ipc::audit::Population {
            endpoints: &self.endpoints,
            notifications: &self.notifications,
            threads: &self.threads,
            contexts: &contexts,
        })
    }
}

/// Both sides.
pub struct World {
    pub spec: System,
    pub real: Objects,
    trail: Vec<Step>,
    /// Whether the invariants are checked after each step.
    pub audited: bool,
}

impl World {
    /// Threads that all run, with time but for the last, which has none; every message register different.
    pub fn new(slice: &Slice, threads: usize) -> Self {
        let real = Objects::new(slice, threads);
        for id in 1..=threads {
            let thread = real.thread(id);
            thread.priority.set([5, 5, 7, 6][(id - 1) % 4]);
            for (index, register) in MESSAGE_REGISTERS.into_iter().enumerate() {
                thread.context.set(register, (id * 16 + index) as u64);
            }
            thread.context.set(Register::FaultIp, 0x1000 * id as u64);
            thread.context.set(Register::NextIp, 0x1000 * id as u64);
            if id != 1 {
                let handler = Cap::message_object(Kind::Endpoint, real.endpoint(1).phys(), Rights::ALL, FAULT_BADGE);
                Tcb::slot(thread, TcbSlot::FaultHandler).set_cap(handler);
            }
        }
        let mut world =
            Self { spec: System::read(&real.ipc().threads, &real.all()), real, trail: vec![], audited: true };
        for (id, (budget, period)) in [(1, (100_000, 100_000)), (2, (50_000, 200_000)), (3, (90_000, 90_000))] {
            world.both(
                |spec| spec.core.configure(id, budget, period, 3),
                |it, on| on.configure(it.context(id), CoreIndex::FIRST, budget, period, 3),
            );
            if id < threads {
                world.both(|spec| spec.core.bind(id, id), |it, on| on.bind(it.context(id), it.thread(id)));
            }
        }
        for id in 1..=threads {
            world.both(|spec| spec.resume(id), |it, on| on.resume(it.thread(id)));
        }
        world.both(|spec| spec.leave(), |it, _| it.leave());
        world
    }

    /// Runs an operation on both; what they return and what they leave must be the same.
    #[track_caller]
    pub fn both<T: PartialEq + Debug>(
        &mut self,
        spec: impl FnOnce(&mut System) -> T,
        real: impl FnOnce(&Objects, Ipc<'_>) -> T,
    ) -> T {
        let wanted = spec(&mut self.spec);
        let found = real(&self.real, self.real.ipc());
        assert_eq!(found, wanted, "the results differ");
        let read = System::read(&self.real.ipc().threads, &self.real.all());
        assert!(read == self.spec, "the layer is\n{read:#?}\nbut should be\n{:#?}", self.spec);
        found
    }

    /// One kernel entry.
    pub fn run(&mut self, step: Step) {
        self.trail.push(step);
        step.run(self);
        if self.audited {
            self.real.check().expect("the invariants hold");
        }
    }

    /// The running thread, if one does.
    pub fn current(&self) -> Option<Id> {
        Some(self.spec.core.current).filter(|&id| id != thread::spec::IDLE)
    }

    pub fn state(&self, thread: Id) -> State {
        self.spec.core.threads[thread].state
    }
}

impl Objects {
    /// Lets the scheduler decide; says for when it set the timer, if it did.
    pub fn leave(&self) -> Option<u64> {
        let machine = self.ipc().machine;
        machine.take_events();
        self.ipc().schedule();
        self.ipc().activate();
        let set = |event: &machine::model::Event| match event {
            machine::model::Event::Deadline { at } => Some(*at),
            _ => None,
        };
        machine.take_events().iter().rev().find_map(set)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after {:?}", self.trail);
        }
    }
}
