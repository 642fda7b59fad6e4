//! Rings the next neighbour and waits for the previous one: shows that every core is up and reachable.

use crate::listen::{await_listener, listen};
use channel::Side;
use runtime::{ChannelEnd, Env, println};

/// Rings along every outgoing channel once its other end listens, then waits on every incoming one.
pub fn neighbour(env: &Env) -> i32 {
    let incoming = || env.ends().filter(|end| end.side() == Side::Second && end.bell().mask() != 0);
    let outgoing = env.ends().filter(|end| end.side() == Side::First && end.bell().rings());
    incoming().for_each(|end| listen(&end));
    let rang = outgoing.map(ring_listener).count();
    let heard = incoming().map(|end| end.wait()).count();
    println!("{}: {}", env.partition(), deed(rang, heard));
    0
}

/// Rings once the other end listens.
fn ring_listener(end: ChannelEnd) {
    await_listener(&end);
    end.ring();
}

/// What was done, in words.
fn deed(rang: usize, heard: usize) -> &'static str {
    match (rang, heard) {
        (0, 0) => "has no neighbours",
        (_, 0) => "rang next",
        (0, _) => "heard previous",
        _ => "rang next, heard previous",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_its_words() {
        assert_eq!(deed(1, 1), "rang next, heard previous");
        assert_eq!([deed(0, 0), deed(1, 0), deed(0, 1)], ["has no neighbours", "rang next", "heard previous"]);
    }
}
