//! Objects made and destroyed without pause, threads among them that run on another core when it happens.

use super::{Dice, linger};
use crate::crew::{PRIORITY, rest};
use crate::ledger::{Broken, count, fail, must, stopping};
use crate::props::{OWN_SLOTS, PROPS};
use crate::storms::migration::CORES;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use runtime::rdtsc;
use sel4::{
    Budget, CNodeGuard, Null, ObjectType, ResumeTarget, SchedContext, Slot, Space, Tcb, UserContext, initial, yield_now,
};

/// How far each mayfly has counted.
static BEATS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// Workers of this storm so far.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// Long enough for any thread to get its turn, however busy the host: 2^37 ticks are a minute or two.
const PATIENCE_TICKS: u64 = 1 << 37;

/// A thread that needs no stack: counts until it is destroyed.
extern "C" fn mayfly(which: usize) -> ! {
    loop {
        BEATS[which & 1].fetch_add(1, Relaxed);
    }
}

/// Makes and destroys.
pub extern "C" fn maker(index: usize) -> ! {
    let which = NEXT.fetch_add(1, Relaxed) & 1;
    let mut dice = Dice::of(index);
    loop {
        while !stopping() {
            if dice.below(4) == 0 {
                live_and_die(which, &mut dice);
            } else {
                fill_and_empty(which, &mut dice);
            }
            count(index);
        }
        rest(index);
    }
}

fn slots(which: usize) -> impl Fn(u64) -> Slot {
    move |number| initial::CNODE.slot(PROPS.objects[which].slots() + number)
}

/// Some of everything, then one revocation.
fn fill_and_empty(which: usize, dice: &mut Dice) {
    const KINDS: [ObjectType; 4] = [ObjectType::Endpoint, ObjectType::Notification, ObjectType::Reply, ObjectType::Tcb];
    let own = &PROPS.objects[which];
    let mut used = 0;
    while used < OWN_SLOTS {
        let count = (1 + dice.below(4) as u64).min(OWN_SLOTS - used);
        let kind = KINDS[dice.below(KINDS.len())];
        must(40, own.untyped().retype(kind, 0, initial::CNODE.itself(), own.slots() + used, count));
        used += count;
    }
    if dice.below(2) == 0 {
        must(41, slots(which)(dice.below(OWN_SLOTS as usize) as u64).delete());
    }
    must(42, own.untyped_slot().revoke());
}

/// A thread on some core, destroyed while it runs; it must not run afterwards.
fn live_and_die(which: usize, dice: &mut Dice) {
    let (own, slot) = (&PROPS.objects[which], slots(which));
    let core = dice.below(CORES.load(Relaxed) as usize);
    let root = initial::CNODE.itself();
    must(50, own.untyped().retype(ObjectType::Tcb, 0, root, own.slots(), 1));
    let bits = abi::object::MIN_SCHED_CONTEXT_BITS;
    must(51, own.untyped().retype(ObjectType::SchedContext, bits, root, own.slots() + 1, 1));
    let (tcb, context) = (Tcb::new(slot(0).index), SchedContext::new(slot(1).index));
    must(52, PROPS.control(core).configure(context, Budget::round_robin(1_000)));
    let space = Space { cspace: initial::CNODE, guard: CNodeGuard::default(), vspace: initial::VSPACE };
    must(53, tcb.set_space(Null, space));
    must(54, tcb.set_sched_params(initial::TCB, PRIORITY, PRIORITY, context, Null));
    let before = BEATS[which].load(Relaxed);
    let registers = UserContext {
        rip: mayfly as *const () as u64,
        rdi: which as u64,
        rflags: abi::register::RFLAGS_SET,
        ..UserContext::default()
    };
    must(55, tcb.write_registers(ResumeTarget::Yes, &registers));
    let start = rdtsc();
    while BEATS[which].load(Relaxed) == before {
        if rdtsc().wrapping_sub(start) > PATIENCE_TICKS {
            fail(Broken::Unborn, core as u64, 0);
            break;
        }
        yield_now();
    }
    must(56, own.untyped_slot().revoke());
    let last = BEATS[which].load(Relaxed);
    linger();
    let later = BEATS[which].load(Relaxed);
    if later != last {
        fail(Broken::Undead, last, later);
    }
}
