//! What each wrapper sends, register by register: label, capabilities, words; and what it makes of the answers.

use abi::invocation::Invocation;
use abi::message::MessageInfo;
use abi::syscall::Syscall;
use sel4::host::{Frame, ipc_buffer, set_kernel};
use sel4::sys::Answer;
use sel4::*;
use std::cell::RefCell;
use std::rc::Rc;

/// What the kernel saw of one invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    service: u64,
    label: u64,
    caps: Vec<u64>,
    words: Vec<u64>,
}

/// Runs `program` against a kernel that answers every call with `answer` (label, words); gives the last call seen.
fn observe<T>(label: u64, words: [u64; 4], program: impl FnOnce() -> T) -> (Seen, T) {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let record = seen.clone();
    set_kernel(move |frame, buffer| {
        assert_eq!((frame.number, frame.reply, frame.destination), (Syscall::Call, None, None));
        let info = MessageInfo::from_word(frame.info);
        let mut sent = frame.words.to_vec();
        sent.extend_from_slice(&buffer.message[4..]);
        sent.truncate(info.length());
        *record.borrow_mut() = Seen {
            service: frame.capability,
            label: info.label(),
            caps: buffer.caps_or_badges[..info.extra_caps()].to_vec(),
            words: sent,
        };
        Answer { badge: 0, info: MessageInfo::new(label, 0, 0, 0).word(), words }
    });
    let result = program();
    let seen = seen.borrow().clone();
    (seen, result)
}

#[track_caller]
fn sends(label: Invocation, service: u64, caps: &[u64], words: &[u64], program: impl FnOnce() -> Result<()>) {
    let (seen, result) = observe(0, [0; 4], program);
    let wanted = Seen { service, label: label.word(), caps: caps.to_vec(), words: words.to_vec() };
    assert_eq!(seen, wanted);
    assert_eq!(result, Ok(()));
}

const NODE: CNode = CNode::new(2);
const DEST: Slot = NODE.slot(50);
const SOURCE: Slot = CNode::new(7).slot_at_depth(60, 20);

#[test]
fn untyped() {
    use Invocation::*;
    sends(UntypedRetype, 9, &[2], &[4, 10, 0, 0, 33, 5], || {
        Untyped::new(9).retype(ObjectType::CapTable, 10, NODE.itself(), 33, 5)
    });
}

#[test]
fn cnode() {
    use Invocation::*;
    sends(CNodeRevoke, 2, &[], &[50, 64], || DEST.revoke());
    sends(CNodeDelete, 7, &[], &[60, 20], || SOURCE.delete());
    sends(CNodeCancelBadgedSends, 2, &[], &[50, 64], || DEST.cancel_badged_sends());
    sends(CNodeCopy, 2, &[7], &[50, 64, 60, 20, 3], || DEST.copy_from(SOURCE, CapRights::READ_WRITE));
    sends(CNodeMint, 2, &[7], &[50, 64, 60, 20, 15, 99], || DEST.mint_from(SOURCE, CapRights::ALL, 99));
    sends(CNodeMint, 2, &[7], &[50, 64, 60, 20, 15, 51], || DEST.mint_guard_from(SOURCE, CNodeGuard::for_root(13)));
    sends(CNodeMove, 2, &[7], &[50, 64, 60, 20], || DEST.move_from(SOURCE));
    sends(CNodeMutate, 2, &[7], &[50, 64, 60, 20, 99], || DEST.mutate_from(SOURCE, 99));
    let pivot = CNode::new(8).slot_at_depth(70, 21);
    sends(CNodeRotate, 2, &[8, 7], &[50, 64, 1, 70, 21, 3, 60, 20], || DEST.rotate_from(1, pivot, 3, SOURCE));
}

