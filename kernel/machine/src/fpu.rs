//! [`FpuState`]: x87 and SSE registers of a thread, as `fxsave64` lays them out.
//!
//! AVX is off (CR4.OSXSAVE is clear), so these 512 bytes are everything.
//!
//! Tests: at the end of this file.

use core::cell::Cell;

/// Control word after reset: all exceptions masked, 64-bit precision.
const CONTROL_WORD: u64 = 0x37f;
/// SSE control and status after reset: all exceptions masked. Lies in the low half of word 3.
const MXCSR: u64 = 0x1f80;
/// Word that holds MXCSR (byte offset 24).
const MXCSR_WORD: usize = 3;

/// An FXSAVE area. Loaded into the processor only if it was [reset](FpuState::reset) or saved to before: MXCSR in memory
/// never has reserved bits set, so `fxrstor64` cannot fault.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct FpuState {
    words: [Cell<u64>; 64],
}

impl Default for FpuState {
    fn default() -> Self {
        let state = Self { words: [const { Cell::new(0) }; 64] };
        state.reset();
        state
    }
}

impl FpuState {
    /// The state a thread starts with: registers empty, all exceptions masked.
    pub fn reset(&self) {
        self.words.iter().for_each(|word| word.set(0));
        self.words[0].set(CONTROL_WORD);
        self.words[MXCSR_WORD].set(MXCSR);
    }

    /// The area as words, for the model and for debugging.
    pub fn words(&self) -> [u64; 64] {
        core::array::from_fn(|index| self.words[index].get())
    }

    /// Overwrites the area (what `fxsave64` does; the model's way to do it).
    #[cfg(not(target_os = "none"))]
    pub(crate) fn overwrite(&self, words: &[u64; 64]) {
        self.words.iter().zip(words).for_each(|(slot, &word)| slot.set(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_state_masks_all_exceptions() {
        let state = FpuState::default();
        assert_eq!(state.words()[0] & 0xffff, 0x37f);
        assert_eq!(state.words()[3] & 0xffff_ffff, 0x1f80);
        assert_eq!(size_of::<FpuState>(), 512);
        assert_eq!(align_of::<FpuState>(), 16);
    }
}
