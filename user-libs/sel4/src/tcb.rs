//! Threads.

use crate::cap::{CNode, Capability, Notification, Page, Pml4, Tcb};
use crate::invoke::{act, invoke};
use crate::{CNodeGuard, Result, UserContext, buffer};
use abi::breakpoint;
use abi::invocation::Invocation;
use abi::message::FAST_REGISTERS;
use abi::register::CONTEXT_WORDS;

/// What becomes of the thread whose registers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspendSource {
    /// It goes on.
    No,
    /// It is suspended first.
    Yes,
}

/// What becomes of the thread whose registers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeTarget {
    /// It stays as it is.
    No,
    /// It is resumed afterwards.
    Yes,
}

/// Which registers [`Tcb::copy_registers`] copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyRegisters {
    /// None: only suspend and resume.
    None,
    /// Instruction pointer, stack pointer, flags and the general registers.
    Frame,
    /// FS and GS base.
    Integer,
    /// All.
    Both,
}

/// A breakpoint of a thread, for kernels with the hardware debug API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breakpoint {
    /// Where.
    pub address: u64,
    /// On what: data or an instruction.
    pub kind: breakpoint::Kind,
    /// Bytes of data; 0 for an instruction.
    pub bytes: u64,
    /// On which accesses to data; reading for an instruction.
    pub access: breakpoint::Access,
}

/// A capability space and an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Root of the capability space.
    pub cspace: CNode,
    /// Its guard; the zero guard means: as the capability has it.
    pub guard: CNodeGuard,
    /// The address space.
    pub vspace: Pml4,
}

impl Tcb {
    /// Sets capability space, address space and IPC buffer (`TCBConfigure`).
    ///
    /// # Errors
    /// [`AlignmentError`](crate::Error::AlignmentError) for a buffer address that is no multiple of 1024;
    /// [`IllegalOperation`](crate::Error::IllegalOperation) for an address space without ASID, a bad guard, or a page
    /// of device memory.
    pub fn configure(self, space: Space, buffer_address: u64, buffer_page: Page) -> Result<()> {
        act(
            self.cptr(),
            Invocation::TCBConfigure,
            &[space.cspace.cptr(), space.vspace.cptr(), buffer_page.cptr()],
            &[space.guard.word(), 0, buffer_address],
        )
    }

    /// Sets fault endpoint ([`Null`](crate::Null): none), capability space and address space (`TCBSetSpace`).
    ///
    /// The fault endpoint is a capability of the caller's, which needs send and grant (or grant-reply) rights.
    pub fn set_space(self, fault_endpoint: impl Capability, space: Space) -> Result<()> {
        act(
            self.cptr(),
            Invocation::TCBSetSpace,
            &[fault_endpoint.cptr(), space.cspace.cptr(), space.vspace.cptr()],
            &[space.guard.word(), 0],
        )
    }

    /// Sets the IPC buffer; address 0: none (`TCBSetIPCBuffer`).
    pub fn set_ipc_buffer(self, address: u64, page: impl Capability) -> Result<()> {
        act(self.cptr(), Invocation::TCBSetIPCBuffer, &[page.cptr()], &[address])
    }

    /// Sets the priority, at most `authority`'s maximum controlled priority (`TCBSetPriority`).
    ///
    /// # Errors
    /// [`RangeError`](crate::Error::RangeError) for more than that.
    pub fn set_priority(self, authority: Tcb, priority: u8) -> Result<()> {
        act(self.cptr(), Invocation::TCBSetPriority, &[authority.cptr()], &[priority.into()])
    }

    /// Sets the maximum controlled priority, at most `authority`'s own (`TCBSetMCPriority`).
    ///
    /// # Errors
    /// [`RangeError`](crate::Error::RangeError) for more than that.
    pub fn set_mc_priority(self, authority: Tcb, maximum: u8) -> Result<()> {
        act(self.cptr(), Invocation::TCBSetMCPriority, &[authority.cptr()], &[maximum.into()])
    }

    /// Sets both priorities, scheduling context and fault endpoint ([`Null`](crate::Null) for none of either)
    /// (`TCBSetSchedParams`).
    ///
    /// # Errors
    /// [`RangeError`](crate::Error::RangeError) for a priority above `authority`'s maximum;
    /// [`IllegalOperation`](crate::Error::IllegalOperation) for a scheduling context that is bound elsewhere.
    pub fn set_sched_params(
        self,
        authority: Tcb,
        maximum: u8,
        priority: u8,
        sched_context: impl Capability,
        fault_endpoint: impl Capability,
    ) -> Result<()> {
        act(
            self.cptr(),
            Invocation::TCBSetSchedParams,
            &[authority.cptr(), sched_context.cptr(), fault_endpoint.cptr()],
            &[maximum.into(), priority.into()],
        )
    }

    /// Sets who hears when the budget is exhausted; [`Null`](crate::Null): nobody (`TCBSetTimeoutEndpoint`).
    pub fn set_timeout_endpoint(self, endpoint: impl Capability) -> Result<()> {
        act(self.cptr(), Invocation::TCBSetTimeoutEndpoint, &[endpoint.cptr()], &[])
    }

    /// Stops the thread (`TCBSuspend`).
    pub fn suspend(self) -> Result<()> {
        act(self.cptr(), Invocation::TCBSuspend, &[], &[])
    }

    /// Starts the thread; it runs once it has a scheduling context (`TCBResume`).
    pub fn resume(self) -> Result<()> {
        act(self.cptr(), Invocation::TCBResume, &[], &[])
    }

    /// Lets signals of `notification` end the thread's receives (`TCBBindNotification`).
    ///
    /// # Errors
    /// [`IllegalOperation`](crate::Error::IllegalOperation) if either is bound already.
    pub fn bind_notification(self, notification: Notification) -> Result<()> {
        act(self.cptr(), Invocation::TCBBindNotification, &[notification.cptr()], &[])
    }

