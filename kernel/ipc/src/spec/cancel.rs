//! Waits that end without what was waited for.

use super::{Id, System};
use thread::State;

impl System {
    fn leave_queues(&mut self, thread: Id) {
        let stays = |&other: &Id| other != thread;
        for endpoint in &mut self.endpoints {
            endpoint.senders.retain(stays);
            endpoint.receivers.retain(stays);
        }
        self.notifications.iter_mut().for_each(|notification| notification.waiters.retain(stays));
        self.sending.remove(&thread);
    }

    /// `thread` does not wait any more and is inactive; if it did not wait it goes on. A fault is forgotten.
    pub fn cancel_ipc(&mut self, thread: Id) {
        self.faults.remove(&thread);
        let state = self.state(thread);
        if state == State::BLOCKED_ON_REPLY {
            self.core.cancel_reply(thread);
        } else if state.is_blocked() {
            self.leave_queues(thread);
            if let Some(reply) = self.core.reply_of(thread) {
                self.core.unlink_reply(reply, thread);
            }
            self.core.set_state(thread, State::INACTIVE);
        }
    }

    /// `thread`, which waited in a queue, repeats its system call; one held for a fault stays.
    fn restart(&mut self, thread: Id) {
        self.leave_queues(thread);
        if let Some(reply) = self.core.reply_of(thread) {
            self.core.unlink_reply(reply, thread);
        }
        if self.faults.contains_key(&thread) {
            self.core.set_state(thread, State::INACTIVE);
        } else {
            self.core.set_state(thread, State::RESTART);
            self.unblock_sporadic(thread);
            self.core.became_ready(thread);
        }
        self.core.must_choose();
    }

    /// The first `at_most` of those who wait on `endpoint` start again. Says whether all did.
    pub fn cancel_all(&mut self, endpoint: Id, at_most: usize) -> bool {
        let it = &self.endpoints[endpoint];
        let waiting: Vec<Id> = it.senders.iter().chain(&it.receivers).copied().collect();
        self.restart_some(&waiting, at_most)
    }

    /// The first `at_most` of those who wait for `notification` start again. Says whether all did.
    pub fn cancel_all_signals(&mut self, notification: Id, at_most: usize) -> bool {
        let waiting = self.notifications[notification].waiters.clone();
        self.restart_some(&waiting, at_most)
    }

    fn restart_some(&mut self, waiting: &[Id], at_most: usize) -> bool {
        waiting.iter().take(at_most).for_each(|&thread| self.restart(thread));
        waiting.len() <= at_most
    }

    /// Those who wait to send on `endpoint` with `badge` start again.
    pub fn cancel_badged(&mut self, endpoint: Id, badge: u64) {
        for thread in self.endpoints[endpoint].senders.clone() {
            if self.sending.get(&thread).is_some_and(|how| how.badge == badge) {
                self.restart(thread);
            }
        }
    }

    /// `thread` stops.
    pub fn suspend(&mut self, thread: Id) {
        self.cancel_ipc(thread);
        self.core.dequeue(thread);
        self.core.release_remove(thread);
        self.core.cancel_yield(thread);
        self.core.set_state(thread, State::INACTIVE);
    }

    /// `thread`, if it stopped or waits, starts again.
    pub fn resume(&mut self, thread: Id) {
        if !self.state(thread).is_stopped() {
            return;
        }
        self.cancel_ipc(thread);
        self.core.set_state(thread, State::RESTART);
        self.unblock_sporadic(thread);
        if let Some(context) = self.core.context_of(thread) {
            self.core.resume_context(context);
        }
        if self.core.is_schedulable(thread) {
            self.core.became_ready(thread);
        }
    }

    /// `thread` gets another priority: last among its new equals where it waits, first where it is ready.
    pub fn set_priority(&mut self, thread: Id, priority: u8) {
        let runs = self.state(thread).is_runnable() && (thread == self.core.current || self.core.is_ready(thread));
        self.core.dequeue(thread);
        self.core.threads[thread].priority = priority;
        if runs {
            if self.core.is_schedulable(thread) {
                self.core.enqueue(thread);
            }
            self.core.must_choose();
        }
        let mut model = std::mem::take(&mut self.endpoints);
        for endpoint in &mut model {
            self.move_in(&mut endpoint.senders, thread);
            self.move_in(&mut endpoint.receivers, thread);
        }
        self.endpoints = model;
        let mut model = std::mem::take(&mut self.notifications);
        model.iter_mut().for_each(|notification| self.move_in(&mut notification.waiters, thread));
        self.notifications = model;
    }

    fn move_in(&self, queue: &mut Vec<Id>, thread: Id) {
        if let Some(at) = queue.iter().position(|&other| other == thread) {
            queue.remove(at);
            let place = self.place(queue, thread);
            queue.insert(place, thread);
        }
    }
}
