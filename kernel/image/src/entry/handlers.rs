//! Handlers of system calls, exceptions and interrupts, for both sets of stubs: each ends by jumping to its own set's way out.

use crate::instance::on_this_core;
use api::{Next, Replied, Rest, Sent};
use capability::Cap;
use machine::Register;
use memory::Ref;
use thread::Tcb;

/// Leaves for `$to`, a function without arguments or one that takes these in registers. Nothing of this function is needed
/// any more, and its stack may stay as it is: the next entry begins with an empty one. The compiler's own calls would save
/// registers that nobody reads again, or align the stack.
macro_rules! leave_for {
    ($to:ident $(, $register:tt: $value:expr)*) => {
        // SAFETY: the stub saved the user's registers. `$to` is a handler, or a way out that restores the thread it is given.
        unsafe { core::arch::asm!("jmp {to}", to = sym $to, $(in($register) $value,)* options(noreturn, nostack)) }
    };
}

unsafe extern "C" {
    #[link_name = name!("skerry_restore")]
    fn restore() -> !;
    #[link_name = name!("skerry_restore_thread")]
    fn restore_thread() -> !;
    #[link_name = name!("skerry_restore_badge")]
    fn restore_badge() -> !;
    #[link_name = name!("skerry_restore_message")]
    fn restore_message() -> !;
}

/// A Call.
#[unsafe(export_name = name!("skerry_call"))]
pub extern "C" fn call(cptr: u64, info: u64, caller: Ref<Tcb>) -> ! {
    match on_this_core().call_at_once(caller, cptr, info) {
        Ok(arrival) => arrive(arrival),
        Err(Rest::Fast) => leave_for!(rest_of_call),
        Err(Rest::Slow) => leave_for!(slow_syscall),
    }
}

/// A ReplyRecv.
#[unsafe(export_name = name!("skerry_reply_recv"))]
pub extern "C" fn reply_recv(cptr: u64, info: u64, server: Ref<Tcb>, reply_cptr: u64) -> ! {
    match on_this_core().reply_at_once(server, cptr, info, reply_cptr) {
        Some(Replied::Message(arrival)) => arrive(arrival),
        Some(Replied::Fault(next, handler)) => {
            if on_this_core().answer_exception(next.thread, handler) {
                run(next)
            }
            answer(next, handler)
        }
        None => leave_for!(rest_of_reply),
    }
}

/// A Send or NBSend through `cap`, which was found just now and is more than `skerry_send_lightly` does.
#[unsafe(export_name = name!("skerry_send"))]
pub extern "C" fn send(cap: Cap, sender: Ref<Tcb>) -> ! {
    match on_this_core().send_at_once(sender, cap) {
        Some(Sent::Message(arrival)) => arrive(arrival),
        Some(Sent::Signal(next, badge)) => wake(next, badge),
        None => rest_of_send(cap),
    }
}

/// A Yield.
#[unsafe(export_name = name!("skerry_yield"))]
pub extern "C" fn yield_turn(_: u64, _: u64, current: Ref<Tcb>) -> ! {
    match on_this_core().yield_at_once(current) {
        Some(next) => run(next),
        None => leave_for!(rest_of_yield),
    }
}

/// An exception of the current thread.
#[unsafe(export_name = name!("skerry_exception"))]
pub extern "C" fn exception(thread: Ref<Tcb>, vector: u64, error: u64) -> ! {
    match on_this_core().exception_at_once(thread, vector, error) {
        Some(next) => run(next),
        None => leave_for!(rest_of_exception, "rdi": vector, "rsi": error),
    }
}

/// An interrupt of the current or idle thread.
#[unsafe(export_name = name!("skerry_interrupt"))]
pub extern "C" fn interrupt(current: Ref<Tcb>, vector: u64) -> ! {
    match on_this_core().interrupt_at_once(current, vector as u8) {
        Some((next, badge)) => wake(next, badge),
        None => leave_for!(rest_of_interrupt, "rdi": vector),
    }
}

