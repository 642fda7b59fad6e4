//! The hardware debug API: breakpoints and steps of a thread, and what its fault handler hears. For kernels that have it.

use crate::harness::{Answer, Call, System, Thread, slot};
use abi::breakpoint::{Access, Kind};
use abi::error::Error;
use abi::fault::FaultType;
use abi::invocation::Invocation::*;
use abi::syscall::Syscall;
use machine::Register;
use thread::State;

const DEBUG: u64 = 1;
const BREAKPOINT: u64 = 3;
const STEP: u64 = 1 << 14;
const TRAP_FLAG: u64 = 1 << 8;
const RESUME_FLAG: u64 = 1 << 16;
const IP: u64 = 0x50_0000;

struct Scene {
    system: System,
    handler: Thread,
    victim: Thread,
    endpoint: u64,
    reply: u64,
}

/// A handler of priority 20 that waits for faults of a victim of priority 10, which does not run yet; the root task does.
fn scene() -> Scene {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let handler = system.thread(20);
    let victim = system.thread(10);
    system.invoke(victim.cap, TCBSetSchedParams, &[0, 10], &[slot::TCB, victim.sc, endpoint]).ok();
    system.step_back();
    system.resume(handler);
    system.recv(endpoint, reply);
    Scene { system, handler, victim, endpoint, reply }
}

impl Scene {
    fn set(&self, number: u64, address: u64, kind: Kind, bytes: u64, access: Access) -> Answer {
        let words = [number, address, kind.word(), bytes, access.word()];
        self.system.invoke(self.victim.cap, TCBSetBreakpoint, &words, &[])
    }

    fn get(&self, number: u64) -> Vec<u64> {
        self.system.invoke(self.victim.cap, TCBGetBreakpoint, &[number], &[]).ok()
    }

    fn step(&self, instructions: u64) {
        let consumed = self.system.invoke(self.victim.cap, TCBConfigureSingleStepping, &[0, instructions], &[]).ok();
        assert_eq!(consumed, [0], "no breakpoint is used up");
    }

    /// The processor raises the debug exception with this status.
    fn debug(&self, status: u64) {
        self.system.machine().set_debug_status(status);
        self.system.exception(DEBUG, 0);
    }

    /// The debug exception that the handler was told.
    fn told(&self) -> Vec<u64> {
        assert_eq!(self.system.current(), self.handler.tcb);
        let fault = self.system.answer_of(self.handler.tcb);
        assert_eq!(fault.label, FaultType::DebugException as u64);
        fault.words
    }

    fn answer(&self, words: &[u64]) {
        self.system.load(&Call { cap: self.endpoint, label: 0, words, caps: &[] });
        self.system.receive(Syscall::ReplyRecv, self.endpoint, self.reply);
    }

    fn has_flag(&self, flag: u64) -> bool {
        self.victim.tcb.context.get(Register::Rflags) & flag != 0
    }
}

#[test]
fn breakpoints_that_are_set_are_read_back_until_they_are_unset() {
    let scene = scene();
    assert_eq!(scene.get(2), [0, Kind::Instruction.word(), 0, Access::Read.word(), 0]);
    scene.set(2, 0x40_0010, Kind::Data, 4, Access::Write).ok();
    assert_eq!(scene.get(2), [0x40_0010, Kind::Data.word(), 4, Access::Write.word(), 1]);
    // Processors have no breakpoint on reads alone.
    scene.set(2, 0x40_0010, Kind::Data, 8, Access::Read).ok();
    assert_eq!(scene.get(2), [0x40_0010, Kind::Data.word(), 8, Access::ReadWrite.word(), 1]);
    scene.system.invoke(scene.victim.cap, TCBUnsetBreakpoint, &[2], &[]).ok();
    assert_eq!(scene.get(2)[4], 0);
    assert_eq!(scene.get(2)[0], 0);
}

#[test]
fn refusals_of_breakpoints() {
    use Access::*;
    let scene = scene();
    let refused = |answer: Answer| {
        let (error, words) = answer.refusal();
        (error, words.to_vec())
    };
    let argument = |number: u64| (Error::InvalidArgument, vec![number]);
    assert_eq!(refused(scene.set(4, 0x1000, Kind::Data, 4, Read)), (Error::RangeError, vec![0, 3]));
    assert_eq!(refused(scene.set(0, 0x7fff_ffff_f000, Kind::Data, 4, Read)), argument(1));
    assert_eq!(refused(scene.set(0, 0x1000, Kind::SingleStep, 0, Read)), argument(2));
    assert_eq!(refused(scene.set(0, 0x1000, Kind::SoftwareBreakRequest, 0, Read)), argument(2));
    assert_eq!(refused(scene.set(0, 0x1000, Kind::Instruction, 1, Read)), argument(3));
    assert_eq!(refused(scene.set(0, 0x1000, Kind::Instruction, 0, Write)), argument(4));
    assert_eq!(refused(scene.set(0, 0x1000, Kind::Data, 0, Write)), argument(3));
    assert_eq!(refused(scene.set(0, 0x1000, Kind::Data, 3, Write)), argument(3));
    assert_eq!(refused(scene.set(0, 0x1002, Kind::Data, 4, Write)), (Error::AlignmentError, vec![]));
    for what in [TCBGetBreakpoint, TCBUnsetBreakpoint] {
        let answer = scene.system.invoke(scene.victim.cap, what, &[4], &[]);
        assert_eq!(refused(answer), (Error::RangeError, vec![0, 3]));
    }
    for what in [TCBSetBreakpoint, TCBGetBreakpoint, TCBUnsetBreakpoint, TCBConfigureSingleStepping] {
        assert_eq!(scene.system.invoke(scene.victim.cap, what, &[], &[]).error(), Error::TruncatedMessage);
    }
}

