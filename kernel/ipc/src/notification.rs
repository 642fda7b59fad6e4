//! Notifications: words of badge bits that accumulate until somebody waits.

use crate::Ipc;
use crate::endpoint::{bound_notification, no_message};
use crate::{Progress, ReceiveMode};
use core::cell::Cell;
use machine::Register;
use memory::{Phys, Ref};
use thread::{Queue, SchedContext, State, Tcb};

/// A notification, 64 bytes.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Notification {
    pub(crate) queue: Queue,
    bound: Cell<Option<Ref<Tcb>>>,
    lent: Cell<Option<Ref<SchedContext>>>,
    badge: Cell<u64>,
    active: Cell<u64>,
    reserved: [Cell<u64>; 2],
}

memory::object!(Notification);

const _: () = assert!(size_of::<Notification>() == 1 << abi::object::NOTIFICATION_BITS);

impl Notification {
    /// Whether a signal waits to be received.
    #[inline(always)]
    pub fn is_active(&self) -> bool {
        self.active.get() != 0
    }

    /// Whether threads wait for a signal.
    #[inline(always)]
    pub fn is_waited_for(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The first thread that waits for a signal.
    #[inline(always)]
    pub fn first_waiter(&self) -> Option<Ref<Tcb>> {
        self.queue.head()
    }

    /// The thread that hears it while it receives on endpoints.
    #[inline(always)]
    pub fn bound(&self) -> Option<Ref<Tcb>> {
        self.bound.get()
    }

    /// The scheduling context that it lends to a waiter without one.
    #[inline(always)]
    pub fn lent(&self) -> Option<Ref<SchedContext>> {
        self.lent.get()
    }

    /// Binds a thread.
    pub fn bind(notification: Ref<Notification>, thread: Ref<Tcb>) {
        notification.bound.set(Some(thread));
        thread.bound_notification.set(notification.phys());
    }

    /// Unbinds its thread, if it has one.
    pub fn unbind(&self) {
        if let Some(thread) = self.bound.take() {
            thread.bound_notification.set(Phys(0));
        }
    }

    /// Unbinds the notification of `thread`, if it has one.
    pub fn unbind_from(thread: Ref<Tcb>) {
        if let Some(notification) = bound_notification(thread) {
            notification.unbind();
        }
    }

    /// Makes the notification lend `context`.
    pub fn lend(notification: Ref<Notification>, context: Ref<SchedContext>) {
        notification.lent.set(Some(context));
        context.notification.set(notification.phys());
    }

    /// Ends the lending.
    pub fn stop_lending(&self) {
        if let Some(context) = self.lent.take() {
            context.notification.set(Phys(0));
        }
    }

    /// Ends the lending of `context`, by whatever notification lends it.
    pub fn stop_lending_of(context: Ref<SchedContext>) {
        let phys = context.notification.get();
        if phys != Phys(0) {
            Ref::<Notification>::at(phys).stop_lending();
        }
    }

    /// The thread that a signal would wake: the first that waits, or the bound one while it receives.
    #[inline(always)]
    pub fn listener(&self) -> Option<Ref<Tcb>> {
        let bound = || self.bound.get().filter(|thread| thread.state.get() == State::BLOCKED_ON_RECEIVE);
        self.queue.head().or_else(|| if self.is_active() { None } else { bound() })
    }

    /// Keeps `badge` for whoever comes.
    #[inline(always)]
    pub fn keep(&self, badge: u64) {
        if self.is_active() {
            self.badge.set(self.badge.get() | badge);
        } else {
            self.activate(badge);
        }
    }

    /// The bits that were signalled, of an active notification, for checks.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn badge(&self) -> u64 {
        self.badge.get()
    }

    /// Takes the pending signal of an active notification.
    #[inline(always)]
    pub fn take(&self) -> u64 {
        self.active.set(0);
        self.badge.get()
    }

    /// Takes `first`, the first that waits, out.
    #[inline(always)]
    pub fn take_first(&self, first: Ref<Tcb>) {
        self.queue.pop_front(first);
    }

    /// Adds a thread that was made to wait for a signal.
    #[inline(always)]
    pub fn add_waiter(&self, waiter: Ref<Tcb>) {
        self.queue.add_by_priority(waiter);
    }

    #[inline(always)]
    fn activate(&self, badge: u64) {
        self.badge.set(badge);
        self.active.set(1);
    }
}

impl Ipc<'_> {
    /// Delivers `badge`: to a waiter, to the bound thread if it waits on an endpoint, or to whoever comes.
    pub fn signal(&self, notification: Ref<Notification>, badge: u64) {
        match notification.listener() {
            Some(thread) => {
                // Out of the queue of the notification, or of the endpoint on which it hears it.
                self.cancel_ipc(thread);
                self.wake(notification, thread, badge);
            }
            None => notification.keep(badge),
        }
    }

    fn wake(&self, notification: Ref<Notification>, thread: Ref<Tcb>, badge: u64) {
        self.set_state(thread, State::RUNNING);
        thread.context.set(Register::Rdi, badge);
        self.lend_time(notification, thread);
        if thread.is_schedulable() {
            self.possible_switch_to(thread);
        }
        self.unblock_sporadic(thread);
    }

    /// Takes a pending signal, waits for one, or reports none.
    pub fn wait(&self, thread: Ref<Tcb>, notification: Ref<Notification>, mode: ReceiveMode) {
        if notification.is_active() {
            self.complete_signal(notification, thread);
        } else if mode == ReceiveMode::Polling {
            no_message(thread);
        } else {
            thread.blocked_on.set(notification.phys());
            self.set_state(thread, State::BLOCKED_ON_NOTIFICATION);
            notification.queue.insert_by_priority(thread);
            self.return_lent_time(notification, thread);
        }
    }

    /// Hands the pending signal of an active notification to `thread`.
    pub(crate) fn complete_signal(&self, notification: Ref<Notification>, thread: Ref<Tcb>) {
        thread.context.set(Register::Rdi, notification.take());
        self.lend_time(notification, thread);
        self.unblock_sporadic(thread);
    }

    fn lend_time(&self, notification: Ref<Notification>, thread: Ref<Tcb>) {
        if thread.sched_context.get().is_none()
            && let Some(context) = notification.lent()
            && context.thread.get().is_none()
        {
            self.donate(context, thread);
            self.resume_context(context);
        }
    }

    /// A thread that runs on the notification's time and waits gives it back.
    pub(crate) fn return_lent_time(&self, notification: Ref<Notification>, thread: Ref<Tcb>) {
        if let Some(context) = notification.lent()
            && thread.sched_context.get() == Some(context)
        {
            thread.sched_context.set(None);
            context.thread.set(None);
            if thread == self.core.current.get() {
                self.reschedule_required();
            }
        }
    }

    /// Restarts everybody who waits, as long as `go_on` says so.
    pub fn cancel_all_signals(&self, notification: Ref<Notification>, mut go_on: impl FnMut() -> bool) -> Progress {
        while let Some(waiter) = notification.queue.head() {
            notification.queue.remove(waiter);
            self.restart_waiter(waiter);
            self.reschedule_required();
            if !notification.queue.is_empty() && !go_on() {
                return Progress::Preempted;
            }
        }
        Progress::Done
    }
}
