//! The ranks, low to high. `docs/locking.md` says what each protects.

/// A level in the lock order.
pub trait Rank: sealed::Sealed {}

/// `Self` may be taken while `Q` is the highest rank held. Holds for every pair in ascending order and for no other.
#[diagnostic::on_unimplemented(
    message = "rank `{Self}` may not be taken while `{Q}` is held",
    label = "ranks are taken upwards only, and each at most once",
    note = "the order is in `sync::rank`, and why it is so in docs/locking.md"
)]
pub trait Above<Q: Rank>: Rank {}

mod sealed {
    pub trait Sealed {
        /// How many ranks are lower.
        const NUMBER: usize;
    }
}

macro_rules! ranks {
    (@above [$($lower:ident)*]) => {};
    (@above [$($lower:ident)*] $name:ident $($higher:ident)*) => {
        impl sealed::Sealed for $name {
            const NUMBER: usize = {
                const LOWER: &[&str] = &[$(stringify!($lower)),*];
                LOWER.len()
            };
        }
        $(#[diagnostic::do_not_recommend] impl Above<$lower> for $name {})*
        ranks!(@above [$($lower)* $name] $($higher)*);
    };
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}
            impl Rank for $name {}
        )+
        ranks!(@above [] $($name)+);
    };
}

ranks! {
    /// Nothing is held: the state at kernel entry.
    Nothing,
    /// Objects that were looked up stay alive; taken by every kernel entry.
    Existence,
    /// Links of the capability derivation tree.
    Derivation,
    /// Endpoints and notifications.
    Object,
    /// Reply objects.
    Reply,
    /// Thread control blocks and scheduling contexts.
    Thread,
    /// A core's run and release queues.
    RunQueue,
    /// Interrupt tables and device registers.
    Device,
}