    /// Undoes [`Tcb::bind_notification`] (`TCBUnbindNotification`).
    ///
    /// # Errors
    /// [`IllegalOperation`](crate::Error::IllegalOperation) if none is bound.
    pub fn unbind_notification(self) -> Result<()> {
        act(self.cptr(), Invocation::TCBUnbindNotification, &[], &[])
    }

    /// Sets the thread's FS base (`TCBSetTLSBase`).
    pub fn set_tls_base(self, address: u64) -> Result<()> {
        act(self.cptr(), Invocation::TCBSetTLSBase, &[], &[address])
    }

    /// Clears, then sets flags of [`abi::sched::tcb_flags`]; gives the flags after that (`TCBSetFlags`).
    pub fn set_flags(self, clear: u64, set: u64) -> Result<u64> {
        Ok(invoke(self.cptr(), Invocation::TCBSetFlags, &[], &[clear, set])?[0])
    }

    /// Sets a breakpoint (`TCBSetBreakpoint`; kernels with the hardware debug API only).
    ///
    /// # Errors
    /// [`RangeError`](crate::Error::RangeError) for a number that does not exist;
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for an address of the kernel, a size of an instruction, an
    /// instruction that is to be broken on but by reading, or data without a size of 1, 2, 4 or 8 bytes;
    /// [`AlignmentError`](crate::Error::AlignmentError) for data that is not aligned to its size.
    pub fn set_breakpoint(self, number: u16, breakpoint: Breakpoint) -> Result<()> {
        let Breakpoint { address, kind, bytes, access } = breakpoint;
        act(
            self.cptr(),
            Invocation::TCBSetBreakpoint,
            &[],
            &[number.into(), address, kind.word(), bytes, access.word()],
        )
    }

    /// A breakpoint, and whether it is in force (`TCBGetBreakpoint`; kernels with the hardware debug API only).
    ///
    /// # Errors
    /// [`RangeError`](crate::Error::RangeError) for a number that does not exist.
    pub fn breakpoint(self, number: u16) -> Result<(Breakpoint, bool)> {
        let [address, kind, bytes, access] = invoke(self.cptr(), Invocation::TCBGetBreakpoint, &[], &[number.into()])?;
        let kind = breakpoint::Kind::from_word(kind).unwrap_or(breakpoint::Kind::Instruction);
        let access = breakpoint::Access::from_word(access).unwrap_or(breakpoint::Access::Read);
        Ok((Breakpoint { address, kind, bytes, access }, buffer::word(4) != 0))
    }

    /// Removes a breakpoint (`TCBUnsetBreakpoint`; kernels with the hardware debug API only).
    ///
    /// # Errors
    /// [`RangeError`](crate::Error::RangeError) for a number that does not exist.
    pub fn unset_breakpoint(self, number: u16) -> Result<()> {
        act(self.cptr(), Invocation::TCBUnsetBreakpoint, &[], &[number.into()])
    }

    /// Stops the thread after `instructions`, or never for 0 (`TCBConfigureSingleStepping`; kernels with the hardware debug
    /// API only). Breakpoint `number` is for processors that need one; says whether it was used up, never on x86.
    pub fn configure_single_stepping(self, number: u16, instructions: u64) -> Result<bool> {
        let words = [number.into(), instructions];
        Ok(invoke(self.cptr(), Invocation::TCBConfigureSingleStepping, &[], &words)?[0] != 0)
    }

    /// Reads all registers of another thread (`TCBReadRegisters`).
    ///
    /// # Errors
    /// [`IllegalOperation`](crate::Error::IllegalOperation) for the calling thread itself.
    pub fn read_registers(self, suspend: SuspendSource) -> Result<UserContext> {
        let first = invoke(
            self.cptr(),
            Invocation::TCBReadRegisters,
            &[],
            &[u64::from(suspend == SuspendSource::Yes), CONTEXT_WORDS as u64],
        )?;
        let mut words = [0; CONTEXT_WORDS];
        for (index, word) in words.iter_mut().enumerate() {
            *word = if index < FAST_REGISTERS { first[index] } else { buffer::word(index) };
        }
        Ok(UserContext::from_words(words))
    }

    /// Writes all registers of another thread (`TCBWriteRegisters`).
    ///
    /// # Errors
    /// [`IllegalOperation`](crate::Error::IllegalOperation) for the calling thread itself.
    pub fn write_registers(self, resume: ResumeTarget, context: &UserContext) -> Result<()> {
        let mut words = [0; CONTEXT_WORDS + 2];
        words[0] = u64::from(resume == ResumeTarget::Yes);
        words[1] = CONTEXT_WORDS as u64;
        words[2..].copy_from_slice(&context.to_words());
        act(self.cptr(), Invocation::TCBWriteRegisters, &[], &words)
    }

    /// Copies registers of `source` to this thread (`TCBCopyRegisters`).
    pub fn copy_registers(
        self,
        source: Tcb,
        suspend: SuspendSource,
        resume: ResumeTarget,
        registers: CopyRegisters,
    ) -> Result<()> {
        let frame = matches!(registers, CopyRegisters::Frame | CopyRegisters::Both);
        let integer = matches!(registers, CopyRegisters::Integer | CopyRegisters::Both);
        let flags = u64::from(suspend == SuspendSource::Yes)
            | u64::from(resume == ResumeTarget::Yes) << 1
            | u64::from(frame) << 2
            | u64::from(integer) << 3;
        act(self.cptr(), Invocation::TCBCopyRegisters, &[source.cptr()], &[flags])
    }
}
