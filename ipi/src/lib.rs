//! Crossing cores: the vector map and the doorbell routes that kernel, configuration and user programs agree on.
//!
//! A *doorbell* is a one-way, parameterless signal to a fixed (core, vector). The hardware keeps at most one pending per
//! vector (a bit of the local APIC's request register), which is exactly a notification's semantics, so none is lost and
//! none is counted twice. This crate owns two facts: which CPU vector means what ([`Vector`]), and what a kernel may put
//! into the interrupt command register ([`route`]). It touches no hardware.
//!
//! ```text
//! 0x00..=0x1f  processor exceptions
//! 0x20..=0x2f  legacy PIC lines (masked; spurious ones are swallowed)
//! 0x30..=0x9b  user interrupts: I/O APIC pins and MSI (seL4's user vectors 0..=107)
//! 0x9c..=0x9f  kernel: 0x9d timer, 0x9e and 0x9f cross-core work of the SMP kernel
//! 0xa0..=0xdf  doorbells, 64 to a core
//! 0xe0..=0xfe  unused: counted and dropped
//! 0xff         local APIC spurious
//! ```
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod route;
mod vector;

pub use vector::{
    DOORBELL_COUNT, DOORBELL_FIRST, DOORBELL_LAST, IPI_REMOTE_CALL, IPI_RESCHEDULE, ISA_FIRST, SPURIOUS, TIMER,
    USER_FIRST, USER_LAST, Vector, classify,
};
