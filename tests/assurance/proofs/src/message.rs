//! Message info words.

use crate::{any, check};
use abi::message::MessageInfo;

/// Any word is a message info whose four fields are independent, and no length leads outside the IPC buffer.
pub fn infos_pack() {
    let (label, unwrapped, caps, length) = (any() >> 12, any() & 7, any() & 3, any() & 0x7f);
    let info = MessageInfo::new(label, unwrapped, caps, length);
    check(info.label() == label && info.caps_unwrapped() == unwrapped);
    check(info.extra_caps() as u64 == caps && info.raw_length() as u64 == length);
    let any_info = MessageInfo::from_word(any());
    check(any_info.length() <= 120 && any_info.length() <= any_info.raw_length() && any_info.extra_caps() <= 3);
    let shorter = any_info.with_length(any_info.length());
    check(shorter.label() == any_info.label() && shorter.caps_unwrapped() == any_info.caps_unwrapped());
    check(shorter.raw_length() == any_info.length());
}
