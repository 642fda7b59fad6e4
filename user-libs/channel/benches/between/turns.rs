//! Rings that are timed in turns, so that their ratio holds whatever the host does meanwhile.

use std::time::{Duration, Instant};

/// A ring, and how to time it once, in picoseconds per message.
pub type Turn = (&'static str, fn() -> u64);

/// How long a group may take: on a busy host threads that look for each other wait for the host.
const LIMIT: Duration = Duration::from_secs(20);

/// Gives every ring so many turns, or as many as there is time for, and prints a line
/// `ring <group> <ring> <median> <quartile> <quartile>` each, in picoseconds per message, over all turns.
pub fn take_turns(group: &str, count: usize, rings: &[Turn]) {
    let mut figures: Vec<_> = rings.iter().map(|&(name, turn)| (name, turn, Vec::with_capacity(count))).collect();
    let start = Instant::now();
    for round in 0..count {
        if round > 0 && start.elapsed() > LIMIT {
            break;
        }
        figures.iter_mut().for_each(|(_, turn, times)| times.push(turn()));
    }
    for (name, _, mut times) in figures {
        times.sort_unstable();
        let [median, first, third] = [2, 1, 3].map(|quarter| times[times.len() * quarter / 4]);
        println!("ring {group} {name} {median} {first} {third}");
    }
}
