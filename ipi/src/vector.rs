//! The vector map as constants and as a total function.

/// First vector of the legacy PIC lines.
pub const ISA_FIRST: u8 = 0x20;
/// First user interrupt vector (seL4's `IRQ_OFFSET`).
pub const USER_FIRST: u8 = 0x30;
/// Last user interrupt vector (seL4's `int_irq_user_max`, 155).
pub const USER_LAST: u8 = 0x9b;
/// The per-core timer.
pub const TIMER: u8 = 0x9d;
/// SMP kernel: work for another core.
pub const IPI_REMOTE_CALL: u8 = 0x9e;
/// SMP kernel: another core must reschedule.
pub const IPI_RESCHEDULE: u8 = 0x9f;
/// First doorbell vector.
pub const DOORBELL_FIRST: u8 = 0xa0;
/// Last doorbell vector.
pub const DOORBELL_LAST: u8 = 0xdf;
/// Doorbells one core can tell apart.
pub const DOORBELL_COUNT: u8 = DOORBELL_LAST - DOORBELL_FIRST + 1;
/// The local APIC's spurious vector.
pub const SPURIOUS: u8 = 0xff;

/// What a CPU vector means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vector {
    /// A processor exception or NMI.
    Exception(u8),
    /// A (spurious) legacy line.
    Isa(u8),
    /// User interrupt, counted from 0.
    User(u8),
    /// This core's timer.
    Timer,
    /// SMP kernel: remote call.
    RemoteCall,
    /// SMP kernel: reschedule.
    Reschedule,
    /// Doorbell, counted from 0.
    Doorbell(u8),
    /// Nothing sends this.
    Unused,
    /// The local APIC's spurious interrupt: no end-of-interrupt is due.
    Spurious,
}

/// The meaning of CPU vector `vector`; total.
pub const fn classify(vector: u8) -> Vector {
    match vector {
        0..ISA_FIRST => Vector::Exception(vector),
        ISA_FIRST..USER_FIRST => Vector::Isa(vector - ISA_FIRST),
        USER_FIRST..=USER_LAST => Vector::User(vector - USER_FIRST),
        TIMER => Vector::Timer,
        IPI_REMOTE_CALL => Vector::RemoteCall,
        IPI_RESCHEDULE => Vector::Reschedule,
        DOORBELL_FIRST..=DOORBELL_LAST => Vector::Doorbell(vector - DOORBELL_FIRST),
        SPURIOUS => Vector::Spurious,
        _ => Vector::Unused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_the_size_the_map_says() {
        let count = |test: fn(Vector) -> bool| (0..=255).filter(|&vector| test(classify(vector))).count();
        assert_eq!(count(|v| matches!(v, Vector::Exception(_))), 32);
        assert_eq!(count(|v| matches!(v, Vector::Isa(_))), 16);
        assert_eq!(count(|v| matches!(v, Vector::User(_))), 108);
        assert_eq!(count(|v| matches!(v, Vector::Doorbell(_))), usize::from(DOORBELL_COUNT));
        assert_eq!(count(|v| v == Vector::Timer), 1);
        assert_eq!(count(|v| v == Vector::Spurious), 1);
    }

    #[test]
    fn doorbells_and_user_interrupts_do_not_meet() {
        const { assert!(USER_LAST < TIMER && IPI_RESCHEDULE < DOORBELL_FIRST && DOORBELL_LAST < SPURIOUS) };
    }
}
