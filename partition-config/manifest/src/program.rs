//! What a program can be and have that Skerry's root task starts: the check and the root task keep to it.

/// Its segments end here at most; what the root task gives it lies above.
pub const IMAGE_LIMIT: u64 = 0x1_0000_0000;
/// Most segments of its image.
pub const MAX_SEGMENTS: usize = 16;
/// Most channel ends (each may take a bit of the badge and a slot for a doorbell).
pub const MAX_CHANNELS: usize = 48;
/// Bits of its notification's badge: channels count from bit 0 up, interrupts follow them.
pub const BADGE_BITS: u32 = 64;
