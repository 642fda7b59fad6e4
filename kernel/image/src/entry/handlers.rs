//! Handlers of system calls, exceptions and interrupts, for both sets of stubs: each ends by jumping to its own set's way out.

use crate::instance::on_this_core;
use api::{Replied, Rest, Sent};
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
        Some(Replied::Fault(thread, handler)) => {
            if on_this_core().answer_exception(thread, handler) {
                run(thread)
            }
            leave_for!(answer_fault, "rdi": thread.word(), "rsi": handler.word())
        }
        None => leave_for!(rest_of_reply),
    }
}

/// A Send or NBSend through `cap`, which was found just now and is more than `skerry_send_lightly` does.
#[unsafe(export_name = name!("skerry_send"))]
pub extern "C" fn send(cap: Cap, sender: Ref<Tcb>) -> ! {
    match on_this_core().send_at_once(sender, cap) {
        Some(Sent::Message(arrival)) => arrive(arrival),
        Some(Sent::Signal(thread, badge)) => wake(thread, badge),
        None => rest_of_send(cap),
    }
}

/// A Yield.
#[unsafe(export_name = name!("skerry_yield"))]
pub extern "C" fn yield_turn(_: u64, _: u64, current: Ref<Tcb>) -> ! {
    match on_this_core().yield_at_once(current) {
        Some(thread) => run(thread),
        None => leave_for!(rest_of_yield),
    }
}

/// An exception of the current thread.
#[unsafe(export_name = name!("skerry_exception"))]
pub extern "C" fn exception(thread: Ref<Tcb>, vector: u64, error: u64) -> ! {
    match on_this_core().exception_at_once(thread, vector, error) {
        Some(handler) => run(handler),
        None => leave_for!(rest_of_exception, "rdi": vector, "rsi": error),
    }
}

/// An interrupt of the current or idle thread.
#[unsafe(export_name = name!("skerry_interrupt"))]
pub extern "C" fn interrupt(current: Ref<Tcb>, vector: u64) -> ! {
    match on_this_core().interrupt_at_once(current, vector as u8) {
        Some((thread, badge)) => wake(thread, badge),
        None => leave_for!(rest_of_interrupt, "rdi": vector),
    }
}

/// Runs the thread that a message arrived at.
#[inline(always)]
fn arrive(arrival: api::Arrival) -> ! {
    let api::Arrival { thread, badge, info } = arrival;
    if on_this_core().run_at_once(thread) {
        leave_for!(restore_message, "r11": thread.word(), "rdi": badge, "rsi": info)
    }
    thread.context.set(Register::Rdi, badge);
    thread.context.set(Register::Rsi, info);
    leave_for!(settle)
}

/// Runs the thread that a signal with this badge woke.
#[inline(always)]
fn wake(thread: Ref<Tcb>, badge: u64) -> ! {
    if on_this_core().run_at_once(thread) {
        leave_for!(restore_badge, "r11": thread.word(), "rdi": badge)
    }
    thread.context.set(Register::Rdi, badge);
    leave_for!(settle)
}

/// Runs `thread`.
#[inline(always)]
fn run(thread: Ref<Tcb>) -> ! {
    if on_this_core().run_at_once(thread) {
        leave_for!(restore_thread, "r11": thread.word())
    }
    leave_for!(settle)
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
        Some(Replied::Fault(thread, handler)) => {
            leave_for!(answer_fault, "rdi": thread.word(), "rsi": handler.word())
        }
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
    "skerry_settle" settle: settle
    "skerry_syscall" syscall: other_syscall
}