#[test]
fn threads() {
    use Invocation::*;
    let (tcb, authority) = (Tcb::new(20), Tcb::new(21));
    let space = Space { cspace: NODE, guard: CNodeGuard::for_root(13), vspace: Pml4::new(3) };
    sends(TCBConfigure, 20, &[2, 3, 40], &[51, 0, 0x1000], || tcb.configure(space, 0x1000, Page::new(40)));
    sends(TCBSetSpace, 20, &[0, 2, 3], &[51, 0], || tcb.set_space(Null, space));
    sends(TCBSetIPCBuffer, 20, &[40], &[0x1000], || tcb.set_ipc_buffer(0x1000, Page::new(40)));
    sends(TCBSetPriority, 20, &[21], &[255], || tcb.set_priority(authority, 255));
    sends(TCBSetMCPriority, 20, &[21], &[254], || tcb.set_mc_priority(authority, 254));
    sends(TCBSetSchedParams, 20, &[21, 30, 31], &[254, 253], || {
        tcb.set_sched_params(authority, 254, 253, SchedContext::new(30), Endpoint::new(31))
    });
    sends(TCBSetTimeoutEndpoint, 20, &[31], &[], || tcb.set_timeout_endpoint(Endpoint::new(31)));
    sends(TCBSuspend, 20, &[], &[], || tcb.suspend());
    sends(TCBResume, 20, &[], &[], || tcb.resume());
    sends(TCBBindNotification, 20, &[32], &[], || tcb.bind_notification(Notification::new(32)));
    sends(TCBUnbindNotification, 20, &[], &[], || tcb.unbind_notification());
    sends(TCBSetTLSBase, 20, &[], &[0x7000], || tcb.set_tls_base(0x7000));
    sends(TCBCopyRegisters, 20, &[21], &[0b1101], || {
        tcb.copy_registers(authority, SuspendSource::Yes, ResumeTarget::No, CopyRegisters::Both)
    });
    sends(TCBCopyRegisters, 20, &[21], &[0b0110], || {
        tcb.copy_registers(authority, SuspendSource::No, ResumeTarget::Yes, CopyRegisters::Frame)
    });
    let (seen, flags) = observe(0, [1, 0, 0, 0], || tcb.set_flags(2, 1));
    assert_eq!((seen.label, seen.words, flags), (TCBSetFlags.word(), vec![2, 1], Ok(1)));
}

#[test]
fn registers_travel_in_context_order() {
    let context = UserContext::from_words(core::array::from_fn(|index| 100 + index as u64));
    let mut words = vec![1, 20];
    words.extend(context.to_words());
    sends(Invocation::TCBWriteRegisters, 20, &[], &words, || Tcb::new(20).write_registers(ResumeTarget::Yes, &context));

    // Word n of the answer is word n of the context; from word 4 on they lie in the buffer.
    set_kernel(|frame, buffer| {
        let label = Invocation::TCBReadRegisters.word();
        assert_eq!((frame.info, frame.words), (MessageInfo::new(label, 0, 0, 2).word(), [1, 20, 0, 0]));
        for index in 4..20 {
            buffer.message[index] = 100 + index as u64;
        }
        Answer { badge: 0, info: 20, words: [100, 101, 102, 103] }
    });
    assert_eq!(Tcb::new(20).read_registers(SuspendSource::Yes), Ok(context));
}

#[test]
fn time() {
    use Invocation::*;
    let context = SchedContext::new(30);
    let budget = Budget { extra_refills: 8, badge: 5, flags: 1, ..Budget::new(1000, 5000) };
    sends(SchedControlConfigureFlags, 25, &[30], &[1000, 5000, 8, 5, 1], || {
        SchedControl::new(25).configure(context, budget)
    });
    sends(SchedContextBind, 30, &[20], &[], || context.bind(Tcb::new(20)));
    sends(SchedContextUnbind, 30, &[], &[], || context.unbind());
    sends(SchedContextUnbindObject, 30, &[32], &[], || context.unbind_object(Notification::new(32)));
    let (seen, consumed) = observe(0, [77, 0, 0, 0], || context.consumed_us());
    assert_eq!((seen.label, consumed), (SchedContextConsumed.word(), Ok(77)));
    let (seen, consumed) = observe(0, [78, 0, 0, 0], || context.yield_to_us());
    assert_eq!((seen.label, consumed), (SchedContextYieldTo.word(), Ok(78)));
    sends(DomainSetSet, 11, &[20], &[3], || initial::DOMAIN.set(3, Tcb::new(20)));
    sends(DomainScheduleConfigure, 11, &[], &[1, 2, 500], || initial::DOMAIN.configure_schedule(1, 2, 500));
    sends(DomainScheduleSetStart, 11, &[], &[1], || initial::DOMAIN.set_schedule_start(1));
}

