//! The set without mitigations: every table maps the whole kernel, and nothing happens on the way.

use core::mem::offset_of;
use machine::Cpu;

/// Where frames for `iretq` are made.
const FRAME_STACK: usize = offset_of!(Cpu, kernel_stack);

macro_rules! name {
    ($name:literal) => {
        $name
    };
}

// Comments, which name what the other set needs at the same place.
macro_rules! enter {
    () => {
        "/* {kernel_root} */"
    };
}

macro_rules! enter_on_this_stack {
    () => {
        "/* {kernel_root} {user_rsp} */"
    };
}

macro_rules! leave {
    () => {
        "/* {user_root} {verw} */"
    };
}

macro_rules! leave_on_this_stack {
    () => {
        "/* {user_root} {verw} {user_rsp} */"
    };
}

macro_rules! fetch_frame {
    () => {
        ""
    };
}

macro_rules! forget_pushed {
    () => {
        ""
    };
}

#[path = "handlers.rs"]
mod handlers;
#[path = "stubs.rs"]
mod stubs;

pub use stubs::enter_user;
