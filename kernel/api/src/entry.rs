//! The ways into an instance: system calls, exceptions, interrupts. Each ends with the thread to run being current.

use crate::{Blocking, Entry, Next, OnCore, Replied, Rest, Sent, Stop};
use abi::syscall::Syscall;
use capability::Cap;
use ipi::{Vector, classify};
use machine::{Machine, Register, gate};
use thread::{Budget, Fault, State, flag};

impl OnCore<'_> {
    /// The current thread executed `syscall`; its registers are in its context.
    pub fn syscall(self) {
        let current = self.core().current.get();
        let context = &current.context;
        let (cptr, info) = (context.get(Register::Rdi), context.get(Register::Rsi));
        match Syscall::from_number(context.get(Register::Rdx) as i64) {
            Some(Syscall::Call) => match self.call_at_once(current, cptr, info) {
                Ok(arrival) => self.arrive(arrival),
                Err(Rest::Fast) => self.call(),
                Err(Rest::Slow) => self.slow_syscall(),
            },
            Some(Syscall::ReplyRecv) => match self.reply_at_once(current, cptr, info, context.get(Register::R12)) {
                Some(Replied::Message(arrival)) => self.arrive(arrival),
                Some(Replied::Fault(next, handler)) if self.answer_exception(next.thread, handler) => self.run(next),
                Some(Replied::Fault(next, handler)) => self.answer_fault(next.thread, handler),
                None => self.reply_receive(),
            },
            Some(how @ (Syscall::Send | Syscall::NBSend)) => {
                let blocking = if how == Syscall::Send { Blocking::Yes } else { Blocking::No };
                let cap = self.send_lightly(current, cptr, info, blocking);
                if !cap.is_null() {
                    match self.send_at_once(current, cap) {
                        Some(Sent::Message(arrival)) => self.arrive(arrival),
                        Some(Sent::Signal(next, badge)) => self.awake(next, badge),
                        None => self.send(cap),
                    }
                }
            }
            Some(Syscall::Yield) => match self.yield_at_once(current) {
                Some(next) => self.run(next),
                None => self.rest_of_yield(),
            },
            _ => self.other_syscall(),
        }
    }

    /// As [`syscall`](Self::syscall), for a Call that [`call_at_once`](Self::call_at_once) left.
    #[inline(always)]
    pub fn call(self) {
        match self.call_thoroughly() {
            Ok(arrival) => self.arrive(arrival),
            Err(_) => self.slow_syscall(),
        }
    }

    /// As [`syscall`](Self::syscall), for a ReplyRecv that [`reply_at_once`](Self::reply_at_once) left.
    #[inline(always)]
    pub fn reply_receive(self) {
        match self.reply_thoroughly() {
            Some(Replied::Message(arrival)) => self.arrive(arrival),
            Some(Replied::Fault(next, handler)) => self.answer_fault(next.thread, handler),
            None => self.slow_syscall(),
        }
    }

    /// As [`syscall`](Self::syscall), for a Send or NBSend that [`send_lightly`](Self::send_lightly) and
    /// [`send_at_once`](Self::send_at_once) left with `cap`.
    #[inline(always)]
    pub fn send(self, cap: Cap) {
        if !self.fast_send(cap) {
            self.slow_syscall();
        }
    }

    /// As [`syscall`](Self::syscall), for all others.
    #[inline(always)]
    pub fn other_syscall(self) {
        if !self.fast_receive() {
            self.slow_syscall();
        }
    }

    /// As [`syscall`](Self::syscall), without the fast paths.
    #[inline(never)]
    pub fn slow_syscall(self) {
        self.enter(|entry| {
            entry.update_time();
            if !entry.was_recalled() && entry.may_proceed() {
                entry.dispatch();
            }
            entry.leave();
        });
    }

    /// The current thread raised processor exception `vector` with error code `code`.
    pub fn exception(self, vector: u64, code: u64) {
        match self.exception_at_once(self.core().current.get(), vector, code) {
            Some(next) => self.run(next),
            None => self.rest_of_exception(vector, code),
        }
    }

    /// As [`exception`](Self::exception), where [`exception_at_once`](Self::exception_at_once) did nothing.
    #[inline(always)]
    pub fn rest_of_exception(self, vector: u64, code: u64) {
        if !self.exception_thoroughly(vector, code) {
            self.slow_exception(vector, code);
        }
    }

    /// As [`exception`](Self::exception), without the fast path.
    #[inline(never)]
    pub fn slow_exception(self, vector: u64, code: u64) {
        // Before this core waits: a thread that is recalled in the meantime does not keep what it wrote.
        let current = self.core().current.get();
        let is_about_bases = !self.ipc().was_recalled() && current.takes_bases(vector, self.machine());
        self.enter(|entry| {
            entry.update_time();
            if entry.was_recalled() || is_about_bases || vector == DEVICE_NOT_AVAILABLE && entry.take_fpu() {
                entry.leave();
                if entry.core.current.get().has(flag::HAS_BASES) {
                    entry.machine.lend_bases();
                }
                return;
            }
            let current = entry.core.current.get();
            if !is_trap(vector) {
                if entry.may_proceed() {
                    entry.report(current, fault_of(entry.machine, vector, code));
                }
            } else if let Some(fault) = current.debug.fault(vector, &current.context, entry.machine) {
                // Told however little budget is left.
                entry.report(current, fault);
                entry.settle_overdraft();
            } else {
                entry.may_proceed();
            }
            entry.leave();
        });
    }

    /// CPU vector `vector` interrupted the current (or idle) thread.
    pub fn interrupt(self, vector: u8) {
        match self.interrupt_at_once(self.core().current.get(), vector) {
            Some((next, badge)) => self.awake(next, badge),
            None => self.rest_of_interrupt(vector),
        }
    }

    /// As [`interrupt`](Self::interrupt), where [`interrupt_at_once`](Self::interrupt_at_once) did nothing.
    #[inline]
    pub fn rest_of_interrupt(self, vector: u8) {
        if !self.fast_interrupt(vector) {
            self.slow_interrupt(vector);
        }
    }

    /// Runs the thread that a signal woke.
    fn awake(self, next: Next<'_>, badge: u64) {
        next.thread.context.set(Register::Rdi, badge);
        self.run(next);
    }

    /// As [`interrupt`](Self::interrupt), without the fast path.
    #[inline(never)]
    pub fn slow_interrupt(self, vector: u8) {
        self.enter(|entry| {
            entry.update_time();
            let budget = entry.check_budget();
            entry.discharge(budget);
            entry.deliver(vector);
            entry.leave();
        });
    }

    /// Chooses a thread to run; for the end of boot.
    pub fn start(self) {
        self.enter(|entry| {
            entry.core.now.set(entry.machine.now());
            entry.core.reprogram.set(true);
            entry.leave();
        });
    }
}

