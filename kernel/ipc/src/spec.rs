//! Messages and signals as one would like to think of them, on top of the specification of threads and time.
//!
//! * an **endpoint** is two sequences, of senders and of receivers, of which one is empty; each is ordered by priority, and
//!   by arrival among equals. Who waited first is met first;
//! * a **message** is a badge, a label and words. Meeting copies it; a Call then waits for the reply that the receiver
//!   offered, and its time goes to a receiver that has none;
//! * a **notification** holds the bits of all signals since the last was heard, or a sequence of waiters, never both. A
//!   signal is heard by the first waiter, else by the bound thread if that receives, else by whoever comes;
//! * a **fault** is a message that the thread did not write; it is a Call in all but name;
//! * **cancelling** a wait makes the thread as if it had not begun, to be repeated or forgotten.
//!
//! Messages have at most as many words as there are registers for them, and carry no capabilities: what goes through
//! buffers and slots is not in this model. Tests: `tests/refinement.rs` runs this and the layer side by side.

mod cancel;
mod reading;

pub use reading::{Objects, fault_message, registers};
pub use thread::spec::Id;

use std::collections::BTreeMap;
use thread::State;

/// Words that go by registers.
pub const WORDS: usize = abi::message::FAST_REGISTERS;

/// What is in the message registers of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Message {
    /// Who it came through; or the bits of a signal.
    pub badge: u64,
    /// Label and length, as the message info packs them.
    pub info: u64,
    /// The words.
    pub words: [u64; WORDS],
}

/// How a message is sent through an endpoint capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sending {
    /// Badge of the capability.
    pub badge: u64,
    /// Whether the capability lets the receiver reply.
    pub can_reply: bool,
    /// Whether the sender waits for a reply.
    pub call: bool,
}

/// Two sequences, one of them empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Threads that wait to send.
    pub senders: Vec<Id>,
    /// Threads that wait to receive.
    pub receivers: Vec<Id>,
}

/// A signal that waits, or threads that wait for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Notification {
    /// The bits of the signals nobody heard yet.
    pub signal: Option<u64>,
    /// Threads that wait.
    pub waiters: Vec<Id>,
    /// The thread that hears it while it receives on an endpoint.
    pub bound: Option<Id>,
    /// The context that it lends to who hears it and has none.
    pub lends: Option<Id>,
}

/// The whole layer, of one core.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct System {
    /// Threads and time.
    pub core: thread::spec::System,
    /// Endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Notifications.
    pub notifications: Vec<Notification>,
    /// How those who wait to send will do so.
    pub sending: BTreeMap<Id, Sending>,
    /// The threads that are held for a fault, and what it says.
    pub faults: BTreeMap<Id, Message>,
    /// Message registers of each thread.
    pub registers: Vec<Message>,
}

impl System {
    fn state(&self, thread: Id) -> State {
        self.core.threads[thread].state
    }

    /// Where `thread` belongs in a sequence ordered by priority and arrival.
    pub(crate) fn place(&self, queue: &[Id], thread: Id) -> usize {
        let priority = |thread: Id| self.core.threads[thread].priority;
        queue.iter().position(|&other| priority(other) < priority(thread)).unwrap_or(queue.len())
    }

    fn unblock_sporadic(&mut self, thread: Id) {
        if let Some(context) = self.core.context_of(thread) {
            self.core.unblock_sporadic(context);
        }
    }

    /// The message of `sender`, or its fault, goes to `receiver`, which is told `badge`.
    fn transfer(&mut self, sender: Id, receiver: Id, badge: u64) {
        let message = self.faults.get(&sender).copied().unwrap_or(self.registers[sender]);
        let length = (message.info & 0x7f) as usize;
        let got = &mut self.registers[receiver];
        (got.badge, got.info) = (badge, message.info);
        got.words.iter_mut().zip(message.words).take(length).for_each(|(word, sent)| *word = sent);
    }

    /// `sender` and `receiver` met and the message went over: what becomes of the sender. A receiver's reply is `reply`.
    fn after_meeting(&mut self, sender: Id, receiver: Id, reply: Option<Id>, how: Sending, donate: bool) -> bool {
        if !how.call && !self.faults.contains_key(&sender) {
            return false;
        }
        match reply {
            Some(reply) if how.can_reply => self.core.push_reply(sender, receiver, reply, donate),
            _ => self.core.set_state(sender, State::INACTIVE),
        }
        true
    }

    /// `sender` sends through `endpoint`, and waits for a receiver if `blocking`.
    pub fn send(&mut self, sender: Id, endpoint: Id, how: Sending, blocking: bool, donate: bool) {
        if self.endpoints[endpoint].receivers.is_empty() {
            if blocking {
                self.sending.insert(sender, how);
                self.core.set_state(sender, State::BLOCKED_ON_SEND);
                let place = self.place(&self.endpoints[endpoint].senders, sender);
                self.endpoints[endpoint].senders.insert(place, sender);
            }
            return;
        }
        let receiver = self.endpoints[endpoint].receivers.remove(0);
        self.transfer(sender, receiver, how.badge);
        let reply = self.core.reply_of(receiver);
        if let Some(reply) = reply {
            self.core.unlink_reply(reply, receiver);
        }
        let waits = self.after_meeting(sender, receiver, reply, how, donate);
        if let (false, true, None, Some(context)) =
            (waits, donate, self.core.context_of(receiver), self.core.context_of(sender))
        {
            self.core.donate(context, receiver);
        }
        self.core.set_state(receiver, State::RUNNING);
        self.unblock_sporadic(receiver);
        self.core.became_ready(receiver);
    }

