//! Time: scheduling contexts, their budgets, and domains.

use crate::Result;
use crate::cap::{Capability, DomainSet, SchedContext, SchedControl, Tcb};
use crate::invoke::{act, invoke};
use abi::invocation::Invocation;
use abi::sched::sched_context_flags;

/// How much time a scheduling context gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Microseconds in each period.
    pub budget_us: u64,
    /// Length of the period in microseconds. Equal to the budget: round robin, always runnable.
    pub period_us: u64,
    /// Replenishments beyond two: at most as many as have room in the object, 16 bytes each after the first two.
    pub extra_refills: u64,
    /// What timeout faults carry.
    pub badge: u64,
    /// Flags of [`abi::sched::sched_context_flags`].
    pub flags: u64,
}

impl Budget {
    /// A round-robin share: slices of `slice_us` microseconds, without a limit.
    pub const fn round_robin(slice_us: u64) -> Self {
        Self::new(slice_us, slice_us)
    }

    /// `budget_us` microseconds in each `period_us`.
    pub const fn new(budget_us: u64, period_us: u64) -> Self {
        Self { budget_us, period_us, extra_refills: 0, badge: 0, flags: sched_context_flags::NONE }
    }
}

impl SchedControl {
    /// Gives a scheduling context a budget on this control's core (`SchedControlConfigureFlags`).
    ///
    /// # Errors
    /// [`RangeError`](crate::Error::RangeError) for times that are too short or too long, a budget above the period, or
    /// more refills than fit.
    pub fn configure(self, context: SchedContext, budget: Budget) -> Result<()> {
        act(
            self.cptr(),
            Invocation::SchedControlConfigureFlags,
            &[context.cptr()],
            &[budget.budget_us, budget.period_us, budget.extra_refills, budget.badge, budget.flags],
        )
    }
}

impl SchedContext {
    /// Binds to a thread or a notification (`SchedContextBind`).
    ///
    /// # Errors
    /// [`IllegalOperation`](crate::Error::IllegalOperation) if either is bound already, or the thread is blocked in a
    /// way that does not allow it.
    pub fn bind(self, object: impl Capability) -> Result<()> {
        act(self.cptr(), Invocation::SchedContextBind, &[object.cptr()], &[])
    }

    /// Undoes all bindings (`SchedContextUnbind`).
    pub fn unbind(self) -> Result<()> {
        act(self.cptr(), Invocation::SchedContextUnbind, &[], &[])
    }

    /// Undoes the binding to this thread or notification (`SchedContextUnbindObject`).
    pub fn unbind_object(self, object: impl Capability) -> Result<()> {
        act(self.cptr(), Invocation::SchedContextUnbindObject, &[object.cptr()], &[])
    }

    /// Microseconds consumed since this or a timeout fault last reported them (`SchedContextConsumed`).
    pub fn consumed_us(self) -> Result<u64> {
        Ok(invoke(self.cptr(), Invocation::SchedContextConsumed, &[], &[])?[0])
    }

    /// Runs this context's thread now, if its priority allows; gives the microseconds consumed, as
    /// [`SchedContext::consumed_us`] (`SchedContextYieldTo`).
    ///
    /// # Errors
    /// [`IllegalOperation`](crate::Error::IllegalOperation) for the caller's own context, one without a thread, or a
    /// thread above the caller's maximum controlled priority.
    pub fn yield_to_us(self) -> Result<u64> {
        Ok(invoke(self.cptr(), Invocation::SchedContextYieldTo, &[], &[])?[0])
    }
}

impl DomainSet {
    /// Puts a thread into a domain (`DomainSetSet`).
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for a domain that does not exist.
    pub fn set(self, domain: u8, thread: Tcb) -> Result<()> {
        act(self.cptr(), Invocation::DomainSetSet, &[thread.cptr()], &[domain.into()])
    }

    /// Writes entry `index` of the domain schedule; domain 0 for 0 ticks marks the end (`DomainScheduleConfigure`).
    ///
    /// # Errors
    /// [`RangeError`](crate::Error::RangeError) for the index or domain; [`InvalidArgument`](crate::Error::InvalidArgument)
    /// for a duration above 56 bits, or of 0 elsewhere than in an end marker.
    pub fn configure_schedule(self, index: u64, domain: u8, duration_ticks: u64) -> Result<()> {
        act(self.cptr(), Invocation::DomainScheduleConfigure, &[], &[index, domain.into(), duration_ticks])
    }

    /// Starts the domain schedule at entry `index`, now and whenever it comes round (`DomainScheduleSetStart`).
    pub fn set_schedule_start(self, index: u64) -> Result<()> {
        act(self.cptr(), Invocation::DomainScheduleSetStart, &[], &[index])
    }
}
