//! A run: several threads of one instance that make system calls, fault and are interrupted, as [`Random`] says. Used with
//! seeds by the tests here, and with scripts by the fuzzers of `tests/fuzz`.

mod plausible;
mod random;

use crate::harness::{Call, Ended, Options, System, slot};
use abi::invocation::Invocation::{self, *};
use abi::message::MessageInfo;
use abi::object::ObjectType;
use capability::{Cap, Kind};
use machine::Register;
use machine::gate::has_error_code;
use machine::model::PendingInterrupt;
pub use random::Random;
use std::collections::BTreeMap;
use thread::TcbSlot;

/// Slots that the run works in.
const POOL: u64 = 160;
/// A root task that destroys these ends the run.
const VITAL: [u64; 3] = [slot::TCB, slot::CNODE, slot::SC];

/// An instance in which several threads act at random.
pub struct Run {
    pub system: System,
    pub random: Random,
    first: u64,
    /// Whether every step is printed before it is made: for runs that crash.
    pub traced: bool,
    /// Whether time passes only before interrupts.
    pub stopped_clock: bool,
    /// When the timer fires, if not when the machine says.
    pub deadline: Option<u64>,
    /// What was done last.
    pub last: String,
    /// Invocations by label: (done, refused).
    pub counts: BTreeMap<u64, (u64, u64)>,
    /// System calls that named memory of a channel.
    pub about_channels: u64,
}

impl Run {
    /// A run on one core.
    pub fn new(random: Random) -> Self {
        Self::on_cores(1, random)
    }

    /// A run over `cores` cores: the threads are spread, and at each step some core acts.
    pub fn on_cores(cores: usize, random: Random) -> Self {
        let (system, first) = Self::prepared(cores);
        Self::begun(system, first, random)
    }

    /// A run on one core that has memory of a channel too: as frames, as part of one, and as untyped memory.
    pub fn beside_a_channel(random: Random) -> Self {
        let (system, first) = Self::prepared(1);
        let channel = system.device_untyped();
        system.make_from(channel, ObjectType::Page4K, 0, 6);
        system.make_from(channel, ObjectType::Untyped, 12, 2);
        system.copy(system.make_from(channel, ObjectType::Untyped, 16, 1));
        Self::begun(system, first, random)
    }

    fn prepared(cores: usize) -> (System, u64) {
        let system = System::with(Options { slice_bytes: 4 << 20, cores, ..Options::default() });
        system.audit_never();
        let untyped = system.make(ObjectType::Untyped, 18);
        let first = system.fresh_many(0);
        for kind in [ObjectType::Endpoint, ObjectType::Notification, ObjectType::Reply, ObjectType::Tcb] {
            system.make_many(kind, 0, 4);
        }
        for bits in [1, 2, 3] {
            system.make(ObjectType::CapTable, bits);
        }
        system.make_many(ObjectType::Untyped, 12, 2);
        system.make_many(ObjectType::Untyped, 9, 2);
        for kind in [
            ObjectType::Page4K,
            ObjectType::Pml4,
            ObjectType::Pdpt,
            ObjectType::PageDirectory,
            ObjectType::PageTable,
            ObjectType::Page4K,
        ] {
            system.make(kind, 0);
        }
        for (budget, period) in [(1000, 1000), (500, 2000), (100, 5000), (20, 40), (5000, 10_000)] {
            system.sched_context(budget, period);
        }
        for priority in [10, 10, 20, 30] {
            let thread = system.thread(priority);
            system.invoke(thread.cap, TCBSetMCPriority, &[255], &[slot::TCB]).ok();
            system.invoke(thread.cap, TCBResume, &[], &[]).ok();
        }
        for core in 1..cores {
            let thread = system.thread_on(core, 10);
            system.invoke(thread.cap, TCBSetMCPriority, &[255], &[slot::TCB]).ok();
            system.invoke(thread.cap, TCBResume, &[], &[]).ok();
            let control = system.fresh();
            system
                .invoke(
                    slot::CNODE,
                    CNodeCopy,
                    &[control, 64, system.sched_control() + core as u64, 64, 15],
                    &[slot::CNODE],
                )
                .ok();
        }
        system.passive_thread(15);
        let irq = system.fresh();
        system.invoke(slot::IRQ, X86IRQIssueIRQHandlerMSI, &[irq, 64, 0, 0, 0, 0, 7], &[slot::CNODE]).ok();
        let bell = system.fresh();
        system.invoke_label(slot::IRQ, SkerryIssueDoorbell as u64, &[1, bell, 64], &[slot::CNODE]).ok();
        let ports = system.fresh();
        system.invoke(slot::PORTS, X86IOPortControlIssue, &[0x3f8, 0x3fa, ports, 64], &[slot::CNODE]).ok();
        system.copy(untyped);
        (system, first)
    }

