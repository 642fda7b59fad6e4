//! How an interrupt line behaves: what an I/O APIC pin must be told.

/// When an interrupt line asks for attention.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// Once, when the line becomes active (ISA).
    Edge,
    /// As long as the line is active (PCI).
    Level,
}

/// Which voltage counts as active.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Polarity {
    /// High (ISA).
    High,
    /// Low (PCI).
    Low,
}
