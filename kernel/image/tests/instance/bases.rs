//! Segment bases that a thread writes itself: one instruction at a time, and nobody else notices.

use crate::harness::{Call, Options, System, Thread, slot};
use abi::fault::FaultType;
use abi::invocation::Invocation::*;
use abi::syscall::Syscall;
use machine::Register;
use manifest::handoff::features;

const DEBUG: u64 = 1;
const ILLEGAL_INSTRUCTION: u64 = 6;
const GENERAL_PROTECTION: u64 = 13;
const TRAP_FLAG: u64 = 1 << 8;
const BASES: (u64, u64) = (0x1000, 0x2000);

struct Scene {
    system: System,
    handler: Thread,
    writer: Thread,
    endpoint: u64,
    reply: u64,
}

/// A handler of priority 20 that waits for faults of a writer of priority 10, which runs.
fn scene(features: u32) -> Scene {
    let system = System::with(Options { features, ..Options::default() });
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let handler = system.thread(20);
    let writer = system.thread(10);
    system.invoke(writer.cap, TCBSetSchedParams, &[0, 10], &[slot::TCB, writer.sc, endpoint]).ok();
    system.step_back();
    system.resume(handler);
    system.recv(endpoint, reply);
    system.resume(writer);
    let scene = Scene { system, handler, writer, endpoint, reply };
    assert!(scene.runs());
    scene
}

impl Scene {
    fn runs(&self) -> bool {
        self.system.current() == self.writer.tcb
    }

    fn get(&self, register: Register) -> u64 {
        self.writer.tcb.context.get(register)
    }

    fn is_stepping(&self) -> bool {
        self.get(Register::Rflags) & TRAP_FLAG != 0
    }

    fn can_write(&self) -> bool {
        let (fs, gs) = self.system.machine().bases();
        self.system.machine().write_bases(fs, gs)
    }

    fn raise(&self, vector: u64) {
        self.system.exception(vector, 0);
    }

    /// The exception that the handler was told; the flags in it are the writer's own.
    fn told(&self) -> u64 {
        assert_eq!(self.system.current(), self.handler.tcb);
        let fault = self.system.answer_of(self.handler.tcb);
        assert_eq!(fault.label, FaultType::UserException as u64);
        assert_eq!(fault.words[2] & TRAP_FLAG, 0);
        fault.words[3]
    }

    /// The handler lets the writer go on at `ip`.
    fn go_on(&self, ip: u64) {
        self.system.load(&Call { cap: self.endpoint, label: 0, words: &[ip], caps: &[] });
        self.system.receive(Syscall::ReplyRecv, self.endpoint, self.reply);
        assert!(self.runs());
    }

    fn write(&self) {
        assert!(self.runs() && self.is_stepping());
        assert!(self.system.machine().write_bases(BASES.0, BASES.1));
        self.raise(DEBUG);
        assert!(self.runs() && !self.is_stepping() && !self.can_write());
        assert_eq!((self.get(Register::FsBase), self.get(Register::GsBase)), BASES);
        assert_eq!(self.system.machine().bases(), BASES);
    }
}

#[test]
fn a_thread_writes_its_bases() {
    let scene = scene(features::FSGSBASE);
    assert!(!scene.can_write());
    for _ in 0..2 {
        scene.raise(ILLEGAL_INSTRUCTION);
        scene.write();
    }
}

#[test]
fn a_base_that_is_not_canonical_is_none() {
    let scene = scene(features::FSGSBASE);
    scene.raise(ILLEGAL_INSTRUCTION);
    assert!(scene.system.machine().write_bases(1 << 47, u64::MAX));
    scene.raise(DEBUG);
    assert_eq!((scene.get(Register::FsBase), scene.get(Register::GsBase)), (0, u64::MAX));
    assert_eq!(scene.system.machine().bases(), (0, u64::MAX));
}

