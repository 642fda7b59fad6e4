//! Several instances as one automaton: kernel transitions are whole, the users' steps and the delivery of doorbells come in
//! any order, and a doorbell's mailbox is all that instances share. Explored in full, over the real instance code.
//!
//! After every step of every order: an instance's state is what its own log says, whatever the others did meanwhile (so
//! no step of one changes another, and a log replayed determines the state); every invariant of the audit holds; and a poll
//! sees the doorbell exactly if it was delivered since the last. At the end no ring is lost.

use crate::harness::{Options, System, slot};
use abi::invocation::Invocation::*;
use abi::syscall::Syscall;
use machine::Register;
use machine::model::Event;
use std::collections::HashMap;

/// What changes an instance: a step of its user, or the arrival of a doorbell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// The user rings the next instance.
    Ring,
    /// The user looks whether it was rung.
    Poll,
    /// The user makes an endpoint, a change of the kernel's own state.
    Make,
    /// The doorbell that is in the mailbox interrupts.
    Arrive,
}
use Step::*;

const VECTOR: u8 = 0xa0;
const BADGE: u64 = 0x10;

struct Instance {
    system: System,
    bell: u64,
    notification: u64,
    /// Whether the doorbell arrived since the last poll.
    noted: bool,
}

impl Instance {
    fn new() -> Self {
        let system = System::with(Options { slice_bytes: 4 << 20, ..Options::default() });
        let (bell, handler) = (system.fresh(), system.fresh());
        system.invoke(slot::IRQ, SkerryIssueDoorbell, &[0, bell, 64], &[slot::CNODE]).ok();
        system.invoke(slot::IRQ, SkerryHearDoorbell, &[u64::from(VECTOR), handler, 64], &[slot::CNODE]).ok();
        let notification = system.notification();
        let badged = system.mint(notification, 15, BADGE);
        system.invoke(handler, IRQSetIRQHandler, &[], &[badged]).ok();
        system.take_events();
        Self { system, bell, notification, noted: false }
    }

    /// Makes a step; whether the next instance was rung by it.
    fn make(&mut self, step: Step) -> bool {
        match step {
            Ring => self.system.signal(self.bell),
            Poll => {
                self.system.receive(Syscall::NBWait, self.notification, 0);
                let seen = self.system.current().context.get(Register::Rdi);
                assert_eq!(seen, if self.noted { BADGE } else { 0 }, "a poll sees what arrived since the last");
                self.noted = false;
            }
            Make => {
                self.system.endpoint();
            }
            Arrive => {
                self.system.interrupt(VECTOR);
                self.noted = true;
            }
        }
        let rings = self.system.take_events().iter().filter(|event| matches!(event, Event::Ring { .. })).count();
        assert_eq!(rings, usize::from(step == Ring), "a ring is one command, and nothing else is");
        rings == 1
    }
}

/// Where a run of the automaton is: how far each user is, which mailboxes are full, and what was done.
#[derive(Clone)]
struct Path {
    at: Vec<usize>,
    mailbox: Vec<bool>,
    steps: Vec<(usize, Step)>,
}

#[derive(Default)]
struct Explorer {
    /// An instance for each log that was met.
    known: HashMap<Vec<Step>, Instance>,
    paths: usize,
}

impl Explorer {
    /// Every order of the users' `programs` and of deliveries; each is run on new instances when it is complete.
    fn explore(&mut self, programs: &[&[Step]], path: &Path) {
        let mut complete = true;
        for who in 0..programs.len() {
            let user = programs[who].get(path.at[who]).copied();
            for step in user.into_iter().chain(path.mailbox[who].then_some(Arrive)) {
                complete = false;
                let mut next = path.clone();
                next.steps.push((who, step));
                match step {
                    Arrive => next.mailbox[who] = false,
                    _ => next.at[who] += 1,
                }
                if step == Ring {
                    next.mailbox[(who + 1) % programs.len()] = true;
                }
                self.explore(programs, &next);
            }
        }
        if complete {
            self.run(programs.len(), &path.steps);
        }
    }

    fn run(&mut self, count: usize, steps: &[(usize, Step)]) {
        self.paths += 1;
        let mut instances: Vec<Instance> = (0..count).map(|_| Instance::new()).collect();
        let mut logs = vec![Vec::new(); count];
        // Whether the mailbox is full, and whether there was a ring that no poll has seen.
        let (mut mailbox, mut owed) = (vec![false; count], vec![false; count]);
        // At the end nothing is in a mailbox, and everybody looks once more.
        let last = (0..count).map(|who| (who, Poll));
        for (who, step) in steps.iter().copied().chain(last) {
            if step == Poll && instances[who].noted {
                owed[who] = mailbox[who];
            }
            if instances[who].make(step) {
                let next = (who + 1) % count;
                (mailbox[next], owed[next]) = (true, true);
            }
            if step == Arrive {
                mailbox[who] = false;
            }
            logs[who].push(step);
        }
        assert!(!owed.contains(&true), "a ring is lost in {steps:?}");
        for (who, (instance, log)) in instances.into_iter().zip(logs).enumerate() {
            if let Some(known) = self.known.get(&log) {
                let differences = instance.system.differences(&known.system);
                assert_eq!(differences, [""; 0], "instance {who} after {log:?}, in {steps:?}");
            } else {
                self.known.insert(log, instance);
            }
        }
    }
}

fn explored(programs: &[&[Step]]) -> Explorer {
    let mut explorer = Explorer::default();
    let count = programs.len();
    explorer.explore(programs, &Path { at: vec![0; count], mailbox: vec![false; count], steps: Vec::new() });
    explorer
}

#[test]
fn two_instances_in_every_order() {
    let explorer = explored(&[&[Ring, Poll, Ring], &[Poll, Make, Ring]]);
    assert!(explorer.paths > 50 && explorer.known.len() > 5, "{} orders", explorer.paths);
}

#[test]
fn three_instances_in_every_order() {
    let explorer = explored(&[&[Ring, Poll], &[Ring], &[Poll]]);
    assert!(explorer.paths > 50 && explorer.known.len() > 4, "{} orders", explorer.paths);
}

#[test]
fn a_state_that_its_log_does_not_determine_is_noticed() {
    let mut explorer = Explorer::default();
    explorer.run(2, &[(0, Make)]);
    // As if another's step had made something in this instance.
    let meddled = explorer.known.get(&vec![Poll]).expect("the second did nothing");
    meddled.system.endpoint();
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| explorer.run(2, &[(0, Make)])));
    assert!(found.is_err(), "nothing was noticed");
}
