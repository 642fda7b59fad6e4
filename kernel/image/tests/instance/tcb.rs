//! Thread invocations on registers and spaces, the FPU, I/O ports, and the small system calls.

use crate::harness::{PORTS, System, slot};
use abi::error::Error;
use abi::invocation::Invocation::*;
use abi::object::ObjectType;
use abi::syscall::Syscall;
use capability::Kind;
use machine::Register;
use machine::model::Event;
use thread::{State, TcbSlot};

#[test]
fn registers_written_are_registers_read() {
    let system = System::new();
    let thread = system.thread(10);
    let mut words: Vec<u64> = (0..20).map(|index| 0x1000 + index).collect();
    words[2] = u64::MAX;
    let message: Vec<u64> = [0, 20].into_iter().chain(words.iter().copied()).collect();
    system.invoke(thread.cap, TCBWriteRegisters, &message, &[]).ok();
    words[2] = 0xfd7;
    assert_eq!(system.invoke(thread.cap, TCBReadRegisters, &[0, 20], &[]).ok(), words);
    assert_eq!(system.invoke(thread.cap, TCBReadRegisters, &[0, 3], &[]).ok(), words[..3]);
    assert_eq!(thread.tcb.context.get(Register::NextIp), 0x1000, "it will start there");
}

#[test]
fn refusals_of_register_access() {
    let system = System::new();
    let thread = system.thread(10);
    let read = |cap: u64, words: &[u64]| system.invoke(cap, TCBReadRegisters, words, &[]);
    assert_eq!(read(thread.cap, &[0, 0]).refusal(), (Error::RangeError, &[1, 20][..]));
    assert_eq!(read(thread.cap, &[0, 21]).refusal(), (Error::RangeError, &[1, 20][..]));
    assert_eq!(read(thread.cap, &[0]).error(), Error::TruncatedMessage);
    assert_eq!(read(slot::TCB, &[0, 1]).error(), Error::IllegalOperation);
    let write = |cap: u64, words: &[u64]| system.invoke(cap, TCBWriteRegisters, words, &[]);
    assert_eq!(write(thread.cap, &[0, 2, 1]).error(), Error::TruncatedMessage);
    assert_eq!(write(thread.cap, &[0, u64::MAX, 1]).error(), Error::TruncatedMessage);
    assert_eq!(write(slot::TCB, &[0, 1, 1]).error(), Error::IllegalOperation);
    let copy = system.invoke(thread.cap, TCBCopyRegisters, &[0], &[slot::CNODE]);
    assert_eq!(copy.refusal(), (Error::InvalidCapability, &[1][..]));
}

#[test]
fn bad_addresses_are_not_taken() {
    let system = System::new();
    let thread = system.thread(10);
    let message = [0, 1, 0x0000_8000_0000_0000];
    system.invoke(thread.cap, TCBWriteRegisters, &message, &[]).ok();
    assert_eq!(thread.tcb.context.get(Register::FaultIp), 0);
    system.invoke(thread.cap, TCBSetTLSBase, &[0x8000_0000_0000], &[]).ok();
    assert_eq!(thread.tcb.context.get(Register::FsBase), 0);
    system.invoke(thread.cap, TCBSetTLSBase, &[0x7000_0000_0000], &[]).ok();
    assert_eq!(thread.tcb.context.get(Register::FsBase), 0x7000_0000_0000);
}

#[test]
fn copying_registers_moves_the_chosen_sets_and_may_stop_and_start() {
    let system = System::new();
    let (source, target) = (system.thread(10), system.passive_thread(10));
    source.tcb.context.set(Register::Rbx, 77);
    source.tcb.context.set(Register::FsBase, 88);
    system.resume(source);
    system.invoke(target.cap, TCBCopyRegisters, &[1 | 2 | 4], &[source.cap]).ok();
    assert_eq!(source.tcb.state.get(), State::INACTIVE);
    assert_eq!(target.tcb.state.get(), State::RESTART);
    assert_eq!((target.tcb.context.get(Register::Rbx), target.tcb.context.get(Register::FsBase)), (77, 0));
    system.invoke(target.cap, TCBCopyRegisters, &[8], &[source.cap]).ok();
    assert_eq!(target.tcb.context.get(Register::FsBase), 88);
}

#[test]
fn an_answer_to_a_thread_without_a_buffer_counts_what_arrives() {
    let system = System::new();
    let thread = system.thread(10);
    let worker = system.thread(11);
    system.invoke(worker.cap, TCBSetIPCBuffer, &[0], &[0]).ok();
    system.step_back();
    system.resume(worker);
    assert_eq!(system.invoke(thread.cap, TCBReadRegisters, &[0, 20], &[]).ok().len(), 4);
}

