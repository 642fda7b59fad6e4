//! What the objects of the layer stand for.

use super::{Endpoint, Id, Message, Notification, Sending, System};
use crate::transfer::MESSAGE_REGISTERS;
use abi::fault::FaultType;
use abi::message::MessageInfo;
use abi::register::{self, UserRegister};
use memory::Ref;
use thread::audit::Population;
use thread::registers::place;
use thread::{Fault, Queue, SchedContext, State, Tcb, Threads, flag};

/// Every live object of this layer.
#[derive(Clone, Copy, Debug)]
pub struct Objects<'a> {
    /// Threads, contexts, replies.
    pub below: Population<'a>,
    /// Endpoints.
    pub endpoints: &'a [Ref<crate::Endpoint>],
    /// Notifications.
    pub notifications: &'a [Ref<crate::Notification>],
}

impl System {
    /// Reads the state of `on`'s core. Objects are named by their place in `all`, as below; these from 0.
    pub fn read(on: &Threads<'_>, all: &Objects<'_>) -> Self {
        let id = |thread: Ref<Tcb>| -> Id {
            1 + all.below.threads.iter().position(|&other| other == thread).expect("a live thread")
        };
        let members = |queue: &Queue, state: State| -> Vec<Id> {
            let members = queue.checked().expect("well-formed links");
            members.into_iter().filter(|thread| thread.state.get() == state).map(id).collect()
        };
        let context = |context: Ref<SchedContext>| -> Id {
            1 + all.below.contexts.iter().position(|&(other, _)| other == context).expect("a live context")
        };
        let threads = || all.below.threads.iter().copied();
        let senders = threads().filter(|thread| thread.state.get() == State::BLOCKED_ON_SEND);
        let idle = std::iter::once(on.core.idle);
        Self {
            core: thread::spec::System::read(on, &all.below),
            endpoints: all
                .endpoints
                .iter()
                .map(|endpoint| Endpoint {
                    senders: members(&endpoint.queue, State::BLOCKED_ON_SEND),
                    receivers: members(&endpoint.queue, State::BLOCKED_ON_RECEIVE),
                })
                .collect(),
            notifications: all
                .notifications
                .iter()
                .map(|notification| Notification {
                    signal: notification.is_active().then(|| notification.badge()),
                    waiters: members(&notification.queue, State::BLOCKED_ON_NOTIFICATION),
                    bound: notification.bound().map(id),
                    lends: notification.lent().map(context),
                })
                .collect(),
            sending: senders.map(|thread| (id(thread), sending(thread))).collect(),
            faults: threads()
                .filter(|thread| !thread.fault.get().is_none())
                .map(|thread| (id(thread), fault_message(thread, thread.fault.get())))
                .collect(),
            registers: idle.chain(threads()).map(registers).collect(),
        }
    }
}

/// What is in the message registers of `thread`.
pub fn registers(thread: Ref<Tcb>) -> Message {
    Message {
        badge: thread.context.get(place(register::BADGE)),
        info: thread.context.get(place(register::MESSAGE_INFO)),
        words: MESSAGE_REGISTERS.map(|register| thread.context.get(register)),
    }
}

/// What `fault` of `thread` says, if it is one that goes by registers: a page fault.
pub fn fault_message(thread: Ref<Tcb>, fault: Fault) -> Message {
    let [address, status, fetch, ..] = fault.words();
    let ip = thread.context.get(place(UserRegister::Rip));
    match fault.kind() {
        FaultType::VMFault => Message {
            badge: 0,
            info: MessageInfo::new(FaultType::VMFault.word(), 0, 0, 4).word(),
            words: [ip, address, fetch, status],
        },
        kind => Message { badge: 0, info: MessageInfo::new(kind.word(), 0, 0, 0).word(), words: [0; 4] },
    }
}

fn sending(thread: Ref<Tcb>) -> Sending {
    Sending {
        badge: thread.sender_badge.get(),
        can_reply: thread.has(flag::CAN_GRANT) || thread.has(flag::CAN_GRANT_REPLY),
        call: thread.has(flag::IS_CALL),
    }
}
