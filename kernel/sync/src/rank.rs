//! The ranks, low to high. `docs/locking.md` says what each protects.

/// A level in the lock order.
pub trait Rank {
    /// Position: a guard of a higher level may be taken while one of a lower level is held.
    const LEVEL: u8;
}

macro_rules! ranks {
    ($($(#[$doc:meta])* $name:ident = $level:literal),+ $(,)?) => {
        $($(#[$doc])* #[derive(Debug)] pub enum $name {} impl Rank for $name { const LEVEL: u8 = $level; })+
    };
}

ranks! {
    /// Nothing is held: the state at kernel entry.
    Nothing = 0,
    /// Objects that were looked up stay alive; taken by every system call.
    Existence = 1,
    /// Links of the capability derivation tree.
    Derivation = 2,
    /// Endpoints, notifications, replies.
    Object = 3,
    /// Thread control blocks and scheduling contexts.
    Thread = 4,
    /// A core's run and release queues.
    RunQueue = 5,
    /// Interrupt tables and device registers.
    Device = 6,
}
