//! Instructions of the host that a message costs: `alone`, counted instead of timed, so a busy host does not show.
//!
//! Started by Cargo, it starts itself under Valgrind, twice for each ring, with different numbers of messages: the
//! difference is what messages cost. A line `ring <group> <ring> <thousandths of an instruction>` each.
//! `cargo bench -p skerry-channel --bench count`.

#[path = "../between/rings.rs"]
#[allow(dead_code, reason = "batches are not counted")]
mod rings;

use rings::{Any, Crossbeam, Queue, Ring, Rtrb, Skerry};
use std::hint::black_box;
use std::process::Command;

/// Messages of the shorter run, and by how many the longer has more.
const FEW: u64 = 20_000;
const MORE: u64 = 100_000;

fn alone<R: Ring<WORDS>, const WORDS: usize>(count: u64) {
    R::with(|mut sender, mut receiver| {
        let mut message = [1; WORDS];
        for _ in 0..count {
            assert!(R::send(&mut sender, &message));
            message = R::receive(&mut receiver).expect("sent just now");
            black_box(&message);
        }
    });
}

type Work = (&'static str, &'static str, fn(u64));

const fn of<R: Ring<1> + Ring<8>>() -> [Work; 2] {
    [("alone-8", <R as Ring<1>>::NAME, alone::<R, 1>), ("alone-64", <R as Ring<8>>::NAME, alone::<R, 8>)]
}

const ALL: [[Work; 2]; 5] = [of::<Skerry>(), of::<Any>(), of::<Rtrb>(), of::<Queue>(), of::<Crossbeam>()];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let works = || ALL.iter().flatten();
    if let Some(index) = arguments.next() {
        let index: usize = index.parse().expect("the number of a ring");
        let count = arguments.next().and_then(|count| count.parse().ok()).expect("how many messages");
        works().nth(index).expect("a ring of that number").2(count);
        return;
    }
    for (index, (group, name, _)) in works().enumerate() {
        match (executed(index, FEW), executed(index, FEW + MORE)) {
            (Some(few), Some(many)) => println!("ring {group} {name} {}", (many - few) * 1000 / MORE),
            _ => return println!("nothing counted: Valgrind is not here, or failed"),
        }
    }
}

/// Instructions of this program with `count` messages through a ring.
fn executed(index: usize, count: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args([index.to_string(), count.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().find_map(|line| line.split("Collected :").nth(1))?.trim().parse().ok()
}
