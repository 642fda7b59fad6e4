//! One endpoint, callers and servers on every core: every call gets its own answer.

use crate::crew::{reply, rest};
use crate::ledger::{Broken, count, fail, stopping};
use crate::props::PROPS;
use sel4::Message;

const QUESTION: u64 = 7;

/// What the server makes of a question.
const fn answer(caller: u64, number: u64) -> u64 {
    caller.rotate_left(32) ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// Calls, and checks the answers.
pub extern "C" fn caller(index: usize) -> ! {
    let mut number = 0;
    loop {
        while !stopping() {
            number += 1;
            let got = PROPS.calls().call(Message::new(QUESTION, [index as u64, number]));
            let expected = answer(index as u64, number);
            if got.words[0] != expected {
                fail(Broken::Answer, expected, got.words[0]);
            }
            count(index);
        }
        rest(index);
    }
}

/// Answers, for ever.
pub extern "C" fn server(index: usize) -> ! {
    let mut received = PROPS.calls().recv(reply(index));
    loop {
        let [caller, number, ..] = received.message.words;
        count(index);
        received = PROPS.calls().reply_recv(Message::new(0, [answer(caller, number)]), reply(index));
    }
}