    fn begun(system: System, first: u64, random: Random) -> Self {
        system.step_back();
        system.audit_now();
        Self {
            system,
            random,
            first,
            traced: false,
            stopped_clock: false,
            deadline: None,
            last: String::new(),
            counts: BTreeMap::new(),
            about_channels: 0,
        }
    }

    fn cptr(&mut self) -> u64 {
        let cptr = self.any_cptr();
        if VITAL.contains(&cptr) && !self.random.one_in(200) { self.first } else { cptr }
    }

    fn any_cptr(&mut self) -> u64 {
        match self.random.below(40) {
            0 => self.random.next(),
            1 => self.random.below(16),
            5 => self.system.sched_control(),
            _ => self.first + self.random.below(POOL),
        }
    }

    /// A slot that holds a capability of one of these kinds, if there is one in sight.
    fn of_kind(&mut self, kinds: &[Kind]) -> u64 {
        self.one_of(|cap| kinds.contains(&cap.kind()))
    }

    /// A slot in sight whose capability `is_wanted`, else any.
    fn one_of(&mut self, is_wanted: impl Fn(Cap) -> bool) -> u64 {
        let vital = !self.random.one_in(200);
        let known = (1..16).filter(|cptr| !(vital && VITAL.contains(cptr)));
        let in_sight = (self.first..self.first + POOL).chain([self.system.sched_control()]).chain(known);
        let wanted: Vec<u64> = in_sight.filter(|&cptr| is_wanted(self.system.cap(cptr))).collect();
        if wanted.is_empty() { self.cptr() } else { self.random.pick(&wanted) }
    }

    fn empty(&mut self) -> u64 {
        self.of_kind(&[Kind::Null])
    }

    fn full(&mut self) -> u64 {
        self.one_of(|cap| !cap.is_null())
    }

    fn word(&mut self) -> u64 {
        match self.random.below(12) {
            0 => self.random.next(),
            1 => 1 << self.random.below(64),
            2 => u64::MAX - self.random.below(3),
            3..6 => self.cptr(),
            6 => 64,
            7 => self.vaddr(),
            _ => self.random.below(20),
        }
    }

    fn vaddr(&mut self) -> u64 {
        let base = self.random.pick(&[
            0x80_0000_0000,
            0x80_0000_0000,
            0x80_0000_0000,
            0x80_0020_0000,
            0x80_4000_0000,
            0x7e_0000_0000,
            0x40_0000,
            0x7fff_ffff_f000,
            0,
        ]);
        base + self.random.below(3) * 0x1000
    }

    fn space(&mut self) -> u64 {
        if self.random.one_in(2) { slot::VSPACE } else { self.of_kind(&[Kind::Pml4]) }
    }

    fn table(&mut self, map: Invocation, unmap: Invocation) -> (Invocation, Vec<u64>, Vec<u64>) {
        let what = if self.random.one_in(3) { unmap } else { map };
        (what, vec![self.vaddr(), 0], vec![self.space()])
    }

