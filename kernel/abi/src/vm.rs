//! Where user addresses end.

/// First address that user programs cannot map: the last page of the lower half stays empty.
pub const USER_TOP: u64 = 0x0000_7fff_ffff_f000;
