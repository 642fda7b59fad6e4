//! The layer's objects in a slice of memory, the specification beside them, and the comparison.

use crate::Step;
use capability::{Cap, Kind, Rights};
use machine::model::Event;
use machine::{Machine, Register};
use memory::host::Slice;
use memory::{Phys, Ref};
use std::fmt::Debug;
use sync::{CoreIndex, PerCore, Recalls};
use thread::audit::{self, Population};
use thread::spec::{Id, System};
use thread::{Core, Epoch, Reply, SchedContext, State, Tcb, TcbSlot, Threads};
use vspace::{AsidPool, AsidTable};

/// log2 of the bytes of a context: room for ten refills.
const CONTEXT_BITS: u32 = 8;
const TCB_BYTES: u64 = 2048;

/// How many objects there are.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub threads: usize,
    pub contexts: usize,
    pub replies: usize,
}

/// The layer's side: objects in memory.
pub struct Objects {
    threads: Vec<Ref<Tcb>>,
    contexts: Vec<(Ref<SchedContext>, u32)>,
    replies: Vec<Ref<Reply>>,
    cores: PerCore<Core>,
    recalls: Recalls,
    epoch: Epoch,
    asids: AsidTable,
    kernel_root: Phys,
}

/// Both sides.
pub struct World {
    pub spec: System,
    pub real: Objects,
    /// Steps so far, for the report of a failure.
    trail: Vec<Step>,
    /// Whether the invariants are checked after each step.
    pub audited: bool,
}

impl Objects {
    /// Everything zero: an idle core and objects that were just made.
    fn new(slice: &Slice, size: Size) -> Self {
        let base = slice.range().base;
        let ready = base.offset(4096);
        let objects = ready.offset((size_of::<thread::ReadyQueues>() as u64).next_multiple_of(4096));
        let thread = |index: usize| Ref::at(objects.offset(index as u64 * TCB_BYTES));
        let behind = objects.offset(16 * TCB_BYTES);
        let context = |index: usize| Ref::at(behind.offset((index as u64) << CONTEXT_BITS));
        let reply = |index: usize| Ref::at(behind.offset((16 << CONTEXT_BITS) + 32 * index as u64));
        memory::clear(base, 17);
        let core = |index| Ok::<_, ()>(Core::new(index, Machine::new(), thread(0), context(0), Ref::at(ready)));
        Self {
            threads: (1..=size.threads).map(thread).collect(),
            contexts: (1..=size.contexts).map(|index| (context(index), CONTEXT_BITS)).collect(),
            replies: (0..size.replies).map(reply).collect(),
            cores: PerCore::try_from_fn(1, core).expect("one core"),
            recalls: Recalls::new(),
            epoch: Epoch::new(),
            asids: AsidTable::default(),
            kernel_root: base,
        }
    }

    pub fn on(&self) -> Threads<'_> {
        let core = self.cores.of(CoreIndex::FIRST);
        Threads {
            machine: &core.machine,
            core,
            cores: &self.cores,
            recalls: &self.recalls,
            epoch: &self.epoch,
            asids: &self.asids,
            kernel_root: self.kernel_root,
        }
    }

    fn population(&self) -> Population<'_> {
        Population { threads: &self.threads, contexts: &self.contexts, replies: &self.replies }
    }

    pub fn read(&self) -> System {
        System::read(&self.on(), &self.population())
    }

    pub fn thread(&self, id: Id) -> Ref<Tcb> {
        if id == 0 { self.on().core.idle } else { self.threads[id - 1] }
    }

    pub fn context(&self, id: Id) -> Ref<SchedContext> {
        self.contexts[id - 1].0
    }

    pub fn reply(&self, id: Id) -> Ref<Reply> {
        self.replies[id]
    }

    pub fn id(&self, thread: Ref<Tcb>) -> Id {
        self.threads.iter().position(|&other| other == thread).map_or(0, |at| at + 1)
    }

    /// Gives the thread a timeout handler, or takes it away.
    pub fn set_handler(&self, thread: Id, has: bool) {
        let endpoint = Cap::message_object(Kind::Endpoint, self.kernel_root, Rights::ALL, 1);
        let cap = if has { endpoint } else { Cap::NULL };
        Tcb::slot(self.thread(thread), TcbSlot::TimeoutHandler).set_cap(cap);
    }

    /// Lets the scheduler decide; says for when it set the timer, if it did.
    pub fn leave(&self) -> Option<u64> {
        self.on().machine.take_events();
        self.on().schedule();
        let events = self.on().machine.take_events();
        events.iter().rev().find_map(|event| match event {
            Event::Deadline { at } => Some(*at),
            _ => None,
        })
    }
}

