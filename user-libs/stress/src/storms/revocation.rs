//! An endpoint that is revoked and made again under those who call it and serve it. Servers fault in the middle of their
//! system calls, wherever they run, and are restarted; callers hear that there is no such capability, or the right answer.

use super::linger;
use crate::crew::{reply, rest};
use crate::ledger::{Broken, count, fail, must, stopping};
use crate::props::PROPS;
use abi::error::Error as Label;
use sel4::{CapRights, Endpoint, Message, ObjectType, initial, yield_now};

const QUESTION: u64 = 8;
const ANSWER: u64 = 9;
/// Now and then there is no endpoint for a while: on one core its users would hardly ever notice otherwise.
const GAP: u64 = 4;

/// The capability that comes and goes: a copy, so that revoking the original takes it away.
fn victim() -> Endpoint {
    Endpoint::new(PROPS.revocation.slots() + 1)
}

/// Makes the endpoint, gives it away, and revokes everything.
pub extern "C" fn revoker(index: usize) -> ! {
    let (own, slots) = (&PROPS.revocation, PROPS.revocation.slots());
    let mut turn: u64 = 0;
    loop {
        // The endpoint is there whenever the round ends: its users come to rest by themselves.
        must(10, own.untyped().retype(ObjectType::Endpoint, 0, initial::CNODE.itself(), slots, 1));
        let copy = initial::CNODE.slot(slots + 1);
        must(11, copy.mint_from(initial::CNODE.slot(slots), CapRights::ALL, 5));
        linger();
        count(index);
        if stopping() {
            rest(index);
        }
        must(12, own.untyped_slot().revoke());
        turn += 1;
        if turn.is_multiple_of(GAP) {
            yield_now();
        }
    }
}

/// Calls it.
pub extern "C" fn caller(index: usize) -> ! {
    let mut number = 0;
    loop {
        while !stopping() {
            number += 1;
            let got = victim().call(Message::new(QUESTION, [number]));
            match got.info.label() {
                ANSWER if got.words[0] == !number => count(index),
                ANSWER => fail(Broken::Answer, !number, got.words[0]),
                // As for any invocation of an empty slot.
                label if label == Label::InvalidCapability as u64 => yield_now(),
                label => fail(Broken::Step, 13, label),
            }
        }
        rest(index);
    }
}

/// Serves it, for ever.
pub extern "C" fn server(index: usize) -> ! {
    let mut received = victim().recv(reply(index));
    loop {
        count(index);
        let number = received.message.words[0];
        received = victim().reply_recv(Message::new(ANSWER, [!number]), reply(index));
    }
}
