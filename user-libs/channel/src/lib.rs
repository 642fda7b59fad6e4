//! Channels: rings of variable-length messages over memory that is shared with another program.
//!
//! A channel region carries two rings, one for each direction; each has exactly one [`Producer`] and one [`Consumer`].
//! The other end is another program, often in another partition, and is **not trusted**: whatever it writes into the
//! region, this crate answers with [`PeerError`] or with wrong *data*, never with a wild access, a panic or an endless
//! loop. What it can always do is stay silent: a peer that stops, stops the traffic.
//!
//! How that is kept:
//! * Indices in shared memory are allegations. Each end keeps its own position in private memory, never reads back what it
//!   wrote itself, and believes the peer's position only if it moves forward and not further than the ring is large.
//! * A length is read once, checked against what the peer has published, and only the checked copy is used.
//! * All shared memory is reached as `&[AtomicU64]` ([`Region`]), so a peer that changes bytes under our eyes is a value
//!   that changes, not undefined behaviour. The only `unsafe` of the crate makes that slice from a raw address.
//!
//! Waking: an end that may sleep says so in the region, and only then does the peer ring ([`Bell`]). The argument why no
//! wake-up is lost is at [`Producer::flush`].
//!
//! ```text
//! byte 0      512         1024                 1024 + C            1024 + 2 C
//! | control 0 | control 1 | data of ring 0     | data of ring 1    |  (C: a power of two)
//!
//! control:  0 tail, hello (written by the producer) | 128 head, hello (by the consumer)
//!         256 consumer sleeps                       | 384 words the sleeping producer waits for
//! record:   length u32, kind u32, payload, zeroes up to a multiple of 8; never wraps: a PAD record fills the rest
//! ```
//!
//! A region that an end may only read holds no ring (a consumer must publish its position): see [`broadcast`].
//! Tests: beside the code, `tests/model.rs` (against a queue), `tests/threads.rs`, `tests/malice.rs`; `tests/explore`; fuzz target `ring`.
#![cfg_attr(not(any(test, feature = "explore")), no_std)]

mod atomic;
mod bell;
pub mod broadcast;
mod consumer;
mod duplex;
mod error;
#[cfg(feature = "explore")]
pub mod explored;
mod layout;
mod producer;
mod shared;
pub mod stream;

pub use bell::{Bell, Polling};
pub use consumer::{Batch, Consumer, Message};
pub use duplex::{Duplex, Side};
pub use error::{OpenError, PeerError, SendError};
pub use layout::{MIN_REGION_BYTES, PAD};
pub use producer::{Producer, Slot};
pub use shared::{Bytes, Region};
pub use stream::{StreamReader, StreamWriter};

/// What one end of a ring has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Messages sent or received.
    pub messages: u64,
    /// Payload bytes sent or received.
    pub bytes: u64,
    /// Times the peer's doorbell was rung.
    pub rings: u64,
    /// Times this end went to sleep.
    pub waits: u64,
}
