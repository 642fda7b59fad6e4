//! The form in which a system runs: how many kernels share its cores, and which kernel.
//!
//! A system file describes partitions; the form decides whether each has a kernel to itself or several are merged into
//! one ([`partition_config::merge`]), and with which locks a kernel for several cores is built. Programs cannot tell.

use crate::artifacts::{Artifacts, Lock};
use crate::images::merge;
use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use partition_config::Plan;

/// The environment variable by which `cargo xtask test` tells the system tests in which forms to run …
pub const FORMS: &str = "SKERRY_FORMS";
/// … and its value for all of them.
pub const ALL_FORMS: &str = "all";

/// How many kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// As the file says: a kernel for each partition.
    #[default]
    Multikernel,
    /// One kernel over all cores.
    Smp,
    /// Several kernels, each over neighbouring partitions' cores.
    Clustered,
}

/// Which kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kernel {
    /// The one with locks for partitions of several cores, the one without for all others.
    #[default]
    Auto,
    /// The one with locks everywhere.
    Smp,
}

/// The form in which a system runs.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// How many kernels share the cores.
    #[arg(long, value_enum, default_value = "multikernel")]
    pub mode: Mode,
    /// With `--mode clustered`: so many kernels (else 2).
    #[arg(long, value_name = "COUNT")]
    pub clusters: Option<usize>,
    /// Which kernel partitions run.
    #[arg(long, value_enum, default_value = "auto")]
    pub kernel: Kernel,
    /// The locks of a kernel for several cores.
    #[arg(long, value_enum, default_value = "ticket")]
    pub lock: Lock,
}

impl Form {
    /// Two kernels over the cores of a system, with these locks.
    pub fn clustered(lock: Lock) -> Self {
        Self { mode: Mode::Clustered, lock, ..Self::default() }
    }

    /// One kernel over all cores, with these locks.
    pub fn smp(lock: Lock) -> Self {
        Self { mode: Mode::Smp, lock, ..Self::default() }
    }

    /// The locks of the kernel for a partition of so many cores; `None`: the kernel without.
    pub fn lock_for(self, cores: usize) -> Option<Lock> {
        (cores > 1 || self.kernel == Kernel::Smp).then_some(self.lock)
    }

    /// The system in this form.
    ///
    /// # Errors
    /// When its partitions cannot be merged, or a kernel cannot be built.
    pub fn apply(self, plan: Plan, artifacts: &Artifacts) -> Result<Plan> {
        ensure!(self.clusters.is_none() || self.mode == Mode::Clustered, "--clusters goes with --mode clustered");
        match self.mode {
            Mode::Multikernel => Ok(plan),
            Mode::Smp => merge(&plan, 1, artifacts, self),
            Mode::Clustered => merge(&plan, self.clusters.unwrap_or(2), artifacts, self),
        }
    }
}

/// For headings: `multikernel`, `smp-ticket`, `clustered-mcs`, `smp-kernel-big` (on every core one of its own).
impl std::fmt::Display for Form {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lock = self.lock.name();
        match (self.mode, self.kernel) {
            (Mode::Multikernel, Kernel::Auto) => out.write_str("multikernel"),
            (Mode::Multikernel, Kernel::Smp) => write!(out, "smp-kernel-{lock}"),
            (Mode::Smp, _) => write!(out, "smp-{lock}"),
            (Mode::Clustered, _) => write!(out, "clustered-{lock}"),
        }
    }
}
