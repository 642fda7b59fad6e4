//! Endpoints: synchronous rendezvous of senders and receivers, with donation of time.
//!
//! An endpoint is a queue. Its direction is the state of its first thread (invariant I1), so nothing can disagree.

use crate::transfer::{Grant, transfer};
use crate::{Ipc, Notification};
use capability::{Cap, Kind, Rights};
use machine::Register;
use memory::{Phys, Ref};
use thread::{Donate, Queue, Reply, State, Tcb, flag};

/// An endpoint, 16 bytes.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Endpoint {
    pub(crate) queue: Queue,
}

memory::object!(Endpoint);

const _: () = assert!(size_of::<Endpoint>() == 1 << abi::object::ENDPOINT_BITS);

impl Endpoint {
    /// The first thread, if threads wait to receive.
    #[inline(always)]
    pub fn first_receiver(&self) -> Option<Ref<Tcb>> {
        self.queue.head().filter(|head| head.state.get() == State::BLOCKED_ON_RECEIVE)
    }

    /// Whether threads wait to send.
    #[inline(always)]
    pub fn has_senders(&self) -> bool {
        self.queue.head().is_some_and(|head| head.state.get() == State::BLOCKED_ON_SEND)
    }

    /// Whether nobody waits.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes `first`, the queue's head, out.
    #[inline(always)]
    pub fn take_first(&self, first: Ref<Tcb>) {
        self.queue.pop_front(first);
    }

    /// Adds a thread that was made to wait for a message where nobody waits yet.
    #[inline(always)]
    pub fn add_first_receiver(&self, receiver: Ref<Tcb>) {
        self.queue.add_first(receiver);
    }

    /// Adds a thread that was made to wait for a message.
    #[inline(always)]
    pub fn add_receiver(&self, receiver: Ref<Tcb>) {
        self.queue.add_by_priority(receiver);
    }
}

/// How a message is sent.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// Whether to wait for a receiver.
    pub blocking: bool,
    /// Whether it is a Call, which waits for a reply.
    pub call: bool,
    /// Badge of the capability.
    pub badge: u64,
    /// Rights of the capability.
    pub rights: Rights,
    /// Whether the sender's time may go to a receiver that has none.
    pub donate: bool,
}

/// Whether a receive waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiveMode {
    /// It waits.
    Blocking,
    /// It reports badge 0 if nobody sends.
    Polling,
}

