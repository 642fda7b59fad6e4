//! Who runs on whose time: binding, donation along calls, and the reply chain that brings time back.
//!
//! Invariants T5 (a context and its thread name each other) and T6 (reply chains).

use crate::{Chain, Reply, SchedContext, State, Tcb, Threads};
use memory::Ref;

impl Threads<'_> {
    /// Puts the context's thread off if its budget is not ready.
    pub fn resume_context(&self, context: Ref<SchedContext>) {
        let Some(thread) = context.thread.get() else { return };
        if thread.is_schedulable() && !self.has_time(context) {
            self.postpone(context);
        }
    }

    /// Binds a free thread to a free context.
    pub fn bind(&self, context: Ref<SchedContext>, thread: Ref<Tcb>) {
        self.migrate(thread, context.home.get());
        thread.sched_context.set(Some(context));
        context.thread.set(Some(thread));
        if context.is_sporadic() && context != self.core.current_context.get() {
            self.unblock(context);
        }
        self.resume_context(context);
        if thread.is_schedulable() {
            self.enqueue(thread);
            self.reschedule_home(thread);
        }
    }

    /// Parts a context from its thread, if it has one.
    pub fn unbind(&self, context: Ref<SchedContext>) {
        let Some(thread) = context.thread.get() else { return };
        self.take_back(thread);
        if thread == self.core.current.get() {
            self.reschedule_required();
        }
        self.dequeue(thread);
        self.release_remove(thread);
        thread.sched_context.set(None);
        context.thread.set(None);
    }

    /// Gives `context` to `to`, which has none, taking it from whoever runs on it.
    pub fn donate(&self, context: Ref<SchedContext>, to: Ref<Tcb>) {
        if let Some(from) = context.thread.get() {
            self.take_back(from);
            self.dequeue(from);
            self.release_remove(from);
            from.sched_context.set(None);
            let is_candidate = self.core.action.get() == crate::Action::Candidate(from);
            if from == self.core.current.get() || is_candidate {
                self.reschedule_required();
            }
        }
        self.migrate(to, context.home.get());
        context.thread.set(Some(to));
        to.sched_context.set(Some(context));
    }

    /// Forgets that anybody waits for a yield to or from this thread.
    pub fn cancel_yield(&self, thread: Ref<Tcb>) {
        if let Some(context) = thread.yield_to.get() {
            context.yield_from.set(None);
            thread.yield_to.set(None);
        }
    }

    /// `caller` waits on `reply`, which `callee` will use; with `donate` its time goes along.
    pub fn push_reply(&self, caller: Ref<Tcb>, callee: Ref<Tcb>, reply: Ref<Reply>, donate: Donate) {
        reply.thread.set(Some(caller));
        caller.reply.set(Some(reply));
        let context = caller.sched_context.get();
        self.set_state(caller, State::BLOCKED_ON_REPLY);
        if let (Some(context), None, Donate::Yes) = (context, callee.sched_context.get(), donate) {
            Reply::push(reply, context);
            self.donate(context, callee);
        }
    }

    /// Parts `reply` from the thread that it names; the thread becomes inactive.
    pub fn unlink_reply(&self, reply: Ref<Reply>, thread: Ref<Tcb>) {
        reply.thread.set(None);
        thread.reply.set(None);
        self.set_state(thread, State::INACTIVE);
    }

    /// Takes `reply` out of its chain because it is being used: the newest gives the time back to `caller`.
    pub fn remove_reply(&self, reply: Ref<Reply>, caller: Ref<Tcb>) {
        match reply.next() {
            Chain::Head(context) => {
                Reply::pop(reply, context);
                // A caller that was given other time while it waited keeps that.
                if caller.sched_context.get().is_none() {
                    self.donate(context, caller);
                }
            }
            _ => cut_out(reply),
        }
        self.unlink_reply(reply, caller);
    }

    /// Takes the reply that `caller` waits for out of its chain because the wait is cancelled: time stays where it is.
    pub fn cancel_reply(&self, caller: Ref<Tcb>) {
        let Some(reply) = caller.reply.get() else { return };
        if let Chain::Head(context) = reply.next() {
            context.reply.set(None);
        }
        cut_out(reply);
        self.unlink_reply(reply, caller);
    }

    /// Detaches `context` from the reply chain it was donated along.
    pub fn unbind_reply(&self, context: Ref<SchedContext>) {
        if let Some(reply) = context.reply.get() {
            reply.set_next(Chain::None);
            context.reply.set(None);
        }
    }
}

/// Whether a Call carries the caller's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Donate {
    /// It does.
    Yes,
    /// It does not.
    No,
}

fn cut_out(reply: Ref<Reply>) {
    if let Chain::Reply(newer) = reply.next() {
        newer.previous.set(None);
    }
    if let Some(older) = reply.previous.get() {
        older.set_next(Chain::None);
    }
    reply.previous.set(None);
    reply.set_next(Chain::None);
}
