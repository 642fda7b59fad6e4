//! The machine check banks of this core: asked to report at start, read when they did. Judged in `crate::machine_check`.

use crate::machine_check::{Uncorrected, judge};
use core::arch::x86_64::__cpuid;
use core::sync::atomic::{AtomicU64, Ordering};
use x86_64::registers::model_specific::Msr;

const CPUID_MACHINE_CHECK_BANKS: u32 = 1 << 14;
const IA32_MCG_CAP: u32 = 0x179;
const IA32_MCG_STATUS: u32 = 0x17a;
const BANK_COUNT: u64 = 0xff;
/// Control and status of bank 0; four registers a bank.
const IA32_MC0_CTL: u32 = 0x400;
const IA32_MC0_STATUS: u32 = 0x401;
const BANK_STRIDE: u32 = 4;

/// Machine checks that some core of the instance went on after.
static SURVIVED: AtomicU64 = AtomicU64::new(0);

/// Banks that this core has.
fn banks() -> u32 {
    if __cpuid(1).edx & CPUID_MACHINE_CHECK_BANKS == 0 {
        return 0;
    }
    // SAFETY: the register exists where CPUID says there are banks.
    (unsafe { Msr::new(IA32_MCG_CAP).read() } & BANK_COUNT) as u32
}

/// Asks the banks with these numbers to report everything. Register numbers are constants, so that tools can read off the
/// image which registers it writes.
macro_rules! enable {
    ($count:expr; $($bank:literal)+) => {
        $(if $count > $bank {
            // SAFETY: the bank exists; all its errors may be reported, since there is a handler.
            unsafe { Msr::new(IA32_MC0_CTL + $bank * BANK_STRIDE).write(u64::MAX) };
        })+
    };
}

/// Asks every bank to report everything. What firmware left in them stays.
///
/// # Safety
/// The machine check's gate is loaded.
pub(super) unsafe fn start() {
    let count = banks();
    enable!(count; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
}

/// Reads what a machine check on this core is about. If the core may go on, counts it and lets another one come; in the end
/// the handler may return. What the banks hold stays there.
pub fn take_machine_check() -> Result<(), Uncorrected> {
    let count = banks();
    // SAFETY: called only with registers of banks that exist, and the global status beside them.
    let read = |register: u32| unsafe { Msr::new(register).read() };
    let global = if count == 0 { 0 } else { read(IA32_MCG_STATUS) };
    judge(global, (0..count).map(|bank| read(IA32_MC0_STATUS + bank * BANK_STRIDE)))?;
    SURVIVED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the banks are read: another machine check may come.
    unsafe { Msr::new(IA32_MCG_STATUS).write(0) };
    Ok(())
}

/// Machine checks that were no reason to stop, so far.
pub(super) fn survived() -> u64 {
    SURVIVED.load(Ordering::Relaxed)
}