#[test]
fn address_spaces() {
    use Invocation::*;
    let (vspace, attributes) = (Pml4::new(3), VmAttributes::WRITE_COMBINING);
    sends(X86PDPTMap, 40, &[3], &[0x1000, 4], || Pdpt::new(40).map(vspace, 0x1000, attributes));
    sends(X86PDPTUnmap, 40, &[], &[], || Pdpt::new(40).unmap());
    sends(X86PageDirectoryMap, 40, &[3], &[0x1000, 4], || PageDirectory::new(40).map(vspace, 0x1000, attributes));
    sends(X86PageDirectoryUnmap, 40, &[], &[], || PageDirectory::new(40).unmap());
    sends(X86PageTableMap, 40, &[3], &[0x1000, 4], || PageTable::new(40).map(vspace, 0x1000, attributes));
    sends(X86PageTableUnmap, 40, &[], &[], || PageTable::new(40).unmap());
    sends(X86PageMap, 40, &[3], &[0x1000, 2, 4], || Page::new(40).map(vspace, 0x1000, CapRights::READ, attributes));
    sends(X86PageUnmap, 40, &[], &[], || Page::new(40).unmap());
    let (seen, address) = observe(0, [0xdead_f000, 0, 0, 0], || Page::new(40).physical_address());
    assert_eq!((seen.label, address), (X86PageGetAddress.word(), Ok(0xdead_f000)));
    sends(X86ASIDControlMakePool, 5, &[9, 2], &[50, 64], || initial::ASID_CONTROL.make_pool(Untyped::new(9), DEST));
    sends(X86ASIDPoolAssign, 6, &[3], &[], || initial::ASID_POOL.assign(vspace));
}

#[test]
fn devices_and_doorbells() {
    use Invocation::*;
    let pin = IoApicPin { io_apic: 0, pin: 4, trigger: Trigger::Level, polarity: Polarity::ActiveLow };
    sends(X86IRQIssueIRQHandlerIOAPIC, 4, &[2], &[50, 64, 0, 4, 1, 1, 9], || {
        initial::IRQ_CONTROL.issue_io_apic(DEST, pin, 9)
    });
    let source = MsiSource { bus: 1, device: 2, function: 3, handle: 4 };
    sends(X86IRQIssueIRQHandlerMSI, 4, &[2], &[50, 64, 1, 2, 3, 4, 9], || {
        initial::IRQ_CONTROL.issue_msi(DEST, source, 9)
    });
    sends(SkerryIssueDoorbell, 4, &[2], &[3, 50, 64], || initial::IRQ_CONTROL.issue_doorbell(DEST, 3));
    sends(SkerryHearDoorbell, 4, &[2], &[0xa1, 50, 64], || initial::IRQ_CONTROL.hear_doorbell(DEST, 0xa1));
    sends(IRQAckIRQ, 50, &[], &[], || IrqHandler::new(50).ack());
    sends(IRQSetIRQHandler, 50, &[32], &[], || IrqHandler::new(50).set_notification(Notification::new(32)));
    sends(IRQClearIRQHandler, 50, &[], &[], || IrqHandler::new(50).clear());
    sends(X86IOPortControlIssue, 7, &[2], &[0x3f8, 0x3ff, 50, 64], || {
        initial::IO_PORT_CONTROL.issue(0x3f8, 0x3ff, DEST)
    });
    let port = IoPort::new(50);
    sends(X86IOPortOut8, 50, &[], &[0x3f8, 0xff], || port.out8(0x3f8, 0xff));
    sends(X86IOPortOut16, 50, &[], &[0x3f8, 0xffff], || port.out16(0x3f8, 0xffff));
    sends(X86IOPortOut32, 50, &[], &[0x3f8, 0xffff_ffff], || port.out32(0x3f8, 0xffff_ffff));
    let answer = [0x1234_5678_9abc_def0, 0, 0, 0];
    let (seen, value) = observe(0, answer, || port.in8(1));
    assert_eq!((seen.label, seen.words, value), (X86IOPortIn8.word(), vec![1], Ok(0xf0)));
    let (seen, value) = observe(0, answer, || port.in16(2));
    assert_eq!((seen.label, seen.words, value), (X86IOPortIn16.word(), vec![2], Ok(0xdef0)));
    let (seen, value) = observe(0, answer, || port.in32(0x80));
    assert_eq!((seen.label, seen.words, value), (X86IOPortIn32.word(), vec![0x80], Ok(0x9abc_def0)));
}

