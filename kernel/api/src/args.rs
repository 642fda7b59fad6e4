//! The arguments of an invocation: message words, extra capabilities, and slots named by (root, index, depth).

use crate::error::Side;
use crate::{Refusal, Stop};
use abi::error::Error;
use abi::message::MessageInfo;
use capability::{Cap, Kind, LookupFault, Slot, resolve};
use ipc::{Buffer, ExtraCaps};
use memory::Ref;
use thread::Tcb;

/// What the invoker sent.
#[derive(Clone, Copy, Debug)]
pub struct Args {
    /// The invoker.
    pub thread: Ref<Tcb>,
    /// Its IPC buffer.
    pub buffer: Option<Ref<Buffer>>,
    /// Invocation label.
    pub label: u64,
    /// Message words that are there.
    pub length: usize,
    /// Extra capabilities.
    pub caps: ExtraCaps,
    /// Whether the invoker waits for an answer.
    pub is_call: bool,
}

impl Args {
    /// The words of `thread`'s message.
    pub fn new(thread: Ref<Tcb>, info: MessageInfo, caps: ExtraCaps, is_call: bool) -> Self {
        let buffer = Buffer::of(thread, capability::Rights::READ);
        let length = if buffer.is_some() { info.length() } else { info.length().min(abi::message::FAST_REGISTERS) };
        Self { thread, buffer, label: info.label(), length, caps, is_call }
    }

    /// Word `index`; 0 beyond the message.
    #[inline]
    pub fn word(&self, index: usize) -> u64 {
        if index < self.length { ipc::word(self.thread, self.buffer, index) } else { 0 }
    }

    /// Refuses a message with fewer than `words` words or `caps` extra capabilities.
    pub fn require(&self, words: usize, caps: usize) -> Result<(), Stop> {
        let enough = self.length >= words && self.caps.iter().take(caps).all(Option::is_some);
        if enough { Ok(()) } else { Err(Refusal::plain(Error::TruncatedMessage).into()) }
    }

    /// Slot of extra capability `index`, which [`require`](Self::require) made sure of.
    pub fn slot(&self, index: usize) -> Result<Ref<Slot>, Stop> {
        let slot = self.caps.get(index).copied().flatten();
        slot.ok_or(Stop::Refused(Refusal::plain(Error::TruncatedMessage)))
    }

    /// Extra capability `index`.
    pub fn cap(&self, index: usize) -> Result<Cap, Stop> {
        Ok(self.slot(index)?.cap())
    }
}

/// The slot at `index` of the CNode `root`, resolved with exactly `depth` bits.
pub fn slot_at(root: Cap, index: u64, depth: u64, side: Side) -> Result<Ref<Slot>, Refusal> {
    if root.kind() != Kind::CNode {
        return Err(Refusal::lookup(side, LookupFault::InvalidRoot));
    }
    if !(1..=64).contains(&depth) {
        return Err(Refusal::range(1, 64));
    }
    let depth = depth as u32;
    let found = resolve(root, index, depth).map_err(|fault| Refusal::lookup(side, fault))?;
    if found.bits_left != 0 {
        // What was found resolves no further bits.
        let fault = LookupFault::DepthMismatch { bits_left: found.bits_left, bits_found: 0 };
        return Err(Refusal::lookup(side, fault));
    }
    Ok(found.slot)
}
