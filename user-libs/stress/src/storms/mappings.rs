//! Two pages take turns at one address while others read there. A reader that finds nothing faults and tries again; one
//! that saw the same turn before and after its read must have read that turn's page, or its TLB kept one that is gone.

use super::linger;
use crate::crew::rest;
use crate::ledger::{Broken, count, fail, must, stopping};
use crate::props::{PROPS, WINDOW};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use sel4::{CapRights, VmAttributes, initial, yield_now};

/// What is written in each of the two pages.
pub const MARKS: [u64; 2] = [0x5e1f_0000_0000_0001, 0x5e1f_0000_0000_0002];
/// Now and then nobody's page is there for a while: on one core its readers would hardly ever see the gap otherwise.
const GAP: u64 = 4;
/// Twice the number of the turn; odd while no page is certain to be there.
static TURN: AtomicU64 = AtomicU64::new(1);

/// Lets the pages take turns. Between rounds one is there.
pub extern "C" fn mapper(index: usize) -> ! {
    let mut turn: u64 = 0;
    loop {
        turn += 1;
        let page = PROPS.page(turn as usize);
        must(20, page.map(initial::VSPACE, WINDOW, CapRights::READ_WRITE, VmAttributes::WRITE_BACK));
        TURN.store(turn * 2, SeqCst);
        linger();
        count(index);
        if stopping() {
            rest(index);
        }
        TURN.store(turn * 2 + 1, SeqCst);
        must(21, page.unmap());
        if turn.is_multiple_of(GAP) {
            yield_now();
        }
    }
}

/// Reads.
pub extern "C" fn reader(index: usize) -> ! {
    loop {
        while !stopping() {
            let before = TURN.load(SeqCst);
            // SAFETY: a page that is only read; where it is not mapped, the fault handler has the read repeated.
            let found = unsafe { (WINDOW as *const u64).read_volatile() };
            let certain = before.is_multiple_of(2) && TURN.load(SeqCst) == before;
            let expected = MARKS[(before / 2) as usize & 1];
            if certain && found != expected {
                fail(Broken::Stale, expected, found);
            }
            count(index);
        }
        rest(index);
    }
}
