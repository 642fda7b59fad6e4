//! What a modelled core remembers.

use crate::{Polarity, Trigger};
use ipi::route::{Command, Summons};

/// One effect on the hardware; the fields are the arguments of the method of the same name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the fields are the methods' arguments")]
pub enum Event {
    /// The timer was armed or disarmed.
    Deadline { at: u64 },
    /// Another address space became current.
    AddressSpace { top_table_phys: u64, asid: u16 },
    /// The branch predictor was made to forget.
    PredictorBarrier,
    /// The return stack was filled.
    ReturnStackFilled,
    /// One page's translation was dropped.
    FlushPage { vaddr: u64, asid: u16 },
    /// One address space's translations were dropped.
    FlushAsid { asid: u16, top_table_phys: u64 },
    /// All user translations were dropped.
    FlushAll,
    /// An interrupt was declared done.
    EndOfInterrupt,
    /// The interrupt command register was written.
    Ring { command: Command },
    /// Another core of the instance was interrupted.
    InterruptCore { index: usize, why: Summons },
    /// A pin got a vector.
    RoutePin { pin: u32, vector: u8, trigger: Trigger, polarity: Polarity },
    /// A pin was silenced.
    MaskPin { pin: u32 },
    /// A pin was opened.
    UnmaskPin { pin: u32 },
    /// A port of `bytes` bytes was read.
    PortIn { port: u16, bytes: u8, value: u32 },
    /// A port of `bytes` bytes was written.
    PortOut { port: u16, bytes: u8, value: u32 },
    /// User segment bases changed.
    LoadBases { fs: u64, gs: u64 },
    /// FPU registers went to memory.
    FpuSave,
    /// FPU registers came from memory.
    FpuRestore,
    /// The FPU was switched on.
    FpuEnable,
    /// The FPU was switched off.
    FpuDisable,
    /// The core stopped.
    Park,
}