impl World {
    pub fn new(slice: &Slice, size: Size) -> Self {
        let real = Objects::new(slice, size);
        Self { spec: real.read(), real, trail: Vec::new(), audited: true }
    }

    /// Runs an operation on both; what they return and what they leave must be the same.
    #[track_caller]
    pub fn both<T: PartialEq + Debug>(
        &mut self,
        spec: impl FnOnce(&mut System) -> T,
        real: impl FnOnce(&Objects, Threads<'_>) -> T,
    ) -> T {
        let wanted = spec(&mut self.spec);
        let found = real(&self.real, self.real.on());
        assert_eq!(found, wanted, "the results differ");
        let read = self.real.read();
        assert!(read == self.spec, "the layer is\n{read:#?}\nbut should be\n{:#?}", self.spec);
        found
    }

    /// Brings both to `state`, which programs like `trail` lead to.
    pub fn place(&mut self, state: &System, trail: Vec<Step>) {
        state.place(&self.real.on(), &self.real.population());
        self.spec = state.clone();
        self.trail = trail;
    }

    /// One kernel entry.
    pub fn run(&mut self, step: Step, pass: u64) {
        self.trail.push(step);
        step.run(self, pass);
        if self.audited {
            self.audit();
        }
    }

    /// Checks the invariants.
    pub fn audit(&self) {
        audit::check(&self.real.on(), &self.real.population()).expect("the invariants hold");
    }

    /// Gives each thread an address space, and each other segment bases: then it can be run by a short cut.
    pub fn give_spaces(&self) {
        let pool = self.real.kernel_root.offset(1 << 20);
        memory::clear(pool, 13);
        let (pool, root) = (Ref::<AsidPool>::at(pool), pool.offset(4096));
        self.real.asids.install(0, pool);
        pool.assign(1, Ref::at(root));
        for (index, &thread) in self.real.threads.iter().enumerate() {
            Tcb::slot(thread, TcbSlot::VSpace).set_cap(Cap::table(Kind::Pml4, root).with_mapping(1, 0));
            thread.context.set(Register::FsBase, 0x1000 * index as u64);
            thread.context.set(Register::GsBase, 0x10_0000 * (index as u64 % 2));
            thread.roots.forget();
        }
        let on = self.real.on();
        on.set_address_space(on.core.current.get());
        on.settle();
    }

    /// A system in which something happens: a round-robin thread that runs, one with a budget, a passive server.
    pub fn populated(slice: &Slice, size: Size) -> Self {
        let mut world = Self::new(slice, size);
        let priorities = [5, 5, 7, 3, 5, 9];
        for id in 1..=size.threads {
            let priority = priorities[(id - 1) % priorities.len()];
            world.both(|spec| spec.threads[id].priority = priority, |it, _| it.thread(id).priority.set(priority));
        }
        let sporadic = size.contexts;
        world.both(|spec| spec.contexts[sporadic].sporadic = true, |it, _| it.context(sporadic).sporadic.set(1));
        for (step, pass) in [
            (Step::Configure(1, 0), 0),
            (Step::Configure(2, 1), 0),
            (Step::Bind(1, 3), 0),
            (Step::Resume(3), 0),
            (Step::Receive(0), 0),
            (Step::Unbind(1), 0),
            (Step::Bind(1, 1), 0),
            (Step::Bind(2, 2), 0),
            (Step::Resume(1), 0),
            (Step::Resume(2), 0),
        ] {
            world.run(step, pass);
        }
        assert_eq!(world.spec.current, 1, "thread 1 runs");
        assert_eq!(world.spec.threads[3].state, State::BLOCKED_ON_RECEIVE, "thread 3 serves");
        world
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after {:?}", self.trail);
        }
    }
}
