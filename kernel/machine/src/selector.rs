//! Segment selectors and the descriptors behind them.
//!
//! The order is dictated by `syscall` (kernel code, kernel data) and `sysretq` (user data, user code). The *sentinel* is a
//! user data segment that is loaded into FS and GS once and then made absent: no user can load it, so as long as the
//! registers hold it, their bases are what the kernel last wrote (see `Machine::load_bases`).
//!
//! Tests: at the end of this file.

/// Kernel code.
pub const KERNEL_CODE: u16 = 0x08;
/// Kernel data and stack.
pub const KERNEL_DATA: u16 = 0x10;
/// User data and stack, requested privilege 3.
pub const USER_DATA: u16 = 0x18 | 3;
/// User code, requested privilege 3.
pub const USER_CODE: u16 = 0x20 | 3;
/// What FS and GS hold, requested privilege 3.
pub const SENTINEL: u16 = 0x28 | 3;
/// The task state segment (two entries).
pub const TASK: u16 = 0x30;
/// Entries of the global descriptor table.
pub const GDT_ENTRIES: usize = 8;

/// IA32_STAR: `syscall` loads CS and SS from bits 47:32 (+0, +8), `sysretq` from bits 63:48 (+16, +8).
pub const STAR: u64 = ((KERNEL_DATA as u64 | 3) << 48) | ((KERNEL_CODE as u64) << 32);

const PRESENT: u64 = 1 << 47;
const USER: u64 = 3 << 45;
const CODE_OR_DATA: u64 = 1 << 44;
const EXECUTABLE: u64 = 1 << 43;
/// Readable code, writable data.
const ACCESS: u64 = 1 << 41;
/// Set in advance, so that the processor never writes to the table.
const ACCESSED: u64 = 1 << 40;
const LONG: u64 = 1 << 53;
/// 4 GiB limit, which compatibility with 32-bit debuggers likes and long mode ignores.
const FLAT: u64 = 0x00cf_0000_0000_ffff & !LONG;
const FLAT_LONG_CODE: u64 = 0x00af_0000_0000_ffff;
const AVAILABLE_TSS: u64 = 9 << 40;

/// The sentinel's descriptor while it may be loaded.
pub const SENTINEL_PRESENT: u64 = PRESENT | USER | CODE_OR_DATA | ACCESS | ACCESSED | FLAT;
/// The sentinel's descriptor otherwise.
pub const SENTINEL_ABSENT: u64 = 0;

/// The table of a core whose task state segment lies at `task`.
pub const fn gdt(task: u64, task_limit: u32) -> [u64; GDT_ENTRIES] {
    let [low, high] = task_descriptor(task, task_limit);
    [
        0,
        PRESENT | CODE_OR_DATA | EXECUTABLE | ACCESS | ACCESSED | FLAT_LONG_CODE,
        PRESENT | CODE_OR_DATA | ACCESS | ACCESSED | FLAT,
        PRESENT | USER | CODE_OR_DATA | ACCESS | ACCESSED | FLAT,
        PRESENT | USER | CODE_OR_DATA | EXECUTABLE | ACCESS | ACCESSED | FLAT_LONG_CODE,
        SENTINEL_ABSENT,
        low,
        high,
    ]
}

const fn task_descriptor(base: u64, limit: u32) -> [u64; 2] {
    let limit = limit as u64;
    let low = PRESENT
        | AVAILABLE_TSS
        | (limit & 0xffff)
        | ((limit >> 16 & 0xf) << 48)
        | ((base & 0xff_ffff) << 16)
        | ((base >> 24 & 0xff) << 56);
    [low, base >> 32]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(table: &[u64; GDT_ENTRIES], selector: u16) -> u64 {
        table[usize::from(selector >> 3)]
    }

    #[test]
    fn syscall_and_sysret_find_the_right_segments() {
        assert_eq!((STAR >> 32) as u16, KERNEL_CODE);
        assert_eq!((STAR >> 32) as u16 + 8, KERNEL_DATA);
        assert_eq!((STAR >> 48) as u16 + 16, USER_CODE);
        assert_eq!((STAR >> 48) as u16 + 8, USER_DATA);
    }

    #[test]
    fn only_user_segments_have_privilege_three() {
        let table = gdt(0xffff_ffff_8001_2340, 103);
        let privilege = |selector| entry(&table, selector) >> 45 & 3;
        assert_eq!([KERNEL_CODE, KERNEL_DATA, TASK].map(privilege), [0, 0, 0]);
        assert_eq!([USER_CODE, USER_DATA].map(privilege), [3, 3]);
        assert_eq!(entry(&table, SENTINEL) & PRESENT, 0, "nobody can load the sentinel");
    }

    #[test]
    fn code_is_long_mode_and_the_rest_is_known_good() {
        let table = gdt(0, 103);
        assert_eq!(entry(&table, KERNEL_CODE), 0x00af_9b00_0000_ffff);
        assert_eq!(entry(&table, KERNEL_DATA), 0x00cf_9300_0000_ffff);
        assert_eq!(entry(&table, USER_DATA), 0x00cf_f300_0000_ffff);
        assert_eq!(entry(&table, USER_CODE), 0x00af_fb00_0000_ffff);
    }

    #[test]
    fn a_task_descriptor_holds_its_base_and_limit() {
        let base = 0x1234_5678_9abc_def0;
        let [low, high] = task_descriptor(base, 0x6_0067);
        assert_eq!((low >> 16 & 0xff_ffff) | (low >> 56) << 24 | high << 32, base);
        assert_eq!((low & 0xffff) | (low >> 48 & 0xf) << 16, 0x6_0067);
        assert_eq!(low >> 40 & 0xff, 0x89);
    }
}
