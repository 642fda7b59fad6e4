//! How partitions find each other: the channels of the manifest, and a rendezvous over them.
//!
//! `star-<n>` joins the first partition (which has the console, and leads) with another; `pair-<n>` joins two neighbours.
//! A link is cut into pages: page 0 carries the rendezvous, each other page is the memory of one round, so every ring
//! starts in zeroes. Words of page 0 have one writer each. Partitions here trust each other: they are one program.

use super::post::Sample;
use crate::stage::step;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use manifest::{Manifest, NONE};
use root_task::RootError;
use root_task::objects::{Objects, place};
use root_task::vspace::VSpace;
use sel4::{CapRights, Doorbell, IrqHandler, Notification, ObjectType, VmAttributes, initial};
use spin::Once;

/// Where links are mapped.
const LINKS_AT: u64 = 0x6000_0000;
const PAGE_BYTES: u64 = 1 << abi::object::PAGE_BITS;
const PAGE_WORDS: usize = PAGE_BYTES as usize / 8;

/// Words of page 0, a cache line apart: the follower's …
const ARRIVED: usize = 0;
/// … the leader's …
const LET_GO: usize = 16;
/// … and the follower's again: how many samples, then two words for each.
const RESULTS: usize = 32;

/// One end of a channel.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    words: &'static [AtomicU64],
    /// Which end.
    pub side: channel::Side,
    /// Rung here.
    pub doorbell: Doorbell,
    /// Signalled when the other end rings; all `star` doorbells of the leader signal one notification.
    pub heard: Notification,
}

impl Link {
    /// The memory of page `page`.
    pub fn page(&self, page: u64) -> &'static [AtomicU64] {
        let start = page as usize * PAGE_WORDS;
        &self.words[start..start + PAGE_WORDS]
    }

    /// A polled ring each way in page `page`.
    pub fn polled(&self, page: u64) -> Result<channel::Duplex<'static, channel::Polling>, channel::OpenError> {
        channel::Duplex::open(channel::Region::from_words(self.page(page)), self.side, channel::Polling)
    }

    /// A ring each way in page `page`, whose ends sleep.
    pub fn sleeping(&self, page: u64) -> Result<channel::Duplex<'static, Self>, channel::OpenError> {
        channel::Duplex::open(channel::Region::from_words(self.page(page)), self.side, *self)
    }
}

impl channel::Bell for Link {
    const SLEEPS: bool = true;

    fn ring(&self) {
        self.doorbell.ring();
    }

    fn wait(&self) {
        self.heard.wait();
    }
}

/// This partition's links.
#[derive(Debug, Default)]
pub struct Links {
    /// The leader's to everybody, in order; a follower's to the leader.
    pub star: Vec<Link>,
    /// To the neighbour.
    pub pair: Option<Link>,
    follows: bool,
    rounds: AtomicU64,
}

static LINKS: Once<Links> = Once::new();

/// This partition's links; none before [`Links::join`].
pub fn links() -> &'static Links {
    LINKS.call_once(Links::default)
}

impl Links {
    /// Maps every channel of the manifest, and binds its doorbells. From then on [`links`] has them.
    pub fn join(manifest: &Manifest<'_>, objects: &mut Objects, own: &mut VSpace) -> Result<(), RootError> {
        let mut links = Self::default();
        let star = Notification::new(objects.create(ObjectType::Notification, 0)?);
        // Memory is asked for in ascending order.
        let mut ends: Vec<_> = manifest.ends_of_program(NONE).map(|(_, end)| end).collect();
        ends.sort_by_key(|end| manifest.channel_of(end).map_or(0, |channel| channel.base));
        let mut at = LINKS_AT;
        for end in ends {
            let channel = manifest.channel_of(end).ok_or(RootError::Record("channel"))?;
            let (base, rights, bits) = (at, CapRights::READ_WRITE, abi::object::PAGE_BITS);
            for run in objects.device_frames(channel.base, channel.size)? {
                for frame in run.first..run.first + run.count {
                    if run.bits != bits {
                        return Err(RootError::Record("channel as large as a large page"));
                    }
                    own.map(objects, frame, run.bits, at, rights, VmAttributes::WRITE_BACK)?;
                    at += PAGE_BYTES;
                }
            }
            // SAFETY: mapped just now for good, whole pages, and reached as atomic words only.
            let words = unsafe { core::slice::from_raw_parts(base as *const AtomicU64, channel.size as usize / 8) };
            let is_star = channel.name.as_str().starts_with("star");
            let heard = if is_star { star } else { Notification::new(objects.create(ObjectType::Notification, 0)?) };
            let bell = manifest.doorbell_of(end).ok_or(RootError::Record("doorbell"))?;
            let doorbell = objects.slot()?;
            step("issue a doorbell", initial::IRQ_CONTROL.issue_doorbell(doorbell, bell.route.into()))?;
            let (handler, badged) = (objects.slot()?, objects.slot()?);
            step("hear a doorbell", initial::IRQ_CONTROL.hear_doorbell(handler, end.hears.into()))?;
            step("badge it", badged.mint_from(place(heard.cptr()), CapRights::WRITE, 1 << (end.channel % 64)))?;
            let bound = IrqHandler::new(handler.index).set_notification(Notification::new(badged.index));
            step("bind a doorbell", bound)?;
            let side = channel::Side::from_number(end.side);
            let link = Link { words, side, doorbell: Doorbell::new(doorbell.index), heard };
            if is_star {
                links.follows = side == channel::Side::Second;
                links.star.push(link);
            } else {
                links.pair = Some(link);
            }
        }
        LINKS.call_once(|| links);
        Ok(())
    }

    /// Whether this partition leads: it has the console.
    pub fn leads(&self) -> bool {
        !self.follows
    }

    /// Waits until every partition has come to this point.
    pub fn assemble(&self) {
        let round = self.rounds.fetch_add(1, Relaxed) + 1;
        if self.follows {
            self.star.iter().for_each(|link| {
                link.words[ARRIVED].store(round, Release);
                wait_for(&link.words[LET_GO], round);
            });
        } else {
            self.star.iter().for_each(|link| wait_for(&link.words[ARRIVED], round));
            self.star.iter().for_each(|link| link.words[LET_GO].store(round, Release));
        }
    }

    /// Brings all partitions' samples together: the leader has them all afterwards, in the order of the partitions.
    pub fn collect(&self, samples: &mut Vec<Sample>) {
        if self.follows {
            self.star.iter().for_each(|link| hand_in(link, samples));
        }
        self.assemble();
        if !self.follows {
            self.star.iter().for_each(|link| take_in(link, samples));
        }
    }
}

fn wait_for(word: &AtomicU64, round: u64) {
    while word.load(Acquire) < round {
        core::hint::spin_loop();
    }
}

fn hand_in(link: &Link, samples: &[Sample]) {
    link.words[RESULTS].store(samples.len() as u64, Relaxed);
    for (place, sample) in link.words[RESULTS + 1..].chunks_exact(2).zip(samples) {
        place[0].store(sample.operations, Relaxed);
        place[1].store(sample.longest, Relaxed);
    }
}

fn take_in(link: &Link, samples: &mut Vec<Sample>) {
    let count = link.words[RESULTS].load(Relaxed) as usize;
    for place in link.words[RESULTS + 1..].chunks_exact(2).take(count) {
        samples.push(Sample { operations: place[0].load(Relaxed), longest: place[1].load(Relaxed) });
    }
}
