//! Interrupts: the vectors that `X86IRQIssueIRQHandlerIOAPIC` and `…MSI` hand out.
//!
//! User vector `v` is CPU vector `v + IRQ_OFFSET`. seL4's header allows 109, its kernel 107; the kernel decides.

/// CPU vector of user vector 0; what a device's MSI data must carry for vector `v` is `v + IRQ_OFFSET`.
pub const IRQ_OFFSET: u64 = 0x30;
/// Lowest user vector.
pub const VECTOR_MIN: u64 = 0;
/// Highest user vector.
pub const VECTOR_MAX: u64 = 107;
/// `X86IRQIssueIRQHandlerIOAPIC`, argument `level`: level triggered.
pub const LEVEL_TRIGGERED: u64 = 1;
/// `X86IRQIssueIRQHandlerIOAPIC`, argument `polarity`: active low.
pub const ACTIVE_LOW: u64 = 1;
/// Highest PCI bus number.
pub const PCI_BUS_MAX: u64 = 255;
/// Highest PCI device number.
pub const PCI_DEV_MAX: u64 = 31;
/// Highest PCI function number.
pub const PCI_FUNC_MAX: u64 = 7;
