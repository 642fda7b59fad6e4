//! Typed capabilities over the seL4 system calls, for programs that run on a kernel instance.
//!
//! A capability pointer has a type ([`Endpoint`], [`Tcb`], …) and the invocations of that type are its methods. Every
//! invocation is one system call (`Call`); each method names its label, its errors beyond the common ones, and costs
//! one system call unless it says otherwise. Common to all: [`Error::InvalidCapability`] or
//! [`Error::IllegalOperation`] if the capability is of another type or lacks rights. An invocation through an empty or
//! unresolvable pointer is not answered with an error: it is a capability fault of the caller.
//!
//! What the types do not promise: a capability may delete, unmap or stop whatever it has authority over, the caller's
//! own memory included. Rust's memory safety therefore holds only as far as a program does not pull out the pages under
//! its own feet.
//!
//! A message's first four words travel in registers, the rest in the IPC buffer of the calling thread ([`buffer`]);
//! the buffer is found through `fs` ([`thread`]), which the start-up code sets. Calls that need no buffer work before that.
//!
//! On a host operating system there is no kernel to call: [`host`] installs a closure in its place, which is how the
//! marshalling is tested (`tests/marshalling.rs`) and how code above this crate can be.
//!
//! Source: seL4 API reference 16.0.0, x86_64, MCS.
#![no_std]

#[cfg(not(target_os = "none"))]
extern crate std;

pub mod bootinfo;
pub mod buffer;
mod cap;
mod cnode;
pub mod debug;
mod error;
pub mod fault;
#[cfg(not(target_os = "none"))]
pub mod host;
pub mod initial;
mod invoke;
mod ioport;
mod ipc;
mod ipc_buffer;
mod irq;
mod registers;
mod sched;
pub mod sys;
mod tcb;
pub mod thread;
mod untyped;
mod vspace;
mod words;

pub use abi::CPtr;
pub use abi::message::MessageInfo;
pub use abi::object::ObjectType;
pub use bootinfo::BootInfo;
pub use cap::{
    AsidControl, AsidPool, CNode, Capability, DomainSet, Doorbell, Endpoint, IoPort, IoPortControl, IrqControl,
    IrqHandler, Notification, Null, Page, PageDirectory, PageTable, Pdpt, Pml4, Reply, SchedContext, SchedControl, Tcb,
    Unspecified, Untyped,
};
pub use cnode::Slot;
pub use error::{Error, Lookup, Result};
pub use ipc::{Message, Received, yield_now};
pub use ipc_buffer::IpcBuffer;
pub use irq::{IoApicPin, MsiSource, Polarity, Trigger};
pub use registers::UserContext;
pub use sched::Budget;
pub use tcb::{Breakpoint, CopyRegisters, ResumeTarget, Space, SuspendSource};
pub use words::{CNodeGuard, CapRights, VmAttributes};
