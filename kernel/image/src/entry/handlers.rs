//! Handlers of system calls, for both sets of stubs: each ends by jumping to its own set's way out.

use crate::instance::on_this_core;
use api::Replied;
use capability::Cap;
use machine::Needs;
use memory::Ref;
use thread::Tcb;

/// Leaves for `$to`, a function without arguments or one that takes these in registers. Nothing of this function is needed
/// any more, and its stack may stay as it is: the next entry begins with an empty one. The compiler's own calls would save
/// registers that nobody reads again.
macro_rules! leave_for {
    ($to:ident $(, $register:tt: $value:expr)*) => {
        // SAFETY: the stub saved the user's registers. `$to` is a handler, or a way out that restores the thread it is given.
        unsafe { core::arch::asm!("jmp {to}", to = sym $to, $(in($register) $value,)* options(noreturn)) }
    };
}

unsafe extern "C" {
    #[link_name = name!("skerry_restore")]
    fn restore() -> !;
    #[link_name = name!("skerry_restore_message")]
    fn restore_message() -> !;
}

/// A Call.
#[unsafe(export_name = name!("skerry_call"))]
pub extern "C" fn call(cptr: u64, info: u64, caller: Ref<Tcb>) -> ! {
    match on_this_core().call_at_once(caller, cptr, info) {
        Some(arrival) => arrive(arrival),
        None => leave_for!(call_thoroughly),
    }
}

/// A ReplyRecv.
#[unsafe(export_name = name!("skerry_reply_recv"))]
pub extern "C" fn reply_recv(cptr: u64, info: u64, server: Ref<Tcb>, reply_cptr: u64) -> ! {
    match on_this_core().reply_at_once(server, cptr, info, reply_cptr) {
        Some(Replied::Message(arrival)) => arrive(arrival),
        Some(Replied::Fault { thread, handler, needs }) => {
            leave_for!(answer_fault, "rdi": thread.word(), "rsi": handler.word(), "rdx": needs.word())
        }
        None => leave_for!(reply_thoroughly),
    }
}

/// Runs the thread that a message arrived at.
#[inline(always)]
fn arrive(arrival: api::Arrival) -> ! {
    let api::Arrival { thread, badge, info, .. } = arrival;
    if on_this_core().arrive(arrival) {
        leave_for!(restore_message, "r11": thread.word(), "rdi": badge, "rsi": info)
    }
    leave_for!(settle, "rdi": thread.word(), "rsi": badge, "rdx": info)
}

/// Runs `thread`, which is current, after what was too much for [`arrive`].
extern "C" fn settle(thread: Ref<Tcb>, badge: u64, info: u64) -> ! {
    on_this_core().settle();
    leave_for!(restore_message, "r11": thread.word(), "rdi": badge, "rsi": info)
}

extern "C" fn answer_fault(thread: Ref<Tcb>, handler: Ref<Tcb>, needs: Needs) -> ! {
    on_this_core().answer_fault(thread, handler, needs);
    leave_for!(restore)
}

/// Handlers of system calls, which the stub or another handler jumps to.
macro_rules! syscall_handlers {
    ($($symbol:literal $name:ident($($argument:ident: $type:ty)?): $method:ident)+) => {$(
        #[unsafe(export_name = name!($symbol))]
        pub extern "C" fn $name($($argument: $type)?) -> ! {
            on_this_core().$method($($argument)?);
            leave_for!(restore)
        }
    )+};
}

syscall_handlers! {
    "skerry_call_thoroughly" call_thoroughly(): call
    "skerry_reply_thoroughly" reply_thoroughly(): reply_receive
    "skerry_send" send(cap: Cap): send
    "skerry_yield" yield_turn(): yield_turn
    "skerry_syscall" syscall(): other_syscall
}
