//! How an invocation becomes a message: label, extra capabilities into the buffer, four words into registers, the rest
//! into the buffer; and how the reply becomes a result.

use crate::{Error, Result, buffer, sys};
use abi::CPtr;
use abi::invocation::Invocation;
use abi::message::{FAST_REGISTERS, MessageInfo};
use abi::syscall::Syscall;

/// Invokes `service`; the reply's first four words. Further words are in the buffer.
#[inline]
pub(crate) fn invoke(service: CPtr, label: Invocation, caps: &[CPtr], words: &[u64]) -> Result<[u64; 4]> {
    for (index, cap) in caps.iter().enumerate() {
        buffer::set_cap(index, *cap);
    }
    let mut registers = [0; FAST_REGISTERS];
    for (index, word) in words.iter().enumerate() {
        match registers.get_mut(index) {
            Some(register) => *register = *word,
            None => buffer::set_word(index, *word),
        }
    }
    let info = MessageInfo::new(label.word(), 0, caps.len() as u64, words.len() as u64);
    let answer = sys::plain(Syscall::Call, service, info.word(), registers);
    match MessageInfo::from_word(answer.info).label() {
        0 => Ok(answer.words),
        error => Err(Error::from_reply(error, answer.words)),
    }
}

/// Invokes `service` for its effect.
#[inline]
pub(crate) fn act(service: CPtr, label: Invocation, caps: &[CPtr], words: &[u64]) -> Result<()> {
    invoke(service, label, caps, words).map(|_| ())
}
