//! `yield.thread`: two threads of one priority, each with a round-robin slice, take turns. From before `Yield` in one
//! until `Yield` has returned in the other.

use crate::run::Out;
use crate::stage::{Actor, Faults, Place, Role, Stage, finish};
use crate::timed::{Registers, system_call};
use crate::trace::{CLIENT, RUNS, SERVER, Trace};
use abi::syscall::Syscall;
use root_task::RootError;

/// All of them.
pub fn measure(stage: &mut Stage, out: &mut Out<'_>) -> Result<(), RootError> {
    stage.fresh_props(0)?;
    let (place, priority, faults) = (Place::Same, 100, Faults::Unheard);
    let first = stage.start(Actor { role: Role::Client, place, priority, faults, entry: yield_first })?;
    let second = stage.start(Actor { role: Role::Server, place, priority, faults, entry: yield_second })?;
    stage.wait();
    first.stop()?;
    second.stop()?;
    // Whoever comes second: its yield number n lets the other's number n return, or number n - 1.
    let second = |run| CLIENT.end(run).wrapping_sub(SERVER.start(run + 1));
    let first = |run| CLIENT.end(run).wrapping_sub(SERVER.start(run));
    out.pairs("yield.thread", |run| first(run).min(second(run)));
    Ok(())
}

extern "C" fn yield_first() -> ! {
    yield_often(&CLIENT)
}

extern "C" fn yield_second() -> ! {
    yield_often(&SERVER)
}

fn yield_often(trace: &Trace) -> ! {
    let registers = Registers::plain(Syscall::Yield, 0);
    for run in 0..RUNS {
        trace.set(run, system_call(&registers).0);
    }
    finish()
}