const DEVICE_NOT_AVAILABLE: u64 = gate::DEVICE_NOT_AVAILABLE as u64;
const PAGE_FAULT: u64 = gate::PAGE_FAULT as u64;

/// Whether exception `vector` is raised behind the instruction that caused it, so that it cannot be had again by going back
/// to where the thread was.
const fn is_trap(vector: u64) -> bool {
    matches!(vector as u8, gate::DEBUG | gate::BREAKPOINT)
}

/// The fault that processor exception `vector` with error code `code` is.
#[inline(always)]
pub(crate) fn fault_of(machine: &Machine, vector: u64, code: u64) -> Fault {
    if vector == PAGE_FAULT { Fault::vm(machine.fault_address(), code) } else { Fault::user_exception(vector, code) }
}

impl Entry<'_> {
    /// Whether the current thread has the budget for this entry; if not it will repeat what it did.
    fn may_proceed(&self) -> bool {
        let budget = self.check_budget();
        if budget == Budget::Left {
            return true;
        }
        let current = self.core.current.get();
        if current.state.get().is_runnable() {
            self.set_state(current, State::RESTART);
        }
        self.discharge(budget);
        false
    }

    fn discharge(&self, budget: Budget) {
        if let Budget::Timeout(thread) = budget {
            self.timeout(thread);
        }
    }

    /// Picks the thread to run and makes it ready to.
    fn leave(&self) {
        self.schedule();
        self.activate();
        // Completing a yield or a restart may not have changed who runs, only how.
        let current = self.core.current.get();
        if current != self.core.idle {
            let context = &current.context;
            self.machine.load_bases(context.get(Register::FsBase), context.get(Register::GsBase));
            self.refresh(current);
            current.debug.load(context, self.machine);
        }
        self.machine.set_current(current.word());
        self.send_pokes();
    }

    fn dispatch(&mut self) {
        let current = self.core.current.get();
        let context = &current.context;
        let number = context.get(Register::Rdx) as i64;
        let capability = context.get(Register::Rdi);
        match Syscall::from_number(number) {
            Some(Syscall::Call) => {
                self.invoke_syscall(capability, Mode::CALL);
            }
            Some(Syscall::Send) => {
                self.invoke_syscall(capability, Mode::SEND);
            }
            Some(Syscall::NBSend) => {
                self.invoke_syscall(capability, Mode::NB_SEND);
            }
            Some(Syscall::Recv) => self.receive_syscall(Receive::BLOCKING_WITH_REPLY),
            Some(Syscall::NBRecv) => self.receive_syscall(Receive::POLLING_WITH_REPLY),
            Some(Syscall::Wait) => self.receive_syscall(Receive::BLOCKING),
            Some(Syscall::NBWait) => self.receive_syscall(Receive::POLLING),
            Some(Syscall::ReplyRecv) => {
                if self.invoke_syscall(context.get(Register::R12), Mode::FIRST_PHASE) {
                    self.receive_syscall(Receive::BLOCKING_WITH_REPLY);
                }
            }
            Some(Syscall::NBSendRecv) => {
                if self.invoke_syscall(context.get(Register::R13), Mode::FIRST_PHASE) {
                    self.receive_syscall(Receive::BLOCKING_WITH_REPLY);
                }
            }
            Some(Syscall::NBSendWait) => {
                if self.invoke_syscall(context.get(Register::R12), Mode::FIRST_PHASE) {
                    self.receive_syscall(Receive::BLOCKING);
                }
            }
            Some(Syscall::Yield) => {
                self.yield_slice();
                self.reschedule_required();
            }
            other => self.other_syscall(other, number),
        }
    }

    /// Says whether the invocation ended, well or refused; if not, the system call is repeated from its start.
    fn invoke_syscall(&mut self, cptr: u64, mode: Mode) -> bool {
        match self.invoke(cptr, mode) {
            Ok(()) | Err(Stop::Refused(_)) => true,
            Err(Stop::Preempted) => {
                let budget = self.settle_after_preemption();
                self.discharge(budget);
                false
            }
        }
    }

    fn other_syscall(&mut self, syscall: Option<Syscall>, number: i64) {
        let current = self.core.current.get();
        match syscall {
            Some(Syscall::SetTLSBase) => {
                let base = thread::registers::canonical(current.context.get(Register::Rdi));
                current.context.set(Register::FsBase, base);
            }
            #[cfg(feature = "debug-syscalls")]
            Some(syscall) if syscall.is_debug() => self.debug_syscall(syscall),
            _ => self.report(current, Fault::unknown_syscall(number as u64)),
        }
    }

    /// Tells the fault handler; a thread without one stays stopped, and a debug build says so on the console.
    pub(crate) fn report(&self, thread: memory::Ref<thread::Tcb>, fault: Fault) {
        if !self.fault(thread, fault) {
            #[cfg(feature = "debug-syscalls")]
            self.print_unhandled(thread, fault);
        }
    }

    /// Gives the FPU to the current thread, unless it asked not to have it.
    fn take_fpu(&self) -> bool {
        let core = self.core;
        let current = core.current.get();
        if current.has(flag::FPU_DISABLED) || core.fpu_owner() == Some(current) {
            return false;
        }
        self.machine.fpu_enable();
        if let Some(owner) = core.fpu_owner() {
            self.machine.fpu_save(&owner.fpu);
        }
        self.machine.fpu_restore(&current.fpu);
        core.set_fpu_owner(Some(current));
        true
    }

    fn deliver(&mut self, vector: u8) {
        match classify(vector) {
            Vector::Timer => {
                self.core.reprogram.set(true);
                self.machine.end_of_interrupt();
            }
            Vector::User(_) | Vector::Doorbell(_) => {
                let ipc = **self;
                self.interrupts().deliver(&ipc, vector);
            }
            // A masked line of the legacy controller, or the local APIC's own: neither expects an end of interrupt.
            Vector::Isa(_) | Vector::Spurious => {}
            _ => self.machine.end_of_interrupt(),
        }
    }
}

