//! Other cores of the instance: whose a thread is, and how one core makes another let go of it or look again.
//!
//! A thread belongs to its *home* core: it is in that core's queues and runs there. Whoever has the instance to itself
//! (the exclusive holder of existence, see `docs/locking.md`) may change any thread, but what another core holds in its
//! registers must be put back first: the running thread's time, the FPU, the address space, or only the last. That is a
//! *recall*. Where a
//! core only has to look again (a better thread is ready, a timer must be set anew) a *poke* at the end of the entry
//! does. With one core to the instance all of this is nothing.

use crate::core_state::Wanted;
use crate::{Action, Core, Tcb, Threads, TimeoutFault};
use ipi::route::Summons;
use machine::Register;
use memory::{Phys, Ref};
use sync::CoreIndex;

impl Threads<'_> {
    /// The core that `thread` belongs to.
    #[inline(always)]
    pub fn home(&self, thread: Ref<Tcb>) -> &Core {
        self.cores.of(thread.home.get())
    }

    /// Whether `thread` belongs to this core.
    #[inline(always)]
    pub fn is_here(&self, thread: Ref<Tcb>) -> bool {
        self.core.owns(thread)
    }

    /// Whether another core took away what this one ran while it waited to enter: there is nobody whose entry this is.
    #[inline(always)]
    pub fn was_recalled(&self) -> bool {
        sync::CORES > 1 && self.core.current.get() == self.core.idle
    }

    /// Loads the address space again, if another core took it away while this one waited to enter.
    #[inline(always)]
    pub fn regain_space(&self) {
        if sync::CORES > 1 && self.core.space_lost.take() {
            self.set_address_space(self.core.current.get());
        }
    }

    /// Makes sure that no other core has anything of `thread` in its registers.
    #[inline(always)]
    pub fn take_back(&self, thread: Ref<Tcb>) {
        if !self.is_here(thread) {
            let home = self.home(thread);
            if home.current.get() == thread || home.fpu_owner() == Some(thread) {
                self.recall(home, Wanted::Everything);
            }
        }
    }

    /// Makes sure that no other core translates addresses with the tables at `root`, now or from its cache.
    pub fn take_back_space(&self, root: Phys) {
        for (_, core) in self.cores.iter() {
            if core.index != self.core.index && core.machine.current_address_space() == root.0 {
                self.recall(core, Wanted::Space);
            }
        }
    }

    /// Gives `thread`, which is in no queue, to core `to`.
    pub fn migrate(&self, thread: Ref<Tcb>, to: CoreIndex) {
        if thread.home.get() == to {
            return;
        }
        self.take_back(thread);
        self.save_fpu_of(thread);
        thread.home.set(to);
    }

    /// Puts the FPU registers of `thread` into its control block, if this core has them.
    pub fn save_fpu_of(&self, thread: Ref<Tcb>) {
        if self.core.fpu_owner() == Some(thread) {
            self.machine.fpu_enable();
            self.machine.fpu_save(&thread.fpu);
            self.core.set_fpu_owner(None);
            self.machine.fpu_disable();
        }
    }

    /// The timer of `core` must be set anew.
    pub(crate) fn reprogram(&self, core: &Core) {
        core.reprogram.set(true);
        if core.index != self.core.index {
            self.note_poke(core);
        }
    }

    /// `core`, another one, must choose anew.
    pub(crate) fn poke(&self, core: &Core) {
        core.action.set(Action::Choose);
        self.note_poke(core);
    }

    fn note_poke(&self, core: &Core) {
        self.core.pokes.set(self.core.pokes.get() | 1 << core.index.get());
    }

    /// Interrupts every core that was poked; for the end of an entry.
    #[inline(always)]
    pub fn send_pokes(&self) {
        if sync::CORES > 1 {
            let pokes = self.core.pokes.take();
            for (index, _) in self.cores.iter().filter(|(index, _)| pokes >> index.get() & 1 != 0) {
                self.machine.interrupt_core(index.get(), Summons::Reschedule);
            }
        }
    }

    fn recall(&self, core: &Core, wanted: Wanted) {
        let target = core.index;
        core.wanted.set(wanted);
        self.recalls.request(target, || self.machine.interrupt_core(target.get(), Summons::Recall));
    }

    /// Answers a recall, if there is one; to be called while this core waits for the instance.
    #[inline]
    pub fn answer_recall(&self) {
        self.recalls.answer(self.core.index, || match self.core.wanted.get() {
            Wanted::Everything => self.put_back(),
            Wanted::Space => self.put_back_space(),
        });
    }

    /// Gives up the address space, so that nothing of it is remembered. The thread that runs keeps its turn.
    fn put_back_space(&self) {
        self.machine.set_address_space(self.kernel_root.0, 0);
        self.core.space_lost.set(true);
    }

    /// Gives up everything that is in this core's registers. The thread that ran goes to the front of its queue and will
    /// repeat what brought it into the kernel: nothing of that has happened yet.
    fn put_back(&self) {
        let core = self.core;
        if let Some(owner) = core.fpu_owner() {
            self.save_fpu_of(owner);
        }
        let current = core.current.get();
        if current != core.idle {
            current.context.set(Register::NextIp, current.context.get(Register::FaultIp));
            self.update_time();
            let used = core.consumed.get();
            if self.refills(core.current_context.get()).is_sufficient(used) {
                self.commit_time();
                self.enqueue(current);
            } else {
                // Its slice ended; the timeout handler hears of it the next time.
                let _ = self.charge_budget(used, TimeoutFault::Suppressed);
            }
        }
        core.current.set(core.idle);
        core.current_context.set(core.idle_context);
        core.action.set(Action::Choose);
        core.reprogram.set(true);
        self.put_back_space();
        self.machine.set_current(core.idle.word());
    }
}
