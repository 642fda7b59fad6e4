//! The numbers of the interface, spelt out a second time: a change in the crate must be made here too, knowingly.

use abi::bootinfo::{BootInfo, ChunkId, InitialSlot, SkerryChunk};
use abi::error::{Error, LookupFailure};
use abi::fault::FaultType;
use abi::invocation::Invocation;
use abi::message::MessageInfo;
use abi::object::ObjectType;
use abi::register::{self, UserRegister};
use abi::syscall::Syscall;

#[test]
fn api_syscalls_count_down_from_minus_one() {
    let names = [
        "Call",
        "ReplyRecv",
        "NBSendRecv",
        "NBSendWait",
        "Send",
        "NBSend",
        "Recv",
        "NBRecv",
        "Wait",
        "NBWait",
        "Yield",
    ];
    for (index, name) in names.iter().enumerate() {
        let call = Syscall::from_number(-1 - index as i64).unwrap();
        assert_eq!(call.name(), *name);
        assert!(call.is_api() && !call.is_debug());
    }
}

#[test]
fn other_syscalls_keep_the_gaps_of_absent_ones() {
    let numbers = [
        ("DebugPutChar", -12),
        ("DebugDumpScheduler", -13),
        ("DebugHalt", -14),
        ("DebugCapIdentify", -15),
        ("DebugSnapshot", -16),
        ("DebugNameThread", -17),
        ("SetTLSBase", -33),
        ("SkerryDebugPanic", -100),
        ("SkerryDebugPeek", -101),
    ];
    for (name, number) in numbers {
        let call = Syscall::from_number(number).unwrap();
        assert_eq!(call.name(), name);
        assert!(!call.is_api());
        assert_eq!(call.is_debug(), name != "SetTLSBase");
    }
    assert_eq!(Syscall::ALL.len(), 11 + numbers.len());
    for absent in [i64::MIN, -102, -99, -34, -32, -18, 0, 1, i64::MAX] {
        assert_eq!(Syscall::from_number(absent), None);
    }
}

#[test]
fn invocation_labels() {
    let labels = [
        "UntypedRetype",
        "TCBReadRegisters",
        "TCBWriteRegisters",
        "TCBCopyRegisters",
        "TCBConfigure",
        "TCBSetPriority",
        "TCBSetMCPriority",
        "TCBSetSchedParams",
        "TCBSetTimeoutEndpoint",
        "TCBSetIPCBuffer",
        "TCBSetSpace",
        "TCBSuspend",
        "TCBResume",
        "TCBBindNotification",
        "TCBUnbindNotification",
        "TCBSetTLSBase",
        "TCBSetFlags",
        "CNodeRevoke",
        "CNodeDelete",
        "CNodeCancelBadgedSends",
        "CNodeCopy",
        "CNodeMint",
        "CNodeMove",
        "CNodeMutate",
        "CNodeRotate",
        "IRQIssueIRQHandler",
        "IRQAckIRQ",
        "IRQSetIRQHandler",
        "IRQClearIRQHandler",
        "DomainSetSet",
        "DomainScheduleConfigure",
        "DomainScheduleSetStart",
        "SchedControlConfigureFlags",
        "SchedContextBind",
        "SchedContextUnbind",
        "SchedContextUnbindObject",
        "SchedContextConsumed",
        "SchedContextYieldTo",
        "X86PDPTMap",
        "X86PDPTUnmap",
        "X86PageDirectoryMap",
        "X86PageDirectoryUnmap",
        "X86PageTableMap",
        "X86PageTableUnmap",
        "X86PageMap",
        "X86PageUnmap",
        "X86PageGetAddress",
        "X86ASIDControlMakePool",
        "X86ASIDPoolAssign",
        "X86IOPortControlIssue",
        "X86IOPortIn8",
        "X86IOPortIn16",
        "X86IOPortIn32",
        "X86IOPortOut8",
        "X86IOPortOut16",
        "X86IOPortOut32",
        "X86IRQIssueIRQHandlerIOAPIC",
        "X86IRQIssueIRQHandlerMSI",
    ];
    const STOCK: usize = 15;
    const DEBUG: [&str; 4] =
        ["TCBSetBreakpoint", "TCBGetBreakpoint", "TCBUnsetBreakpoint", "TCBConfigureSingleStepping"];
    // seL4's hardware debug API comes in the middle, in a build with it.
    let (first, rest) = labels.split_at(STOCK);
    let debug = if abi::HARDWARE_DEBUG { &DEBUG[..] } else { &[] };
    let labels = [first, debug, rest].concat();
    for (index, name) in labels.iter().enumerate() {
        assert_eq!(Invocation::from_label(index as u64 + 1).unwrap().name(), *name);
    }
    assert_eq!(labels.len() as u64 + 1, abi::invocation::SEL4_END);
    assert_eq!(Invocation::ALL.len(), STOCK + DEBUG.len() + rest.len() + 2);
    assert_eq!(Invocation::from_label(0x5c00), Some(Invocation::SkerryIssueDoorbell));
    assert_eq!(Invocation::from_label(0x5c01), Some(Invocation::SkerryHearDoorbell));
    for absent in [0, abi::invocation::SEL4_END, 0x5bff, 0x5c02, u64::MAX] {
        assert_eq!(Invocation::from_label(absent), None);
    }
}

