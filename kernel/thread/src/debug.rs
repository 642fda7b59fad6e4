//! What the hardware debug API keeps of a thread: its breakpoints, and in how many instructions it stops.
//!
//! The processor's registers are loaded when the kernel is left for the thread ([`Debug::load`]), not at each change. A
//! thread with any of this is unusual (`machine::Needs`), so that fast paths leave that to `Threads::settle`. In builds
//! without the API all of this is there and empty.
//!
//! Tests: `kernel/image/tests/instance/breakpoints.rs`.

use abi::HARDWARE_DEBUG;
use abi::breakpoint::Kind;
use core::cell::Cell;
use machine::breakpoints::{Breakpoint, Breakpoints, EXECUTE, STATUS_STEP};
use machine::context::{FLAGS_RESUME, FLAGS_TRAP};
use machine::gate::BREAKPOINT;
use machine::{Context, Machine, Register};

use crate::{Fault, Tcb};

impl Tcb {
    /// Stops the thread at `breakpoint`, its number `number`, from now on.
    pub fn set_breakpoint(&self, number: usize, breakpoint: Breakpoint) {
        self.debug.breakpoints.set(number, breakpoint);
        self.roots.forget();
    }

    /// Stops the thread after `count` instructions; 0 lets it run.
    pub fn step(&self, count: u64) {
        self.debug.is_stepping.set(count != 0);
        self.debug.steps.set(count);
        if count == 0 {
            self.context.set(Register::Rflags, self.context.get(Register::Rflags) & !FLAGS_TRAP);
        }
        self.roots.forget();
    }
}

/// A thread's debug state. All-zero bytes are a valid value: nothing stops it.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Debug {
    breakpoints: Breakpoints,
    /// Whether it steps.
    is_stepping: Cell<bool>,
    /// Instructions to the next stop.
    steps: Cell<u64>,
}

impl Debug {
    /// Whether the processor has anything to do for it.
    pub fn is_wanted(&self) -> bool {
        HARDWARE_DEBUG && (self.is_stepping.get() || !self.breakpoints.is_empty())
    }

    /// Breakpoint `number`.
    pub fn breakpoint(&self, number: usize) -> Option<Breakpoint> {
        self.breakpoints.get(number)
    }

    /// Makes the processor obey, for the thread of `context`, which runs next.
    pub fn load(&self, context: &Context, machine: &Machine) {
        if HARDWARE_DEBUG {
            let (addresses, control) = self.breakpoints.registers();
            machine.load_breakpoints(addresses, control);
            if self.is_stepping.get() {
                context.set(Register::Rflags, context.get(Register::Rflags) | FLAGS_TRAP);
            }
        }
    }

    /// The fault that exception `vector` (the debug exception, or the breakpoint instruction's) is for the thread of
    /// `context`; `None` if it is a step that was not to be told.
    pub fn fault(&self, vector: u64, context: &Context, machine: &Machine) -> Option<Fault> {
        if !HARDWARE_DEBUG {
            return Some(Fault::user_exception(vector, 0));
        }
        if vector == u64::from(BREAKPOINT) {
            return Some(Fault::debug(Kind::SoftwareBreakRequest, 0, 0));
        }
        let status = machine.take_debug_status();
        if let Some((number, found)) = self.breakpoints.triggered(status) {
            let kind = if found.condition == EXECUTE { Kind::Instruction } else { Kind::Data };
            if kind == Kind::Instruction {
                // It stops before the instruction: without this flag it would stop there for ever.
                context.set(Register::Rflags, context.get(Register::Rflags) | FLAGS_RESUME);
            }
            return Some(Fault::debug(kind, found.address, number as u64));
        }
        if status & STATUS_STEP == 0 {
            return Some(Fault::user_exception(vector, 0));
        }
        self.steps.set(self.steps.get().saturating_sub(1));
        (self.steps.get() == 0).then_some(Fault::debug(Kind::SingleStep, 0, 0))
    }
}
