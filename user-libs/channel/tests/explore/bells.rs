//! Bells of the model: a flag that is kept until it is waited for.

use channel::Bell;
use loom::sync::{Condvar, Mutex};
use loom::thread::yield_now;
use std::sync::Arc;

/// What a bell does that rings before anybody waits.
#[derive(Clone, Copy)]
pub enum Early {
    Kept,
    Lost,
}

#[derive(Default)]
struct Waiting {
    asleep: bool,
    rung: bool,
}

/// A flag to wait for, as a notification is.
struct Doorbell {
    early: Early,
    state: Mutex<Waiting>,
    changed: Condvar,
}

impl Doorbell {
    fn new(early: Early) -> Arc<Self> {
        Arc::new(Self { early, state: Mutex::default(), changed: Condvar::new() })
    }

    fn ring(&self) {
        let mut state = self.state.lock().unwrap();
        state.rung = state.asleep || matches!(self.early, Early::Kept);
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut state = self.state.lock().unwrap();
        state.asleep = true;
        while !state.rung {
            state = self.changed.wait(state).unwrap();
        }
        *state = Waiting::default();
    }
}

/// The bell of one end and that of its peer. Ends that do not sleep look again, and ring for the tests only.
#[derive(Clone)]
pub struct Doorbells<const SLEEPS: bool> {
    mine: Arc<Doorbell>,
    peers: Arc<Doorbell>,
}

impl<const SLEEPS: bool> Doorbells<SLEEPS> {
    /// The bells of the two ends.
    pub fn pair(early: Early) -> [Self; 2] {
        let [left, right] = [Doorbell::new(early), Doorbell::new(early)];
        [Self { mine: left.clone(), peers: right.clone() }, Self { mine: right, peers: left }]
    }

    /// Waits until the peer rings, even if this end is one that does not sleep.
    pub fn sleep(&self) {
        self.mine.wait();
    }
}

impl<const SLEEPS: bool> Bell for Doorbells<SLEEPS> {
    const SLEEPS: bool = SLEEPS;
    fn ring(&self) {
        self.peers.ring();
    }
    fn wait(&self) {
        if SLEEPS { self.sleep() } else { yield_now() }
    }
}
