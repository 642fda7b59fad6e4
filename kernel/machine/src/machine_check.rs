//! What a machine check says, and whether the core may go on after it.
//!
//! The processor reports errors in *banks*, a status word each. Whoever is interrupted may go on if the processor can
//! (RIPV) and no bank of this core holds an error that was not corrected; everything else ends the instance, since nobody
//! knows what is still right. Where machine checks are broadcast, the cores that have nothing to report go on.
//!
//! Reading the banks is `x86_64::machine_check`'s. Tests: at the end of this file.

use core::fmt;

/// Bit of the global status: the interrupted program can be continued.
const RESTART_POSSIBLE: u64 = 1 << 0;
/// Bits of a bank's status.
const VALID: u64 = 1 << 63;
const UNCORRECTED: u64 = 1 << 61;
const CONTEXT_CORRUPT: u64 = 1 << 57;

/// An error that ends the instance: its bank and what that says; nothing if no bank says anything, and the processor cannot
/// go on all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncorrected(Option<(usize, u64)>);

impl fmt::Display for Uncorrected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((bank, status)) => write!(f, "uncorrected machine check, bank {bank}, status {status:#x}"),
            None => f.write_str("uncorrected machine check, no bank reports it"),
        }
    }
}

/// Judges the global status and those of all banks, in order.
pub fn judge(global: u64, banks: impl Iterator<Item = u64>) -> Result<(), Uncorrected> {
    let is_bad = |status: u64| status & VALID != 0 && status & (UNCORRECTED | CONTEXT_CORRUPT) != 0;
    match banks.enumerate().find(|(_, status)| is_bad(*status)) {
        None if global & RESTART_POSSIBLE != 0 => Ok(()),
        found => Err(Uncorrected(found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrected_errors_let_the_core_go_on() {
        assert_eq!(judge(RESTART_POSSIBLE, [0, VALID | 0x135, UNCORRECTED, VALID].into_iter()), Ok(()));
    }

    #[test]
    fn a_core_without_an_error_of_its_own_goes_on() {
        assert_eq!(judge(RESTART_POSSIBLE | 4, [0; 10].into_iter()), Ok(()));
    }

    #[test]
    fn an_uncorrected_error_ends_the_instance_and_names_its_bank() {
        let status = VALID | UNCORRECTED | 0x9f;
        let found = judge(RESTART_POSSIBLE, [VALID, 0, status].into_iter());
        assert_eq!(found, Err(Uncorrected(Some((2, status)))));
        assert!(found.unwrap_err().to_string().ends_with("bank 2, status 0xa00000000000009f"));
        assert!(judge(RESTART_POSSIBLE, [VALID | CONTEXT_CORRUPT].into_iter()).is_err());
    }

    #[test]
    fn a_processor_that_cannot_go_on_ends_it_whatever_the_banks_say() {
        assert_eq!(judge(4, [VALID].into_iter()), Err(Uncorrected(None)));
    }
}
