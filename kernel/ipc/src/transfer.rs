//! Moving a message: words by registers and buffers, capabilities by derivation.

use crate::{Buffer, Endpoint};
use abi::message::{FAST_REGISTERS, MAX_EXTRA_CAPS, MAX_LENGTH, MessageInfo};
use abi::register;
use capability::{Kind, LookupFault, Rights, Slot, derive, lookup_slot, resolve};
use machine::Register;
use memory::Ref;
use thread::{Tcb, TcbSlot, registers::place};

/// Slots named as extra capabilities of a message, in order, without gaps.
pub type ExtraCaps = [Option<Ref<Slot>>; MAX_EXTRA_CAPS];

/// The registers that carry the first message words.
pub const MESSAGE_REGISTERS: [Register; FAST_REGISTERS] = [
    place(register::MESSAGE[0]),
    place(register::MESSAGE[1]),
    place(register::MESSAGE[2]),
    place(register::MESSAGE[3]),
];

/// The message info word of `thread`, its length cut to the limit.
#[inline(always)]
pub fn message_info(thread: Ref<Tcb>) -> MessageInfo {
    let info = MessageInfo::from_word(thread.context.get(place(register::MESSAGE_INFO)));
    if info.raw_length() > MAX_LENGTH { info.with_length(MAX_LENGTH) } else { info }
}

/// The slots that `thread` names as extra capabilities; the first that cannot be found ends it with its CPtr.
pub fn extra_caps(thread: Ref<Tcb>, info: MessageInfo) -> Result<ExtraCaps, (u64, LookupFault)> {
    let mut found = [None; MAX_EXTRA_CAPS];
    if info.extra_caps() == 0 {
        return Ok(found);
    }
    let Some(buffer) = Buffer::of(thread, Rights::READ) else { return Ok(found) };
    let root = thread.cap(TcbSlot::CSpace);
    for (index, place) in found.iter_mut().enumerate().take(info.extra_caps()) {
        let cptr = buffer.extra_cap(index);
        *place = Some(lookup_slot(root, cptr).map_err(|fault| (cptr, fault))?);
    }
    Ok(found)
}

/// Copies `length` message words; says how many went.
pub fn copy_words(sender: Ref<Tcb>, receiver: Ref<Tcb>, length: usize) -> usize {
    for &register in MESSAGE_REGISTERS.iter().take(length) {
        receiver.context.set(register, sender.context.get(register));
    }
    if length <= FAST_REGISTERS {
        return length;
    }
    let buffers = (Buffer::of(sender, Rights::READ), Buffer::of(receiver, Rights::READ.or(Rights::WRITE)));
    let (Some(from), Some(to)) = buffers else { return FAST_REGISTERS };
    from.copy_message(&to, FAST_REGISTERS, length);
    length
}

/// Writes message word `index` where `thread` expects it; words beyond the registers need its buffer.
#[inline(always)]
pub fn set_word(thread: Ref<Tcb>, buffer: Option<Ref<Buffer>>, index: usize, value: u64) {
    match (MESSAGE_REGISTERS.get(index), buffer) {
        (Some(&register), _) => thread.context.set(register, value),
        (None, Some(buffer)) => buffer.set_message(index, value),
        (None, None) => {}
    }
}

/// Reads message word `index` of `thread`; 0 where it has no buffer for it.
pub fn word(thread: Ref<Tcb>, buffer: Option<Ref<Buffer>>, index: usize) -> u64 {
    match (MESSAGE_REGISTERS.get(index), buffer) {
        (Some(&register), _) => thread.context.get(register),
        (None, Some(buffer)) => buffer.message(index),
        (None, None) => 0,
    }
}

/// The empty slot into which `receiver` wants a capability.
pub fn receive_slot(receiver: Ref<Tcb>, buffer: Ref<Buffer>) -> Option<Ref<Slot>> {
    let (cnode, index, depth) = buffer.receive_path();
    let cnode = lookup_slot(receiver.cap(TcbSlot::CSpace), cnode).ok()?.cap();
    let depth = u32::try_from(depth).ok().filter(|depth| (1..=64).contains(depth))?;
    let found = resolve(cnode, index, depth).ok()?;
    (found.bits_left == 0 && found.slot.is_empty()).then_some(found.slot)
}

/// Moves a message of `sender` to `receiver`: words, then, if granted, capabilities. `endpoint` is the one it goes through:
/// capabilities to it are unwrapped to their badge.
pub fn transfer(sender: Ref<Tcb>, receiver: Ref<Tcb>, endpoint: Option<Ref<Endpoint>>, badge: u64, grant: Grant) {
    let info = message_info(sender);
    let caps = match grant {
        Grant::Yes => extra_caps(sender, info).unwrap_or_default(),
        Grant::No => [None; MAX_EXTRA_CAPS],
    };
    let words = copy_words(sender, receiver, info.length());
    let (passed, unwrapped) = match (caps[0], Buffer::of(receiver, Rights::READ.or(Rights::WRITE))) {
        (Some(_), Some(buffer)) => transfer_caps(&caps, receiver, buffer, endpoint),
        _ => (0, 0),
    };
    let info = MessageInfo::new(info.label(), unwrapped, passed, words as u64);
    receiver.context.set(place(register::MESSAGE_INFO), info.word());
    receiver.context.set(place(register::BADGE), badge);
}

/// Whether capabilities may go with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// They may.
    Yes,
    /// They may not.
    No,
}

impl Grant {
    /// From a condition.
    pub const fn when(allowed: bool) -> Self {
        if allowed { Grant::Yes } else { Grant::No }
    }
}

/// (capabilities passed, bit set of those that were unwrapped)
fn transfer_caps(
    caps: &ExtraCaps,
    receiver: Ref<Tcb>,
    buffer: Ref<Buffer>,
    endpoint: Option<Ref<Endpoint>>,
) -> (u64, u64) {
    let mut target = receive_slot(receiver, buffer);
    let mut unwrapped = 0;
    let mut passed = 0;
    for (index, slot) in caps.iter().enumerate() {
        let Some(slot) = *slot else { break };
        let cap = slot.cap();
        if cap.kind() == Kind::Endpoint && endpoint.is_some_and(|endpoint| endpoint.phys() == cap.phys()) {
            buffer.set_badge(index, cap.badge());
            unwrapped |= 1 << index;
        } else {
            let Some(place) = target else { break };
            match derive(cap, slot.has_children()) {
                Ok(derived) if !derived.is_null() => Slot::insert_derived(slot, place, derived),
                _ => break,
            }
            target = None;
        }
        passed = index as u64 + 1;
    }
    (passed, unwrapped)
}
