//! Fast paths: Call and ReplyRecv between threads that hand one scheduling context back and forth.
//!
//! A fast path first checks that the slow path would do exactly this, then does it: the same objects end in the same
//! state, without accounting (the context goes along, so its time goes on being counted). Anything unusual returns `false`
//! having changed nothing, and the slow path decides. Tests run scenarios with and without, and compare the memory
//! (`image/tests/instance/fast_paths.rs` and `fuzz.rs` there).
//!
//! A fast path shares the instance with other cores (`docs/locking.md`): it reads slots, changes only threads and contexts of
//! its own core, and holds the endpoint and the reply that it uses.

use crate::OnCore;
use abi::syscall::Syscall;
use capability::{Cap, Kind, Rights, Slot, lookup_slot};
use ipc::{Endpoint, MESSAGE_REGISTERS, Notification};
use machine::Register;
use memory::{Phys, Ref};
use sync::Held;
use sync::rank::Existence;
use thread::{Chain, Core, Reply, SchedContext, State, Tcb, TcbSlot, flag};

/// Message info bits that must be zero (extra capabilities) or small (length).
const CAPS_AND_LENGTH: u64 = 0x1ff;
const LENGTH: u64 = 0x7f;
const FAST_LENGTH: u64 = abi::message::FAST_REGISTERS as u64;

impl OnCore<'_> {
    /// Tries to do the current thread's system call by a fast path; says whether it is done.
    #[inline(always)]
    pub(crate) fn fast_syscall(self) -> bool {
        let ipc = self.ipc();
        let mut shared = self.kernel.locks.existence.share(self.core().index, || ipc.answer_recall());
        if ipc.was_recalled() {
            return false;
        }
        let current = self.core().current.get();
        match current.context.get(Register::Rdx) as i64 {
            number if number == Syscall::Call as i64 => self.fast_call(current, shared.held()),
            number if number == Syscall::ReplyRecv as i64 => self.fast_reply_receive(current, shared.held()),
            _ => false,
        }
    }

    #[inline(always)]
    fn fast_call(self, caller: Ref<Tcb>, held: &mut Held<'_, Existence>) -> bool {
        let core = self.core();
        let info = caller.context.get(Register::Rsi);
        let cap = fast_lookup(caller.cap(TcbSlot::CSpace), caller.context.get(Register::Rdi));
        let rights = cap.rights();
        let may_call = rights.allow(Rights::WRITE) && (rights.word() & 0b1100) != 0;
        if info & CAPS_AND_LENGTH > FAST_LENGTH || cap.kind() != Kind::Endpoint || !may_call {
            return false;
        }
        let endpoint: Ref<Endpoint> = cap.object();
        let mut object = self.kernel.locks.objects.lock(endpoint.word(), held);
        let Some(callee) = endpoint.first_receiver().filter(|callee| core.owns(*callee)) else { return false };
        let (Some(reply), None) = (callee.reply.get(), callee.sched_context.get()) else { return false };
        let _reply = self.kernel.locks.replies.lock(reply.word(), object.held());
        let Some(context) = caller.sched_context.get() else { return false };
        let Some(space) = self.fast_space(callee) else { return false };
        if !may_run_next(core, caller, callee) {
            return false;
        }

        endpoint.take_first(callee);
        reply.thread.set(Some(caller));
        caller.reply.set(Some(reply));
        caller.state.set(State::BLOCKED_ON_REPLY);
        Reply::push(reply, context);
        move_context(context, caller, callee);
        callee.reply.set(None);
        callee.state.set(State::RUNNING);
        deliver(caller, callee, info, cap.badge());
        self.fast_switch(callee, space);
        true
    }

    #[inline(always)]
    fn fast_reply_receive(self, server: Ref<Tcb>, held: &mut Held<'_, Existence>) -> bool {
        let core = self.core();
        let info = server.context.get(Register::Rsi);
        let root = server.cap(TcbSlot::CSpace);
        let cap = fast_lookup(root, server.context.get(Register::Rdi));
        let reply_cap = fast_lookup(root, server.context.get(Register::R12));
        if info & CAPS_AND_LENGTH > FAST_LENGTH
            || cap.kind() != Kind::Endpoint
            || !cap.rights().allow(Rights::READ)
            || reply_cap.kind() != Kind::Reply
        {
            return false;
        }
        let endpoint: Ref<Endpoint> = cap.object();
        let mut object = self.kernel.locks.objects.lock(endpoint.word(), held);
        if endpoint.has_senders() || hears_notification(server) {
            return false;
        }
        let reply: Ref<Reply> = reply_cap.object();
        let _reply = self.kernel.locks.replies.lock(reply.word(), object.held());
        let Some(caller) = reply.thread.get().filter(|caller| core.owns(*caller)) else { return false };
        let (Some(context), None) = (server.sched_context.get(), caller.sched_context.get()) else { return false };
        let newest = reply.next() == Chain::Head(context);
        if caller.state.get() != State::BLOCKED_ON_REPLY || !caller.fault.get().is_none() || !newest {
            return false;
        }
        let Some(space) = self.fast_space(caller) else { return false };
        if !may_run_next(core, server, caller) {
            return false;
        }

        Reply::pop(reply, context);
        move_context(context, server, caller);
        caller.reply.set(None);
        caller.state.set(State::RUNNING);
        reply.thread.set(Some(server));
        server.reply.set(Some(reply));
        server.blocked_on.set(endpoint.phys());
        server.state.set(State::BLOCKED_ON_RECEIVE);
        endpoint.add_receiver(server);
        deliver(server, caller, info, 0);
        self.fast_switch(caller, space);
        true
    }

    /// The valid address space of `thread`: root and ASID.
    #[inline(always)]
    fn fast_space(self, thread: Ref<Tcb>) -> Option<(Phys, u16)> {
        let root = thread.cap(TcbSlot::VSpace);
        let (asid, _) = root.mapping()?;
        // The slot holds nothing but an address space, and only while it is assigned has it an ASID.
        (self.kernel.asids().root(asid) == Some(root.object())).then_some((root.phys(), asid))
    }

    #[inline(always)]
    fn fast_switch(self, thread: Ref<Tcb>, (root, asid): (Phys, u16)) {
        let core = self.core();
        let machine = self.machine();
        machine.set_address_space(root.0, asid);
        if core.fpu_owner.get() == Some(thread) && !thread.has(flag::FPU_DISABLED) {
            machine.fpu_enable();
        } else {
            machine.fpu_disable();
        }
        core.current.set(thread);
        machine.load_bases(thread.context.get(Register::FsBase), thread.context.get(Register::GsBase));
        machine.set_current_context(&raw const thread.context);
    }
}