    /// `receiver` receives from `endpoint`, offering `reply`, and waits for a sender if `blocking`.
    pub fn receive(&mut self, receiver: Id, endpoint: Id, blocking: bool, reply: Option<Id>) {
        // Whoever else had the reply does not get one any more.
        let other = reply.and_then(|reply| self.core.waits.get(&reply).copied());
        if let Some(other) = other.filter(|&other| other != receiver) {
            self.cancel_ipc(other);
        }
        if let Some(notification) = self.bound_to(receiver) {
            if self.notifications[notification].signal.is_some() {
                self.hear(notification, receiver);
                return;
            }
            if blocking {
                self.give_back(notification, receiver);
            }
        }
        if self.endpoints[endpoint].senders.is_empty() {
            if !blocking {
                self.registers[receiver].badge = 0;
                return;
            }
            if let Some(reply) = reply {
                self.core.waits.insert(reply, receiver);
            }
            self.core.set_state(receiver, State::BLOCKED_ON_RECEIVE);
            let place = self.place(&self.endpoints[endpoint].receivers, receiver);
            self.endpoints[endpoint].receivers.insert(place, receiver);
            return;
        }
        let sender = self.endpoints[endpoint].senders.remove(0);
        let Some(how) = self.sending.remove(&sender) else { return };
        self.transfer(sender, receiver, how.badge);
        self.unblock_sporadic(sender);
        if !self.after_meeting(sender, receiver, reply, how, true) {
            self.core.set_state(sender, State::RUNNING);
            self.core.became_ready(sender);
        }
    }

    /// `sender` answers whoever waits on `reply`.
    pub fn reply(&mut self, sender: Id, reply: Id) {
        let caller = self.core.waits.get(&reply).copied();
        let Some(caller) = caller.filter(|&caller| self.state(caller) == State::BLOCKED_ON_REPLY) else { return };
        self.core.remove_reply(reply, caller);
        self.unblock_sporadic(caller);
        if self.faults.remove(&caller).is_some() {
            self.core.set_state(caller, State::RESTART);
        } else {
            self.transfer(sender, caller, 0);
            self.core.set_state(caller, State::RUNNING);
        }
        let Some(context) = self.core.context_of(caller) else { return };
        if self.core.has_time(context) { self.core.became_ready(caller) } else { self.core.postpone(context) }
    }

    /// The end of the entry: who runs goes on, or repeats its system call. Returns what [`thread::spec::System::leave`] does.
    pub fn leave(&mut self) -> Option<thread::Ticks> {
        let look = self.core.leave();
        let current = self.core.current;
        if self.state(current) == State::RESTART {
            self.core.set_state(current, State::RUNNING);
        }
        look
    }

    /// `thread` is held for a fault that says `message`, and its handler hears of it through `handler`.
    pub fn fault(&mut self, thread: Id, message: Message, handler: Option<(Id, Sending)>) {
        let Some((endpoint, how)) = handler else { return self.core.set_state(thread, State::INACTIVE) };
        self.faults.insert(thread, message);
        let has_time = self.core.context_of(thread).is_some();
        self.send(thread, endpoint, how, true, has_time);
    }

    // ---- notifications

    fn bound_to(&self, thread: Id) -> Option<Id> {
        self.notifications.iter().position(|notification| notification.bound == Some(thread))
    }

    /// `badge` is signalled.
    pub fn signal(&mut self, notification: Id, badge: u64) {
        let it = &self.notifications[notification];
        let bound = it.bound.filter(|&thread| it.signal.is_none() && self.state(thread) == State::BLOCKED_ON_RECEIVE);
        let Some(thread) = it.waiters.first().copied().or(bound) else {
            let it = &mut self.notifications[notification];
            it.signal = Some(it.signal.unwrap_or(0) | badge);
            return;
        };
        self.cancel_ipc(thread);
        self.core.set_state(thread, State::RUNNING);
        self.registers[thread].badge = badge;
        self.lend(notification, thread);
        if self.core.is_schedulable(thread) {
            self.core.became_ready(thread);
        }
        self.unblock_sporadic(thread);
    }

    /// `thread` takes the signal that waits, or waits for one if `blocking`.
    pub fn wait(&mut self, thread: Id, notification: Id, blocking: bool) {
        if self.notifications[notification].signal.is_some() {
            self.hear(notification, thread);
        } else if blocking {
            self.core.set_state(thread, State::BLOCKED_ON_NOTIFICATION);
            let place = self.place(&self.notifications[notification].waiters, thread);
            self.notifications[notification].waiters.insert(place, thread);
            self.give_back(notification, thread);
        } else {
            self.registers[thread].badge = 0;
        }
    }

    fn hear(&mut self, notification: Id, thread: Id) {
        self.registers[thread].badge = self.notifications[notification].signal.take().unwrap_or(0);
        self.lend(notification, thread);
        self.unblock_sporadic(thread);
    }

    fn lend(&mut self, notification: Id, thread: Id) {
        let Some(context) = self.notifications[notification].lends else { return };
        if self.core.context_of(thread).is_none() && self.core.thread_of(context).is_none() {
            self.core.donate(context, thread);
            self.core.resume_context(context);
        }
    }

    fn give_back(&mut self, notification: Id, thread: Id) {
        let lends = self.notifications[notification].lends;
        if lends.is_some() && self.core.context_of(thread) == lends {
            self.core.runs_on.remove(&thread);
            if thread == self.core.current {
                self.core.must_choose();
            }
        }
    }
}
