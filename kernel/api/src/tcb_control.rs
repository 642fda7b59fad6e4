//! Thread invocations that install capabilities: spaces, buffer, handlers, scheduling context.
//!
//! Installing deletes what was there, which may be long and may even delete the thread or the capability that is being
//! installed. So each install checks again, after the deletion, that both still are what they were.

use crate::args::Args;
use crate::{Entry, Outcome, Refusal, Stop};
use abi::error::Error;
use capability::{Cap, Kind, Rights, Slot, derive, same_object, update_data};
use memory::Ref;
use thread::{SchedContext, Tcb, TcbSlot};

/// A capability to install, and where it was derived from.
#[derive(Clone, Copy)]
struct Install {
    cap: Cap,
    source: Option<Ref<Slot>>,
}

impl Entry<'_> {
    pub(crate) fn configure_thread(&mut self, slot: Ref<Slot>, thread: Ref<Tcb>, args: &Args) -> Outcome {
        args.require(3, 3)?;
        let address = args.word(2);
        let buffer = self.check_buffer(args, 2, address)?;
        refuse_while_deleting(thread)?;
        let cspace = self.check_cspace(args, 0, args.word(0))?;
        let vspace = self.check_vspace(args, 1, args.word(1))?;
        self.will_succeed();
        self.install(slot, thread, TcbSlot::CSpace, cspace)?;
        self.install(slot, thread, TcbSlot::VSpace, vspace)?;
        self.install_buffer(slot, thread, address, buffer)
    }

    pub(crate) fn set_space(&mut self, slot: Ref<Slot>, thread: Ref<Tcb>, args: &Args) -> Outcome {
        args.require(2, 3)?;
        refuse_while_deleting(thread)?;
        let cspace = self.check_cspace(args, 1, args.word(0))?;
        let vspace = self.check_vspace(args, 2, args.word(1))?;
        let handler = check_handler(args, 0, 1)?;
        self.will_succeed();
        self.install(slot, thread, TcbSlot::FaultHandler, handler)?;
        self.install(slot, thread, TcbSlot::CSpace, cspace)?;
        self.install(slot, thread, TcbSlot::VSpace, vspace)
    }

    pub(crate) fn set_ipc_buffer(&mut self, slot: Ref<Slot>, thread: Ref<Tcb>, args: &Args) -> Outcome {
        args.require(1, 1)?;
        let address = args.word(0);
        let buffer = self.check_buffer(args, 0, address)?;
        self.will_succeed();
        self.install_buffer(slot, thread, address, buffer)
    }

    pub(crate) fn set_timeout_endpoint(&mut self, slot: Ref<Slot>, thread: Ref<Tcb>, args: &Args) -> Outcome {
        args.require(0, 1)?;
        let handler = check_handler(args, 0, 1)?;
        self.will_succeed();
        self.install(slot, thread, TcbSlot::TimeoutHandler, handler)
    }

    pub(crate) fn set_sched_params(&mut self, slot: Ref<Slot>, thread: Ref<Tcb>, args: &Args) -> Outcome {
        args.require(2, 3)?;
        let illegal = Refusal::plain(Error::IllegalOperation);
        let max_priority = self.authorised_priority(args, 0)?;
        let priority = self.authorised_priority(args, 1)?;
        let cap = args.cap(1)?;
        let wanted: Option<Ref<SchedContext>> = match cap.kind() {
            Kind::SchedContext => {
                let context: Ref<SchedContext> = cap.object();
                let bound = thread.sched_context.get();
                if bound != Some(context) && (bound.is_some() || context.thread.get().is_some()) {
                    return Err(illegal.into());
                }
                if thread.state.get().is_blocked() && !self.has_time(context) {
                    return Err(illegal.into());
                }
                Some(context)
            }
            Kind::Null => {
                if thread == self.core.current.get() {
                    return Err(illegal.into());
                }
                None
            }
            _ => return Err(Refusal::capability(2).into()),
        };
        let handler = check_handler(args, 2, 3)?;
        self.will_succeed();
        self.install(slot, thread, TcbSlot::FaultHandler, handler)?;
        thread.max_priority.set(max_priority);
        self.set_priority(thread, priority);
        match (wanted, thread.sched_context.get()) {
            (Some(context), None) => self.bind(context, thread),
            (None, Some(context)) => self.unbind(context),
            _ => {}
        }
        Ok(())
    }

    /// Replaces what is in `which` of `thread`, whose capability is in `slot`.
    fn install(&mut self, slot: Ref<Slot>, thread: Ref<Tcb>, which: TcbSlot, new: Install) -> Outcome {
        let place = Tcb::slot(thread, which);
        self.delete(place)?;
        let Some(source) = new.source else { return Ok(()) };
        let thread_lives = same_object(Cap::thread(thread.phys()), slot.cap());
        if !new.cap.is_null() && thread_lives && same_install(new.cap, source.cap()) {
            let _tree = self.derivation();
            Slot::insert_derived(source, place, new.cap);
        }
        thread.roots.forget();
        if which == TcbSlot::VSpace && thread == self.core.current.get() {
            self.set_address_space(thread);
        }
        Ok(())
    }

    fn install_buffer(&mut self, slot: Ref<Slot>, thread: Ref<Tcb>, address: u64, buffer: Install) -> Outcome {
        self.delete(Tcb::slot(thread, TcbSlot::Buffer))?;
        thread.ipc_buffer.set(address);
        self.install(slot, thread, TcbSlot::Buffer, buffer)?;
        if thread == self.core.current.get() {
            self.reschedule_required();
        }
        Ok(())
    }

    fn check_buffer(&self, args: &Args, index: usize, address: u64) -> Result<Install, Stop> {
        if address == 0 {
            return Ok(Install { cap: Cap::NULL, source: None });
        }
        let source = args.slot(index)?;
        let cap = derive(source.cap(), source.has_children())?;
        let usable = cap.kind() == Kind::Frame && !cap.is_device();
        if !usable {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        if address & ((1 << abi::message::ipc_buffer::SIZE_BITS) - 1) != 0 {
            return Err(Refusal::plain(Error::AlignmentError).into());
        }
        Ok(Install { cap, source: Some(source) })
    }

    fn check_cspace(&self, args: &Args, index: usize, data: u64) -> Result<Install, Stop> {
        let install = derived_root(args.slot(index)?, data)?;
        if install.cap.kind() != Kind::CNode {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        Ok(install)
    }

    fn check_vspace(&self, args: &Args, index: usize, data: u64) -> Result<Install, Stop> {
        let install = derived_root(args.slot(index)?, data)?;
        if install.cap.kind() != Kind::Pml4 || install.cap.mapping().is_none() {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        Ok(install)
    }
}

fn derived_root(source: Ref<Slot>, data: u64) -> Result<Install, Stop> {
    let cap = if data == 0 { source.cap() } else { update_data(source.cap(), data, false) };
    Ok(Install { cap: derive(cap, source.has_children())?, source: Some(source) })
}

fn check_handler(args: &Args, index: usize, number: u64) -> Result<Install, Stop> {
    let source = args.slot(index)?;
    let cap = source.cap();
    let valid = match cap.kind() {
        Kind::Null => true,
        Kind::Endpoint => {
            let rights = cap.rights();
            rights.allow(Rights::WRITE) && (rights.allow(Rights::GRANT) || rights.allow(Rights::GRANT_REPLY))
        }
        _ => false,
    };
    if !valid {
        return Err(Refusal::capability(number).into());
    }
    Ok(Install { cap, source: Some(source) })
}

/// Whether the source still holds what was derived from it.
fn same_install(new: Cap, source: Cap) -> bool {
    match new.kind() {
        Kind::Frame => source.kind() == Kind::Frame && source.phys() == new.phys(),
        _ => same_object(new, source),
    }
}

/// A space that is being deleted (and was preempted) must be gone before another is installed.
fn refuse_while_deleting(thread: Ref<Tcb>) -> Outcome {
    let deleting = |which: TcbSlot| thread.cap(which).kind() == Kind::Zombie;
    if deleting(TcbSlot::CSpace) || deleting(TcbSlot::VSpace) {
        return Err(Refusal::plain(Error::IllegalOperation).into());
    }
    Ok(())
}
