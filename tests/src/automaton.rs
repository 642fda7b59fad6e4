//! Doorbells as the automaton of the assurance ladder's level 5 has them, replayed from the logical logs of instances.
//!
//! Where a ring may be is what `tests/assurance/coq/Doorbell.v` says: in the mailbox of the core that was rung, at most one for
//! each vector; then in the notification that hears the vector, until a wait takes it. What the automaton predicts, the
//! log's observations must be: every word that a wait returns, and that nobody returns from a wait for which there was no
//! ring. So the events of an instance, in their order, determine where it is. Tests: below.

use std::collections::BTreeMap;

/// What happens at an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody's kernel rings this instance with a vector.
    Ring(u8),
    /// The vector interrupts.
    Arrive(u8),
    /// A thread asks for what was signalled, and waits if there is nothing.
    Wait(u64),
    /// A thread asks and does not wait.
    Poll(u64),
    /// A thread is left to the user, with this word where a wait returns one.
    Leave(u64, u64),
}

/// A thread between its question and the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Waits,
    Gets(u64),
}

/// Where an instance is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Vectors that were rung and did not interrupt yet.
    mailbox: Vec<u8>,
    /// Words of vectors, known from the first that a wait returned.
    badges: BTreeMap<u8, u64>,
    /// Vectors whose rings the notification holds.
    noted: Vec<u8>,
    /// Vectors that the word somebody is about to get stands for.
    given: Vec<u8>,
    threads: BTreeMap<u64, Asked>,
    /// Rings, and returned waits with a word.
    pub rung: u64,
    /// Returned waits with a word.
    pub taken: u64,
}

impl Instance {
    /// Makes one step.
    ///
    /// # Errors
    /// Why the automaton cannot do what the log says.
    pub fn step(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Ring(vector) => {
                self.rung += 1;
                if !self.mailbox.contains(&vector) {
                    self.mailbox.push(vector);
                }
            }
            Event::Arrive(vector) => {
                let place = self.mailbox.iter().position(|&other| other == vector);
                self.mailbox.remove(place.ok_or_else(|| format!("vector {vector:#x} interrupts and was not rung"))?);
                if !self.noted.contains(&vector) {
                    self.noted.push(vector);
                }
                let waiting = self.threads.iter().find(|&(_, &asked)| asked == Asked::Waits).map(|(&thread, _)| thread);
                if let Some(thread) = waiting {
                    self.give(thread);
                }
            }
            Event::Wait(thread) | Event::Poll(thread) if self.threads.contains_key(&thread) => {
                // Its question was put off, so what it was to get is still there.
                self.threads.remove(&thread);
                self.noted.append(&mut self.given);
                self.step(event)?;
            }
            Event::Wait(thread) if self.noted.is_empty() => {
                if self.threads.values().any(|&asked| asked == Asked::Waits) {
                    return Err("two threads wait".into());
                }
                self.threads.insert(thread, Asked::Waits);
            }
            Event::Wait(thread) | Event::Poll(thread) => self.give(thread),
            Event::Leave(thread, word) => match self.threads.remove(&thread) {
                None => {}
                Some(Asked::Waits) => return Err(format!("thread {thread:#x} returns from a wait without a ring")),
                Some(Asked::Gets(expected)) => self.check(expected, word)?,
            },
        }
        Ok(())
    }

    /// The thread gets all that is noted. One word at a time is on its way.
    fn give(&mut self, thread: u64) {
        let known = |vector: &u8| self.badges.get(vector).copied().unwrap_or(0);
        let word = self.noted.iter().map(known).fold(0, |all, badge| all | badge);
        self.given = std::mem::take(&mut self.noted);
        self.threads.insert(thread, Asked::Gets(word));
    }

    fn check(&mut self, expected: u64, word: u64) -> Result<(), String> {
        let given = std::mem::take(&mut self.given);
        self.taken += u64::from(word != 0);
        let unknown: Vec<u8> = given.into_iter().filter(|vector| !self.badges.contains_key(vector)).collect();
        match (unknown.as_slice(), word & !expected) {
            ([], 0) if word == expected => Ok(()),
            (&[vector], new) if new.is_power_of_two() && word & expected == expected => {
                self.badges.insert(vector, new);
                Ok(())
            }
            _ => Err(format!("a wait returns {word:#x} instead of {expected:#x}")),
        }
    }

    /// Whether there are rings that nobody has asked for yet.
    pub fn has_noted(&self) -> bool {
        !self.noted.is_empty()
    }

    /// Whether a ring is on its way to somebody.
    pub fn is_pending(&self) -> bool {
        !self.mailbox.is_empty() || !self.noted.is_empty() || !self.given.is_empty()
    }
}

