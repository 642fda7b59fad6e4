//! Debug system calls: seL4's, and two that tests misuse. Only in builds with `debug-syscalls`.

use crate::Entry;
use abi::fault::FaultType;
use abi::syscall::Syscall;
use capability::{Kind, lookup_slot};
use core::fmt::Write;
use ipc::Buffer;
use machine::{Machine, Register};
use memory::Ref;
use thread::registers::place;
use thread::{Fault, Tcb, TcbSlot};

/// The partition's console as a `core::fmt` sink.
struct Console<'m>(&'m Machine);

impl Write for Console<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        text.bytes().for_each(|byte| self.0.put_byte(byte));
        Ok(())
    }
}

impl Entry<'_> {
    pub(crate) fn debug_syscall(&mut self, syscall: Syscall) {
        let current = self.core.current.get();
        let argument = current.context.get(Register::Rdi);
        match syscall {
            Syscall::DebugPutChar => self.machine.put_byte(argument as u8),
            Syscall::DebugCapIdentify => {
                let kind =
                    lookup_slot(current.cap(TcbSlot::CSpace), argument).map_or(Kind::Null, |slot| slot.cap().kind());
                current.context.set(Register::Rdi, kind as u64);
            }
            Syscall::DebugNameThread => self.name_thread(argument),
            Syscall::DebugSnapshot | Syscall::DebugDumpScheduler => self.print_scheduler(),
            Syscall::DebugHalt => panic!("halted by its program (DebugHalt)"),
            Syscall::SkerryDebugPanic => panic!("asked to panic by its program"),
            Syscall::SkerryDebugPeek => {
                let word = memory::peek(argument);
                current.context.set(Register::Rdi, word);
            }
            _ => self.report(current, Fault::unknown_syscall(syscall as i64 as u64)),
        }
    }

    fn name_thread(&self, cptr: u64) {
        let current = self.core.current.get();
        let Ok(slot) = lookup_slot(current.cap(TcbSlot::CSpace), cptr) else { return };
        let cap = slot.cap();
        let Some(buffer) = Buffer::of(current, capability::Rights::READ) else { return };
        if cap.kind() != Kind::Thread {
            return;
        }
        let mut name = [0; 32];
        for (index, byte) in name.iter_mut().enumerate().take(31) {
            let word = buffer.message(index / 8);
            *byte = (word >> (index % 8 * 8)) as u8;
            if *byte == 0 {
                break;
            }
        }
        cap.object::<Tcb>().name.set(name);
    }

    fn print_scheduler(&self) {
        let current = self.core.current.get();
        let mut console = Console(self.machine);
        let _ = writeln!(
            console,
            "current {} priority {} domain {} at {:#x}",
            Name(current.name.get()),
            current.priority.get(),
            current.domain.get(),
            current.context.get(Register::NextIp),
        );
        let [nmis, machine_checks] = self.machine.mishaps();
        let _ = writeln!(console, "non-maskable interrupts {nmis}, machine checks survived {machine_checks}");
    }

    /// Says on the console why a thread stopped for good.
    pub(crate) fn print_unhandled(&self, thread: Ref<Tcb>, fault: Fault) {
        let what = match fault.kind() {
            FaultType::NullFault => "no fault",
            FaultType::CapFault => "capability fault at",
            FaultType::UnknownSyscall => "unknown system call",
            FaultType::UserException => "processor exception",
            FaultType::DebugException => "breakpoint or step",
            FaultType::Timeout => "timeout",
            FaultType::VMFault => "page fault at",
        };
        let ip = thread.context.get(place(abi::register::UserRegister::Rip));
        let [first, second, ..] = fault.words();
        let name = Name(thread.name.get());
        let _ = writeln!(
            Console(self.machine),
            "thread {name} stopped, no fault handler: {what} {first:#x} ({second:#x}), ip {ip:#x}"
        );
    }
}

/// A zero-padded name for printing.
struct Name([u8; 32]);

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        match core::str::from_utf8(self.0.get(..end).unwrap_or(&[])) {
            Ok("") | Err(_) => f.write_str("(unnamed)"),
            Ok(name) => f.write_str(name),
        }
    }
}
