//! Call, and its sibling the fault: a passive receiver runs on the time of the one that now waits for its reply.

use super::{CAPS, deliver, lookup, move_context};
use crate::OnCore;
use crate::entry::{DEVICE_NOT_AVAILABLE, fault_of};
use capability::Cap;
use ipc::{Endpoint, Ipc};
use machine::Register;
use memory::Ref;
use sync::Held;
use sync::rank::Existence;
use thread::{Fault, Reply, State, Tcb, TcbSlot};

/// What a callee gets.
trait Message {
    /// Gives it to `callee`.
    fn deliver(self, caller: Ref<Tcb>, callee: Ref<Tcb>);
}

/// The words of a message with this info, through a capability with this badge.
struct Words {
    info: u64,
    badge: u64,
}

impl Message for Words {
    #[inline(always)]
    fn deliver(self, caller: Ref<Tcb>, callee: Ref<Tcb>) {
        deliver(caller, callee, self.info, self.badge);
    }
}

/// A fault, as the caller's, through a capability with this badge.
struct Report<'k> {
    ipc: Ipc<'k>,
    fault: Fault,
    badge: u64,
}

impl Message for Report<'_> {
    #[inline(always)]
    fn deliver(self, caller: Ref<Tcb>, callee: Ref<Tcb>) {
        caller.fault.set(self.fault);
        self.ipc.transfer_fault(caller, self.fault, callee, self.badge);
    }
}

impl OnCore<'_> {
    #[inline(always)]
    pub(crate) fn fast_call(self) -> bool {
        let Some((mut shared, caller)) = self.share() else { return false };
        let info = caller.context.get(Register::Rsi);
        let cap = lookup(caller, self.ipc().slots(caller), caller.context.get(Register::Rdi));
        if info & CAPS != 0 {
            return false;
        }
        self.hand_over(caller, cap, shared.held(), Words { info, badge: cap.badge() })
    }

    /// Tells the current thread's fault handler that it raised processor exception `vector` with error code `code`.
    #[inline(always)]
    pub(crate) fn fast_exception(self, vector: u64, code: u64) -> bool {
        if vector == DEVICE_NOT_AVAILABLE {
            return false;
        }
        let Some((mut shared, thread)) = self.share() else { return false };
        let handler = thread.cap(TcbSlot::FaultHandler);
        let fault = fault_of(self.machine(), vector, code);
        let report = Report { ipc: self.ipc(), fault, badge: handler.badge() };
        self.hand_over(thread, handler, shared.held(), report)
    }

    /// Calls through `cap`: the caller waits for the reply, and its time goes to the callee with the message.
    #[inline(always)]
    fn hand_over(self, caller: Ref<Tcb>, cap: Cap, held: &mut Held<'_, Existence>, message: impl Message) -> bool {
        if !cap.is_callable() {
            return false;
        }
        let endpoint: Ref<Endpoint> = cap.object();
        let mut object = self.kernel.locks.objects.lock(endpoint.word(), held);
        let Some(callee) = endpoint.first_receiver().filter(|&callee| self.core().owns(callee)) else { return false };
        let (Some(reply), None) = (callee.reply.get(), callee.sched_context.get()) else { return false };
        let _reply = self.kernel.locks.replies.lock(reply.word(), object.held());
        let Some(context) = caller.sched_context.get() else { return false };
        let threads = self.ipc();
        let Some(space) = threads.space(callee) else { return false };
        if !threads.runs_next(caller, callee) {
            return false;
        }

        endpoint.take_first(callee);
        reply.thread.set(Some(caller));
        caller.reply.set(Some(reply));
        caller.state.set(State::BLOCKED_ON_REPLY);
        Reply::push(reply, context);
        move_context(context, caller, callee);
        callee.reply.set(None);
        callee.state.set(State::RUNNING);
        message.deliver(caller, callee);
        self.continue_as(callee, space);
        true
    }
}