#[test]
fn errors_name_the_culprit() {
    let errors = [
        (1, [3, 0, 0, 0], Error::InvalidArgument { argument: 3 }),
        (2, [1, 0, 0, 0], Error::InvalidCapability { capability: 1 }),
        (3, [0; 4], Error::IllegalOperation),
        (4, [1, 47, 0, 0], Error::RangeError { min: 1, max: 47 }),
        (5, [0; 4], Error::AlignmentError),
        (7, [0; 4], Error::TruncatedMessage),
        (8, [0; 4], Error::DeleteFirst),
        (9, [0; 4], Error::RevokeFirst),
        (10, [4096, 0, 0, 0], Error::NotEnoughMemory { bytes_left: 4096 }),
        (11, [0; 4], Error::Unknown { label: 11 }),
    ];
    for (label, words, error) in errors {
        assert_eq!(observe(label, words, || DEST.delete()).1, Err(error));
        assert_eq!(error.label(), label);
    }
    // SAFETY: this thread's own buffer, and nobody else is looking.
    unsafe { (*ipc_buffer()).message[4] = 9 };
    let Err(Error::FailedLookup(lookup)) = observe(6, [1, 4, 20, 5], || DEST.delete()).1 else { panic!() };
    assert_eq!((lookup.was_source, lookup.bits_left, lookup.found, lookup.guard_bits), (1, 20, 5, 9));
    let Err(Error::FailedLookup(lookup)) = observe(6, [0, 2, 21, 5], || DEST.delete()).1 else { panic!() };
    assert_eq!((lookup.was_source, lookup.bits_left, lookup.found, lookup.guard_bits), (0, 21, 0, 0));
}

/// Runs `program`; gives the registers of its one system call.
fn frame_of<T>(answer: Answer, program: impl FnOnce() -> T) -> (Frame, T) {
    let seen = Rc::new(RefCell::new(None));
    let record = seen.clone();
    set_kernel(move |frame, _| {
        assert!(record.borrow_mut().replace(frame).is_none(), "one system call");
        answer
    });
    let result = program();
    let frame = seen.borrow_mut().take().expect("a system call");
    (frame, result)
}

