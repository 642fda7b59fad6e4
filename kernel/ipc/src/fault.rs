//! Faults as messages: what the handler hears, and what its answer changes.

use crate::transfer::{set_word, word};
use crate::{Buffer, Endpoint, Ipc, Sending};
use abi::breakpoint::Kind as BreakpointKind;
use abi::fault::{self, FaultType};
use abi::message::MessageInfo;
use abi::register::{self, UserRegister};
use capability::{Cap, Kind, Rights};
use machine::Register;
use memory::Ref;
use thread::registers::{place, write_user};
use thread::{Fault, State, Tcb, TcbSlot};

impl Ipc<'_> {
    /// Stops `thread` for `fault` and tells its fault handler; without one it stays stopped. Says whether one was told.
    pub fn fault(&self, thread: Ref<Tcb>, fault: Fault) -> bool {
        let donate = thread.sched_context.get().is_some();
        let told = self.send_fault(thread, fault, thread.cap(TcbSlot::FaultHandler), donate);
        if !told {
            self.set_state(thread, State::INACTIVE);
        }
        told
    }

    /// Tells the timeout handler of `thread` that its budget is used up.
    pub fn timeout(&self, thread: Ref<Tcb>) {
        let badge = thread.sched_context.get().map_or(0, |context| context.badge.get());
        self.send_fault(thread, Fault::timeout(badge), thread.cap(TcbSlot::TimeoutHandler), false);
    }

    fn send_fault(&self, thread: Ref<Tcb>, fault: Fault, handler: Cap, donate: bool) -> bool {
        if handler.kind() != Kind::Endpoint {
            return false;
        }
        thread.fault.set(fault);
        let how = Sending { blocking: true, call: false, badge: handler.badge(), rights: handler.rights(), donate };
        self.send(thread, handler.object::<Endpoint>(), how);
        true
    }

    /// Writes the fault of `sender`, which is `fault`, as a message to `receiver`.
    #[inline(always)]
    pub fn transfer_fault(&self, sender: Ref<Tcb>, fault: Fault, receiver: Ref<Tcb>, badge: u64) {
        let buffer = Buffer::of(receiver, Rights::READ.or(Rights::WRITE));
        self.transfer_fault_by(buffer, sender, fault, receiver, badge);
    }

    /// The same with the buffer of `receiver`.
    #[inline(always)]
    pub fn transfer_fault_by(
        &self,
        buffer: Option<Ref<Buffer>>,
        sender: Ref<Tcb>,
        fault: Fault,
        receiver: Ref<Tcb>,
        badge: u64,
    ) {
        let mut length = 0;
        let mut put = |value: u64| {
            set_word(receiver, buffer, length, value);
            length += 1;
        };
        let words = fault.words();
        let register = |register: UserRegister| sender.context.get(place(register));
        match fault.kind() {
            FaultType::NullFault => {}
            FaultType::CapFault => {
                put(register(UserRegister::Rip));
                let details = match words[2] {
                    1 => 0,
                    2 => 1,
                    3 => 2,
                    _ => 3,
                };
                for &value in &words[..3 + details] {
                    put(value);
                }
            }
            FaultType::UnknownSyscall => {
                for &name in fault::UNKNOWN_SYSCALL_REGISTERS.iter() {
                    put(register(name));
                }
                put(words[0]);
            }
            FaultType::UserException => {
                for &name in fault::USER_EXCEPTION_REGISTERS.iter() {
                    put(register(name));
                }
                put(words[0]);
                put(words[1]);
            }
            FaultType::DebugException => {
                put(register(UserRegister::Rip));
                let is_breakpoint = words[0] <= BreakpointKind::Instruction.word();
                for &value in if is_breakpoint { &words[..3] } else { &words[..1] } {
                    put(value);
                }
            }
            FaultType::Timeout => {
                put(words[0]);
                put(sender.sched_context.get().map_or(0, |context| self.take_consumed_us(context)));
            }
            FaultType::VMFault => {
                put(register(UserRegister::Rip));
                put(words[0]);
                put(words[2]);
                put(words[1]);
            }
        }
        // Words that found no buffer did not arrive.
        let length = if buffer.is_none() { length.min(abi::message::FAST_REGISTERS) } else { length };
        let info = MessageInfo::new(fault.kind().word(), 0, 0, length as u64);
        receiver.context.set(place(register::MESSAGE_INFO), info.word());
        receiver.context.set(place(register::BADGE), badge);
    }

    /// As [`answer_fault`](Self::answer_fault), of a processor exception by a message in registers; says whether it was that.
    #[inline(always)]
    pub fn answer_exception(&self, thread: Ref<Tcb>, handler: Ref<Tcb>, info: MessageInfo) -> bool {
        let length = info.length();
        match thread.fault.kind() {
            FaultType::VMFault => return true,
            FaultType::UserException if length <= abi::message::FAST_REGISTERS => {}
            _ => return false,
        }
        let [ip, sp, flags] = fault::USER_EXCEPTION_REGISTERS;
        let [first, second, third, _] = crate::MESSAGE_REGISTERS;
        let write = |name, word| write_user(&thread.context, name, handler.context.get(word));
        if length > 0 {
            write(ip, first);
        }
        if length > 1 {
            write(sp, second);
        }
        if length > 2 {
            write(flags, third);
        }
        true
    }

    /// Applies the reply of `handler` to the fault of `thread`; says whether the thread goes on.
    pub fn answer_fault(&self, thread: Ref<Tcb>, handler: Ref<Tcb>, info: MessageInfo) -> bool {
        let in_registers = info.length() <= abi::message::FAST_REGISTERS;
        let buffer = if in_registers { None } else { Buffer::of(handler, Rights::READ) };
        let length = if buffer.is_some() { info.length() } else { info.length().min(abi::message::FAST_REGISTERS) };
        let words = Words { of: handler, buffer, length };
        match thread.fault.kind() {
            FaultType::UnknownSyscall => words.copy(thread, &fault::UNKNOWN_SYSCALL_REGISTERS),
            FaultType::UserException => words.copy(thread, &fault::USER_EXCEPTION_REGISTERS),
            FaultType::Timeout => words.copy(thread, &fault::TIMEOUT_REPLY_REGISTERS),
            FaultType::DebugException => {
                if thread.fault.get().words()[0] == BreakpointKind::SingleStep.word() {
                    let steps = if length == 0 { 1 } else { word(handler, buffer, 0) };
                    thread.step(steps);
                }
            }
            _ => return true,
        }
        info.label() == 0
    }

    /// Microseconds used since the last question, and starts counting anew.
    pub fn take_consumed_us(&self, context: Ref<thread::SchedContext>) -> u64 {
        let consumed = context.consumed.replace(0);
        self.clock().us(consumed)
    }

    /// Makes a restarting thread run from its restart address; to be called before the current thread leaves the kernel.
    #[inline(always)]
    pub fn activate(&self) {
        let current = self.core.current.get();
        if current.yield_to.get().is_some() {
            self.complete_yield(current);
        }
        if current.state.get() == State::RESTART {
            current.context.restart();
            self.set_state(current, State::RUNNING);
        }
    }

    /// The thread yielded to another and is back: it learns how much the other consumed.
    pub fn complete_yield(&self, thread: Ref<Tcb>) {
        let Some(context) = thread.yield_to.get() else { return };
        let buffer = Buffer::of(thread, Rights::READ.or(Rights::WRITE));
        set_word(thread, buffer, 0, self.take_consumed_us(context));
        thread.context.set(place(register::BADGE), 0);
        thread.context.set(place(register::MESSAGE_INFO), MessageInfo::new(0, 0, 0, 1).word());
        self.cancel_yield(thread);
        self.set_state(thread, State::RUNNING);
        thread.context.set(Register::FaultIp, thread.context.get(Register::NextIp));
    }
}

/// The words of an answer.
#[derive(Clone, Copy)]
struct Words {
    of: Ref<Tcb>,
    buffer: Option<Ref<Buffer>>,
    length: usize,
}

impl Words {
    /// Writes them to the registers `names` of `to`, as far as there are words.
    #[inline(always)]
    fn copy<const N: usize>(self, to: Ref<Tcb>, names: &[UserRegister; N]) {
        for (index, &name) in names.iter().enumerate().take(self.length) {
            write_user(&to.context, name, word(self.of, self.buffer, index));
        }
    }
}
