//! Deleting and revoking: where objects die. Every obligation that the death of an object leaves is discharged here.
//!
//! A CNode or thread that loses its last capability becomes a *zombie* in the slot that held it, and its own slots are
//! deleted one by one, last first, each step leaving a state from which the operation can be repeated. A zombie met inside
//! another is not entered (that would recurse): the two are swapped, so that the outer one shrinks (invariant C5). Depth
//! is bounded by three: `delete` → `shrink` → `delete` of a slot of the zombie, which shrinks nothing; and if that slot holds
//! an interrupt handler, `delete` of the notification it names.

use crate::{Entry, Outcome, Stop};
use capability::{Cap, Kind, Slot, is_final};
use ipc::{Endpoint, Notification, Progress};
use memory::Ref;
use thread::{Reply, SchedContext, State, Tcb};
use vspace::{AsidPool, Level, Mapper};

/// Whether the capability of a slot is deleted for good, or may be left as a swapped zombie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The slot is empty.
    Empty,
    /// Progress was made.
    Progress,
}

/// What must still happen when the slot is emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cleanup {
    None,
    /// The interrupt of this CPU vector is free again.
    Interrupt(u8),
}

impl Entry<'_> {
    /// Deletes the capability in `slot`.
    pub fn delete(&mut self, slot: Ref<Slot>) -> Outcome {
        self.delete_until(slot, Until::Empty)
    }

    fn delete_until(&mut self, slot: Ref<Slot>, until: Until) -> Outcome {
        if let Some(cleanup) = self.finalise_slot(slot, until)? {
            self.empty(slot, cleanup);
        }
        Ok(())
    }

    /// Deletes every capability derived from the one in `slot`.
    pub fn revoke(&mut self, slot: Ref<Slot>) -> Outcome {
        while slot.has_children() {
            let Some(child) = slot.next() else { break };
            self.delete(child)?;
            self.preemption_point()?;
        }
        Ok(())
    }

    /// Empties a slot whose capability is finalised.
    fn empty(&mut self, slot: Ref<Slot>, cleanup: Cleanup) {
        if !slot.is_empty() {
            let _tree = self.derivation();
            slot.clear();
        }
        if let Cleanup::Interrupt(vector) = cleanup {
            let machine = self.kernel.first_machine();
            self.interrupts().release(machine, vector);
        }
    }

    /// `Some` if the slot may be emptied now, `None` if a zombie was swapped away from under it.
    fn finalise_slot(&mut self, slot: Ref<Slot>, until: Until) -> Result<Option<Cleanup>, Stop> {
        loop {
            let cap = slot.cap();
            if cap.is_null() {
                return Ok(Some(Cleanup::None));
            }
            let (rest, cleanup) = self.finalise(cap, is_final(&slot))?;
            if is_removable(rest, slot) {
                return Ok(Some(cleanup));
            }
            slot.set_cap(rest);
            if until == Until::Progress && rest.as_zombie().slots == slot {
                // A zombie that lives in its own first slot: whoever holds the other end goes on.
                return Ok(None);
            }
            self.shrink(slot, until)?;
            self.preemption_point()?;
        }
    }

    /// One step of emptying the zombie in `slot`.
    fn shrink(&mut self, slot: Ref<Slot>, until: Until) -> Outcome {
        let zombie = slot.cap().as_zombie();
        if until == Until::Progress {
            // Bring this zombie's first slot's capability out to where it can be dealt with, and itself inside.
            let first = zombie.slots;
            let _tree = self.derivation();
            Slot::swap(slot, slot.cap(), first, first.cap());
            return Ok(());
        }
        if zombie.remaining == 0 {
            return Ok(());
        }
        let last = Slot::neighbour(zombie.slots, zombie.remaining - 1);
        self.delete_until(last, Until::Progress)?;
        let now = slot.cap();
        if now.kind() == Kind::Zombie {
            let after = now.as_zombie();
            if after.slots == zombie.slots && after.remaining == zombie.remaining && last.is_empty() {
                slot.set_cap(Cap::zombie(now.phys(), zombie.radix, zombie.remaining - 1));
            }
        }
        Ok(())
    }

    /// Does what the end of `cap` means; `last` says that no other capability names the object. Returns what remains.
    fn finalise(&mut self, cap: Cap, last: bool) -> Result<(Cap, Cleanup), Stop> {
        let gone = Ok((Cap::NULL, Cleanup::None));
        if matches!(cap.kind(), Kind::CNode | Kind::Pml4 | Kind::AsidPool) {
            self.epoch.advance();
        }
        match cap.kind() {
            Kind::Zombie => Ok((cap, Cleanup::None)),
            Kind::Frame => {
                if let Some((asid, vaddr)) = cap.mapping() {
                    self.unmap_frame(cap, asid, vaddr);
                }
                gone
            }
            _ if !last => gone,
            Kind::Endpoint => {
                let progress = self.cancel_all(cap.object::<Endpoint>(), || self.preemption_point().is_ok());
                match progress {
                    Progress::Done => gone,
                    Progress::Preempted => Err(Stop::Preempted),
                }
            }
            Kind::Notification => {
                let notification: Ref<Notification> = cap.object();
                notification.stop_lending();
                notification.unbind();
                match self.cancel_all_signals(notification, || self.preemption_point().is_ok()) {
                    Progress::Done => gone,
                    Progress::Preempted => Err(Stop::Preempted),
                }
            }
            Kind::Reply => {
                self.finalise_reply(cap.object());
                gone
            }
            Kind::CNode => Ok((Cap::zombie(cap.phys(), Some(cap.radix()), 1 << cap.radix()), Cleanup::None)),
            Kind::Thread => {
                self.finalise_thread(cap.object());
                Ok((Cap::zombie(cap.phys(), None, 5), Cleanup::None))
            }
            Kind::SchedContext => {
                self.finalise_context(cap.object());
                gone
            }
            Kind::IrqHandler => {
                let vector = cap.index() as u8;
                let bound = self.interrupts().slot(vector);
                self.delete(bound)?;
                Ok((Cap::NULL, Cleanup::Interrupt(vector)))
            }
            Kind::PageTable | Kind::PageDirectory | Kind::Pdpt => {
                self.unmap_table(cap);
                gone
            }
            Kind::Pml4 => {
                if let Some((asid, _)) = cap.mapping()
                    && self.asids.release(asid, cap.phys())
                {
                    self.forget_space(asid, cap.phys());
                }
                gone
            }
            Kind::AsidPool => {
                let pool: Ref<AsidPool> = cap.object();
                self.asids.remove_pool(cap.index() as u16, pool, |asid, root| self.forget_space(asid, root.phys()));
                self.set_address_space(self.core.current.get());
                gone
            }
            _ => gone,
        }
    }

    /// Page-table operations of this core.
    pub fn mapper(&self) -> Mapper<'_> {
        Mapper { machine: self.machine, asids: self.asids }
    }

    /// Takes the frame of `cap` out of where it is mapped.
    pub(crate) fn unmap_frame(&self, cap: Cap, asid: u16, vaddr: u64) {
        if self.mapper().unmap_frame(asid, vaddr, cap.phys(), cap.frame_size()) {
            self.take_back_asid(asid);
        }
    }

    /// Makes sure that no other core remembers a translation of `asid` that is gone.
    pub(crate) fn take_back_asid(&self, asid: u16) {
        if let Some(root) = self.asids.root(asid) {
            self.take_back_space(root.phys());
        }
    }

    /// Takes the paging structure of `cap` out of where it is mapped.
    pub fn unmap_table(&self, cap: Cap) {
        let level = match cap.kind() {
            Kind::PageTable => Level::PageTable,
            Kind::PageDirectory => Level::PageDirectory,
            _ => Level::Pdpt,
        };
        if let Some((asid, vaddr)) = cap.mapping() {
            self.mapper().unmap_table(asid, vaddr, level, cap.phys());
            self.take_back_asid(asid);
        }
    }

    fn forget_space(&self, asid: u16, root: memory::Phys) {
        self.take_back_space(root);
        if self.machine.current_address_space() == root.0 {
            self.machine.set_address_space(self.kernel_root.0, 0);
        }
        self.machine.flush_asid(asid, root.0);
    }

    fn finalise_reply(&self, reply: Ref<Reply>) {
        let Some(thread) = reply.thread.get() else { return };
        match thread.state.get() {
            State::BLOCKED_ON_REPLY => self.remove_reply(reply, thread),
            State::BLOCKED_ON_RECEIVE => self.cancel_ipc(thread),
            _ => {}
        }
    }

    fn finalise_thread(&self, thread: Ref<Tcb>) {
        self.take_back(thread);
        Notification::unbind_from(thread);
        if let Some(context) = thread.sched_context.get() {
            self.unbind(context);
            if let Some(yielder) = context.yield_from.get() {
                self.complete_yield(yielder);
            }
        }
        self.suspend(thread);
        thread.roots.forget();
        if self.core.fpu_owner() == Some(thread) {
            self.core.set_fpu_owner(None);
            self.machine.fpu_disable();
        }
    }

    fn finalise_context(&self, context: Ref<SchedContext>) {
        self.unbind(context);
        Notification::stop_lending_of(context);
        self.unbind_reply(context);
        if let Some(yielder) = context.yield_from.get() {
            self.complete_yield(yielder);
        }
        context.deactivate();
    }
}

/// Whether a slot that holds only `rest` may be emptied.
fn is_removable(rest: Cap, slot: Ref<Slot>) -> bool {
    match rest.kind() {
        Kind::Null => true,
        Kind::Zombie => {
            let zombie = rest.as_zombie();
            zombie.remaining == 0 || zombie.remaining == 1 && zombie.slots == slot
        }
        _ => false,
    }
}