#[test]
fn configure_installs_spaces_and_buffer() {
    let system = System::new();
    let tcb = system.make(ObjectType::Tcb, 0);
    let node = system.make(ObjectType::CapTable, 4);
    let frame = system.make(ObjectType::Page4K, 0);
    let configure = |words: &[u64], caps: &[u64]| system.invoke(tcb, TCBConfigure, words, caps);
    configure(&[60, 0, 0x1000_0400], &[node, slot::VSPACE, frame]).ok();
    let thread: memory::Ref<thread::Tcb> = system.cap(tcb).object();
    assert_eq!(thread.cap(TcbSlot::CSpace).guard(), (0, 60));
    assert_eq!(thread.cap(TcbSlot::Buffer).phys(), system.phys(frame));
    assert_eq!(configure(&[0, 0, 0x1000_0408], &[node, slot::VSPACE, frame]).error(), Error::AlignmentError);
    assert_eq!(configure(&[0, 0, 0x1000], &[node, slot::VSPACE, node]).error(), Error::IllegalOperation);
    assert_eq!(configure(&[0, 0, 0x1000], &[frame, slot::VSPACE, frame]).error(), Error::IllegalOperation);
    assert_eq!(configure(&[0, 0, 0x1000], &[node, node, frame]).error(), Error::IllegalOperation);
    assert_eq!(configure(&[0, 0, 0x1000], &[node, slot::VSPACE]).error(), Error::TruncatedMessage);
    let device = system.make_from(system.device_untyped(), ObjectType::Page4K, 0, 1);
    let refused = configure(&[0, 0, 0x1000], &[node, slot::VSPACE, device]);
    assert_eq!(refused.error(), Error::IllegalOperation, "the kernel would have to touch device memory");
    configure(&[0, 0, 0], &[node, slot::VSPACE, 0]).ok();
    assert!(thread.cap(TcbSlot::Buffer).is_null());
}

#[test]
fn taking_the_root_tasks_own_buffer_away_leaves_it_mapped() {
    let system = System::new();
    let vaddr = system.bootinfo().ipc_buffer;
    let thread = system.root();
    system.invoke(slot::TCB, TCBSetIPCBuffer, &[0], &[0]);
    assert!(thread.cap(TcbSlot::Buffer).is_null());
    assert_eq!(system.cap(slot::BUFFER).mapping(), Some((1, vaddr)));
    let root: memory::Ref<vspace::Table> = memory::Ref::at(system.phys(slot::VSPACE));
    let mut table = root;
    for level in [vspace::Level::Pml4, vspace::Level::Pdpt, vspace::Level::PageDirectory] {
        table = memory::Ref::at(table.get(level.index(vaddr)).address());
    }
    assert_eq!(table.get(vspace::Level::PageTable.index(vaddr)).address(), system.phys(slot::BUFFER));
}

#[test]
fn the_fpu_goes_to_whoever_uses_it() {
    let system = System::new();
    let (one, two) = (system.thread(10), system.thread(11));
    let never = system.notification();
    system.step_back();
    system.resume(one);
    assert!(!system.machine().is_fpu_enabled());
    system.exception(7, 0);
    assert!(system.machine().is_fpu_enabled());
    system.machine().set_fpu_words([1; 64]);
    system.invoke(two.cap, TCBResume, &[], &[]);
    assert_eq!(system.current(), two.tcb);
    assert!(!system.machine().is_fpu_enabled(), "its registers are still the other's");
    system.exception(7, 0);
    system.machine().set_fpu_words([2; 64]);
    system.wait(never);
    assert_eq!(system.current(), one.tcb);
    assert!(!system.machine().is_fpu_enabled());
    system.exception(7, 0);
    assert_eq!(system.machine().fpu_words(), [1; 64]);
}

#[test]
fn a_thread_that_gave_the_fpu_up_faults_on_it() {
    let system = System::new();
    let thread = system.thread(10);
    system.step_back();
    system.resume(thread);
    system.exception(7, 0);
    assert_eq!(system.invoke(thread.cap, TCBSetFlags, &[0, u64::MAX], &[]).ok(), [1]);
    assert!(!system.machine().is_fpu_enabled());
    system.exception(7, 0);
    assert_eq!(thread.tcb.state.get(), State::INACTIVE, "a processor exception that nobody handles");
    assert_eq!(system.invoke(thread.cap, TCBSetFlags, &[1, 0], &[]).ok(), [0]);
}

