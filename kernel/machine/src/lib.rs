//! One core of the machine: descriptor tables, MSRs, interrupt controllers, timer, ports and console.
//!
//! Two back ends stand behind the one name [`Machine`]: `x86_64`, on the bare machine, and `model`, on the host, which
//! records every effect as an [`Event`](model::Event) so that a test can say what a layer above did to the hardware.
//! All methods take `&self`; a `Machine` belongs to one core and never leaves it.
//!
//! What both share, and what the host therefore tests, is plain data: [`Context`] and [`FpuState`] (what a thread leaves
//! behind when it enters the kernel), the encodings of descriptor tables ([`selector`], [`gate`]), the per-core block
//! that the entry stubs work on ([`Cpu`]), the choice of mitigations ([`mitigation`]), and the arithmetic of the local APIC
//! ([`apic`]).
//!
//! This crate knows no kernel object. The entry stubs themselves belong to the kernel image, which names them with
//! linker symbols (see `x86_64::start`).
//!
//! Tests: beside each module.
#![cfg_attr(target_os = "none", no_std)]

pub mod apic;
pub mod breakpoints;
pub mod context;
pub mod cpu;
pub mod fpu;
pub mod gate;
pub mod machine_check;
pub mod mitigation;
pub mod pin;
pub mod selector;
mod space;

#[cfg(not(target_os = "none"))]
pub mod model;
#[cfg(target_os = "none")]
pub mod x86_64;

pub use context::{Context, Register};
pub use cpu::Cpu;
pub use fpu::FpuState;
pub use pin::{Polarity, Trigger};
pub use space::{AddressSpace, Needs};

#[cfg(not(target_os = "none"))]
pub use model::Machine;
#[cfg(target_os = "none")]
pub use x86_64::{Machine, park, start, take_machine_check, write_without_machine};
