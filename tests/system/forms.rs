//! The forms in which the tests run, with the same expectations: a kernel for each core, one kernel over all cores with
//! each kind of lock, two kernels over half of the cores each. In all but the first, partitions of one core have the kernel
//! with locks too. `docs/locking.md` says which tests run in which forms, and why not in the others.

use crate::Pace;
use xtask::artifacts::Lock;
use xtask::form::{ALL_FORMS, FORMS, Form, Kernel, Mode};

/// A kernel for each partition.
const MULTIKERNEL: Form = Form { mode: Mode::Multikernel, clusters: None, kernel: Kernel::Auto, lock: Lock::Ticket };

const fn with_locks(mode: Mode, lock: Lock) -> Form {
    Form { mode, clusters: None, kernel: Kernel::Smp, lock }
}

/// Every form.
pub const ALL: &[Form] = &[
    MULTIKERNEL,
    with_locks(Mode::Smp, Lock::Ticket),
    with_locks(Mode::Smp, Lock::Mcs),
    with_locks(Mode::Smp, Lock::Big),
    with_locks(Mode::Clustered, Lock::Ticket),
    with_locks(Mode::Clustered, Lock::Mcs),
    with_locks(Mode::Clustered, Lock::Big),
];

/// For a system of one partition: nothing to cluster.
pub const ONE_PARTITION: &[Form] = ALL.split_at(4).0;

/// For a system one of whose kernels is to die: not if it is the only one.
pub const SEVERAL_KERNELS: &[Form] = &[
    MULTIKERNEL,
    with_locks(Mode::Clustered, Lock::Ticket),
    with_locks(Mode::Clustered, Lock::Mcs),
    with_locks(Mode::Clustered, Lock::Big),
];

/// Whether a test of this pace runs in `form`: always in the first; `cargo xtask test` adds one SMP and one clustered form
/// of the quick tests, `--forms all` everything.
pub fn is_wanted(form: Form, pace: Pace) -> bool {
    let usual = [MULTIKERNEL, with_locks(Mode::Smp, Lock::Ticket), with_locks(Mode::Clustered, Lock::Mcs)];
    form == MULTIKERNEL || pace == Pace::Quick && usual.contains(&form) || all_are_wanted()
}

/// Whether this run is to see everything.
pub fn all_are_wanted() -> bool {
    std::env::var(FORMS).is_ok_and(|forms| forms == ALL_FORMS)
}
