//! Undoing waits: cancelling one thread's, everybody's on an endpoint, those of one badge; suspend and resume.

use crate::endpoint::Endpoint;
use crate::{Ipc, Notification};
use machine::Register;
use memory::Ref;
use thread::{Queue, State, Tcb};

/// How far a long operation came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// It is finished.
    Done,
    /// It stopped to let an interrupt in; repeat it.
    Preempted,
}

impl Ipc<'_> {
    /// Takes `thread` out of whatever it waits for; it becomes inactive. Forgets its fault.
    pub fn cancel_ipc(&self, thread: Ref<Tcb>) {
        thread.fault.clear();
        match thread.state.get() {
            State::BLOCKED_ON_SEND | State::BLOCKED_ON_RECEIVE => {
                let endpoint: Ref<Endpoint> = Ref::at(thread.blocked_on.get());
                endpoint.queue.remove(thread);
                self.unlink_receiver(thread);
                self.set_state(thread, State::INACTIVE);
            }
            State::BLOCKED_ON_NOTIFICATION => {
                let notification: Ref<Notification> = Ref::at(thread.blocked_on.get());
                notification.queue.remove(thread);
                self.set_state(thread, State::INACTIVE);
            }
            State::BLOCKED_ON_REPLY => self.cancel_reply(thread),
            _ => {}
        }
    }

    fn unlink_receiver(&self, thread: Ref<Tcb>) {
        if thread.state.get() == State::BLOCKED_ON_RECEIVE
            && let Some(reply) = thread.reply.get()
        {
            self.unlink_reply(reply, thread);
        }
    }

    /// Makes a thread that was taken out of a queue repeat its system call; one with a fault stays inactive.
    pub(crate) fn restart_waiter(&self, thread: Ref<Tcb>) {
        self.unlink_receiver(thread);
        if thread.fault.is_none() {
            self.set_state(thread, State::RESTART);
            self.unblock_sporadic(thread);
            self.possible_switch_to(thread);
        } else {
            self.set_state(thread, State::INACTIVE);
        }
    }

    /// Restarts everybody who waits on `endpoint`, as long as `go_on` says so; it is asked only while somebody is left.
    pub fn cancel_all(&self, endpoint: Ref<Endpoint>, mut go_on: impl FnMut() -> bool) -> Progress {
        while let Some(thread) = endpoint.queue.head() {
            endpoint.queue.remove(thread);
            self.restart_waiter(thread);
            self.reschedule_required();
            if !endpoint.queue.is_empty() && !go_on() {
                return Progress::Preempted;
            }
        }
        Progress::Done
    }

    /// Restarts everybody who waits to send on `endpoint` with `badge`.
    pub fn cancel_badged(&self, endpoint: Ref<Endpoint>, badge: u64, mut go_on: impl FnMut() -> bool) -> Progress {
        let mut at = endpoint.queue.head();
        while let Some(thread) = at {
            at = Queue::after(thread);
            if thread.state.get() != State::BLOCKED_ON_SEND {
                break;
            }
            if thread.sender_badge.get() == badge {
                endpoint.queue.remove(thread);
                self.restart_waiter(thread);
                self.reschedule_required();
            }
            if at.is_some() && !go_on() {
                return Progress::Preempted;
            }
        }
        Progress::Done
    }

    /// Stops `thread`.
    pub fn suspend(&self, thread: Ref<Tcb>) {
        self.take_back(thread);
        self.cancel_ipc(thread);
        if thread.state.get() == State::RUNNING {
            // It may be restarted or made running later: both must go on where it was.
            thread.context.set(Register::FaultIp, thread.context.get(Register::NextIp));
        }
        self.dequeue(thread);
        self.release_remove(thread);
        self.cancel_yield(thread);
        self.set_state(thread, State::INACTIVE);
    }

    /// Lets a stopped `thread` run from its restart address.
    pub fn resume(&self, thread: Ref<Tcb>) {
        if !thread.state.get().is_stopped() {
            return;
        }
        self.cancel_ipc(thread);
        self.set_state(thread, State::RESTART);
        self.unblock_sporadic(thread);
        if let Some(context) = thread.sched_context.get() {
            self.resume_context(context);
        }
        if thread.is_schedulable() {
            self.possible_switch_to(thread);
        }
    }

    /// Gives `thread` another priority, keeping every queue in order.
    pub fn set_priority(&self, thread: Ref<Tcb>, priority: u8) {
        self.take_back(thread);
        match thread.state.get() {
            State::RUNNING | State::RESTART => {
                let is_current = thread == self.core.current.get();
                if is_current || thread.has(thread::flag::QUEUED) {
                    self.dequeue(thread);
                    thread.priority.set(priority);
                    if thread.is_schedulable() {
                        self.enqueue(thread);
                    }
                    self.reschedule_home(thread);
                } else {
                    thread.priority.set(priority);
                }
            }
            State::BLOCKED_ON_SEND | State::BLOCKED_ON_RECEIVE => {
                let endpoint: Ref<Endpoint> = Ref::at(thread.blocked_on.get());
                endpoint.queue.remove(thread);
                thread.priority.set(priority);
                endpoint.queue.insert_by_priority(thread);
            }
            State::BLOCKED_ON_NOTIFICATION => {
                let notification: Ref<Notification> = Ref::at(thread.blocked_on.get());
                notification.queue.remove(thread);
                thread.priority.set(priority);
                notification.queue.insert_by_priority(thread);
            }
            _ => thread.priority.set(priority),
        }
    }
}
