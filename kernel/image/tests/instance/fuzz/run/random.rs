//! Where a run's choices come from: a seed, or a script of bytes that a coverage-guided fuzzer writes.

/// The choices of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Random {
    /// xorshift64*: enough, and the same everywhere.
    Seed(u64),
    /// Bytes, and how many of them are used up; behind the end everything is 0.
    Script(Vec<u8>, usize),
}

impl Random {
    /// The choices that `seed` stands for.
    pub fn of_seed(seed: u64) -> Self {
        Self::Seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The choices that `script` spells.
    pub fn of_script(script: &[u8]) -> Self {
        Self::Script(script.to_vec(), 0)
    }

    /// Whether nothing is left to choose.
    pub fn is_spent(&self) -> bool {
        matches!(self, Self::Script(bytes, at) if *at >= bytes.len())
    }

    pub fn next(&mut self) -> u64 {
        self.draw(8)
    }

    /// A word of `bytes` bytes, if a script writes it.
    fn draw(&mut self, bytes: usize) -> u64 {
        match self {
            Self::Seed(state) => {
                *state ^= *state >> 12;
                *state ^= *state << 25;
                *state ^= *state >> 27;
                state.wrapping_mul(0x2545_f491_4f6c_dd1d)
            }
            Self::Script(script, at) => {
                let mut word = [0; 8];
                for (place, byte) in word.iter_mut().take(bytes).zip(script.iter().skip(*at)) {
                    *place = *byte;
                }
                *at += bytes;
                u64::from_le_bytes(word)
            }
        }
    }

    /// A number below `limit`; a script spends a byte on it if one is enough.
    pub fn below(&mut self, limit: u64) -> u64 {
        match self {
            Self::Seed(_) => (self.next() >> 16) % limit,
            Self::Script(..) if limit <= 1 << 8 => self.draw(1) % limit,
            Self::Script(..) if limit <= 1 << 16 => self.draw(2) % limit,
            Self::Script(..) => self.next() % limit,
        }
    }

    pub fn one_in(&mut self, chances: u64) -> bool {
        // The usual is what a script says with 0.
        self.below(chances) == chances - 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