    /// One kernel entry of whoever runs, on whatever core.
    pub fn step(&mut self) -> Ended {
        let cores = self.system.kernel.cores().len();
        if cores > 1 {
            self.system.act_on(self.random.below(cores as u64) as usize);
            if self.random.one_in(2) {
                self.system.settle();
            }
        }
        let time = self.random.pick(&[0, 100, 3000, 3000, 10_000, 60_000, 1_000_000]);
        if !self.stopped_clock {
            self.system.advance(time);
        }
        let pending = if self.random.one_in(3) { PendingInterrupt::Waiting } else { PendingInterrupt::None };
        self.system.machine().set_pending_interrupt(pending);
        let deadline = self.deadline.unwrap_or(self.system.machine().deadline());
        if self.system.is_idle() || deadline <= self.system.machine().now() || self.random.one_in(20) {
            let vector =
                self.random.pick(&[ipi::TIMER, ipi::TIMER, ipi::TIMER, 0x37, 0xa0, 0xa3, 0x30, 0xff, 0x21, 0xe5]);
            if self.system.is_idle() && deadline < u64::MAX {
                self.system.set_now(deadline.max(kernel_now(&self.system)));
            }
            if self.stopped_clock {
                self.system.advance(time);
            }
            self.system.interrupt(vector);
            return Ended::Over;
        }
        let is_root = self.system.current() == self.system.root_thread();
        if !is_root && self.random.one_in(25) {
            self.system.machine().set_fault_address(self.random.next());
            let vector = self.random.pick(&[14, 7, 7, 6, 13, 0, 1, 3]);
            let code = self.random.below(32);
            self.system.exception(vector, if has_error_code(vector as u8) { code } else { 0 });
            return Ended::Over;
        }
        if is_root && self.random.one_in(4) {
            return self.revive();
        }
        let cptr = match self.random.below(6) {
            _ if is_root && self.random.one_in(3) => slot::CNODE,
            _ if is_root && !self.random.one_in(100) => {
                let kinds = [
                    Kind::Thread,
                    Kind::Thread,
                    Kind::CNode,
                    Kind::SchedContext,
                    Kind::Untyped,
                    Kind::Untyped,
                    Kind::Frame,
                    Kind::Pdpt,
                    Kind::PageDirectory,
                    Kind::PageTable,
                    Kind::SchedControl,
                    Kind::IrqHandler,
                    Kind::IrqControl,
                    Kind::AsidPool,
                    Kind::IoPort,
                ];
                let kind = self.random.pick(&kinds);
                self.of_kind(&[kind])
            }
            0 => self.cptr(),
            1 | 2 => self.of_kind(&[Kind::Endpoint, Kind::Notification, Kind::Reply]),
            3 => self.of_kind(&[Kind::Thread, Kind::CNode, Kind::SchedContext, Kind::Untyped]),
            4 => self.of_kind(&[Kind::Thread, Kind::CNode]),
            _ => self.random.pick(&[
                slot::CNODE,
                slot::IRQ,
                slot::DOMAIN,
                slot::ASID,
                slot::POOL,
                slot::PORTS,
                slot::CNODE,
            ]),
        };
        let (mut label, mut words, caps) = self.plausible(cptr);
        if self.random.one_in(10) {
            label = self.random.below(70);
        }
        for word in &mut words {
            if self.random.one_in(25) {
                *word = self.word();
            }
        }
        let thread = self.system.current();
        let context = &thread.context;
        for (&word, register) in words.iter().zip([Register::R10, Register::R8, Register::R9, Register::R15]) {
            context.set(register, word);
        }
        if let Some(buffer) = self.system.buffer_of(thread) {
            for (index, &word) in words.iter().enumerate().skip(4) {
                buffer.set(1 + index, word);
            }
            for (index, &cap) in caps.iter().enumerate() {
                buffer.set(122 + index, cap);
            }
            for (index, word) in [slot::CNODE, self.empty(), 64].into_iter().enumerate() {
                buffer.set(125 + index, word);
            }
        }
        let length = if self.random.one_in(30) { self.random.below(128) } else { words.len() as u64 };
        context.set(Register::Rsi, MessageInfo::new(label, 0, caps.len() as u64, length).word());
        let number = self.number(cptr);
        let number = if is_root && !self.random.one_in(100) { -1 } else { number };
        if number == -1 {
            context.set(Register::Rdi, cptr);
        }
        let is_usual = thread.cap(TcbSlot::CSpace) == self.system.cap(slot::CNODE);
        let configures = label == SchedControlConfigureFlags as u64 && !caps.is_empty() && caps[0] < 8192;
        if configures {
            self.system.forget_budget(self.system.phys(caps[0]));
        }
        self.last = format!("{:?}: ", thread)
            + &format!("system call {number} on {cptr} label {label} words {words:x?} caps {caps:?}");
        if self.traced {
            eprintln!("{}", self.last);
        }
        let named = caps.iter().copied().chain([cptr]).filter(|&cptr| cptr < self.first + POOL);
        let is_of_channel = |cap: Cap| matches!(cap.kind(), Kind::Frame | Kind::Untyped) && cap.is_device();
        self.about_channels +=
            u64::from(is_usual && named.into_iter().any(|cptr| is_of_channel(self.system.cap(cptr))));
        let ended = self.system.raw(number);
        if number == -1 && ended == Ended::Over && self.system.current() == thread {
            let success = MessageInfo::from_word(context.get(Register::Rsi)).label() == 0;
            let count = self.counts.entry(label).or_default();
            *if success { &mut count.0 } else { &mut count.1 } += 1;
            if success && configures && is_usual && self.system.cap(cptr).kind() == Kind::SchedControl {
                self.system.expect_budget(self.system.phys(caps[0]), words[0] * 1000);
            }
        }
        ended
    }

