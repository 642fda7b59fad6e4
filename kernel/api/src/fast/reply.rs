//! ReplyRecv: the caller, or the thread whose fault was handled, gets its time back, and the server waits again.

use super::{CAPS, deliver, lookup, move_context};
use crate::OnCore;
use abi::fault::FaultType;
use abi::message::MessageInfo;
use capability::{Kind, Rights};
use ipc::{Endpoint, bound_notification, message_info};
use machine::Register;
use memory::Ref;
use thread::{Fault, Reply, State, Tcb};

impl OnCore<'_> {
    #[inline(always)]
    pub(crate) fn fast_reply_receive(self) -> bool {
        let Some((mut shared, server)) = self.share() else { return false };
        let info = server.context.get(Register::Rsi);
        let slots = self.ipc().slots(server);
        let cap = lookup(server, slots, server.context.get(Register::Rdi));
        let reply_cap = lookup(server, slots, server.context.get(Register::R12));
        if info & CAPS != 0
            || !cap.is(Kind::Endpoint)
            || !cap.rights().allow(Rights::READ)
            || !reply_cap.is(Kind::Reply)
        {
            return false;
        }
        let endpoint: Ref<Endpoint> = cap.object();
        let mut object = self.kernel.locks.objects.lock(endpoint.word(), shared.held());
        // A signal comes first, and a notification may want its time back.
        let heard = bound_notification(server).is_some_and(|it| it.is_active() || it.lent().is_some());
        if endpoint.has_senders() || heard {
            return false;
        }
        let reply: Ref<Reply> = reply_cap.object();
        let _reply = self.kernel.locks.replies.lock(reply.word(), object.held());
        let Some(caller) = reply.thread.get().filter(|&caller| self.core().owns(caller)) else { return false };
        let (Some(context), None) = (server.sched_context.get(), caller.sched_context.get()) else { return false };
        // Then its thread is a caller that waits for it (T6).
        if !reply.is_newest_of(context) {
            return false;
        }
        let threads = self.ipc();
        let Some(space) = threads.space(caller) else { return false };
        let faulty = !caller.fault.get().is_none();
        if !threads.runs_next(server, caller) || faulty && !goes_on(caller, message_info(server)) {
            return false;
        }

        Reply::pop(reply, context);
        move_context(context, server, caller);
        caller.reply.set(None);
        caller.state.set(State::RUNNING);
        reply.thread.set(Some(server));
        server.reply.set(Some(reply));
        server.blocked_on.set(endpoint.phys());
        server.state.set(State::BLOCKED_ON_RECEIVE);
        endpoint.add_receiver(server);
        if faulty {
            self.answer(caller, server);
        } else {
            deliver(server, caller, info, 0);
        }
        self.continue_as(caller, space);
        true
    }

    /// Applies the answer of `handler` to the fault of `thread`, which goes on where it was restarted.
    #[inline(never)]
    fn answer(self, thread: Ref<Tcb>, handler: Ref<Tcb>) {
        self.ipc().answer_fault(thread, handler, message_info(handler));
        thread.fault.set(Fault::NONE);
        thread.context.restart();
    }
}

/// Whether the answer `info` lets a faulty thread go on, on the time that comes back.
#[inline(always)]
fn goes_on(thread: Ref<Tcb>, info: MessageInfo) -> bool {
    thread.fault.get().kind() != FaultType::Timeout && info.label() == 0
}
