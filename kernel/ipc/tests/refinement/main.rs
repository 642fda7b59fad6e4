//! The layer against its specification, `ipc::spec`: the same programs on both, everything compared after each operation,
//! and what CertiKOS's specifications of thread queues, sleep, wakeup and condition variables promise, as lemmas of both.
//!
//! A program is a sequence of kernel entries, each of one [`Step`]. Random programs, and all programs of a small system up
//! to a length (`SKERRY_DEPTH` makes it longer).

mod exhaustive;
mod lemmas;
mod random;
mod step;
mod world;

use step::Step;
