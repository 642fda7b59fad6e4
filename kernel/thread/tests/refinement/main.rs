//! The layer against its specification, `thread::spec`: the same programs on both, everything compared after each operation.
//!
//! A program is a sequence of kernel entries, each of one [`Step`]: time passes, the account is looked at, the step's
//! primitives are run as the layers above run them, and the scheduler decides. Random programs, all programs of a small
//! system up to a depth (`SKERRY_DEPTH` makes it deeper), and all of one in which no time passes, to the fixpoint; and the short cuts of the fast paths, mixed with such programs.

mod examples;
mod exhaustive;
mod random;
mod registers;
mod shortcuts;
mod step;
mod world;

use step::Step;
