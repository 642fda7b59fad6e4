//! Call, and its sibling the fault: a passive receiver runs on the time of the one that now waits for its reply.

use super::{Arrival, AtOnce, Care, Thorough, copy, move_context, takes};
use crate::OnCore;
use crate::entry::{DEVICE_NOT_AVAILABLE, fault_of};
use capability::Cap;
use ipc::Endpoint;
use machine::{Needs, Register};
use memory::Ref;
use sync::Held;
use sync::rank::Existence;
use thread::{Reply, State, Tcb, TcbSlot};

impl OnCore<'_> {
    /// The current thread, `caller`, calls through `cptr` with a message of this info. `None` if nothing was done.
    #[inline(always)]
    pub fn call_at_once(self, caller: Ref<Tcb>, cptr: u64, info: u64) -> Option<Arrival> {
        self.fast_call::<AtOnce>(caller, cptr, info)
    }

    /// The same with more care, for the current thread.
    #[inline(always)]
    pub(crate) fn call_thoroughly(self) -> bool {
        let caller = self.core().current.get();
        let (cptr, info) = (caller.context.get(Register::Rdi), caller.context.get(Register::Rsi));
        let arrival = self.fast_call::<Thorough>(caller, cptr, info);
        arrival.map(|arrival| self.arrive_with_words(arrival)).is_some()
    }

    #[inline(always)]
    fn fast_call<C: Care>(self, caller: Ref<Tcb>, cptr: u64, info: u64) -> Option<Arrival> {
        if !takes::<C>(info) {
            return None;
        }
        let mut shared = self.share()?;
        let cap = C::lookup(&self.ipc(), caller, cptr);
        let (callee, needs) = self.hand_over::<C>(caller, cap, shared.held())?;
        let info = copy::<C>(caller, callee, info);
        Some(Arrival { thread: callee, needs, badge: cap.badge(), info })
    }

    /// Tells the current thread's fault handler that it raised processor exception `vector` with error code `code`.
    #[inline(always)]
    pub(crate) fn fast_exception(self, vector: u64, code: u64) -> bool {
        if vector == DEVICE_NOT_AVAILABLE {
            return false;
        }
        let Some(mut shared) = self.share() else { return false };
        let thread = self.core().current.get();
        let handler = thread.cap(TcbSlot::FaultHandler);
        let Some((callee, needs)) = self.hand_over::<Thorough>(thread, handler, shared.held()) else { return false };
        let fault = fault_of(self.machine(), vector, code);
        thread.fault.set(fault);
        self.ipc().transfer_fault(thread, fault, callee, handler.badge());
        self.ipc().run(callee, needs);
        true
    }

    /// Calls through `cap`: the caller waits for the reply, and its time goes to the callee. What is left to do is to move
    /// the message and to run the callee, with what it needs of the processor.
    #[inline(always)]
    fn hand_over<C: Care>(
        self,
        caller: Ref<Tcb>,
        cap: Cap,
        held: &mut Held<'_, Existence>,
    ) -> Option<(Ref<Tcb>, Needs)> {
        if !cap.is_callable() {
            return None;
        }
        let endpoint: Ref<Endpoint> = cap.object();
        let mut object = self.kernel.locks.objects.lock(endpoint.word(), held);
        let callee = endpoint.first_receiver().filter(|&callee| self.core().owns(callee))?;
        let (Some(reply), None) = (callee.reply.get(), callee.sched_context.get()) else { return None };
        let _reply = self.kernel.locks.replies.lock(reply.word(), object.held());
        let threads = self.ipc();
        let needs = C::needs(&threads, callee)?;
        if !threads.runs_next(caller, callee) {
            return None;
        }
        // The caller's own (T3).
        let context = self.core().current_context.get();

        endpoint.take_first(callee);
        reply.thread.set(Some(caller));
        caller.reply.set(Some(reply));
        caller.state.set(State::BLOCKED_ON_REPLY);
        Reply::push(reply, context);
        move_context(context, caller, callee);
        callee.reply.set(None);
        callee.state.set(State::RUNNING);
        Some((callee, needs))
    }
}
