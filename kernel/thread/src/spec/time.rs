//! The budget of a scheduling context as a value: amounts of time, each from a moment on.
//!
//! A *sporadic* budget is a sequence of refills that add up to the budget. Using time takes it from the front and puts it
//! at the end, one period after it could first have been used. Refills that touch are one; a sequence that is as long as
//! it may be gets its last refill delayed instead of another; a first refill too small for a dispatch is joined to the
//! next, ending when that would. A *round-robin* budget is a slice that is whole again whenever it was used up.

use crate::{Refill, Ticks};

/// The limits of a machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Least budget that is worth a dispatch.
    pub least: Ticks,
    /// A refill from this moment on is never spent: time has ended.
    pub end: Ticks,
}

/// From when on, and how much.
pub type Piece = (Ticks, Ticks);

/// The budget of a configured context.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Budget {
    /// A time slice.
    RoundRobin {
        /// When it was configured.
        since: Ticks,
        /// What is left of the slice.
        left: Ticks,
        /// What was used of it.
        used: Ticks,
    },
    /// A budget per period.
    Sporadic {
        /// The period.
        period: Ticks,
        /// Most pieces.
        most: usize,
        /// The pieces, earliest first.
        pieces: Vec<Piece>,
    },
}

impl Budget {
    /// A context that was never used.
    pub fn new(most: usize, budget: Ticks, period: Ticks, now: Ticks) -> Self {
        if budget == period {
            Self::RoundRobin { since: now, left: budget, used: 0 }
        } else {
            Self::Sporadic { period, most, pieces: vec![(now, budget)] }
        }
    }

    /// What may be used first.
    pub fn first(&self) -> Piece {
        match self {
            Self::RoundRobin { since, left, .. } => (*since, *left),
            Self::Sporadic { pieces, .. } => pieces[0],
        }
    }

    /// Whether it is a time slice.
    pub fn is_round_robin(&self) -> bool {
        matches!(self, Self::RoundRobin { .. })
    }

    /// Whether a dispatch is worth it at `now`.
    pub fn has_time(&self, now: Ticks, limits: Limits) -> bool {
        let (time, amount) = self.first();
        time <= now && amount >= limits.least
    }

    /// The budget that a used context has after it was given another one: what is left of the old is used first, the
    /// rest comes a period later.
    #[must_use]
    pub fn reconfigured(&self, most: usize, budget: Ticks, period: Ticks, now: Ticks) -> Self {
        let (time, left) = self.first();
        let (time, left) = (time.max(now), left.min(budget));
        let rest = (time.saturating_add(period), budget - left);
        let pieces = [(time, left), rest].into_iter().take(if rest.1 == 0 { 1 } else { 2 }).collect();
        Self::Sporadic { period, most, pieces }
    }

    /// `amount` was used.
    pub fn spend(&mut self, amount: Ticks, limits: Limits) {
        match self {
            Self::RoundRobin { left, used, .. } => {
                let amount = amount.min(*left);
                (*left, *used) = (*left - amount, *used + amount);
            }
            Self::Sporadic { period, most, pieces } => {
                spend(pieces, amount, *period, *most, limits);
                join_small(pieces, limits);
            }
        }
    }

    /// The slice ended, after `amount` more was used of it.
    pub fn end_slice(&mut self, amount: Ticks, limits: Limits) {
        match self {
            Self::RoundRobin { left, used, .. } => (*left, *used) = (*left + *used, 0),
            Self::Sporadic { .. } => self.spend(amount, limits),
        }
    }

    /// Nobody used it until `now`: what could have been used earlier can be used from now on. Says whether that was so.
    pub fn forget_the_past(&mut self, now: Ticks) -> bool {
        let Self::Sporadic { pieces, .. } = self else { return false };
        if pieces[0].0 > now {
            return false;
        }
        pieces[0].0 = now;
        while pieces.len() > 1 && pieces[1].0 <= now.saturating_add(pieces[0].1) {
            let (_, amount) = pieces.remove(1);
            pieces[0].1 += amount;
        }
        true
    }
}

fn spend(pieces: &mut Vec<Piece>, mut amount: Ticks, period: Ticks, most: usize, limits: Limits) {
    loop {
        let (time, available) = pieces[0];
        let part = available.min(amount);
        if time >= limits.end || part == 0 && available > 0 {
            return;
        }
        pieces.remove(0);
        if part < available {
            pieces.insert(0, (time + part, available - part));
        }
        give_back(pieces, (time.saturating_add(period), part), most);
        amount -= part;
    }
}

fn give_back(pieces: &mut Vec<Piece>, (time, amount): Piece, most: usize) {
    let full = pieces.len() == most;
    match pieces.last_mut() {
        Some(last) if last.0.saturating_add(last.1) >= time => last.1 += amount,
        Some(last) if full => *last = (time.saturating_sub(last.1), last.1 + amount),
        _ => pieces.push((time, amount)),
    }
}

fn join_small(pieces: &mut Vec<Piece>, limits: Limits) {
    while pieces.len() > 1 && pieces[0].1 < limits.least {
        let (_, small) = pieces.remove(0);
        pieces[0] = (pieces[0].0.saturating_sub(small), pieces[0].1 + small);
    }
}

/// The pieces that refills are, for comparing.
pub fn pieces(refills: &[Refill]) -> Vec<Piece> {
    refills.iter().map(|refill| (refill.time, refill.amount)).collect()
}
