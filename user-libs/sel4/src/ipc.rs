//! Sending and receiving: endpoints, notifications, reply objects, doorbells.
//!
//! None of these fails with an error: a pointer that leads nowhere is a capability fault of the caller, and a missing
//! right makes a send do nothing. Each is one system call, the one it names.

use crate::cap::{Capability, Doorbell, Endpoint, Notification, Reply};
use crate::sys::{self, Answer};
use abi::message::{FAST_REGISTERS, MessageInfo};
use abi::syscall::Syscall;

/// A message to send, or an answer: the info and the words that travel in registers. Further words and capabilities are
/// put into, and taken from, the [`buffer`](crate::buffer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Label, length and number of extra capabilities.
    pub info: MessageInfo,
    /// The first words.
    pub words: [u64; FAST_REGISTERS],
}

impl Message {
    /// A message without words.
    pub const EMPTY: Self = Self { info: MessageInfo::new(0, 0, 0, 0), words: [0; FAST_REGISTERS] };

    /// A message of up to four words and no capabilities.
    #[inline]
    pub fn new<const N: usize>(label: u64, words: [u64; N]) -> Self {
        const { assert!(N <= FAST_REGISTERS, "further words go into the buffer") };
        let mut all = [0; FAST_REGISTERS];
        all[..N].copy_from_slice(&words);
        Self { info: MessageInfo::new(label, 0, 0, N as u64), words: all }
    }
}

/// A message received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Who sent it: the badge of the capability used, or the flags of the notification.
    pub badge: u64,
    /// The message.
    pub message: Message,
}

impl From<Answer> for Received {
    #[inline]
    fn from(answer: Answer) -> Self {
        Self {
            badge: answer.badge,
            message: Message { info: MessageInfo::from_word(answer.info), words: answer.words },
        }
    }
}

impl Endpoint {
    /// Sends, waiting for a receiver (`Send`).
    #[inline]
    pub fn send(self, message: Message) {
        sys::plain(Syscall::Send, self.cptr(), message.info.word(), message.words);
    }

    /// Sends if a receiver is waiting, else does nothing; the sender does not learn which (`NBSend`).
    #[inline]
    pub fn nb_send(self, message: Message) {
        sys::plain(Syscall::NBSend, self.cptr(), message.info.word(), message.words);
    }

    /// Sends and waits for the reply (`Call`).
    #[inline]
    pub fn call(self, message: Message) -> Message {
        Received::from(sys::plain(Syscall::Call, self.cptr(), message.info.word(), message.words)).message
    }

    /// Receives; `reply` keeps whom to answer, if the sender called (`Recv`).
    #[inline]
    pub fn recv(self, reply: Reply) -> Received {
        sys::with_reply(Syscall::Recv, self.cptr(), 0, [0; 4], reply.cptr()).into()
    }

    /// Receives if a sender is waiting; else badge 0 (`NBRecv`).
    #[inline]
    pub fn nb_recv(self, reply: Reply) -> Received {
        sys::with_reply(Syscall::NBRecv, self.cptr(), 0, [0; 4], reply.cptr()).into()
    }

    /// Receives without a reply object: a call cannot be answered (`Wait`).
    #[inline]
    pub fn wait(self) -> Received {
        sys::plain(Syscall::Wait, self.cptr(), 0, [0; 4]).into()
    }

    /// Answers the caller in `reply`, then receives the next (`ReplyRecv`).
    #[inline]
    pub fn reply_recv(self, answer: Message, reply: Reply) -> Received {
        sys::with_reply(Syscall::ReplyRecv, self.cptr(), answer.info.word(), answer.words, reply.cptr()).into()
    }

    /// Sends to `destination` (an endpoint, notification, doorbell or reply) if it can at once, then receives here
    /// (`NBSendRecv`).
    #[inline]
    pub fn nb_send_recv(self, destination: impl Capability, message: Message, reply: Reply) -> Received {
        let (info, words) = (message.info.word(), message.words);
        sys::with_destination(Syscall::NBSendRecv, self.cptr(), info, words, reply.cptr(), destination.cptr()).into()
    }

    /// Sends to `destination` if it can at once, then receives here without a reply object (`NBSendWait`).
    #[inline]
    pub fn nb_send_wait(self, destination: impl Capability, message: Message) -> Received {
        let (info, words) = (message.info.word(), message.words);
        sys::with_reply(Syscall::NBSendWait, self.cptr(), info, words, destination.cptr()).into()
    }
}

impl Reply {
    /// Answers the caller kept here; without one it does nothing (`Send`).
    #[inline]
    pub fn send(self, answer: Message) {
        sys::plain(Syscall::Send, self.cptr(), answer.info.word(), answer.words);
    }
}

impl Notification {
    /// Adds the capability's badge to the flags, waking a waiter; never blocks (`Send`).
    #[inline]
    pub fn signal(self) {
        sys::plain(Syscall::Send, self.cptr(), 0, [0; 4]);
    }

    /// Waits until a flag is set; takes all of them (`Wait`).
    #[inline]
    pub fn wait(self) -> u64 {
        sys::plain(Syscall::Wait, self.cptr(), 0, [0; 4]).badge
    }

    /// Takes the flags, 0 if none is set (`NBWait`).
    #[inline]
    pub fn poll(self) -> u64 {
        sys::plain(Syscall::NBWait, self.cptr(), 0, [0; 4]).badge
    }
}

impl Doorbell {
    /// Skerry: rings; at most one ring is pending at the other end, none is lost, and the ringer never waits (`NBSend`).
    #[inline]
    pub fn ring(self) {
        sys::plain(Syscall::NBSend, self.cptr(), 0, [0; 4]);
    }
}

/// Gives up the rest of this period's budget (`Yield`).
#[inline]
pub fn yield_now() {
    sys::plain(Syscall::Yield, 0, 0, [0; 4]);
}
