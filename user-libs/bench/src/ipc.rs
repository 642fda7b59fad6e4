//! `ipc.*`: a client calls a passive server of the same priority, or sends to a receiver of a higher one.
//!
//! One way each, as seL4's benchmark defines it: a call is from before `Call` in the client until `ReplyRecv` has
//! returned in the server; a reply from before `ReplyRecv` in the server until `Call` has returned in the client. The
//! server has no time of its own: it runs on the client's scheduling context, which the call lends and the reply returns.
//! Except where the id says `active`: there either end runs on its own.

use crate::run::Out;
use crate::stage::{Actor, Faults, PROPS, Place, Role, Stage, finish};
use crate::timed::{Registers, system_call};
use crate::trace::{CLIENT, RUNS, SERVER};
use abi::syscall::Syscall;
use core::sync::atomic::Ordering::Relaxed;
use root_task::RootError;
use sel4::{Message, MessageInfo};

/// Priority of both ends.
const EVEN: u8 = 100;
/// Priority of a receiver above.
const ABOVE: u8 = 101;

/// All of them.
pub fn measure(stage: &mut Stage, out: &mut Out<'_>) -> Result<(), RootError> {
    for (place, words, time, call, reply) in [
        (Place::Same, 0, Time::Lent, "ipc.call.same", "ipc.replyrecv.same"),
        (Place::Other, 0, Time::Lent, "ipc.call.other", "ipc.replyrecv.other"),
        (Place::Other, 4, Time::Lent, "ipc.call.4", "ipc.replyrecv.4"),
        (Place::Other, 10, Time::Lent, "ipc.call.10", "ipc.replyrecv.10"),
        (Place::Other, 0, Time::Own, "ipc.call.active", "ipc.replyrecv.active"),
        (Place::Other, 10, Time::Own, "ipc.call.10.active", "ipc.replyrecv.10.active"),
    ] {
        stage.fresh_props(words)?;
        let server = stage.start(actor(Role::Server, place, EVEN, serve))?;
        stage.wait();
        if time == Time::Lent {
            server.make_passive()?;
        }
        let client = stage.start(actor(Role::Client, Place::Same, EVEN, call_often))?;
        stage.wait();
        client.stop()?;
        server.stop()?;
        out.runs(call, |run| SERVER.end(run) - CLIENT.start(run));
        out.pairs(reply, |run| CLIENT.end(run) - SERVER.start(run + 1));
    }
    stage.fresh_props(0)?;
    let server = stage.start(actor(Role::Server, Place::Other, ABOVE, receive_often))?;
    stage.wait();
    let client = stage.start(actor(Role::Client, Place::Same, EVEN, send_often))?;
    stage.wait();
    client.stop()?;
    server.stop()?;
    out.runs("ipc.send.other", |run| SERVER.end(run) - CLIENT.start(run));
    Ok(())
}

/// Whose time a server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    /// Its client's.
    Lent,
    /// Its own.
    Own,
}

fn actor(role: Role, place: Place, priority: u8, entry: extern "C" fn() -> !) -> Actor {
    Actor { role, place, priority, faults: Faults::Unheard, entry }
}

/// Registers of a call on the endpoint, with the message of this measurement and the reply object.
fn registers(number: Syscall) -> Registers {
    let info = MessageInfo::new(0, 0, 0, PROPS.words.load(Relaxed));
    let (capability, reply) = (PROPS.endpoint().cptr(), PROPS.reply().cptr());
    Registers { number, capability, info, words: [1, 2, 3, 4], reply }
}

extern "C" fn call_often() -> ! {
    let registers = registers(Syscall::Call);
    for run in 0..RUNS {
        CLIENT.set(run, system_call(&registers).0);
    }
    finish()
}

extern "C" fn serve() -> ! {
    let registers = registers(Syscall::ReplyRecv);
    // Says that it is ready and receives, in one step: it is asleep when its time is taken away.
    PROPS.endpoint().nb_send_recv(PROPS.curtain(), Message::EMPTY, PROPS.reply());
    for run in 1.. {
        SERVER.set(run, system_call(&registers).0);
    }
    finish()
}

extern "C" fn send_often() -> ! {
    let registers = registers(Syscall::Send);
    for run in 0..RUNS {
        CLIENT.set(run, system_call(&registers).0);
    }
    finish()
}

extern "C" fn receive_often() -> ! {
    let registers = registers(Syscall::Recv);
    PROPS.curtain().signal();
    for run in 0.. {
        SERVER.set(run, system_call(&registers).0);
    }
    finish()
}
