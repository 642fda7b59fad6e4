//! From a CPtr and a message to the object's own decoding, and the answer back.

use crate::args::Args;
use crate::entry::Mode;
use crate::{Entry, Outcome, Refusal, Stop};
use abi::error::Error;
use abi::invocation::Invocation;
use abi::message::{FAST_REGISTERS, MessageInfo};
use abi::register;
use capability::{Cap, Kind, Rights, Slot, lookup_slot};
use ipc::{Buffer, Endpoint, Notification, Sending, extra_caps, message_info, set_word};
use memory::Ref;
use sync::CoreIndex;
use thread::registers::place;
use thread::{Fault, Phase, State, Tcb, TcbSlot};

impl Entry<'_> {
    /// Invokes the capability that `cptr` names, with the current thread's message.
    pub(crate) fn invoke(&mut self, cptr: u64, mode: Mode) -> Outcome {
        let thread = self.core.current.get();
        let info = message_info(thread);
        let slot = match lookup_slot(thread.cap(TcbSlot::CSpace), cptr) {
            Ok(slot) => slot,
            Err(failure) => {
                if mode.blocking {
                    self.report(thread, Fault::capability(cptr, Phase::Send, failure));
                }
                return Ok(());
            }
        };
        let caps = match extra_caps(thread, info) {
            Ok(caps) => caps,
            Err((cptr, failure)) => {
                if mode.blocking {
                    self.report(thread, Fault::capability(cptr, Phase::Send, failure));
                }
                return Ok(());
            }
        };
        let args = Args::new(thread, info, caps, mode.call);
        match self.decode(slot, &args, mode) {
            Ok(()) => {
                if thread.state.get() == State::RESTART {
                    if mode.call {
                        self.write_answer(thread, 0, &[]);
                    }
                    self.set_state(thread, State::RUNNING);
                }
                Ok(())
            }
            Err(Stop::Refused(refusal)) => {
                if mode.call {
                    let words = refusal.words.get(..refusal.length).unwrap_or(&[]);
                    self.write_answer(thread, refusal.error.word(), words);
                }
                Err(Stop::Refused(refusal))
            }
            Err(Stop::Preempted) => Err(Stop::Preempted),
        }
    }

    fn decode(&mut self, slot: Ref<Slot>, args: &Args, mode: Mode) -> Outcome {
        let cap = slot.cap();
        let invocation = Invocation::from_label(args.label);
        let not_in_first_phase =
            || -> Outcome { if mode.first_phase { Err(Refusal::capability(0).into()) } else { Ok(()) } };
        match cap.kind() {
            Kind::Null | Kind::Zombie => Err(Refusal::capability(0).into()),
            Kind::Endpoint => {
                if !cap.rights().allow(Rights::WRITE) {
                    return Err(Refusal::capability(0).into());
                }
                self.will_succeed();
                let how = Sending {
                    blocking: mode.blocking,
                    call: mode.call,
                    badge: cap.badge(),
                    rights: cap.rights(),
                    donate: mode.donate,
                };
                self.send(args.thread, cap.object::<Endpoint>(), how);
                Ok(())
            }
            Kind::Notification => {
                if !cap.rights().allow(Rights::WRITE) {
                    return Err(Refusal::capability(0).into());
                }
                self.will_succeed();
                self.signal(cap.object::<Notification>(), cap.badge());
                Ok(())
            }
            Kind::Reply => {
                self.will_succeed();
                self.reply(args.thread, cap.object(), cap.rights());
                Ok(())
            }
            Kind::Doorbell => {
                self.will_succeed();
                let machine = self.kernel.first_machine();
                self.interrupts().ring(machine, cap.index());
                Ok(())
            }
            Kind::Thread => not_in_first_phase().and_then(|()| self.invoke_thread(slot, cap, invocation, args)),
            Kind::Domain => not_in_first_phase().and_then(|()| self.invoke_domain(invocation, args)),
            Kind::CNode => not_in_first_phase().and_then(|()| self.invoke_cnode(cap, invocation, args)),
            Kind::Untyped => self.invoke_untyped(slot, invocation, args),
            Kind::SchedControl => {
                not_in_first_phase()?;
                let home = CoreIndex::new(cap.index() as usize).unwrap_or(CoreIndex::FIRST);
                self.invoke_sched_control(home, invocation, args)
            }
            Kind::SchedContext => {
                not_in_first_phase().and_then(|()| self.invoke_sched_context(cap.object(), invocation, args))
            }
            Kind::IrqControl => self.invoke_irq_control(slot, invocation, args),
            Kind::IrqHandler => self.invoke_irq_handler(cap, invocation, args),
            Kind::Frame => self.invoke_frame(slot, invocation, args),
            Kind::PageTable | Kind::PageDirectory | Kind::Pdpt => self.invoke_table(slot, invocation, args),
            Kind::AsidControl => self.invoke_asid_control(invocation, args),
            Kind::AsidPool => self.invoke_asid_pool(cap, invocation, args),
            Kind::IoPortControl => self.invoke_io_port_control(slot, invocation, args),
            Kind::IoPort => self.invoke_io_port(cap, invocation, args),
            Kind::Pml4 => Err(Refusal::plain(Error::IllegalOperation).into()),
        }
    }

    /// The invocation was checked: from here it either finishes or is repeated.
    #[inline(always)]
    pub(crate) fn will_succeed(&self) {
        self.set_state(self.core.current.get(), State::RESTART);
    }

    /// Answers a successful invocation with `words`.
    pub(crate) fn answer(&self, args: &Args, words: &[u64]) {
        if args.is_call {
            self.write_answer(args.thread, 0, words);
        }
        self.set_state(args.thread, State::RUNNING);
    }

    fn write_answer(&self, thread: Ref<Tcb>, label: u64, words: &[u64]) {
        let buffer = Buffer::of(thread, Rights::READ.or(Rights::WRITE));
        // Without a buffer only the words in registers arrive, and the answer says so.
        let arrive = if buffer.is_some() { words.len() } else { words.len().min(FAST_REGISTERS) };
        for (index, &word) in words.iter().enumerate() {
            set_word(thread, buffer, index, word);
        }
        thread.context.set(place(register::BADGE), 0);
        let info = MessageInfo::new(label, 0, 0, arrive as u64);
        thread.context.set(place(register::MESSAGE_INFO), info.word());
    }

    /// The thread that a capability names; refuses any other kind as capability `number`.
    pub(crate) fn thread_of(cap: Cap, number: u64) -> Result<Ref<Tcb>, Refusal> {
        if cap.kind() == Kind::Thread { Ok(cap.object()) } else { Err(Refusal::capability(number)) }
    }
}
