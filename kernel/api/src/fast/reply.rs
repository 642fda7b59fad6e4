//! ReplyRecv: the caller, or the thread whose fault was handled, gets its time back, and the server waits again. With more
//! care, so does one that kept its time.

use super::{Arrival, AtOnce, Care, Next, Thorough, copy, move_context, takes};
use crate::OnCore;
use abi::fault::FaultType;
use abi::message::MessageInfo;
use capability::Kind;
use ipc::{Endpoint, bound_notification, message_info};
use machine::Register;
use memory::Ref;
use sync::Held;
use sync::rank::Existence;
use thread::{Reply, State, Tcb};

/// What a reply comes to.
#[derive(Debug)]
#[must_use]
pub enum Replied<'k> {
    /// The caller has its message.
    Message(Arrival<'k>),
    /// The second thread, who waits again, answers the fault of the first: [`OnCore::answer_exception`] or
    /// [`OnCore::answer_fault`] is due.
    Fault(Next<'k>, Ref<Tcb>),
}

impl<'k> OnCore<'k> {
    /// The current thread, `server`, replies through `reply_cptr` with a message of this info and receives through `cptr`.
    /// `None` if nothing was done.
    #[inline(always)]
    pub fn reply_at_once(self, server: Ref<Tcb>, cptr: u64, info: u64, reply_cptr: u64) -> Option<Replied<'k>> {
        self.fast_reply_receive::<AtOnce>(server, cptr, info, reply_cptr)
    }

    /// The same with more care, for the current thread.
    #[inline(always)]
    pub fn reply_thoroughly(self) -> Option<Replied<'k>> {
        let server = self.core().current.get();
        let [cptr, info, reply_cptr] =
            [Register::Rdi, Register::Rsi, Register::R12].map(|register| server.context.get(register));
        self.fast_reply_receive::<Thorough>(server, cptr, info, reply_cptr)
    }

    #[inline(always)]
    fn fast_reply_receive<C: Care>(
        self,
        server: Ref<Tcb>,
        cptr: u64,
        info: u64,
        reply_cptr: u64,
    ) -> Option<Replied<'k>> {
        if !takes::<C>(info) {
            return None;
        }
        let mut shared = self.share()?;
        let threads = self.ipc();
        let cap = C::lookup(&threads, server, cptr);
        let reply_cap = C::lookup(&threads, server, reply_cptr);
        if !cap.is_receivable() || !reply_cap.is(Kind::Reply) {
            return None;
        }
        let (thread, faulty) = self.take_turns::<C>(server, info, cap.object(), reply_cap.object(), shared.held())?;
        let next = Next { thread, _shared: shared };
        if faulty {
            return Some(Replied::Fault(next, server));
        }
        let info = copy::<C>(server, thread, info);
        Some(Replied::Message(Arrival { next, badge: 0, info }))
    }

    /// Lets `server` wait at `endpoint` and who waits for `reply` go on: the latter, and whether it had faulted. What is left to
    /// do is to answer the fault or to move the message, and to run it.
    #[inline(always)]
    fn take_turns<C: Care>(
        self,
        server: Ref<Tcb>,
        info: u64,
        endpoint: Ref<Endpoint>,
        reply: Ref<Reply>,
        held: &mut Held<'_, Existence>,
    ) -> Option<(Ref<Tcb>, bool)> {
        let threads = self.ipc();
        let mut object = self.kernel.locks.objects.lock(endpoint.word(), held);
        // A signal comes first, and a notification may want its time back.
        let heard = bound_notification(server).is_some_and(|it| it.is_active() || it.lent().is_some());
        let is_alone = endpoint.is_empty();
        if heard || !is_alone && (!C::CALLS || endpoint.has_senders()) {
            return None;
        }
        let _reply = self.kernel.locks.replies.lock(reply.word(), object.held());
        let caller = reply.thread.get().filter(|&caller| self.core().owns(caller))?;
        let own = caller.sched_context.get();
        // The server's own (T3).
        let context = self.core().current_context.get();
        // A thread that is named by the newest of a chain is a caller that waits for it (T6).
        let waits = if own.is_some() {
            C::CALLS && reply.is_single() && caller.state.get() == State::BLOCKED_ON_REPLY
        } else {
            reply.is_newest_of(context)
        };
        if !waits {
            return None;
        }
        let faulty = !caller.fault.is_none();
        if !C::can_run(&threads, caller) || !threads.runs_next(server, caller) || faulty && !goes_on(caller, info) {
            return None;
        }
        let turn = match own {
            Some(own) => Some(threads.own_turn(own)?),
            None => None,
        };

        if let Some(turn) = turn {
            threads.take_own_turn(turn);
        } else {
            Reply::pop(reply, context);
            move_context(context, server, caller);
        }
        caller.reply.set(None);
        caller.state.set(State::RUNNING);
        reply.thread.set(Some(server));
        server.reply.set(Some(reply));
        server.blocked_on.set(endpoint.phys());
        server.state.set(State::BLOCKED_ON_RECEIVE);
        if is_alone {
            endpoint.add_first_receiver(server);
        } else {
            endpoint.add_receiver(server);
        }
        Some((caller, faulty))
    }

    /// Applies the answer of `handler` to the fault of `thread`, a processor exception, which is to be run. Says `false` if it
    /// was something else, and [`answer_fault`](Self::answer_fault) is due.
    #[inline(always)]
    pub fn answer_exception(self, thread: Ref<Tcb>, handler: Ref<Tcb>) -> bool {
        let answered = self.ipc().answer_exception(thread, handler, message_info(handler));
        if answered {
            thread.fault.clear();
            thread.context.restart();
        }
        answered
    }

    /// Applies the answer of `handler` to the fault of `thread`, and runs that where it was restarted. Existence is shared.
    #[inline(never)]
    pub fn answer_fault(self, thread: Ref<Tcb>, handler: Ref<Tcb>) {
        self.ipc().answer_fault(thread, handler, message_info(handler));
        thread.fault.clear();
        thread.context.restart();
        if abi::HARDWARE_DEBUG {
            // The answer to a step changes what the thread needs of the processor.
            self.ipc().refresh(thread);
        }
        self.ipc().run(thread);
    }
}

/// Whether the answer `info` lets a faulty thread go on, on the time that comes back.
#[inline(always)]
fn goes_on(thread: Ref<Tcb>, info: u64) -> bool {
    thread.fault.kind() != FaultType::Timeout && MessageInfo::from_word(info).label() == 0
}