    /// The root task resumes somebody, with a new scheduling context if need be.
    fn revive(&mut self) -> Ended {
        let thread = self.of_kind(&[Kind::Thread]);
        let (cap, label, caps) = if self.random.one_in(3) {
            (self.of_kind(&[Kind::SchedContext]), SchedContextBind, vec![thread])
        } else {
            (thread, TCBResume, vec![])
        };
        if self.system.buffer_of(self.system.current()).is_none() && !caps.is_empty() {
            return self.system.raw(-11);
        }
        self.system.load(&Call { cap, label: label as u64, words: &[], caps: &caps });
        self.system.current().context.set(Register::Rdi, cap);
        self.system.raw(-1)
    }

    /// A system call number, with its capabilities in place.
    fn number(&mut self, cptr: u64) -> i64 {
        let context_of = |run: &Self| run.system.current();
        let (endpoint, reply) =
            (self.of_kind(&[Kind::Endpoint, Kind::Notification, Kind::Endpoint]), self.of_kind(&[Kind::Reply]));
        let number = match self.random.below(30) {
            0 => -4,
            1 => -3,
            2..5 => -2,
            5 => -5,
            6 => -6,
            7..10 => -7,
            10 => -8,
            11 => -9,
            12 => -10,
            13 => -11,
            14 => self.random.pick(&[-12, -13, -15, -17, -33, -99, 0, 5, i64::MIN]),
            _ => -1,
        };
        let context = &context_of(self).context;
        context.set(Register::Rdi, if number < -6 || (-4..-1).contains(&number) { endpoint } else { cptr });
        context.set(Register::R12, if number == -4 { cptr } else { reply });
        context.set(Register::R13, cptr);
        number
    }

    /// Whether nothing can happen any more.
    pub fn is_over(&self) -> bool {
        self.random.is_spent()
            || self.system.kernel.cores().len() == 1
                && self.system.is_idle()
                && self.system.machine().deadline() == u64::MAX
    }
}

fn kernel_now(system: &System) -> u64 {
    system.here().core().now.get()
}

/// Makes the same choices in two instances, one without the fast paths, and compares their memory word by word.
pub fn compare(random: &Random, steps: u64) {
    let (mut fast, mut slow) = (Run::new(random.clone()), Run::new(random.clone()));
    slow.system.slow.set(true);
    fast.system.slow.set(false);
    for step in 0..steps {
        // A fast path may leave the timer armed for an earlier moment than needed: both hear it then.
        let deadlines = [&fast, &slow].map(|run| run.system.machine().deadline());
        assert!(deadlines[0] <= deadlines[1], "step {step}: the timer is late, after {}", fast.last);
        for run in [&mut fast, &mut slow] {
            run.stopped_clock = true;
            run.deadline = Some(deadlines[0]);
            run.step();
        }
        let at = |run: &Run| run.system.current().phys().0 - run.system.slice.range().base.0;
        assert_eq!(at(&fast), at(&slow), "step {step}: who runs, after {}", fast.last);
        if step % 40 == 39 || step + 1 == steps {
            let differences = fast.system.differences(&slow.system);
            assert_eq!(differences, [""; 0], "by step {step}: fast and slow");
        }
        if fast.is_over() || fast.random != slow.random {
            return;
        }
    }
}
