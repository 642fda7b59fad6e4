//! `fault.*`: an illegal instruction, its passive handler in the same address space, and the way back behind the
//! instruction. The round trip is the sum of both ways: what the handler does in between is its own.

use crate::run::Out;
use crate::stage::{Actor, Faults, PROPS, Place, Role, Stage, finish};
use crate::timed::{INSTRUCTION_BYTES, Registers, illegal_instruction, system_call};
use crate::trace::{CLIENT, RUNS, SERVER};
use abi::syscall::Syscall;
use root_task::RootError;
use sel4::fault::user_exception;
use sel4::{Message, MessageInfo};

const EVEN: u8 = 100;

/// All of them.
pub fn measure(stage: &mut Stage, out: &mut Out<'_>) -> Result<(), RootError> {
    stage.fresh_props(0)?;
    let (place, priority) = (Place::Same, EVEN);
    let handler = Actor { role: Role::Server, place, priority, faults: Faults::Unheard, entry: handle_often };
    let handler = stage.start(handler)?;
    stage.wait();
    handler.make_passive()?;
    let faulter = Actor { role: Role::Client, place, priority, faults: Faults::ToEndpoint, entry: fault_often };
    let faulter = stage.start(faulter)?;
    stage.wait();
    faulter.stop()?;
    handler.stop()?;
    let there = |run| SERVER.end(run) - CLIENT.start(run);
    let back = |run| CLIENT.end(run) - SERVER.start(run + 1);
    let cost = out.cost();
    out.runs("fault.to_handler", there);
    out.pairs("fault.to_faulter", back);
    out.pairs("fault.roundtrip", |run| there(run) + back(run) - cost);
    Ok(())
}

extern "C" fn fault_often() -> ! {
    let registers = Registers::plain(Syscall::Yield, 0);
    for run in 0..RUNS {
        CLIENT.set(run, illegal_instruction(&registers).0);
    }
    finish()
}

extern "C" fn handle_often() -> ! {
    let info = MessageInfo::new(0, 0, 0, 1);
    let (capability, reply) = (PROPS.endpoint().cptr(), PROPS.reply().cptr());
    let first = PROPS.endpoint().nb_send_recv(PROPS.curtain(), Message::EMPTY, PROPS.reply());
    let mut at = first.message.words[user_exception::FAULT_IP];
    for run in 1.. {
        let words = [at + INSTRUCTION_BYTES, 0, 0, 0];
        let number = Syscall::ReplyRecv;
        let (stamps, answer) = system_call(&Registers { number, capability, info, words, reply });
        SERVER.set(run, stamps);
        at = answer.words[user_exception::FAULT_IP];
    }
    finish()
}