#[test]
fn a_breakpoint_is_in_force_while_its_thread_runs_and_tells_what_triggered_it() {
    let scene = scene();
    scene.set(1, 0x60_0008, Kind::Data, 8, Access::Write).ok();
    assert_eq!(scene.system.machine().breakpoints().1, 0, "it is the victim's, who does not run");
    scene.system.resume(scene.victim);
    assert_eq!(scene.system.machine().breakpoints(), ([0, 0x60_0008, 0, 0], 0b1001 << 20 | 0b1000));
    // Bits of breakpoints that are not enabled mean nothing.
    scene.debug(0b0011);
    assert_eq!(scene.told(), [IP, Kind::Data.word(), 0x60_0008, 1]);
    assert_eq!(scene.victim.tcb.state.get(), State::BLOCKED_ON_REPLY);
    assert_eq!(scene.system.machine().breakpoints().1, 0, "nor while its handler runs");
    scene.answer(&[]);
    assert_eq!(scene.system.current(), scene.victim.tcb);
    assert!(!scene.has_flag(RESUME_FLAG));
    assert_ne!(scene.system.machine().breakpoints().1, 0);
}

#[test]
fn an_instruction_breakpoint_lets_the_thread_go_on_past_it() {
    let scene = scene();
    scene.set(3, IP, Kind::Instruction, 0, Access::Read).ok();
    scene.system.resume(scene.victim);
    scene.debug(0b1000);
    assert_eq!(scene.told(), [IP, Kind::Instruction.word(), IP, 3]);
    scene.answer(&[]);
    assert_eq!(scene.system.current(), scene.victim.tcb);
    assert_eq!(scene.victim.tcb.context.next_pc(), IP);
    assert!(scene.has_flag(RESUME_FLAG));
}

#[test]
fn a_thread_steps_as_many_instructions_as_asked_and_as_its_handler_answers() {
    let scene = scene();
    scene.step(3);
    scene.system.resume(scene.victim);
    assert!(scene.has_flag(TRAP_FLAG));
    for _ in 0..2 {
        scene.debug(STEP);
        assert_eq!(scene.system.current(), scene.victim.tcb, "not yet");
    }
    scene.debug(STEP);
    assert_eq!(scene.told(), [IP, Kind::SingleStep.word()]);
    scene.answer(&[2]);
    scene.debug(STEP);
    assert_eq!(scene.system.current(), scene.victim.tcb);
    scene.debug(STEP);
    scene.told();
    // Without a number the next instruction is meant.
    scene.answer(&[]);
    scene.debug(STEP);
    scene.told();
    scene.answer(&[0]);
    assert_eq!(scene.system.current(), scene.victim.tcb);
    assert!(!scene.has_flag(TRAP_FLAG));
}

#[test]
fn stepping_goes_on_over_the_end_of_a_slice() {
    let scene = scene();
    scene.step(2);
    scene.system.resume(scene.victim);
    scene.system.advance(20_000_000);
    scene.debug(STEP);
    assert_eq!(scene.system.current(), scene.victim.tcb, "its slice began anew");
    scene.system.advance(20_000_000);
    scene.debug(STEP);
    assert_eq!(scene.told(), [IP, Kind::SingleStep.word()]);
}

#[test]
fn the_breakpoint_instruction_is_a_debug_exception() {
    let scene = scene();
    scene.system.resume(scene.victim);
    scene.system.exception(BREAKPOINT, 0);
    assert_eq!(scene.told(), [IP, Kind::SoftwareBreakRequest.word()]);
}

#[test]
fn a_debug_exception_that_nobody_asked_for_is_an_exception() {
    let scene = scene();
    scene.system.resume(scene.victim);
    scene.debug(0);
    let fault = scene.system.answer_of(scene.handler.tcb);
    assert_eq!((fault.label, fault.words[3]), (FaultType::UserException as u64, DEBUG));
}
