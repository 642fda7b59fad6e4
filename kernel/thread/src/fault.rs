//! The fault a thread is held for. Layouts of the messages made from it are in `abi::fault`; making them is `ipc`'s.

use abi::breakpoint::Kind;
use abi::fault::FaultType;
use capability::LookupFault;
use core::cell::Cell;

/// A fault, as plain words so that it can live in a control block.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: u64,
    words: [u64; 6],
}

/// Where a control block keeps its fault. What a fault of its kind has no words for keeps what was there.
#[repr(C)]
#[derive(Debug)]
pub struct FaultPlace {
    kind: Cell<u64>,
    words: [Cell<u64>; 6],
}

impl FaultPlace {
    /// The fault.
    #[inline(always)]
    pub fn get(&self) -> Fault {
        Fault { kind: self.kind.get(), words: [0, 1, 2, 3, 4, 5].map(|word: usize| self.words[word].get()) }
    }

    /// Its kind.
    #[inline(always)]
    pub fn kind(&self) -> FaultType {
        kind_of(self.kind.get())
    }

    /// Whether there is none.
    #[inline(always)]
    pub fn is_none(&self) -> bool {
        self.kind.get() == FaultType::NullFault as u64
    }

    /// Replaces it.
    #[inline(always)]
    pub fn set(&self, fault: Fault) {
        self.kind.set(fault.kind);
        // Only a capability fault has more than three.
        let words = if fault.kind == FaultType::CapFault as u64 { 6 } else { 3 };
        self.words.iter().zip(fault.words).take(words).for_each(|(place, word)| place.set(word));
    }

    /// Leaves no fault.
    #[inline(always)]
    pub fn clear(&self) {
        self.kind.set(FaultType::NullFault as u64);
    }
}

impl Fault {
    /// No fault.
    pub const NONE: Fault = Fault::new(FaultType::NullFault, [0; 6]);

    const fn new(kind: FaultType, words: [u64; 6]) -> Fault {
        Fault { kind: kind as u64, words }
    }

    /// A capability fault: `address` was looked up, in the receive phase or in the send phase.
    pub fn capability(address: u64, phase: Phase, failure: LookupFault) -> Fault {
        let [kind, a, b, c] = lookup_words(failure);
        Fault::new(FaultType::CapFault, [address, phase as u64, kind, a, b, c])
    }

    /// System call number `number` does not exist.
    pub const fn unknown_syscall(number: u64) -> Fault {
        Fault::new(FaultType::UnknownSyscall, [number, 0, 0, 0, 0, 0])
    }

    /// The processor raised exception `number` with error `code`.
    pub const fn user_exception(number: u64, code: u64) -> Fault {
        Fault::new(FaultType::UserException, [number, code, 0, 0, 0, 0])
    }

    /// A page fault at `address`; `status` is the processor's error code, whose bit 4 says that it was a fetch.
    pub const fn vm(address: u64, status: u64) -> Fault {
        Fault::new(FaultType::VMFault, [address, status, status >> 4 & 1, 0, 0, 0])
    }

    /// A breakpoint, a step or the breakpoint instruction (`reason`); `address` and `number` are the breakpoint's.
    pub const fn debug(reason: Kind, address: u64, number: u64) -> Fault {
        Fault::new(FaultType::DebugException, [reason as u64, address, number, 0, 0, 0])
    }

    /// The scheduling context with badge `data` ran out of budget.
    pub const fn timeout(data: u64) -> Fault {
        Fault::new(FaultType::Timeout, [data, 0, 0, 0, 0, 0])
    }

    /// What kind of fault it is.
    #[inline(always)]
    pub fn kind(self) -> FaultType {
        kind_of(self.kind)
    }

    /// Whether there is none.
    #[inline(always)]
    pub const fn is_none(self) -> bool {
        self.kind == FaultType::NullFault as u64
    }

    /// The words given to the constructor, in its order; a capability fault's lookup failure is words 2 to 5.
    pub const fn words(self) -> [u64; 6] {
        self.words
    }
}

/// The kind with this number; debug exceptions are none in a build without them, so that fast paths need not look for them.
#[inline(always)]
fn kind_of(number: u64) -> FaultType {
    match FaultType::from_label(number) {
        Some(FaultType::DebugException) if !abi::HARDWARE_DEBUG => FaultType::NullFault,
        kind => kind.unwrap_or(FaultType::NullFault),
    }
}

/// Half of a system call in which a capability was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Phase {
    /// Sending or invoking.
    Send = 0,
    /// Receiving.
    Receive = 1,
}

/// A lookup failure as message words: type, bits left, and two more by type.
pub fn lookup_words(failure: LookupFault) -> [u64; 4] {
    match failure {
        LookupFault::InvalidRoot => [1, 0, 0, 0],
        LookupFault::MissingCapability { bits_left } => [2, u64::from(bits_left), 0, 0],
        LookupFault::DepthMismatch { bits_left, bits_found } => [3, u64::from(bits_left), u64::from(bits_found), 0],
        LookupFault::GuardMismatch { bits_left, guard, guard_bits } => {
            [4, u64::from(bits_left), guard, u64::from(guard_bits)]
        }
    }
}