#[test]
fn messages_use_the_call_their_documentation_names() {
    let (endpoint, reply, other) = (Endpoint::new(60), Reply::new(61), Endpoint::new(62));
    let message = Message::new(7, [1, 2, 3]);
    let answer = Answer { badge: 5, info: MessageInfo::new(8, 0, 0, 4).word(), words: [9, 8, 7, 6] };
    let received = Received { badge: 5, message: Message::new(8, [9, 8, 7, 6]) };
    let frame = |number, reply, destination| Frame {
        number,
        capability: 60,
        info: 7 << 12 | 3,
        words: [1, 2, 3, 0],
        reply,
        destination,
    };
    let quiet = |number, reply| Frame { info: 0, words: [0; 4], ..frame(number, reply, None) };
    assert_eq!(frame_of(answer, || endpoint.send(message)).0, frame(Syscall::Send, None, None));
    assert_eq!(frame_of(answer, || endpoint.nb_send(message)).0, frame(Syscall::NBSend, None, None));
    assert_eq!(frame_of(answer, || endpoint.call(message)), (frame(Syscall::Call, None, None), received.message));
    assert_eq!(frame_of(answer, || endpoint.recv(reply)), (quiet(Syscall::Recv, Some(61)), received));
    assert_eq!(frame_of(answer, || endpoint.nb_recv(reply)), (quiet(Syscall::NBRecv, Some(61)), received));
    assert_eq!(frame_of(answer, || endpoint.wait()), (quiet(Syscall::Wait, None), received));
    assert_eq!(
        frame_of(answer, || endpoint.reply_recv(message, reply)),
        (frame(Syscall::ReplyRecv, Some(61), None), received)
    );
    assert_eq!(
        frame_of(answer, || endpoint.nb_send_recv(other, message, reply)),
        (frame(Syscall::NBSendRecv, Some(61), Some(62)), received)
    );
    assert_eq!(
        frame_of(answer, || endpoint.nb_send_wait(other, message)),
        (frame(Syscall::NBSendWait, Some(62), None), received)
    );
    let notification = Notification::new(60);
    assert_eq!(frame_of(answer, || notification.signal()).0, quiet(Syscall::Send, None));
    assert_eq!(frame_of(answer, || notification.wait()), (quiet(Syscall::Wait, None), 5));
    assert_eq!(frame_of(answer, || notification.poll()), (quiet(Syscall::NBWait, None), 5));
    assert_eq!(frame_of(answer, || Doorbell::new(60).ring()).0, quiet(Syscall::NBSend, None));
    assert_eq!(frame_of(answer, || Reply::new(60).send(message)).0, frame(Syscall::Send, None, None));
    assert_eq!(frame_of(answer, yield_now).0.number, Syscall::Yield);
}

#[test]
fn buffer_words_outside_a_message_do_not_exist() {
    buffer::set_word(119, 3);
    buffer::set_word(120, 4);
    buffer::set_cap(3, 4);
    buffer::set_receive_slot(SOURCE);
    assert_eq!((buffer::word(119), buffer::word(120), buffer::user_data(), buffer::badge(3)), (3, 0, 0, 0));
    // SAFETY: this thread's own buffer, and nobody else is looking.
    let seen = unsafe { *ipc_buffer() };
    assert_eq!((seen.receive_cnode, seen.receive_index, seen.receive_depth), (7, 60, 20));
}

#[test]
fn calls_without_a_message_carry_their_number_and_one_word() {
    let answer = Answer { badge: 42, ..Answer::default() };
    let calls: [(Syscall, u64, fn()); 9] = [
        (Syscall::DebugPutChar, 120, || debug::put_char(b'x')),
        (Syscall::DebugDumpScheduler, 0, debug::dump_scheduler),
        (Syscall::DebugHalt, 0, debug::halt),
        (Syscall::DebugCapIdentify, 2, || assert_eq!(debug::cap_identify(NODE), 42)),
        (Syscall::DebugSnapshot, 0, debug::snapshot),
        (Syscall::DebugNameThread, 1, || debug::name_thread(Tcb::new(1), "name")),
        (Syscall::SetTLSBase, 0x7000, || sys::set_tls_base(0x7000)),
        (Syscall::SkerryDebugPanic, 0, debug::panic_kernel),
        (Syscall::SkerryDebugPeek, 0x9000, || assert_eq!(debug::peek(0x9000), 42)),
    ];
    for (number, capability, call) in calls {
        let wanted = Frame { number, capability, info: 0, words: [0; 4], reply: None, destination: None };
        assert_eq!(frame_of(answer, call).0, wanted);
    }
}

#[test]
fn debug_calls() {
    let answer = Answer { badge: 0x1_0000_0002, ..Answer::default() };
    assert_eq!(frame_of(answer, || debug::cap_identify(NODE)).1, 2);
    assert_eq!(frame_of(answer, || debug::put_char(b'x')).0.capability, u64::from(b'x'));
    for name in ["", "reader", "eight by", "longer than eight"] {
        frame_of(answer, || debug::name_thread(Tcb::new(1), name));
        // SAFETY: this thread's own buffer, and nobody else is looking.
        let words = unsafe { (*ipc_buffer()).message };
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).take_while(|byte| *byte != 0).collect();
        assert_eq!(bytes, name.as_bytes());
    }
}
