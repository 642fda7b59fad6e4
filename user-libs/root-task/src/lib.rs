//! The root task: builds a partition's programs from its manifest, starts them, and reports how they end.
//!
//! It is the first and most powerful user program of a partition, and the only one that holds untyped memory, IRQ control
//! and I/O port control; programs get what the manifest says and nothing else. Nothing a manifest or a program file says
//! makes it panic: what is wrong is printed, and the partition is done with code 102.
//!
//! ```text
//! bootinfo -> partition -> program (elf, vspace, channels) -> serve
//!                 \-> objects (untyped memory, slots), frames (files, channels, devices)
//! ```
//!
//! The addresses and slots that programs see are in `runtime::layout`. Tests: beside the code; `tests/start.rs`, on a
//! stand-in kernel.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod channels;
pub mod console;
mod device;
pub mod elf;
mod entry;
mod error;
pub mod frames;
pub mod objects;
mod partition;
mod program;
pub mod serve;
pub mod untyped;
pub mod vspace;
mod window;

pub use error::RootError;
pub use partition::{Running, StartError};

use alloc::vec::Vec;
use console::{Console, Record};
use core::fmt::Write;
use runtime::layout::EXIT_ROOT;
use sel4::BootInfo;

/// Starts the partition that `info` describes and serves it for ever; if that fails, says why and stops.
pub fn run(info: &BootInfo<'_>, console: &mut Console) -> ! {
    match start(info) {
        Ok(running) => {
            let instance = info.instance().unwrap_or_default();
            let ticks = runtime::rdtsc().wrapping_sub(instance.loader_start_tsc);
            console.record(Record::Ready { ticks, mhz: instance.tsc_mhz });
            serve::serve(&running, console)
        }
        Err(StartError { program, error }) => {
            console.fresh_line();
            let _ = match program {
                Some(name) => writeln!(console, "root task: cannot start {}: {error}", name.as_str()),
                None => writeln!(console, "root task: cannot start the partition: {error}"),
            };
            stop(console)
        }
    }
}

/// Ends the partition with code 102.
pub fn stop(console: &mut Console) -> ! {
    console.record(Record::Done { code: EXIT_ROOT });
    loop {
        let _ = sel4::initial::TCB.suspend();
    }
}

/// Builds and starts everything.
///
/// # Errors
/// What is wrong, and with which program. Nothing runs then.
pub fn start(info: &BootInfo<'_>) -> Result<Running, StartError> {
    let words = manifest_words(info).ok_or(StartError { program: None, error: RootError::NoManifest })?;
    partition::start(info, zerocopy::IntoBytes::as_bytes(words.as_slice()))
}

/// Opens the partition's console; without a manifest that says which, what is printed is dropped.
pub fn console(info: &BootInfo<'_>) -> Console {
    let words = manifest_words(info).unwrap_or_default();
    if let Ok(manifest) = manifest::Manifest::decode(zerocopy::IntoBytes::as_bytes(words.as_slice()))
        && let [partition] = manifest.partitions()
    {
        device::open(info, partition);
    }
    Console::new(device::put)
}

/// The console, once it is open.
pub fn opened_console() -> Console {
    Console::new(device::put)
}

/// The partition manifest, copied to where it may lie: chunks of bootinfo lie at any address, a manifest at a multiple
/// of 8. `None` without a manifest.
pub fn manifest_words(info: &BootInfo<'_>) -> Option<Vec<u64>> {
    let bytes = info.manifest()?;
    let word = |chunk: &[u8]| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    };
    Some(bytes.chunks(8).map(word).collect())
}

/// For [`entry!`] alone: what its expansion needs, whatever its user depends on.
#[doc(hidden)]
pub mod __entry {
    pub use abi::bootinfo::BootInfo as BootInfoPage;
    pub use runtime::heap::Heap;
    pub use sel4::BootInfo;
    pub use sel4::thread::{ThreadBlock, enter};
}