impl Ipc<'_> {
    /// Sends a message of `sender` (or its fault, if it has one) through `endpoint`.
    pub fn send(&self, sender: Ref<Tcb>, endpoint: Ref<Endpoint>, how: Sending) {
        let receiver = match endpoint.queue.head() {
            Some(head) if head.state.get() == State::BLOCKED_ON_RECEIVE => head,
            _ => {
                if how.blocking {
                    self.block_sender(sender, endpoint, how);
                }
                return;
            }
        };
        endpoint.queue.remove(receiver);
        self.transfer_message(sender, receiver, Some(endpoint), how.badge, how.rights.allow(Rights::GRANT));
        let reply = receiver.reply.get();
        if let Some(reply) = reply {
            self.unlink_reply(reply, receiver);
        }
        let can_reply = how.rights.allow(Rights::GRANT) || how.rights.allow(Rights::GRANT_REPLY);
        if how.call || !sender.fault.is_none() {
            match reply {
                Some(reply) if can_reply => {
                    let donate = if how.donate { Donate::Yes } else { Donate::No };
                    self.push_reply(sender, receiver, reply, donate);
                }
                _ => self.set_state(sender, State::INACTIVE),
            }
        } else if how.donate
            && receiver.sched_context.get().is_none()
            && let Some(context) = sender.sched_context.get()
        {
            self.donate(context, receiver);
        }
        self.set_state(receiver, State::RUNNING);
        self.unblock_sporadic(receiver);
        self.possible_switch_to(receiver);
    }

    fn block_sender(&self, sender: Ref<Tcb>, endpoint: Ref<Endpoint>, how: Sending) {
        let when = |condition: bool, flag: u32| if condition { flag } else { 0 };
        sender.set_flags(
            flag::CAN_GRANT | flag::CAN_GRANT_REPLY | flag::IS_CALL,
            when(how.rights.allow(Rights::GRANT), flag::CAN_GRANT)
                | when(how.rights.allow(Rights::GRANT_REPLY), flag::CAN_GRANT_REPLY)
                | when(how.call, flag::IS_CALL),
        );
        sender.sender_badge.set(how.badge);
        sender.blocked_on.set(endpoint.phys());
        self.set_state(sender, State::BLOCKED_ON_SEND);
        endpoint.queue.insert_by_priority(sender);
    }

    /// Receives into `receiver` through the endpoint capability `cap`, offering `reply_cap` (or a null capability) for replies.
    pub fn receive(&self, receiver: Ref<Tcb>, cap: Cap, mode: ReceiveMode, reply_cap: Cap) {
        let endpoint: Ref<Endpoint> = cap.object();
        let mut reply: Option<Ref<Reply>> = None;
        if reply_cap.kind() == Kind::Reply {
            let object: Ref<Reply> = reply_cap.object();
            if let Some(waiting) = object.thread.get()
                && waiting != receiver
            {
                self.cancel_ipc(waiting);
            }
            reply = Some(object);
        }
        if let Some(notification) = bound_notification(receiver) {
            if notification.is_active() {
                self.complete_signal(notification, receiver);
                return;
            }
            if mode == ReceiveMode::Blocking {
                self.return_lent_time(notification, receiver);
            }
        }
        let sender = match endpoint.queue.head() {
            Some(head) if head.state.get() == State::BLOCKED_ON_SEND => head,
            _ => {
                if mode == ReceiveMode::Polling {
                    no_message(receiver);
                    return;
                }
                receiver.blocked_on.set(endpoint.phys());
                receiver.reply.set(reply);
                if let Some(reply) = reply {
                    reply.thread.set(Some(receiver));
                }
                self.set_state(receiver, State::BLOCKED_ON_RECEIVE);
                endpoint.queue.insert_by_priority(receiver);
                return;
            }
        };
        endpoint.queue.remove(sender);
        self.transfer_message(sender, receiver, Some(endpoint), sender.sender_badge.get(), sender.has(flag::CAN_GRANT));
        self.unblock_sporadic(sender);
        let fault = sender.fault.get();
        if sender.has(flag::IS_CALL) || !fault.is_none() {
            let can_reply = sender.has(flag::CAN_GRANT) || sender.has(flag::CAN_GRANT_REPLY);
            match reply {
                Some(reply) if can_reply => {
                    let timeout = fault.kind() == abi::fault::FaultType::Timeout;
                    let donate = sender.sched_context.get().is_some() && !timeout;
                    self.push_reply(sender, receiver, reply, if donate { Donate::Yes } else { Donate::No });
                }
                _ => self.set_state(sender, State::INACTIVE),
            }
        } else {
            self.set_state(sender, State::RUNNING);
            self.possible_switch_to(sender);
        }
    }

    /// Moves the message, or the fault, of `sender`.
    pub(crate) fn transfer_message(
        &self,
        sender: Ref<Tcb>,
        receiver: Ref<Tcb>,
        endpoint: Option<Ref<Endpoint>>,
        badge: u64,
        grant: bool,
    ) {
        if sender.fault.is_none() {
            transfer(sender, receiver, endpoint, badge, Grant::when(grant));
        } else {
            self.transfer_fault(sender, sender.fault.get(), receiver, badge);
        }
    }

    /// A sporadic context that starts to be used again forgets the time that passed.
    pub(crate) fn unblock_sporadic(&self, thread: Ref<Tcb>) {
        if let Some(context) = thread.sched_context.get()
            && context.is_sporadic()
            && context != self.core.current_context.get()
        {
            self.unblock(context);
        }
    }
}

/// The notification bound to `thread`.
#[inline(always)]
pub fn bound_notification(thread: Ref<Tcb>) -> Option<Ref<Notification>> {
    let phys = thread.bound_notification.get();
    (phys != Phys(0)).then(|| Ref::at(phys))
}

/// Tells a polling receiver that there was nothing.
pub(crate) fn no_message(receiver: Ref<Tcb>) {
    receiver.context.set(Register::Rdi, 0);
}
