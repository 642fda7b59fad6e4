//! Send and NBSend: a message to a thread that waits for one, a signal, or nothing at all; and the signal of an interrupt.

use super::{Arrival, AtOnce, CAPS, Care, Next, Thorough, copy, takes};
use crate::OnCore;
use abi::syscall::Syscall;
use capability::{Cap, Kind, Rights};
use ipc::{Endpoint, Notification};
use ipi::{Vector, classify};
use machine::Register;
use memory::Ref;
use sync::Held;
use sync::rank::Existence;
use thread::{Elapsed, State, Tcb, Wake};

/// What is neither an endpoint nor a notification: the slow path's.
const UNUSABLE: Cap = Cap::control(Kind::Domain, 0);

/// Whether a Send waits for a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// It does: Send.
    Yes,
    /// It does not: NBSend.
    No,
}

/// What a Send or a signal to a more important thread comes to.
#[derive(Debug)]
#[must_use]
pub enum Sent<'k> {
    /// A message.
    Message(Arrival<'k>),
    /// A signal with this badge, which is not in the thread's context yet.
    Signal(Next<'k>, u64),
}

#[cold]
fn unusable() -> Cap {
    UNUSABLE
}

impl<'k> OnCore<'k> {
    /// The current thread, `sender`, sends through `cptr` (Send or NBSend) a message with this info, where nobody but
    /// itself notices: nobody is there, or a signal is kept. The answer is null then. Otherwise nothing was done, and the
    /// answer is the capability for [`send`](Self::send) to use.
    #[inline(always)]
    pub fn send_lightly(self, sender: Ref<Tcb>, cptr: u64, info: u64, blocking: Blocking) -> Cap {
        // Most of the sender's registers are still where the user left them: a recall could not put them back. So no waiting.
        let Some(mut shared) = self.kernel.locks.existence.share_at_once(self.core().index) else { return UNUSABLE };
        match self.ipc().slots_at_hand(sender).get(cptr) {
            Some(slot) => self.send_by(slot.cap(), info, blocking, shared.held()),
            None => self.send_by_steps(cptr, info, blocking, shared.held()),
        }
    }

    #[cold]
    #[inline(never)]
    fn send_by_steps(self, cptr: u64, info: u64, blocking: Blocking, held: &mut Held<'_, Existence>) -> Cap {
        let sender = self.core().current.get();
        let cap = Thorough::lookup(&self.ipc(), sender, cptr);
        self.send_by(cap, info, blocking, held)
    }

    #[inline(always)]
    fn send_by(self, cap: Cap, info: u64, blocking: Blocking, held: &mut Held<'_, Existence>) -> Cap {
        if cap.is_null() {
            // A send that may not block has no fault either.
            return if blocking == Blocking::Yes { unusable() } else { Cap::NULL };
        }
        if info & CAPS != 0 || !cap.rights().allow(Rights::WRITE) {
            return UNUSABLE;
        }
        if cap.is(Kind::Notification) {
            let notification: Ref<Notification> = cap.object();
            let _object = self.kernel.locks.objects.lock(notification.word(), held);
            if notification.bound().is_none() && !notification.is_waited_for() {
                notification.keep(cap.badge());
                return Cap::NULL;
            }
        } else if cap.is(Kind::Endpoint) && blocking == Blocking::No {
            let endpoint: Ref<Endpoint> = cap.object();
            let _object = self.kernel.locks.objects.lock(endpoint.word(), held);
            if endpoint.first_receiver().is_none() {
                return Cap::NULL;
            }
        }
        cap
    }

    /// The current thread, `sender`, sends to a more important thread that waits, through `cap`, as
    /// [`send_lightly`](Self::send_lightly) found it just now. `None` if nothing was done.
    #[inline(always)]
    pub fn send_at_once(self, sender: Ref<Tcb>, cap: Cap) -> Option<Sent<'k>> {
        if sync::CORES > 1 {
            // It may have changed in between, and more than one object must be held.
            return None;
        }
        let mut shared = self.share()?;
        if cap.is(Kind::Notification) {
            let thread = self.signal_at_once(sender, cap, shared.held())?;
            return Some(Sent::Signal(Next { thread, _shared: shared }, cap.badge()));
        }
        if !cap.is(Kind::Endpoint) {
            return None;
        }
        let info = sender.context.get(Register::Rsi);
        if !takes::<AtOnce>(info) {
            return None;
        }
        let endpoint: Ref<Endpoint> = cap.object();
        let receiver = endpoint.first_receiver()?;
        let turn = self.ipc().preempts_at_once(sender, receiver)?;
        endpoint.take_first(receiver);
        if let Some(reply) = receiver.reply.take() {
            reply.thread.set(None);
        }
        receiver.state.set(State::RUNNING);
        let info = copy::<AtOnce>(sender, receiver, info);
        self.ipc().preempt(sender, turn);
        Some(Sent::Message(Arrival { next: Next { thread: receiver, _shared: shared }, badge: cap.badge(), info }))
    }

    /// Signals the notification of `cap`, on which a more important thread than `current` waits, which is the answer. Its
    /// badge is left to the caller. `None` if nothing was done.
    #[inline(always)]
    fn signal_at_once(self, current: Ref<Tcb>, cap: Cap, held: &mut Held<'_, Existence>) -> Option<Ref<Tcb>> {
        let notification: Ref<Notification> = cap.object();
        let _object = self.kernel.locks.objects.lock(notification.word(), held);
        let thread = notification.first_waiter()?;
        let turn = self.ipc().preempts_at_once(current, thread)?;
        notification.take_first(thread);
        thread.state.set(State::RUNNING);
        self.ipc().preempt(current, turn);
        Some(thread)
    }

    /// The current thread sends to a thread that waits, through `cap`, as [`send_lightly`](Self::send_lightly) found it.
    #[inline(always)]
    pub(crate) fn fast_send(self, mut cap: Cap) -> bool {
        let Some(mut shared) = self.share() else { return false };
        let sender = self.core().current.get();
        let info = sender.context.get(Register::Rsi);
        if sync::CORES > 1 {
            // Another core may have changed the slot in between, or had the instance to itself when this one looked.
            let is_send = sender.context.get(Register::Rdx) as i64 == Syscall::Send as i64;
            let blocking = if is_send { Blocking::Yes } else { Blocking::No };
            cap = Thorough::lookup(&self.ipc(), sender, sender.context.get(Register::Rdi));
            cap = self.send_by(cap, info, blocking, shared.held());
            if cap.is_null() {
                return true;
            }
        }
        if cap.is(Kind::Notification) {
            return self.fast_signal(sender, cap, shared.held(), None);
        }
        cap.is(Kind::Endpoint) && self.fast_message(sender, cap, info, shared.held())
    }

    /// Signals what CPU vector `vector`, which interrupted the current thread, is bound to. The answer is the more important
    /// thread that waits for it, which is to be run, and the badge, which is left to the caller; `None` if nothing was done.
    #[inline(always)]
    pub fn interrupt_at_once(self, current: Ref<Tcb>, vector: u8) -> Option<(Next<'k>, u64)> {
        let is_users = matches!(classify(vector), Vector::User(_) | Vector::Doorbell(_));
        if sync::CORES > 1 || !is_users || current == self.core().idle {
            return None;
        }
        let mut shared = self.share()?;
        let ipc = self.ipc();
        let cap = self.kernel.interrupts.lock(shared.held()).slot(vector).cap();
        if !cap.is(Kind::Notification) || !cap.rights().allow(Rights::WRITE) {
            return None;
        }
        let thread = self.signal_at_once(current, cap, shared.held())?;
        self.kernel.interrupts.lock(shared.held()).silence(&ipc, vector);
        ipc.machine.end_of_interrupt();
        Some((Next { thread, _shared: shared }, cap.badge()))
    }

    /// Signals what CPU vector `vector`, which interrupted the current or idle thread, is bound to.
    #[inline(always)]
    pub(crate) fn fast_interrupt(self, vector: u8) -> bool {
        let (Vector::User(_) | Vector::Doorbell(_)) = classify(vector) else { return false };
        let Some(mut shared) = self.share() else { return false };
        let current = self.core().current.get();
        let ipc = self.ipc();
        let Some(elapsed) = ipc.elapsed() else { return false };
        // Also if the signal turns out to be the slow path's: it counts on from here.
        ipc.account(elapsed);
        let interrupts = self.kernel.interrupts.lock(shared.held());
        let cap = interrupts.slot(vector).cap();
        if !cap.is(Kind::Notification) || !cap.rights().allow(Rights::WRITE) {
            return false;
        }
        if interrupts.is_pin(vector) {
            if sync::CORES > 1 {
                // The I/O APIC is for whoever has the instance to itself.
                return false;
            }
            interrupts.silence(&ipc, vector);
        }
        let done = self.fast_signal(current, cap, shared.held(), Some(elapsed));
        if done {
            self.machine().end_of_interrupt();
        }
        done
    }

    /// Signals the notification of `cap`, while `current` runs.
    #[inline(always)]
    fn fast_signal(
        self,
        current: Ref<Tcb>,
        cap: Cap,
        held: &mut Held<'_, Existence>,
        elapsed: Option<Elapsed>,
    ) -> bool {
        let notification: Ref<Notification> = cap.object();
        // A notification with a bound thread is the affair of that thread's core: what must be held is the endpoint on
        // which the thread waits.
        let bound = notification.bound();
        if bound.is_some_and(|bound| !self.core().owns(bound)) {
            return false;
        }
        let address = bound.map_or(notification.word(), |bound| Ref::<Endpoint>::at(bound.blocked_on.get()).word());
        let mut object = self.kernel.locks.objects.lock(address, held);
        let Some(listener) = notification.listener() else {
            notification.keep(cap.badge());
            return true;
        };
        let Some(wake) = self.ipc().wakes(current, listener, elapsed) else { return false };
        if listener.state.get() == State::BLOCKED_ON_NOTIFICATION {
            notification.take_first(listener);
        } else {
            let _reply = listener.reply.get().map(|reply| self.kernel.locks.replies.lock(reply.word(), object.held()));
            self.ipc().cancel_ipc(listener);
        }
        listener.context.set(Register::Rdi, cap.badge());
        self.wake(current, listener, wake);
        true
    }

    #[inline(always)]
    fn fast_message(self, sender: Ref<Tcb>, cap: Cap, info: u64, held: &mut Held<'_, Existence>) -> bool {
        let endpoint: Ref<Endpoint> = cap.object();
        let mut object = self.kernel.locks.objects.lock(endpoint.word(), held);
        let Some(receiver) = endpoint.first_receiver() else { return false };
        let Some(wake) = self.ipc().wakes(sender, receiver, None) else { return false };
        endpoint.take_first(receiver);
        if let Some(reply) = receiver.reply.take() {
            let _reply = self.kernel.locks.replies.lock(reply.word(), object.held());
            reply.thread.set(None);
        }
        receiver.context.set(Register::Rsi, copy::<Thorough>(sender, receiver, info));
        receiver.context.set(Register::Rdi, cap.badge());
        self.wake(sender, receiver, wake);
        true
    }

    #[inline(always)]
    fn wake(self, current: Ref<Tcb>, thread: Ref<Tcb>, wake: Wake) {
        thread.state.set(State::RUNNING);
        self.ipc().wake(current, thread, wake);
    }
}
