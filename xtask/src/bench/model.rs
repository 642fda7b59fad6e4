//! The scaling model: a closed queueing network, one customer per core, one server that is the lock.
//!
//! Each core works for `work` ticks by itself, then needs the lock and holds it for `hold` ticks (the machine repairman's
//! problem). If times never vary, as in lockstep, cores fall into step and nobody queues until the lock is busy all the
//! time: throughput is the lesser of `cores / (work + hold)` and `1 / hold`. If they vary exponentially, mean value
//! analysis is exact: who comes finds the queue that one core less would have. Real machines lie in between.
//!
//! Emulators charge nothing when a cache line moves between cores; `transfer` ticks per line stand for that. A hand-over
//! moves the lock's own line and `lines` lines of what it protects. Ticket waiters all reread the line that the release
//! writes, one after the other; an MCS waiter rereads its own. Tests: below.

/// How waiters learn that it is their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// All look at one line.
    Ticket,
    /// Each looks at a line of its own.
    Mcs,
}

/// How much holding times differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variation {
    /// Not at all, as in lockstep.
    None,
    /// Exponentially.
    Exponential,
}

/// One operation on one kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// Ticks that each core spends by itself for an operation.
    pub work: f64,
    /// Ticks for which an operation holds the lock; 0 for none.
    pub hold: f64,
    /// Variation of `hold`.
    pub variation: Variation,
    /// Lock.
    pub lock: Lock,
    /// Ticks to move one cache line between cores.
    pub transfer: f64,
    /// Lines of protected data that move with the lock.
    pub lines: f64,
}

impl Model {
    /// From two measurements in lockstep: operations per tick of one core alone, and of as many cores as saturate the
    /// lock; equal throughput per core means that there is none.
    pub fn fit(alone: f64, cores: f64, together: f64) -> Self {
        let cycle = 1.0 / alone;
        // Where the last core still adds nearly its full share, no lock shows.
        let hold = if together >= 0.97 * cores * alone { 0.0 } else { 1.0 / together };
        // An operation that holds the lock from beginning to end can be slower together than alone.
        Self {
            work: (cycle - hold).max(0.0),
            hold,
            variation: Variation::None,
            lock: Lock::Ticket,
            transfer: 0.0,
            lines: 0.0,
        }
    }

    /// The same operation after `think` more ticks of work.
    pub fn thinking(self, think: f64) -> Self {
        Self { work: self.work + think, ..self }
    }

    /// The same kernel where moving a line costs `transfer` ticks and each hand-over moves `lines` lines besides the lock's.
    pub fn with_transfer(self, transfer: f64, lines: f64, lock: Lock) -> Self {
        Self { transfer, lines, lock, ..self }
    }

    /// Operations per tick of `cores` cores.
    pub fn throughput(&self, cores: u32) -> f64 {
        if self.hold == 0.0 {
            return f64::from(cores) / self.work;
        }
        let (mut present, mut rate) = (0.0, 0.0);
        for customers in 1..=cores {
            let hold = self.hold_with(present, customers);
            let queue = if self.variation == Variation::None { 0.0 } else { present };
            rate = (f64::from(customers) / (self.work + hold * (1.0 + queue))).min(1.0 / hold);
            // Whoever is not at work is at the lock: Little's law.
            present = f64::from(customers) - rate * self.work;
        }
        rate
    }

    /// How long the lock is held, hand-over included, when so many cores are at the lock already.
    fn hold_with(&self, present: f64, customers: u32) -> f64 {
        if customers == 1 {
            return self.hold;
        }
        let own = match self.lock {
            Lock::Ticket => 1.0 + present,
            Lock::Mcs => 2.0,
        };
        self.hold + self.transfer * (own + self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::reference::{LOCKSTEP_CORES, SEL4_LOCKSTEP};

    fn near(got: f64, expected: f64, part: f64) {
        assert!((got / expected - 1.0).abs() <= part, "{got} instead of {expected}");
    }

    #[test]
    fn one_core_never_waits_and_without_a_lock_all_add_up() {
        near(Model::fit(1e-3, 8.0, 2e-3).throughput(1), 1e-3, 1e-9);
        let free = Model::fit(1e-3, 8.0, 8e-3);
        assert_eq!(free.hold, 0.0);
        near(free.throughput(256), 0.256, 1e-9);
    }

    #[test]
    fn the_curves_of_sel4_follow_from_two_of_its_points() {
        let [first, .., last] = SEL4_LOCKSTEP[0].thousands.map(|thousand| thousand as f64 * 1e-6);
        let model = Model::fit(first, 8.0, last);
        for curve in &SEL4_LOCKSTEP {
            let alone = curve.thousands[0] as f64 * 1e-6;
            let model = model.thinking(1.0 / alone - 1.0 / first);
            for (cores, thousand) in LOCKSTEP_CORES.iter().zip(curve.thousands) {
                near(model.throughput(*cores) * 1e6, thousand as f64, 0.01);
            }
        }
    }

    #[test]
    fn variation_costs_and_so_does_every_line_moved() {
        let model = Model::fit(1e-3, 8.0, 2e-3);
        let varying = Model { variation: Variation::Exponential, ..model };
        assert!(varying.throughput(2) < model.throughput(2));
        let ticket = model.with_transfer(100.0, 4.0, Lock::Ticket);
        let mcs = model.with_transfer(100.0, 4.0, Lock::Mcs);
        assert!(ticket.throughput(64) < mcs.throughput(64) && mcs.throughput(64) < model.throughput(64));
        assert!(ticket.throughput(64) < ticket.throughput(8), "ticket waiters get in each other's way");
    }
}