/// How an invocation was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    /// The invoker waits for an answer.
    pub(crate) call: bool,
    /// It waits until it can be delivered.
    pub(crate) blocking: bool,
    /// Its time may go along.
    pub(crate) donate: bool,
    /// A receive follows in the same system call.
    pub(crate) first_phase: bool,
}

impl Mode {
    const CALL: Mode = Mode { call: true, blocking: true, donate: true, first_phase: false };
    const SEND: Mode = Mode { call: false, blocking: true, donate: false, first_phase: false };
    const NB_SEND: Mode = Mode { call: false, blocking: false, donate: false, first_phase: false };
    const FIRST_PHASE: Mode = Mode { call: false, blocking: false, donate: true, first_phase: true };
}

/// How a receive was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receive {
    /// Whether it waits.
    pub(crate) mode: ipc::ReceiveMode,
    /// Whether a reply capability is given.
    pub(crate) with_reply: bool,
}

impl Receive {
    const BLOCKING_WITH_REPLY: Receive = Receive { mode: ipc::ReceiveMode::Blocking, with_reply: true };
    const POLLING_WITH_REPLY: Receive = Receive { mode: ipc::ReceiveMode::Polling, with_reply: true };
    const BLOCKING: Receive = Receive { mode: ipc::ReceiveMode::Blocking, with_reply: false };
    const POLLING: Receive = Receive { mode: ipc::ReceiveMode::Polling, with_reply: false };
}
