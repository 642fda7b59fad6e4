//! Random programs.

use crate::Step;
use crate::world::{CONTEXTS, ENDPOINTS, NOTIFICATIONS, REPLIES, World};
use memory::host::Slice;
use proptest::prelude::*;

const THREADS: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let thread = || 1..=THREADS;
    let context = || 1..=CONTEXTS;
    let reply = || 0..REPLIES;
    let endpoint = || 0..ENDPOINTS;
    let notification = || 0..NOTIFICATIONS;
    let message = || (endpoint(), 0..3u64, 0..=4usize);
    let time = prop_oneof![0..30_000u64, Just(60_000), 0..200_000u64];
    let maybe_reply = || proptest::option::weighted(0.8, reply());
    prop_oneof![
        3 => time.prop_map(Step::Pass),
        3 => Just(Step::Yield),
        2 => message().prop_map(|(to, badge, words)| Step::Send(to, badge, words)),
        1 => message().prop_map(|(to, badge, words)| Step::NbSend(to, badge, words)),
        1 => message().prop_map(|(to, badge, words)| Step::SendAlong(to, badge, words)),
        5 => message().prop_map(|(to, badge, words)| Step::Call(to, badge, words)),
        1 => endpoint().prop_map(Step::CallInVain),
        5 => (endpoint(), maybe_reply()).prop_map(|(from, reply)| Step::Receive(from, reply)),
        1 => (endpoint(), maybe_reply()).prop_map(|(from, reply)| Step::NbReceive(from, reply)),
        2 => (reply(), 0..=4usize).prop_map(|(reply, words)| Step::Reply(reply, words)),
        4 => (reply(), endpoint()).prop_map(|(reply, from)| Step::ReplyReceive(reply, from)),
        4 => (notification(), 1..8u64).prop_map(|(to, badge)| Step::Signal(to, badge)),
        2 => notification().prop_map(Step::Wait),
        1 => notification().prop_map(Step::NbWait),
        2 => Just(Step::Fault),
        2 => (notification(), thread()).prop_map(|(to, thread)| Step::BindNotification(to, thread)),
        1 => notification().prop_map(Step::UnbindNotification),
        1 => (notification(), context()).prop_map(|(to, context)| Step::Lend(to, context)),
        1 => notification().prop_map(Step::StopLending),
        1 => (endpoint(), 1..3usize).prop_map(|(of, at_most)| Step::CancelAll(of, at_most)),
        1 => (notification(), 1..3usize).prop_map(|(of, at_most)| Step::CancelAllSignals(of, at_most)),
        1 => (endpoint(), 0..3u64).prop_map(|(of, badge)| Step::CancelBadged(of, badge)),
        1 => thread().prop_map(Step::Suspend),
        3 => thread().prop_map(Step::Resume),
        2 => (thread(), 4..8u8).prop_map(|(thread, priority)| Step::Priority(thread, priority)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_layer_does_what_its_specification_says(program in prop::collection::vec(step(), 1..80)) {
        let slice = Slice::new(2 << 20);
        let mut world = World::new(&slice, THREADS);
        for step in program {
            world.run(step);
        }
    }
}

fn cases() -> u32 {
    std::env::var("SKERRY_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}