#[test]
fn what_is_illegal_all_the_same_is_a_fault_and_at_once_the_next_time() {
    let scene = scene(features::FSGSBASE);
    for (ip, tries) in [(0x40_0000, 2), (0x40_0000, 1), (0x50_0000, 2), (0x40_0000, 2)] {
        for nth in 0..tries {
            assert!(scene.runs());
            if nth == 0 {
                scene.writer.tcb.context.set(Register::NextIp, ip);
            }
            scene.raise(ILLEGAL_INSTRUCTION);
        }
        assert_eq!(scene.told(), ILLEGAL_INSTRUCTION);
        assert!(!scene.can_write());
        scene.go_on(ip);
    }
}

#[test]
fn whoever_runs_in_between_is_lent_nothing() {
    let scene = scene(features::FSGSBASE);
    let other = scene.system.thread(10);
    scene.system.resume(other);
    let give_way = || scene.system.receive(Syscall::Yield, 0, 0);
    for by_slice in [true, false] {
        assert!(scene.runs());
        scene.raise(ILLEGAL_INSTRUCTION);
        assert!(scene.can_write());
        if by_slice {
            scene.system.tick(10_000);
        } else {
            // Another thread changed the code in the meantime: a system call is in its place.
            give_way();
        }
        assert_eq!(scene.system.current(), other.tcb);
        assert!(!scene.can_write());
        give_way();
        scene.raise(ILLEGAL_INSTRUCTION);
        scene.write();
    }
}

#[test]
fn who_reads_writes_or_copies_registers_in_between_sees_no_step() {
    let scene = scene(features::FSGSBASE);
    let (system, writer) = (&scene.system, scene.writer.cap);
    let reader = system.thread(10);
    system.resume(reader);
    let accesses: [(_, &[u64], &[u64]); 4] = [
        (TCBReadRegisters, &[0, 3], &[]),
        (TCBWriteRegisters, &[0, 1, 0x40_0000], &[]),
        (TCBCopyRegisters, &[4], &[reader.cap]),
        (TCBCopyRegisters, &[8], &[writer]),
    ];
    for (access, words, others) in accesses {
        scene.raise(ILLEGAL_INSTRUCTION);
        assert!(scene.runs() && scene.is_stepping() && scene.can_write());
        system.tick(10_000);
        assert_eq!(system.current(), reader.tcb);
        let target = if others == [writer] { reader.cap } else { writer };
        let told = system.invoke(target, access, words, others).ok();
        assert!(access != TCBReadRegisters || told[2] & TRAP_FLAG == 0);
        assert!(!scene.is_stepping() && !scene.can_write());
        system.receive(Syscall::Yield, 0, 0);
        scene.raise(ILLEGAL_INSTRUCTION);
        scene.write();
    }
}

#[test]
fn another_exception_of_the_instruction_is_told_and_the_step_is_not() {
    let scene = scene(features::FSGSBASE);
    scene.raise(ILLEGAL_INSTRUCTION);
    assert!(scene.system.machine().write_bases(0, 0));
    scene.system.here().slow_exception(GENERAL_PROTECTION, 0);
    assert_eq!(scene.told(), GENERAL_PROTECTION);
    scene.go_on(0x40_0000);
    assert!(!scene.is_stepping() && !scene.can_write());
    scene.raise(DEBUG);
    assert_eq!(scene.told(), DEBUG, "a debug exception that the kernel has not asked for");
}

#[test]
fn a_thread_that_steps_itself_and_a_processor_without_the_instructions_raise_a_fault() {
    let stepping = scene(features::FSGSBASE);
    let flags = stepping.get(Register::Rflags);
    stepping.writer.tcb.context.set(Register::Rflags, flags | TRAP_FLAG);
    stepping.raise(ILLEGAL_INSTRUCTION);
    assert_eq!(stepping.system.current(), stepping.handler.tcb);
    assert!(stepping.is_stepping(), "that is its own affair");
    let older = scene(0);
    older.raise(ILLEGAL_INSTRUCTION);
    assert_eq!(older.told(), ILLEGAL_INSTRUCTION);
}
