//! What only a real machine has. See `boot.rs` for the sequence.

mod apic;
mod boot;
mod clock;
mod console;
mod cores;
mod cpu;
mod entry;
mod fault;
mod identity;
mod interrupts;
mod port;
