//! Thread invocations other than those that install capabilities or move registers.

use crate::args::Args;
use crate::{Entry, Outcome, Refusal};
use abi::error::Error;
use abi::invocation::Invocation;
use capability::{Cap, Kind, Rights, Slot};
use ipc::Notification;
use memory::Ref;
use thread::{Tcb, flag};

impl Entry<'_> {
    pub(crate) fn invoke_thread(
        &mut self,
        slot: Ref<Slot>,
        cap: Cap,
        invocation: Option<Invocation>,
        args: &Args,
    ) -> Outcome {
        let thread: Ref<Tcb> = cap.object();
        self.take_back(thread);
        match invocation {
            Some(Invocation::TCBReadRegisters) => self.read_registers(thread, args),
            Some(Invocation::TCBWriteRegisters) => self.write_registers(thread, args),
            Some(Invocation::TCBCopyRegisters) => self.copy_registers(thread, args),
            Some(Invocation::TCBConfigure) => self.configure_thread(slot, thread, args),
            Some(Invocation::TCBSetSpace) => self.set_space(slot, thread, args),
            Some(Invocation::TCBSetIPCBuffer) => self.set_ipc_buffer(slot, thread, args),
            Some(Invocation::TCBSetTimeoutEndpoint) => self.set_timeout_endpoint(slot, thread, args),
            Some(Invocation::TCBSetSchedParams) => self.set_sched_params(slot, thread, args),
            Some(Invocation::TCBSetPriority) => {
                let priority = self.authorised_priority(args, 0)?;
                self.will_succeed();
                self.set_priority(thread, priority);
                Ok(())
            }
            Some(Invocation::TCBSetMCPriority) => {
                let priority = self.authorised_priority(args, 0)?;
                self.will_succeed();
                thread.max_priority.set(priority);
                Ok(())
            }
            Some(Invocation::TCBSuspend) => {
                self.will_succeed();
                self.suspend(thread);
                Ok(())
            }
            Some(Invocation::TCBResume) => {
                self.will_succeed();
                self.resume(thread);
                Ok(())
            }
            Some(Invocation::TCBBindNotification) => self.bind_notification(thread, args),
            Some(Invocation::TCBUnbindNotification) => {
                if thread.bound_notification.get() == memory::Phys(0) {
                    return Err(Refusal::plain(Error::IllegalOperation).into());
                }
                self.will_succeed();
                Notification::unbind_from(thread);
                Ok(())
            }
            Some(Invocation::TCBSetTLSBase) => {
                args.require(1, 0)?;
                self.will_succeed();
                thread.context.set(machine::Register::FsBase, thread::registers::canonical(args.word(0)));
                Ok(())
            }
            Some(Invocation::TCBSetFlags) => self.set_thread_flags(thread, args),
            Some(invocation) if abi::HARDWARE_DEBUG => self.debug_thread(invocation, thread, args),
            _ => Err(Refusal::plain(Error::IllegalOperation).into()),
        }
    }

    /// Priority word `index`, if the thread in extra capability 0 may give it.
    pub(crate) fn authorised_priority(&self, args: &Args, index: usize) -> Result<u8, crate::Stop> {
        args.require(index + 1, 1)?;
        let authority = Self::thread_of(args.cap(0)?, 1)?;
        let most = authority.max_priority.get();
        let priority = u8::try_from(args.word(index)).ok().filter(|&priority| priority <= most);
        Ok(priority.ok_or(Refusal::range(0, u64::from(most)))?)
    }

    fn bind_notification(&mut self, thread: Ref<Tcb>, args: &Args) -> Outcome {
        args.require(0, 1)?;
        let cap = args.cap(0)?;
        let is_ours = cap.kind() == Kind::Notification && cap.rights().allow(Rights::READ);
        let free = thread.bound_notification.get() == memory::Phys(0);
        if !is_ours || !free {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        let notification: Ref<Notification> = cap.object();
        if notification.is_waited_for() || notification.bound().is_some() {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        self.will_succeed();
        Notification::bind(notification, thread);
        Ok(())
    }

    fn set_thread_flags(&mut self, thread: Ref<Tcb>, args: &Args) -> Outcome {
        args.require(2, 0)?;
        self.will_succeed();
        let known = abi::sched::tcb_flags::MASK;
        let old = if thread.has(flag::FPU_DISABLED) { abi::sched::tcb_flags::FPU_DISABLED } else { 0 };
        let new = (old & !args.word(0) | args.word(1)) & known;
        let is_disabled = new & abi::sched::tcb_flags::FPU_DISABLED != 0;
        thread.set_flags(flag::FPU_DISABLED, if is_disabled { flag::FPU_DISABLED } else { 0 });
        thread.roots.forget();
        if is_disabled {
            self.save_fpu_of(thread);
        }
        self.answer(args, &[new]);
        Ok(())
    }
}
