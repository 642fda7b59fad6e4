//! A post per core: what its worker needs, and what it has counted. Workers write to their own post only, and each post
//! has cache lines of its own, so that counting costs no core anything of another's.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use runtime::rdtsc;
use sel4::{Endpoint, Notification, Reply};

/// Most cores of one partition.
pub const MAX_CORES: usize = 16;

/// What a worker finds at its post. Capability pointers are 0 where a scenario has no such object.
#[derive(Debug)]
#[repr(align(128))]
pub struct Post {
    /// Where it calls or serves.
    pub endpoint: AtomicU64,
    /// Its server's reply object.
    pub reply: AtomicU64,
    /// What it signals or waits for.
    pub notification: AtomicU64,
    /// What it waits for when it is done.
    pub rest: AtomicU64,
    /// An object of the scenario: a page, an untyped.
    pub object: AtomicU64,
    /// Another: an address space, a slot.
    pub other: AtomicU64,
    operations: AtomicU64,
    longest: AtomicU64,
    finished: AtomicU64,
}

/// What all workers of this partition share; nobody writes to it while they measure.
#[derive(Debug)]
#[repr(align(128))]
pub struct Round {
    /// Ticks for which operations are counted.
    window: AtomicU64,
    /// Instructions that a thread thinks between operations.
    think: AtomicU64,
    page: AtomicU64,
    /// What a worker signals when it is ready, or done.
    pub curtain: AtomicU64,
    go: AtomicU64,
}

const fn zero() -> AtomicU64 {
    AtomicU64::new(0)
}

/// One for each core of the partition.
pub static POSTS: [Post; MAX_CORES] = [const {
    Post {
        endpoint: zero(),
        reply: zero(),
        notification: zero(),
        rest: zero(),
        object: zero(),
        other: zero(),
        operations: zero(),
        longest: zero(),
        finished: zero(),
    }
}; MAX_CORES];

/// The only one.
pub static ROUND: Round = Round { window: zero(), think: zero(), page: zero(), curtain: zero(), go: zero() };

/// What one worker achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Operations that ended within the window.
    pub operations: u64,
    /// Ticks of the longest.
    pub longest: u64,
}

impl Round {
    /// Before anybody is started: operations are counted for `window` ticks, threads think for `think` instructions, and
    /// the round has page `page` of the links.
    pub fn prepare(&self, window: u64, think: u64, page: u64) {
        self.go.store(0, Relaxed);
        // Whoever finished last has signalled after the first thread had seen it.
        self.curtain().poll();
        self.window.store(window, Relaxed);
        self.think.store(think, Relaxed);
        self.page.store(page, Relaxed);
        POSTS.iter().for_each(|post| post.finished.store(0, Relaxed));
    }

    /// Lets every worker begin.
    pub fn begin(&self) {
        self.go.store(1, Release);
    }

    /// In a worker: waits for [`begin`](Self::begin); gives the time at which the window closes.
    pub fn wait(&self) -> u64 {
        while self.go.load(Acquire) == 0 {
            core::hint::spin_loop();
        }
        rdtsc() + self.window.load(Relaxed)
    }

    /// Tells the first thread something has changed.
    pub fn tell(&self) {
        self.curtain().signal();
    }

    /// What [`tell`](Self::tell) signals.
    pub fn curtain(&self) -> Notification {
        Notification::new(self.curtain.load(Relaxed))
    }

    /// The page of the links that is this round's.
    pub fn page(&self) -> u64 {
        self.page.load(Relaxed)
    }

    /// Thinks.
    pub fn think(&self) {
        instructions(self.think.load(Relaxed));
    }
}

impl Post {
    /// Where this worker calls or serves.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.endpoint.load(Relaxed))
    }

    /// Whom its server answers.
    pub fn reply(&self) -> Reply {
        Reply::new(self.reply.load(Relaxed))
    }

    /// What it signals or waits for.
    pub fn notification(&self) -> Notification {
        Notification::new(self.notification.load(Relaxed))
    }

    /// Reports, and rests for ever.
    pub fn finish(&self, sample: Sample) -> ! {
        self.operations.store(sample.operations, Relaxed);
        self.longest.store(sample.longest, Relaxed);
        self.finished.store(1, Release);
        ROUND.tell();
        let rest = Notification::new(self.rest.load(Relaxed));
        loop {
            rest.wait();
        }
    }

    /// What its worker achieved, if it is done.
    pub fn sample(&self) -> Option<Sample> {
        (self.finished.load(Acquire) != 0)
            .then(|| Sample { operations: self.operations.load(Relaxed), longest: self.longest.load(Relaxed) })
    }
}

/// Does `operation` again and again until the round's window closes. What ends later does not count.
pub fn count(mut operation: impl FnMut()) -> Sample {
    let end = ROUND.wait();
    let (mut sample, mut before) = (Sample::default(), rdtsc());
    loop {
        operation();
        let now = rdtsc();
        if now > end {
            return sample;
        }
        sample.operations += 1;
        sample.longest = sample.longest.max(now - before);
        before = now;
    }
}

/// Executes `count` instructions, rounded down to an even number, that do nothing.
fn instructions(count: u64) {
    if count < 2 {
        return;
    }
    // SAFETY: counts a register down.
    unsafe {
        core::arch::asm!("2:", "dec {turns}", "jnz 2b", turns = inout(reg) count / 2 => _, options(nomem, nostack));
    }
}
