//! Whose time a thread runs on, and how it comes back along replies.

use super::{Budget, Id, System};
use crate::{State, Ticks};

impl System {
    /// The thread of `context` waits if its budget is not there yet.
    pub fn resume_context(&mut self, context: Id) {
        if self.thread_of(context).is_some_and(|thread| self.is_schedulable(thread)) && !self.has_time(context) {
            self.postpone(context);
        }
    }

    /// `context` gets another budget.
    pub fn configure(&mut self, context: Id, budget: Ticks, period: Ticks, most: usize) {
        let thread = self.thread_of(context);
        if let Some(thread) = thread {
            self.release_remove(thread);
            self.dequeue(thread);
            if self.charged == context {
                self.settle_account();
                self.settle = true;
            }
        }
        let runs = thread.is_some_and(|thread| self.threads[thread].state.is_runnable());
        let new = match &self.contexts[context].budget {
            Some(old) if runs && budget != period => old.reconfigured(most, budget, period, self.now),
            _ => Budget::new(most, budget, period, self.now),
        };
        self.contexts[context].budget = Some(new);
        let Some(thread) = thread else { return };
        self.resume_context(context);
        if thread == self.current {
            self.must_choose();
        } else if runs {
            self.became_ready(thread);
        }
    }

    /// `thread` runs on `context` from now on; neither has a partner.
    pub fn bind(&mut self, context: Id, thread: Id) {
        self.runs_on.insert(thread, context);
        self.unblock_sporadic(context);
        self.resume_context(context);
        if self.is_schedulable(thread) {
            self.enqueue(thread);
            self.must_choose();
        }
    }

    /// Nobody runs on `context` any more.
    pub fn unbind(&mut self, context: Id) {
        let Some(thread) = self.thread_of(context) else { return };
        if thread == self.current {
            self.must_choose();
        }
        self.take_time(thread);
    }

    /// `to`, which has no time, runs on `context` from now on, and who did does not.
    pub fn donate(&mut self, context: Id, to: Id) {
        if let Some(from) = self.thread_of(context) {
            let was_newcomer = self.decision == super::Decision::Newcomer(from);
            self.take_time(from);
            if from == self.current || was_newcomer {
                self.must_choose();
            }
        }
        self.runs_on.insert(to, context);
    }

    fn take_time(&mut self, thread: Id) {
        self.dequeue(thread);
        self.release_remove(thread);
        self.runs_on.remove(&thread);
    }

    /// `caller` waits on `reply`, which `callee` will use; its time goes along if `callee` has none.
    pub fn push_reply(&mut self, caller: Id, callee: Id, reply: Id, donate: bool) {
        self.waits.insert(reply, caller);
        self.set_state(caller, State::BLOCKED_ON_REPLY);
        if let (Some(context), None, true) = (self.context_of(caller), self.context_of(callee), donate) {
            self.chains.entry(context).or_default().insert(0, reply);
            self.donate(context, callee);
        }
    }

    /// `reply` is nobody's any more; `thread`, whose it was, becomes inactive.
    pub fn unlink_reply(&mut self, reply: Id, thread: Id) {
        self.waits.remove(&reply);
        self.set_state(thread, State::INACTIVE);
    }

    /// `reply` is used: `caller` gets its time back if this is the newest of its chain.
    pub fn remove_reply(&mut self, reply: Id, caller: Id) {
        let newest_of = self.chains.iter().find(|(_, chain)| chain[0] == reply).map(|(&context, _)| context);
        if let Some(context) = newest_of {
            let older = self.chains.remove(&context).map(|chain| chain[1..].to_vec()).unwrap_or_default();
            self.set_chain(context, older);
            if self.context_of(caller).is_none() {
                self.donate(context, caller);
            }
        } else {
            self.cut_out(reply);
        }
        self.unlink_reply(reply, caller);
    }

    /// The reply that `caller` waits for will not come: the time stays where it is.
    pub fn cancel_reply(&mut self, caller: Id) {
        let Some(reply) = self.reply_of(caller) else { return };
        self.cut_out(reply);
        self.unlink_reply(reply, caller);
    }

    /// `context` does not go back along its replies any more.
    pub fn unbind_reply(&mut self, context: Id) {
        let chain = self.chains.remove(&context).unwrap_or_default();
        self.keep_piece(&chain);
    }

    /// Nobody yielded, or was yielded to by, `thread`.
    pub fn cancel_yield(&mut self, thread: Id) {
        self.yielded.remove(&thread);
    }

    fn cut_out(&mut self, reply: Id) {
        let attached = self.chains.iter().find(|(_, chain)| chain.contains(&reply)).map(|(&context, _)| context);
        let chain = match attached {
            Some(context) => self.chains.remove(&context),
            None => self.pieces.iter().find(|piece| piece.contains(&reply)).cloned(),
        };
        let Some(chain) = chain else { return };
        self.pieces.remove(&chain);
        let at = chain.iter().position(|&other| other == reply).unwrap_or(0);
        let (newer, older) = (&chain[..at], &chain[at + 1..]);
        match attached {
            Some(context) => self.set_chain(context, newer.to_vec()),
            None => self.keep_piece(newer),
        }
        self.keep_piece(older);
    }

    fn set_chain(&mut self, context: Id, chain: Vec<Id>) {
        if !chain.is_empty() {
            self.chains.insert(context, chain);
        }
    }

    fn keep_piece(&mut self, piece: &[Id]) {
        if piece.len() > 1 {
            self.pieces.insert(piece.to_vec());
        }
    }
}
