//! Object types as `UntypedRetype` takes them, and the size of each object as a power of two.
//!
//! Tests: `tests/numbers.rs`.

words! {
    /// What untyped memory can become.
    ObjectType: u64, from_word {
        /// Smaller untyped memory; sized by the caller.
        Untyped = 0,
        /// Thread control block.
        Tcb = 1,
        /// Endpoint.
        Endpoint = 2,
        /// Notification.
        Notification = 3,
        /// CNode; the caller's size counts slots.
        CapTable = 4,
        /// Scheduling context; sized by the caller, at least [`MIN_SCHED_CONTEXT_BITS`].
        SchedContext = 5,
        /// Reply object.
        Reply = 6,
        /// Page directory pointer table.
        Pdpt = 7,
        /// Top-level page table.
        Pml4 = 8,
        /// 1 GiB page.
        HugePage = 9,
        /// 4 KiB page.
        Page4K = 10,
        /// 2 MiB page.
        LargePage = 11,
        /// Page table.
        PageTable = 12,
        /// Page directory.
        PageDirectory = 13,
    }
}

/// Bits of a capability slot's size.
pub const SLOT_BITS: u32 = 5;
/// Bits of a TCB's size.
pub const TCB_BITS: u32 = 11;
/// Bits of an endpoint's size.
pub const ENDPOINT_BITS: u32 = 4;
/// Bits of a notification's size.
pub const NOTIFICATION_BITS: u32 = 6;
/// Bits of a reply object's size.
pub const REPLY_BITS: u32 = 5;
/// Bits of the smallest scheduling context's size.
pub const MIN_SCHED_CONTEXT_BITS: u32 = 7;
/// Bytes of a scheduling context that are not extra refills (two refills included).
pub const CORE_SCHED_CONTEXT_BYTES: u64 = 10 * 8 + 6 * 8;

/// Bits of a 4 KiB page's size.
pub const PAGE_BITS: u32 = 12;
/// Bits of a 2 MiB page's size.
pub const LARGE_PAGE_BITS: u32 = 21;
/// Bits of a 1 GiB page's size.
pub const HUGE_PAGE_BITS: u32 = 30;
/// Bits of the size of a page table, page directory, PDPT or PML4.
pub const PAGING_BITS: u32 = 12;

/// Bits of an ASID pool's size.
pub const ASID_POOL_BITS: u32 = 12;
/// Bits that index the table of ASID pools.
pub const NUM_ASID_POOLS_BITS: u32 = 3;

/// Bits of the smallest untyped's size.
pub const MIN_UNTYPED_BITS: u32 = 4;
/// Bits of the largest untyped's size.
pub const MAX_UNTYPED_BITS: u32 = 47;
/// Most objects one `UntypedRetype` creates.
pub const RETYPE_FAN_OUT_LIMIT: u64 = 256;

const _: () = assert!(CORE_SCHED_CONTEXT_BYTES <= 1 << MIN_SCHED_CONTEXT_BITS);
const _: () = assert!(CORE_SCHED_CONTEXT_BYTES > 1 << (MIN_SCHED_CONTEXT_BITS - 1));

impl ObjectType {
    /// Bits of an object's size; `user_bits` is the size the caller names for the types that have no fixed one.
    ///
    /// For a CNode `user_bits` counts slots; the sum saturates, so that an absurd request stays absurd.
    #[inline]
    pub const fn size_bits(self, user_bits: u64) -> u64 {
        match self {
            Self::Untyped | Self::SchedContext => user_bits,
            Self::CapTable => user_bits.saturating_add(SLOT_BITS as u64),
            Self::Tcb => TCB_BITS as u64,
            Self::Endpoint => ENDPOINT_BITS as u64,
            Self::Notification => NOTIFICATION_BITS as u64,
            Self::Reply => REPLY_BITS as u64,
            Self::Pdpt | Self::Pml4 | Self::PageTable | Self::PageDirectory => PAGING_BITS as u64,
            Self::Page4K => PAGE_BITS as u64,
            Self::LargePage => LARGE_PAGE_BITS as u64,
            Self::HugePage => HUGE_PAGE_BITS as u64,
        }
    }
}
