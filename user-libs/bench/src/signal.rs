//! `signal.*`: notifications.
//!
//! `signal.high` is from before the signal until `Wait` has returned in a waiter of higher priority. `signal.low` is the
//! signaller's own cost where nobody of higher priority gains from it, as seL4's benchmark has it: the waiter, of lower
//! priority, was woken by the first signal and never gets to run. `signal.low.wake` wakes a waiter of lower priority each
//! time.

use crate::run::Out;
use crate::stage::{Actor, Faults, PROPS, Place, Role, Stage, finish};
use crate::timed::{Registers, system_call};
use crate::trace::{CLIENT, RUNS, SERVER};
use abi::syscall::Syscall;
use root_task::RootError;
use sel4::{Endpoint, Message};

const LOW: u8 = 99;
const MIDDLE: u8 = 100;
const HIGH: u8 = 101;

/// All of them.
pub fn measure(stage: &mut Stage, out: &mut Out<'_>) -> Result<(), RootError> {
    act(stage, Place::Same, HIGH, wait_often, signal_often)?;
    out.runs("signal.high", |run| SERVER.end(run) - CLIENT.start(run));
    act(stage, Place::Other, HIGH, wait_often, signal_often)?;
    out.runs("signal.high.other", |run| SERVER.end(run) - CLIENT.start(run));
    act(stage, Place::Same, LOW, answer_often, signal_often)?;
    out.runs("signal.low", |run| CLIENT.end(run) - CLIENT.start(run));
    act(stage, Place::Same, LOW, answer_often, signal_and_listen)?;
    out.runs("signal.low.wake", |run| CLIENT.end(run) - CLIENT.start(run));
    Ok(())
}

fn act(
    stage: &mut Stage,
    place: Place,
    priority: u8,
    waiter: extern "C" fn() -> !,
    signaller: extern "C" fn() -> !,
) -> Result<(), RootError> {
    stage.fresh_props(0)?;
    let faults = Faults::Unheard;
    let server = stage.start(Actor { role: Role::Server, place, priority, faults, entry: waiter })?;
    stage.wait();
    let place = Place::Same;
    let client = stage.start(Actor { role: Role::Client, place, priority: MIDDLE, faults, entry: signaller })?;
    stage.wait();
    client.stop()?;
    server.stop()
}

extern "C" fn wait_often() -> ! {
    let registers = Registers::plain(Syscall::Wait, PROPS.notification().cptr());
    PROPS.curtain().signal();
    for run in 0.. {
        SERVER.set(run, system_call(&registers).0);
    }
    finish()
}

extern "C" fn signal_often() -> ! {
    let registers = Registers::plain(Syscall::Send, PROPS.notification().cptr());
    for run in 0..RUNS {
        CLIENT.set(run, system_call(&registers).0);
    }
    finish()
}

/// Waits, and says so in the same step.
extern "C" fn answer_often() -> ! {
    // The kernel waits on whatever the capability is.
    let source = Endpoint::new(PROPS.notification().cptr());
    source.nb_send_wait(PROPS.curtain(), Message::EMPTY);
    loop {
        source.nb_send_wait(PROPS.back(), Message::EMPTY);
    }
}

extern "C" fn signal_and_listen() -> ! {
    let registers = Registers::plain(Syscall::Send, PROPS.notification().cptr());
    for run in 0..RUNS {
        CLIENT.set(run, system_call(&registers).0);
        PROPS.back().wait();
    }
    finish()
}
