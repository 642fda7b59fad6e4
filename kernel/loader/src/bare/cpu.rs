//! What a processor must have, what it may have, and the control registers every kernel starts with.

use super::apic::LocalApic;
use core::arch::x86_64::{__cpuid, __cpuid_count, CpuidResult};
use core::fmt;
use manifest::handoff::features;
use raw_cpuid::{CpuId, CpuIdReaderNative};
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4Flags, Efer, EferFlags};
use x86_64::registers::model_specific::Msr;

/// Names of the required features; a core reports those that it lacks as bits in this order.
const REQUIRED: [&str; 9] = ["NX", "SYSCALL", "PGE", "FXSR", "SSE2", "TSC", "MSR", "APIC", "x2APIC"];
/// The last is required only where the boot processor has it.
const X2APIC: u32 = 1 << 8;

/// Required features that are absent: bit n is `REQUIRED[n]`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Missing(pub u32);

impl Missing {
    /// Adds x2APIC if `local_apic` is in that mode and it is not among the features `found`.
    pub fn or_apic_mode(self, local_apic: LocalApic, found: u32) -> Self {
        let lacks = local_apic.is_x2apic() && found & features::X2APIC == 0;
        Self(self.0 | if lacks { X2APIC } else { 0 })
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = REQUIRED.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 != 0);
        names.enumerate().try_for_each(|(position, (_, name))| {
            let separator = if position == 0 { "" } else { ", " };
            write!(out, "{separator}{name}")
        })
    }
}

/// What this core lacks.
pub fn missing() -> Missing {
    let cpuid = CpuId::new();
    let (basic, extended) = (cpuid.get_feature_info(), cpuid.get_extended_processor_and_feature_identifiers());
    let has = [
        extended.as_ref().is_some_and(|it| it.has_execute_disable()),
        extended.as_ref().is_some_and(|it| it.has_syscall_sysret()),
        basic.as_ref().is_some_and(|it| it.has_pge()),
        basic.as_ref().is_some_and(|it| it.has_fxsave_fxstor()),
        basic.as_ref().is_some_and(|it| it.has_sse2()),
        basic.as_ref().is_some_and(|it| it.has_tsc()),
        basic.as_ref().is_some_and(|it| it.has_msr()),
        basic.as_ref().is_some_and(|it| it.has_apic()),
    ];
    Missing(has.iter().enumerate().filter(|(_, has)| !**has).map(|(bit, _)| 1 << bit).sum())
}

/// Optional features of this core, as bits of [`features`].
pub fn optional() -> u32 {
    let cpuid = CpuId::new();
    let basic = cpuid.get_feature_info();
    let newer = cpuid.get_extended_feature_info();
    let extended = cpuid.get_extended_processor_and_feature_identifiers();
    let has = [
        (features::X2APIC, basic.as_ref().is_some_and(|it| it.has_x2apic())),
        (features::TSC_DEADLINE, basic.as_ref().is_some_and(|it| it.has_tsc_deadline())),
        (features::PCID, basic.as_ref().is_some_and(|it| it.has_pcid())),
        (features::INVPCID, newer.as_ref().is_some_and(|it| it.has_invpcid())),
        (features::HUGE_PAGES, extended.as_ref().is_some_and(|it| it.has_1gib_pages())),
        (features::FSGSBASE, newer.as_ref().is_some_and(|it| it.has_fsgsbase())),
        (features::SMEP, newer.as_ref().is_some_and(|it| it.has_smep())),
        (features::SMAP, newer.as_ref().is_some_and(|it| it.has_smap())),
        (features::UMIP, newer.as_ref().is_some_and(|it| it.has_umip())),
    ];
    has.iter().filter(|(_, has)| *has).map(|(bit, _)| bit).sum::<u32>() | speculation(&cpuid)
}

/// IA32_ARCH_CAPABILITIES: what a processor says it is not open to.
const ARCH_CAPABILITIES: u32 = 0x10a;
const RDCL_NO: u64 = 1;
const IBRS_ALL: u64 = 1 << 1;
const MDS_NO: u64 = 1 << 5;

/// What this core says of leaks through speculation, as bits of [`features`]. One that says nothing is open to all.
fn speculation(cpuid: &CpuId<CpuIdReaderNative>) -> u32 {
    let vendor = cpuid.get_vendor_info();
    // AMD, and Hygon, which builds AMD's processors.
    let amd = vendor.as_ref().is_some_and(|it| matches!(it.as_str(), "AuthenticAMD" | "HygonGenuine"));
    let newer = leaf_if_any(7, 0);
    let (sizes, more) = (leaf_if_any(0x8000_0008, 0), leaf_if_any(0x8000_0021, 0));
    let bit = |word: u32, bit: u32| word >> bit & 1 != 0;
    let capabilities = if bit(newer.edx, 29) {
        // SAFETY: CPUID says that the register exists.
        unsafe { Msr::new(ARCH_CAPABILITIES).read() }
    } else {
        0
    };
    let has = [
        (features::NO_MELTDOWN, amd || capabilities & RDCL_NO != 0),
        (features::NO_MDS, amd || capabilities & MDS_NO != 0),
        (features::MD_CLEAR, bit(newer.edx, 10)),
        (features::IBPB, bit(newer.edx, 26) || amd && bit(sizes.ebx, 12)),
        (features::STIBP, bit(newer.edx, 27) || amd && bit(sizes.ebx, 15)),
        (features::IBRS_ALL, capabilities & IBRS_ALL != 0),
        (features::AUTO_IBRS, amd && bit(more.eax, 8)),
    ];
    has.iter().filter(|(_, has)| *has).map(|(bit, _)| bit).sum()
}

/// A leaf of CPUID, zeros if there is none.
fn leaf_if_any(leaf: u32, sub_leaf: u32) -> CpuidResult {
    let highest = __cpuid(leaf & 0x8000_0000).eax;
    if leaf <= highest { __cpuid_count(leaf, sub_leaf) } else { CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 } }
}

/// EFER of every kernel, long mode being active.
pub fn efer() -> u32 {
    (EferFlags::LONG_MODE_ENABLE | EferFlags::NO_EXECUTE_ENABLE | EferFlags::SYSTEM_CALL_EXTENSIONS).bits() as u32
}

/// Brings CR0 and EFER of the boot processor to what every kernel starts with.
pub fn set_control() {
    let efer = EferFlags::NO_EXECUTE_ENABLE | EferFlags::SYSTEM_CALL_EXTENSIONS;
    // SAFETY: long mode stays on; the added bits only allow what the loader does not do yet.
    unsafe { Efer::update(|flags| flags.insert(efer)) };
    let cr0 = Cr0Flags::PAGING
        | Cr0Flags::WRITE_PROTECT
        | Cr0Flags::NUMERIC_ERROR
        | Cr0Flags::EXTENSION_TYPE
        | Cr0Flags::MONITOR_COPROCESSOR
        | Cr0Flags::PROTECTED_MODE_ENABLE;
    // SAFETY: paging and protection stay on; caches are on, task switching and emulation off.
    unsafe { Cr0::write_raw(cr0.bits()) };
}

/// CR4 of every kernel on a machine with `found` features.
pub fn cr4(found: u32) -> u64 {
    let mut flags =
        Cr4Flags::PHYSICAL_ADDRESS_EXTENSION | Cr4Flags::PAGE_GLOBAL | Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    flags.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, found & features::SMEP != 0);
    flags.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, found & features::SMAP != 0);
    flags.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, found & features::UMIP != 0);
    flags.bits()
}