/// The capability that `cptr` names, by one step where the root CNode resolves all of it.
#[inline(always)]
fn fast_lookup(root: Cap, cptr: u64) -> Cap {
    if root.is_whole_cnode() && cptr >> root.radix() == 0 {
        return Slot::neighbour(root.object(), cptr).cap();
    }
    lookup_by_steps(root, cptr)
}

/// Out of line, so that the common case keeps its registers.
#[cold]
#[inline(never)]
fn lookup_by_steps(root: Cap, cptr: u64) -> Cap {
    lookup_slot(root, cptr).map_or(Cap::NULL, |slot| slot.cap())
}

/// Whether the scheduler would pick `next`, which is about to become ready, after `current` blocks.
#[inline(always)]
fn may_run_next(core: &Core, current: Ref<Tcb>, next: Ref<Tcb>) -> bool {
    next.domain.get() == core.domain.get()
        && (next.priority.get() >= current.priority.get() || core.is_highest(next.priority.get()))
}

/// Whether a notification may have to be served before, or given its time back.
#[inline(always)]
fn hears_notification(thread: Ref<Tcb>) -> bool {
    let phys = thread.bound_notification.get();
    phys != Phys(0) && {
        let notification: Ref<Notification> = Ref::at(phys);
        notification.is_active() || notification.lent().is_some()
    }
}

#[inline(always)]
fn move_context(context: Ref<SchedContext>, from: Ref<Tcb>, to: Ref<Tcb>) {
    from.sched_context.set(None);
    context.thread.set(Some(to));
    to.sched_context.set(Some(context));
}

#[inline(always)]
fn deliver(from: Ref<Tcb>, to: Ref<Tcb>, info: u64, badge: u64) {
    // Registers beyond the message's length keep what the receiver had in them.
    for register in MESSAGE_REGISTERS.into_iter().take((info & LENGTH) as usize) {
        to.context.set(register, from.context.get(register));
    }
    // Label and length stay; nothing was unwrapped.
    to.context.set(Register::Rsi, info & !0xf80);
    to.context.set(Register::Rdi, badge);
}
