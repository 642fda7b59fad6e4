//! Call, and its sibling the fault: a passive receiver runs on the time of the one that now waits for its reply. With more
//! care, so does an active one on its own.

use super::{Arrival, AtOnce, Care, Next, Rest, Thorough, copy, move_context, takes};
use crate::OnCore;
use crate::entry::fault_of;
use capability::Cap;
use ipc::{Buffer, Endpoint};
use machine::Register;
use memory::Ref;
use sync::Held;
use sync::rank::Existence;
use thread::{Reply, State, Tcb, TcbSlot};

impl<'k> OnCore<'k> {
    /// The current thread, `caller`, calls through `cptr` with a message of this info. On an error
    /// nothing was done.
    ///
    /// # Errors
    /// What to try instead.
    #[inline(always)]
    pub fn call_at_once(self, caller: Ref<Tcb>, cptr: u64, info: u64) -> Result<Arrival<'k>, Rest> {
        self.fast_call::<AtOnce>(caller, cptr, info)
    }

    /// The same with more care, for the current thread.
    ///
    /// # Errors
    /// When nothing was done.
    #[inline(always)]
    pub fn call_thoroughly(self) -> Result<Arrival<'k>, Rest> {
        let caller = self.core().current.get();
        let (cptr, info) = (caller.context.get(Register::Rdi), caller.context.get(Register::Rsi));
        self.fast_call::<Thorough>(caller, cptr, info)
    }

    #[inline(always)]
    fn fast_call<C: Care>(self, caller: Ref<Tcb>, cptr: u64, info: u64) -> Result<Arrival<'k>, Rest> {
        if !takes::<C>(info) {
            return Err(Rest::Fast);
        }
        let mut shared = self.share().ok_or(Rest::Fast)?;
        let cap = C::lookup(&self.ipc(), caller, cptr);
        if !cap.is_callable() {
            return Err(if cap.is_null() { Rest::Fast } else { Rest::Slow });
        }
        let thread = self.hand_over::<C>(caller, cap, shared.held(), |_| true).ok_or(Rest::Fast)?;
        let info = copy::<C>(caller, thread, info);
        Ok(Arrival { next: Next { thread, _shared: shared }, badge: cap.badge(), info })
    }

    /// Tells the fault handler of the current thread that this raised processor exception `vector` with error code `code`.
    /// The answer is the handler, which is to be run; `None` if nothing was done.
    #[inline(always)]
    pub fn exception_at_once(self, thread: Ref<Tcb>, vector: u64, code: u64) -> Option<Next<'k>> {
        self.fast_exception::<AtOnce>(thread, vector, code)
    }

    /// The same with more care, for the current thread.
    #[inline(always)]
    pub(crate) fn exception_thoroughly(self, vector: u64, code: u64) -> bool {
        let thread = self.core().current.get();
        let handler = self.fast_exception::<Thorough>(thread, vector, code);
        handler.map(|handler| self.run(handler)).is_some()
    }

    #[inline(always)]
    fn fast_exception<C: Care>(self, thread: Ref<Tcb>, vector: u64, code: u64) -> Option<Next<'k>> {
        if !thread.is_only_a_fault(vector) {
            return None;
        }
        let mut shared = self.share()?;
        let cap = thread.cap(TcbSlot::FaultHandler);
        if !cap.is_callable() {
            return None;
        }
        let suits = |handler| C::CALLS || Buffer::in_plain_page(handler).is_some();
        let handler = self.hand_over::<C>(thread, cap, shared.held(), suits)?;
        let fault = fault_of(self.machine(), vector, code);
        thread.fault.set(fault);
        if C::CALLS {
            self.ipc().transfer_fault(thread, fault, handler, cap.badge());
        } else {
            self.ipc().transfer_fault_by(Buffer::in_plain_page(handler), thread, fault, handler, cap.badge());
        }
        Some(Next { thread: handler, _shared: shared })
    }

    /// Calls through `cap`, which is callable: the caller waits for the reply, and its time goes to a callee that has none.
    /// What is left to do is to move the message and to run the callee, if it `suits`.
    #[inline(always)]
    fn hand_over<C: Care>(
        self,
        caller: Ref<Tcb>,
        cap: Cap,
        held: &mut Held<'_, Existence>,
        suits: impl FnOnce(Ref<Tcb>) -> bool,
    ) -> Option<Ref<Tcb>> {
        let endpoint: Ref<Endpoint> = cap.object();
        let mut object = self.kernel.locks.objects.lock(endpoint.word(), held);
        let callee = endpoint.first_receiver().filter(|&callee| self.core().owns(callee))?;
        let reply = callee.reply.get()?;
        let own = callee.sched_context.get();
        if own.is_some() && !C::CALLS {
            return None;
        }
        let _reply = self.kernel.locks.replies.lock(reply.word(), object.held());
        let threads = self.ipc();
        if !C::can_run(&threads, callee) || !threads.runs_next(caller, callee) || !suits(callee) {
            return None;
        }
        let turn = match own {
            Some(own) => Some(threads.own_turn(own)?),
            None => None,
        };
        // The caller's own (T3).
        let context = self.core().current_context.get();

        endpoint.take_first(callee);
        reply.thread.set(Some(caller));
        caller.reply.set(Some(reply));
        caller.state.set(State::BLOCKED_ON_REPLY);
        if let Some(turn) = turn {
            threads.take_own_turn(turn);
        } else {
            Reply::push(reply, context);
            move_context(context, caller, callee);
        }
        callee.reply.set(None);
        callee.state.set(State::RUNNING);
        Some(callee)
    }
}