#[test]
fn object_types_and_sizes() {
    let table = [
        ("Untyped", 9),
        ("Tcb", 11),
        ("Endpoint", 4),
        ("Notification", 6),
        ("CapTable", 14),
        ("SchedContext", 9),
        ("Reply", 5),
        ("Pdpt", 12),
        ("Pml4", 12),
        ("HugePage", 30),
        ("Page4K", 12),
        ("LargePage", 21),
        ("PageTable", 12),
        ("PageDirectory", 12),
    ];
    for (number, (name, bits)) in table.iter().enumerate() {
        let object = ObjectType::from_word(number as u64).unwrap();
        assert_eq!((object.name(), object.size_bits(9)), (*name, *bits));
    }
    assert_eq!(ObjectType::from_word(table.len() as u64), None);
    assert_eq!(ObjectType::CapTable.size_bits(u64::MAX), u64::MAX);
}

#[test]
fn errors_lookups_and_faults() {
    let errors = [
        "NoError",
        "InvalidArgument",
        "InvalidCapability",
        "IllegalOperation",
        "RangeError",
        "AlignmentError",
        "FailedLookup",
        "TruncatedMessage",
        "DeleteFirst",
        "RevokeFirst",
        "NotEnoughMemory",
    ];
    assert_eq!(Error::ALL.iter().map(|error| error.name()).collect::<Vec<_>>(), errors);
    assert!(Error::ALL.iter().enumerate().all(|(index, error)| error.word() == index as u64));
    let failures = LookupFailure::ALL.iter().map(|f| (f.word(), f.name(), f.detail_words())).collect::<Vec<_>>();
    assert_eq!(
        failures,
        [
            (0, "NoFailure", 0),
            (1, "InvalidRoot", 0),
            (2, "MissingCapability", 1),
            (3, "DepthMismatch", 2),
            (4, "GuardMismatch", 3),
        ]
    );
    let faults = FaultType::ALL.iter().map(|fault| (fault.word(), fault.name())).collect::<Vec<_>>();
    assert_eq!(
        faults,
        [
            (0, "NullFault"),
            (1, "CapFault"),
            (2, "UnknownSyscall"),
            (3, "UserException"),
            (4, "DebugException"),
            (5, "Timeout"),
            (6, "VMFault"),
        ]
    );
}

#[test]
fn message_info_packs_as_52_3_2_7() {
    let info = MessageInfo::new(0xf_ffff_ffff_ffff, 5, 2, 120);
    assert_eq!(info.word(), 0xffff_ffff_ffff_fb78);
    assert_eq!((info.label(), info.caps_unwrapped(), info.extra_caps(), info.length()), ((1 << 52) - 1, 5, 2, 120));
    assert_eq!(MessageInfo::new(1, 8, 4, 128).word(), 1 << 12);
    assert_eq!(MessageInfo::from_word(127).length(), 120);
    assert_eq!(MessageInfo::from_word(u64::MAX).with_length(1).raw_length(), 1);
}

#[test]
fn system_call_registers() {
    use UserRegister::*;
    assert_eq!(
        (register::SYSCALL, register::CAPABILITY, register::BADGE, register::MESSAGE_INFO),
        (Rdx, Rdi, Rdi, Rsi)
    );
    assert_eq!(register::MESSAGE, [R10, R8, R9, R15]);
}

#[test]
fn initial_slots_and_chunks() {
    assert!(InitialSlot::ALL.iter().enumerate().all(|(index, slot)| slot.word() == index as u64));
    assert_eq!(InitialSlot::ALL.len() as u64, abi::bootinfo::NUM_INITIAL_CAPS);
    assert_eq!(InitialSlot::InitThreadSc.word(), 14);
    assert!(ChunkId::ALL.iter().enumerate().all(|(index, id)| id.word() == index as u64));
    assert_eq!(SkerryChunk::from_tag(0x534b_0002), Some(SkerryChunk::Instance));
    assert_eq!(size_of::<BootInfo>(), 3864);
}
