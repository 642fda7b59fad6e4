//! The interrupt descriptor table: 256 interrupt gates to equally spaced stubs.
//!
//! Every gate clears IF. Only the breakpoint instruction may be used by user programs: `int n` for any other vector is a
//! general protection fault, so nobody can fake a doorbell. Vectors that may arrive in the few instructions where the
//! stack or GS is still the user's have a stack of their own ([`Stack`]).
//!
//! Tests: at the end of this file.

use crate::selector;

/// Gates of the table.
pub const GATES: usize = 256;
/// Distance between two entry stubs in bytes.
pub const STUB_STRIDE: u64 = 16;
/// The debug exception.
pub const DEBUG: u8 = 1;
/// The non-maskable interrupt.
pub const NMI: u8 = 2;
/// The breakpoint instruction `int3`.
pub const BREAKPOINT: u8 = 3;
/// An instruction that does not exist, or not now.
pub const INVALID_OPCODE: u8 = 6;
/// A lazily switched FPU was used.
pub const DEVICE_NOT_AVAILABLE: u8 = 7;
/// A fault while delivering a fault.
pub const DOUBLE_FAULT: u8 = 8;
/// General protection.
pub const GENERAL_PROTECTION: u8 = 13;
/// The page fault.
pub const PAGE_FAULT: u8 = 14;
/// The machine check.
pub const MACHINE_CHECK: u8 = 18;

/// Which stack a gate switches to; the number is the entry of the task state segment's interrupt stack table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stack {
    /// Stay on the kernel's (from the user: the core's kernel stack).
    Kernel = 0,
    /// Double fault, which does not return, and machine check, which returns if the core may go on.
    Fatal = 1,
    /// The non-maskable interrupt.
    Nmi = 2,
    /// The debug exception.
    Debug = 3,
}

/// The stack of `vector`.
pub const fn stack(vector: u8) -> Stack {
    match vector {
        DOUBLE_FAULT | MACHINE_CHECK => Stack::Fatal,
        NMI => Stack::Nmi,
        DEBUG => Stack::Debug,
        _ => Stack::Kernel,
    }
}

/// Least privilege that may raise `vector` with an instruction.
const fn privilege(vector: u8) -> u64 {
    if vector == BREAKPOINT { 3 } else { 0 }
}

/// Whether the processor pushes an error code for `vector`.
pub const fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// The gate of `vector` to a stub at `address`: low and high word.
pub const fn gate(vector: u8, address: u64) -> [u64; 2] {
    const INTERRUPT_GATE: u64 = 0xe;
    let low = (address & 0xffff)
        | ((selector::KERNEL_CODE as u64) << 16)
        | ((stack(vector) as u64) << 32)
        | (INTERRUPT_GATE << 40)
        | (privilege(vector) << 45)
        | (1 << 47)
        | ((address >> 16 & 0xffff) << 48);
    [low, address >> 32]
}

/// Fills `table` for stubs that start at `stubs`, [`STUB_STRIDE`] bytes apart; in place, since kernel stacks are small.
pub fn fill(table: &mut [[u64; 2]; GATES], stubs: u64) {
    for (vector, slot) in (0..=u8::MAX).zip(table) {
        *slot = gate(vector, stubs + u64::from(vector) * STUB_STRIDE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(gate: [u64; 2]) -> u64 {
        (gate[0] & 0xffff) | (gate[0] >> 48 << 16) | gate[1] << 32
    }

    #[test]
    fn every_vector_has_a_present_interrupt_gate_to_its_stub() {
        let stubs = 0xffff_ffff_8012_3450;
        let mut table = [[0; 2]; GATES];
        fill(&mut table, stubs);
        for (vector, gate) in table.into_iter().enumerate() {
            assert_eq!(address(gate), stubs + vector as u64 * STUB_STRIDE);
            assert_eq!(gate[0] >> 16 & 0xffff, u64::from(selector::KERNEL_CODE));
            assert_eq!(gate[0] >> 40 & 0x9f, 0x8e, "present interrupt gate");
        }
    }

    #[test]
    fn users_can_raise_the_breakpoint_only() {
        let open: Vec<u8> = (0..=255).filter(|&vector| gate(vector, 0)[0] >> 45 & 3 == 3).collect();
        assert_eq!(open, [BREAKPOINT]);
    }

    #[test]
    fn what_may_arrive_on_the_users_stack_pointer_has_its_own_stack() {
        let own: Vec<u8> = (0..=255).filter(|&vector| gate(vector, 0)[0] >> 32 & 7 != 0).collect();
        assert_eq!(own, [DEBUG, NMI, DOUBLE_FAULT, MACHINE_CHECK]);
    }

    #[test]
    fn error_codes_are_the_manuals() {
        let with: Vec<u8> = (0..=255).filter(|&vector| has_error_code(vector)).collect();
        assert_eq!(with, [8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
    }
}