/// Replays a log of instances, numbered; each at its end.
///
/// # Errors
/// The first event that does not fit.
pub fn replay(count: usize, log: &[(usize, Event)]) -> Result<Vec<Instance>, String> {
    let mut instances = vec![Instance::default(); count];
    for (at, &(who, event)) in log.iter().enumerate() {
        let instance = instances.get_mut(who).ok_or_else(|| format!("event {at} is of no instance: {who}"))?;
        instance.step(event).map_err(|why| format!("event {at} of instance {who}, {event:?}: {why}"))?;
    }
    Ok(instances)
}

#[cfg(test)]
mod tests {
    use super::Event::*;
    use super::*;

    const V: u8 = 0xa0;

    fn alone(events: &[Event]) -> Result<Instance, String> {
        let log: Vec<_> = events.iter().map(|&event| (0, event)).collect();
        Ok(replay(1, &log)?.remove(0))
    }

    #[test]
    fn a_ring_is_heard_by_who_waits_and_by_who_comes() {
        let events = [Wait(7), Ring(V), Arrive(V), Leave(7, 4), Ring(V), Ring(V), Arrive(V), Wait(7), Leave(7, 4)];
        let end = alone(&events).unwrap();
        assert_eq!((end.rung, end.taken, end.is_pending()), (3, 2, false));
        assert!(alone(&[Ring(V)]).unwrap().is_pending());
        assert!(alone(&[Ring(V), Arrive(V)]).unwrap().is_pending());
    }

    #[test]
    fn what_was_never_rung_cannot_arrive() {
        assert!(alone(&[Arrive(V)]).is_err());
        assert!(alone(&[Ring(V), Arrive(V), Arrive(V)]).is_err());
        assert!(alone(&[Ring(V), Arrive(V + 1)]).is_err());
    }

    #[test]
    fn a_wait_returns_for_a_ring_only_and_with_its_word() {
        assert!(alone(&[Wait(7), Leave(7, 4)]).is_err());
        assert!(alone(&[Ring(V), Arrive(V), Wait(7), Leave(7, 0)]).is_err(), "a lost ring");
        assert!(alone(&[Ring(V), Arrive(V), Wait(7), Leave(7, 4), Ring(V), Arrive(V), Wait(7), Leave(7, 8)]).is_err());
        assert!(alone(&[Poll(7), Leave(7, 4)]).is_err());
        assert!(alone(&[Poll(7), Leave(7, 0)]).is_ok());
    }

    #[test]
    fn a_question_that_was_put_off_is_asked_again() {
        assert!(alone(&[Wait(7), Wait(7), Ring(V), Arrive(V), Leave(7, 4)]).is_ok());
        assert!(alone(&[Wait(7), Ring(V), Arrive(V), Wait(7), Leave(7, 4)]).is_ok());
        assert!(alone(&[Wait(7), Wait(8)]).is_err(), "two threads wait");
    }

    #[test]
    fn other_threads_come_and_go() {
        assert!(alone(&[Wait(7), Leave(8, 99), Leave(8, 3), Ring(V), Leave(8, 1), Arrive(V), Leave(7, 2)]).is_ok());
    }

    #[test]
    fn instances_have_nothing_but_mailboxes_in_common() {
        let log = [(1, Ring(V)), (0, Wait(7)), (1, Arrive(V)), (1, Poll(3)), (1, Leave(3, 2))];
        let ends = replay(2, &log).unwrap();
        assert_eq!(ends[0].threads.len(), 1);
        assert!(replay(2, &[(0, Ring(V)), (1, Arrive(V))]).is_err());
        assert!(replay(1, &[(1, Ring(V))]).is_err());
    }
}
