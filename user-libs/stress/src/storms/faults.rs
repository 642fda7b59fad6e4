//! Hears every fault, and lets the thread try again: the storms that take things away give them back.

use crate::crew::reply;
use crate::ledger::count;
use crate::props::PROPS;
use sel4::Message;

/// Answers faults, for ever.
pub extern "C" fn handler(index: usize) -> ! {
    PROPS.faults().recv(reply(index));
    loop {
        count(index);
        PROPS.faults().reply_recv(Message::EMPTY, reply(index));
    }
}
