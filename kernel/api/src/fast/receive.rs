//! Recv, Wait and their polling forms: take the signal that is there, or let the next thread run.

use super::{Care, Thorough};
use crate::OnCore;
use abi::syscall::Syscall;
use capability::{Kind, Rights};
use ipc::{Endpoint, Notification, bound_notification};
use machine::Register;
use memory::{Phys, Ref};
use sync::Held;
use sync::rank::Existence;
use thread::{Reply, State, Tcb};

impl OnCore<'_> {
    /// The current thread receives or waits; any other system call is the slow path's.
    #[inline(always)]
    pub(crate) fn fast_receive(self) -> bool {
        const RECV: i64 = Syscall::Recv as i64;
        const NB_RECV: i64 = Syscall::NBRecv as i64;
        const WAIT: i64 = Syscall::Wait as i64;
        const NB_WAIT: i64 = Syscall::NBWait as i64;
        let Some(mut shared) = self.share() else { return false };
        let thread = self.core().current.get();
        let number = thread.context.get(Register::Rdx) as i64;
        if !matches!(number, RECV | NB_RECV | WAIT | NB_WAIT) {
            return false;
        }
        let held = shared.held();
        let polling = matches!(number, NB_RECV | NB_WAIT);
        let cap = Thorough::lookup(&self.ipc(), thread, thread.context.get(Register::Rdi));
        if !cap.rights().allow(Rights::READ) {
            return false;
        }
        if cap.is(Kind::Notification) {
            return self.fast_wait(thread, cap.object(), polling, held);
        }
        let mut reply = None;
        if matches!(number, RECV | NB_RECV) {
            let cap = Thorough::lookup(&self.ipc(), thread, thread.context.get(Register::R12));
            if !cap.is(Kind::Reply) {
                return false;
            }
            reply = Some(cap.object());
        }
        cap.is(Kind::Endpoint) && self.fast_listen(thread, cap.object(), reply, polling, held)
    }

    #[inline(always)]
    fn fast_wait(
        self,
        thread: Ref<Tcb>,
        notification: Ref<Notification>,
        polling: bool,
        held: &mut Held<'_, Existence>,
    ) -> bool {
        if notification.bound().is_some_and(|bound| bound != thread) {
            return false;
        }
        let _object = self.kernel.locks.objects.lock(notification.word(), held);
        if notification.is_active() {
            thread.context.set(Register::Rdi, notification.take());
            return true;
        }
        if polling {
            thread.context.set(Register::Rdi, 0);
            return true;
        }
        if notification.lent().is_some() {
            return false;
        }
        let threads = self.ipc();
        let Some(next) = threads.next_ready() else { return false };
        block(thread, State::BLOCKED_ON_NOTIFICATION, notification.phys());
        notification.add_waiter(thread);
        threads.run_ready(next);
        true
    }

    /// Waits on an endpoint to which nobody sends, offering `reply`.
    #[inline(always)]
    fn fast_listen(
        self,
        thread: Ref<Tcb>,
        endpoint: Ref<Endpoint>,
        reply: Option<Ref<Reply>>,
        polling: bool,
        held: &mut Held<'_, Existence>,
    ) -> bool {
        let mut object = self.kernel.locks.objects.lock(endpoint.word(), held);
        let _reply = reply.map(|reply| self.kernel.locks.replies.lock(reply.word(), object.held()));
        let taken = reply.and_then(|reply| reply.thread.get()).is_some_and(|other| other != thread);
        if taken {
            return false;
        }
        if let Some(notification) = bound_notification(thread) {
            if notification.is_active() {
                thread.context.set(Register::Rdi, notification.take());
                return true;
            }
            if notification.lent().is_some() {
                return false;
            }
        }
        if endpoint.has_senders() {
            return false;
        }
        if polling {
            thread.context.set(Register::Rdi, 0);
            return true;
        }
        let threads = self.ipc();
        let Some(next) = threads.next_ready() else { return false };
        block(thread, State::BLOCKED_ON_RECEIVE, endpoint.phys());
        thread.reply.set(reply);
        if let Some(reply) = reply {
            reply.thread.set(Some(thread));
        }
        endpoint.add_receiver(thread);
        threads.run_ready(next);
        true
    }
}

#[inline(always)]
fn block(thread: Ref<Tcb>, state: State, on: Phys) {
    thread.blocked_on.set(on);
    thread.state.set(state);
}