#[test]
fn ports_are_issued_once_and_only_if_owned() {
    let system = System::new();
    let target = system.fresh();
    let issue = |first: u64, last: u64, target: u64| {
        system.invoke(slot::PORTS, X86IOPortControlIssue, &[first, last, target, 64], &[slot::CNODE])
    };
    let (first, last) = (u64::from(PORTS.0), u64::from(PORTS.1));
    assert_eq!(issue(first - 1, last, target).error(), Error::IllegalOperation);
    assert_eq!(issue(first, last + 1, target).error(), Error::IllegalOperation);
    assert_eq!(issue(last, first, target).refusal(), (Error::InvalidArgument, &[1][..]));
    assert_eq!(issue(first, last, slot::TCB).error(), Error::DeleteFirst);
    issue(first, first + 3, target).ok();
    assert_eq!(issue(first + 3, last, system.fresh()).error(), Error::RevokeFirst);
    issue(first + 4, last, system.fresh()).ok();
    system.delete(target);
    issue(first, first, target).ok();
}

#[test]
fn port_access_stays_inside_the_range() {
    let system = System::new();
    let port = system.fresh();
    let (first, last) = (u64::from(PORTS.0), u64::from(PORTS.1));
    let words = [first, last, port, 64];
    system.invoke(slot::PORTS, X86IOPortControlIssue, &words, &[slot::CNODE]).ok();
    system.machine().set_port(PORTS.0, 0x1234_5678);
    assert_eq!(system.invoke(port, X86IOPortIn8, &[first], &[]).ok(), [0x78]);
    assert_eq!(system.invoke(port, X86IOPortIn16, &[first], &[]).ok(), [0x5678]);
    assert_eq!(system.invoke(port, X86IOPortIn32, &[first], &[]).ok(), [0x1234_5678]);
    system.take_events();
    system.invoke(port, X86IOPortOut8, &[last, 0x1ff], &[]).ok();
    assert!(system.take_events().contains(&Event::PortOut { port: PORTS.1, bytes: 1, value: 0xff }));
    for (what, at) in
        [(X86IOPortIn8, last + 1), (X86IOPortIn16, last), (X86IOPortIn32, last - 2), (X86IOPortIn8, first - 1)]
    {
        assert_eq!(system.invoke(port, what, &[at, 0], &[]).error(), Error::IllegalOperation, "{what:?} {at:#x}");
    }
    assert_eq!(system.invoke(port, X86IOPortOut8, &[first], &[]).error(), Error::TruncatedMessage);
}

#[test]
fn set_tls_base_and_the_debug_calls() {
    let system = System::new();
    let context = &system.root().context;
    context.set(Register::Rdi, 0x1234_5000);
    system.enter(Syscall::SetTLSBase);
    assert_eq!(system.machine().bases().0, 0x1234_5000);
    context.set(Register::Rdi, 0x8000_0000_0000_0000);
    system.enter(Syscall::SetTLSBase);
    assert_eq!(system.machine().bases().0, 0, "not canonical");
    let said_at_boot = system.machine().console_text().len();
    for byte in b"hi\n" {
        context.set(Register::Rdi, u64::from(*byte));
        system.enter(Syscall::DebugPutChar);
    }
    assert_eq!(&system.machine().console_text()[said_at_boot..], "hi\n");
    for (cptr, kind) in [(slot::CNODE, Kind::CNode), (1 << 40, Kind::Null), (15, Kind::Null)] {
        context.set(Register::Rdi, cptr);
        system.enter(Syscall::DebugCapIdentify);
        assert_eq!(context.get(Register::Rdi), kind as u64);
    }
    let buffer = system.buffer_of(system.root()).unwrap();
    buffer.set(1, u64::from_le_bytes(*b"reader\0x"));
    context.set(Register::Rdi, slot::TCB);
    system.enter(Syscall::DebugNameThread);
    assert_eq!(&system.root().name.get()[..7], b"reader\0");
    system.enter(Syscall::DebugDumpScheduler);
    assert!(system.machine().console_text().contains("reader"));
}

#[test]
#[should_panic(expected = "asked to panic")]
fn a_program_may_ask_a_debug_kernel_to_panic() {
    System::new().enter(Syscall::SkerryDebugPanic);
}

#[test]
fn suspending_a_running_thread_keeps_where_it_was() {
    let system = System::new();
    let thread = system.thread(10);
    system.step_back();
    system.resume(thread);
    system.enter(Syscall::Yield);
    let after = thread.tcb.context.next_pc();
    system.invoke(slot::TCB, TCBSetPriority, &[20], &[slot::TCB]);
    assert_eq!(system.current(), system.root());
    system.invoke(thread.cap, TCBSuspend, &[], &[]).ok();
    system.invoke(thread.cap, TCBResume, &[], &[]).ok();
    system.step_back();
    assert_eq!((system.current(), system.current().context.next_pc() >= after), (thread.tcb, true));
}
