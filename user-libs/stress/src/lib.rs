//! A root task that storms its kernel instance from all cores at once, and checks everything it gets back.
//!
//! Every worker is a thread of this one address space, placed on a core; the storms are under [`storms`]:
//!
//! | storm | what it hits | what must hold |
//! |---|---|---|
//! | `calls` | one endpoint, callers and servers on every core | every call gets its own answer; as many served as called |
//! | `signals` | notifications across cores | no signal is lost, none comes early |
//! | `objects` | retype and revoke, threads destroyed while they run elsewhere | every step succeeds; what is destroyed stops |
//! | `revocation` | an endpoint revoked under its callers and servers | they fault, are restarted, and never get a wrong answer |
//! | `mappings` | a page unmapped and exchanged under its readers | no reader sees a page that is gone |
//! | `migration` | scheduling contexts moved from core to core | all of the above, with its workers moving |
//!
//! Rounds follow each other until the machine is stopped. At the end of a round every worker comes to rest; one that does
//! not (a lost wake-up, a deadlock) is a failure, as is a sum that does not add up. Each round prints a line of counts.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod crew;
mod ledger;
mod props;
mod run;
mod storms;

pub use run::run;
