//! Random programs.

use crate::Step;
use crate::step::BUDGETS;
use crate::world::{Size, World};
use memory::host::Slice;
use proptest::prelude::*;

pub const SIZE: Size = Size { threads: 5, contexts: 4, replies: 4 };

pub fn step() -> impl Strategy<Value = Step> {
    let thread = || 1..=SIZE.threads;
    let context = || 1..=SIZE.contexts;
    let reply = || 0..SIZE.replies;
    let domain = || 0..3u8;
    prop_oneof![
        4 => Just(Step::Pass),
        2 => Just(Step::Yield),
        2 => Just(Step::Wait),
        3 => reply().prop_map(Step::Receive),
        5 => thread().prop_map(Step::Call),
        4 => reply().prop_map(Step::Reply),
        4 => thread().prop_map(Step::Signal),
        2 => thread().prop_map(Step::Suspend),
        5 => thread().prop_map(Step::Resume),
        2 => (thread(), prop_oneof![Just(5), Just(7), any::<u8>()]).prop_map(|(thread, to)| Step::Priority(thread, to)),
        1 => (thread(), domain()).prop_map(|(thread, to)| Step::Domain(thread, to)),
        3 => (context(), 0..BUDGETS.len()).prop_map(|(context, which)| Step::Configure(context, which)),
        4 => (context(), thread()).prop_map(|(context, thread)| Step::Bind(context, thread)),
        2 => context().prop_map(Step::Unbind),
        1 => context().prop_map(Step::UnbindReply),
        2 => context().prop_map(Step::YieldTo),
        1 => (0..3usize, domain(), prop_oneof![Just(0), Just(90_000), Just(400_000)])
            .prop_map(|(at, domain, duration)| Step::Schedule(at, domain, duration)),
        1 => (0..3usize).prop_map(Step::Start),
        1 => (thread(), any::<bool>()).prop_map(|(thread, has)| Step::Handler(thread, has)),
    ]
}

/// How long it takes until the entry: not at all, too short or too long for a budget, or until just when it ends.
pub fn pass() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 3 => 0..40_000u64, 2 => Just(30_000), 1 => Just(80_000), 1 => 0..300_000u64]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_layer_does_what_its_specification_says(program in prop::collection::vec((step(), pass()), 1..80)) {
        let slice = Slice::new(2 << 20);
        let mut world = World::populated(&slice, SIZE);
        for (step, pass) in program {
            world.run(step, pass);
        }
    }
}

fn cases() -> u32 {
    std::env::var("SKERRY_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}