/// Runs `$next` and leaves by `$way_out`, with registers as they shall be; or stores these and settles what else is due.
macro_rules! run {
    ($next:expr, $way_out:ident $(, $register:tt $slot:ident: $value:expr)*) => {
        match on_this_core().run_at_once($next) {
            Ok(thread) => leave_for!($way_out, "r11": thread.word() $(, $register: $value)*),
            Err(next) => {
                $(next.thread.context.set(Register::$slot, $value);)*
                settle(next)
            }
        }
    };
}

/// Runs the thread that a message arrived at.
#[inline(always)]
fn arrive(arrival: api::Arrival<'static>) -> ! {
    run!(arrival.next, restore_message, "rdi" Rdi: arrival.badge, "rsi" Rsi: arrival.info)
}

/// Runs the thread that a signal with this badge woke.
#[inline(always)]
fn wake(next: Next<'static>, badge: u64) -> ! {
    run!(next, restore_badge, "rdi" Rdi: badge)
}

/// Runs `next`.
#[inline(always)]
fn run(next: Next<'static>) -> ! {
    run!(next, restore_thread)
}

/// Ends what [`OnCore::run_at_once`](api::OnCore::run_at_once) began. What keeps other cores out cannot go along a jump.
#[inline(always)]
fn settle(next: Next<'static>) -> ! {
    if sync::CORES > 1 {
        on_this_core().settle();
        drop(next);
        leave_for!(restore)
    }
    leave_for!(settle_alone)
}

/// Applies the answer of `handler` to a fault, and runs the faulty thread.
#[inline(always)]
fn answer(next: Next<'static>, handler: Ref<Tcb>) -> ! {
    if sync::CORES > 1 {
        on_this_core().answer_fault(next.thread, handler);
        drop(next);
        leave_for!(restore)
    }
    leave_for!(answer_fault, "rdi": next.thread.word(), "rsi": handler.word())
}

/// A Call that takes more care.
#[unsafe(export_name = name!("skerry_rest_of_call"))]
pub extern "C" fn rest_of_call() -> ! {
    match on_this_core().call_thoroughly() {
        Ok(arrival) => arrive(arrival),
        Err(_) => leave_for!(slow_syscall),
    }
}

/// A ReplyRecv that takes more care.
#[unsafe(export_name = name!("skerry_rest_of_reply"))]
pub extern "C" fn rest_of_reply() -> ! {
    match on_this_core().reply_thoroughly() {
        Some(Replied::Message(arrival)) => arrive(arrival),
        Some(Replied::Fault(next, handler)) => answer(next, handler),
        None => leave_for!(slow_syscall),
    }
}

extern "C" fn answer_fault(thread: Ref<Tcb>, handler: Ref<Tcb>) -> ! {
    on_this_core().answer_fault(thread, handler);
    leave_for!(restore)
}

extern "C" fn rest_of_exception(vector: u64, error: u64) -> ! {
    on_this_core().rest_of_exception(vector, error);
    leave_for!(restore)
}

extern "C" fn rest_of_interrupt(vector: u64) -> ! {
    on_this_core().rest_of_interrupt(vector as u8);
    leave_for!(restore)
}

#[inline(never)]
fn rest_of_send(cap: Cap) -> ! {
    on_this_core().send(cap);
    leave_for!(restore)
}

/// Handlers without arguments, which the stub or another handler jumps to.
macro_rules! handlers {
    ($($symbol:literal $name:ident: $method:ident)+) => {$(
        #[unsafe(export_name = name!($symbol))]
        pub extern "C" fn $name() -> ! {
            on_this_core().$method();
            leave_for!(restore)
        }
    )+};
}

handlers! {
    "skerry_slow_syscall" slow_syscall: slow_syscall
    "skerry_rest_of_yield" rest_of_yield: rest_of_yield
    "skerry_settle" settle_alone: settle
    "skerry_syscall" syscall: other_syscall
}
