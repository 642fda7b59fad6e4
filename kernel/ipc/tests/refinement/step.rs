//! Kernel entries in terms of the layer's operations, as the API makes them. A step of a thread that does not run, or that
//! the API would refuse, does nothing.

use crate::world::{FAULT_BADGE, World};
use abi::message::MessageInfo;
use capability::Rights;
use ipc::spec::{Id, Message, Sending, fault_message};
use ipc::{Notification, Progress, ReceiveMode};
use machine::Register;
use thread::spec::Charged;
use thread::{Budget, Fault, State};

/// What an entry is for: system calls of the running thread, and what others do to threads and objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing but time, in ticks.
    Pass(u64),
    Yield,
    /// (endpoint, badge, words)
    Send(Id, u64, usize),
    NbSend(Id, u64, usize),
    /// As the first half of a system call that then receives: time may go along.
    SendAlong(Id, u64, usize),
    /// A call with the right to a reply.
    Call(Id, u64, usize),
    /// A call without.
    CallInVain(Id),
    /// (endpoint, reply)
    Receive(Id, Option<Id>),
    NbReceive(Id, Option<Id>),
    Reply(Id, usize),
    /// (reply, endpoint)
    ReplyReceive(Id, Id),
    /// (notification, badge)
    Signal(Id, u64),
    Wait(Id),
    NbWait(Id),
    /// A page fault of the running thread.
    Fault,
    /// (notification, thread)
    BindNotification(Id, Id),
    UnbindNotification(Id),
    /// (notification, context)
    Lend(Id, Id),
    StopLending(Id),
    /// (endpoint, how many before an interrupt)
    CancelAll(Id, usize),
    CancelAllSignals(Id, usize),
    CancelBadged(Id, u64),
    Suspend(Id),
    Resume(Id),
    Priority(Id, u8),
}

impl Step {
    pub fn run(self, world: &mut World) {
        let pass = if let Step::Pass(ticks) = self { ticks } else { 0 };
        let now = world.spec.core.now + pass;
        world.both(
            |spec| spec.core.enter(now),
            |_, on| {
                on.machine.set_now(now);
                on.update_time();
            },
        );
        let charged = world.both(
            |spec| spec.core.check_budget(),
            |_, on| match on.check_budget() {
                Budget::Left => Charged::Left,
                Budget::Exhausted => Charged::Exhausted,
                Budget::Timeout(_) => unreachable!("nobody has a timeout handler"),
            },
        );
        if charged == Charged::Left {
            match world.current() {
                Some(current) => self.call(world, current),
                None => self.act(world),
            }
        }
        world.both(|spec| spec.leave(), |it, _| it.leave());
    }

    /// System calls of `current`.
    fn call(self, world: &mut World, current: Id) {
        match self {
            Step::Yield => {
                world.both(|spec| spec.core.yield_slice(), |_, on| on.yield_slice());
                world.both(|spec| spec.core.must_choose(), |_, on| on.reschedule_required());
            }
            Step::Send(endpoint, badge, words) => {
                write(world, current, words);
                send(world, current, endpoint, sending(badge, true, false), true, false);
            }
            Step::NbSend(endpoint, badge, words) => {
                write(world, current, words);
                send(world, current, endpoint, sending(badge, true, false), false, false);
            }
            Step::SendAlong(endpoint, badge, words) => {
                write(world, current, words);
                send(world, current, endpoint, sending(badge, true, false), false, true);
            }
            Step::Call(endpoint, badge, words) => {
                write(world, current, words);
                send(world, current, endpoint, sending(badge, true, true), true, true);
            }
            Step::CallInVain(endpoint) => {
                write(world, current, 1);
                send(world, current, endpoint, sending(0, false, true), true, true);
            }
            Step::Receive(endpoint, reply) => receive(world, current, endpoint, reply, ReceiveMode::Blocking),
            Step::NbReceive(endpoint, reply) => receive(world, current, endpoint, reply, ReceiveMode::Polling),
            Step::Reply(reply, words) => {
                write(world, current, words);
                answer(world, current, reply);
            }
            Step::ReplyReceive(reply, endpoint) => {
                write(world, current, 2);
                answer(world, current, reply);
                receive(world, current, endpoint, Some(reply), ReceiveMode::Blocking);
            }
            Step::Wait(notification) => wait(world, current, notification, ReceiveMode::Blocking),
            Step::NbWait(notification) => wait(world, current, notification, ReceiveMode::Polling),
            Step::Fault => page_fault(world, current),
            _ => self.act(world),
        }
    }

    /// What anybody, or an interrupt, may do.
    fn act(self, world: &mut World) {
        match self {
            Step::Signal(notification, badge) => {
                world.both(
                    |spec| spec.signal(notification, badge),
                    |it, on| on.signal(it.notification(notification), badge),
                );
            }
            Step::BindNotification(notification, thread) => {
                let all = &world.spec.notifications;
                if all[notification].bound.is_none() && all.iter().all(|it| it.bound != Some(thread)) {
                    world.both(
                        |spec| spec.notifications[notification].bound = Some(thread),
                        |it, _| Notification::bind(it.notification(notification), it.thread(thread)),
                    );
                }
            }
            Step::UnbindNotification(notification) => world.both(
                |spec| spec.notifications[notification].bound = None,
                |it, _| it.notification(notification).unbind(),
            ),
            Step::Lend(notification, context) => {
                let all = &world.spec.notifications;
                if all[notification].lends.is_none() && all.iter().all(|it| it.lends != Some(context)) {
                    world.both(
                        |spec| spec.notifications[notification].lends = Some(context),
                        |it, _| Notification::lend(it.notification(notification), it.context(context)),
                    );
                }
            }
            Step::StopLending(notification) => world.both(
                |spec| spec.notifications[notification].lends = None,
                |it, _| it.notification(notification).stop_lending(),
            ),
            Step::CancelAll(endpoint, at_most) => {
                world.both(
                    |spec| spec.cancel_all(endpoint, at_most),
                    |it, on| on.cancel_all(it.endpoint(endpoint), interrupted_after(at_most)) == Progress::Done,
                );
            }
            Step::CancelAllSignals(notification, at_most) => {
                world.both(
                    |spec| spec.cancel_all_signals(notification, at_most),
                    |it, on| {
                        let it = it.notification(notification);
                        on.cancel_all_signals(it, interrupted_after(at_most)) == Progress::Done
                    },
                );
            }
            Step::CancelBadged(endpoint, badge) => world.both(
                |spec| spec.cancel_badged(endpoint, badge),
                |it, on| assert_eq!(on.cancel_badged(it.endpoint(endpoint), badge, || true), Progress::Done),
            ),
            Step::Suspend(thread) => world.both(|spec| spec.suspend(thread), |it, on| on.suspend(it.thread(thread))),
            Step::Resume(thread) => world.both(|spec| spec.resume(thread), |it, on| on.resume(it.thread(thread))),
            Step::Priority(thread, priority) => world.both(
                |spec| spec.set_priority(thread, priority),
                |it, on| on.set_priority(it.thread(thread), priority),
            ),
            _ => {}
        }
    }
}

fn interrupted_after(at_most: usize) -> impl FnMut() -> bool {
    let mut left = at_most;
    move || {
        left -= 1;
        left > 0
    }
}

fn sending(badge: u64, can_reply: bool, call: bool) -> Sending {
    Sending { badge, can_reply, call }
}

/// The thread writes a message of `words` words; what they are follows from who writes how many.
fn write(world: &mut World, thread: Id, words: usize) {
    let info = MessageInfo::new(thread as u64, 0, 0, words as u64).word();
    let word = |index: usize| (thread * 16 + words * 4 + index) as u64;
    world.both(
        |spec| {
            spec.registers[thread].info = info;
            (0..4).for_each(|index| spec.registers[thread].words[index] = word(index));
        },
        |it, _| {
            it.thread(thread).context.set(Register::Rsi, info);
            for (index, register) in ipc::MESSAGE_REGISTERS.into_iter().enumerate() {
                it.thread(thread).context.set(register, word(index));
            }
        },
    );
}

fn send(world: &mut World, sender: Id, endpoint: Id, how: Sending, blocking: bool, donate: bool) {
    let rights = if how.can_reply { Rights::WRITE.or(Rights::GRANT_REPLY) } else { Rights::WRITE };
    world.both(
        |spec| spec.send(sender, endpoint, how, blocking, donate),
        |it, on| {
            let real = ipc::Sending { blocking, call: how.call, badge: how.badge, rights, donate };
            on.send(it.thread(sender), it.endpoint(endpoint), real);
        },
    );
}

fn receive(world: &mut World, receiver: Id, endpoint: Id, reply: Option<Id>, mode: ReceiveMode) {
    world.both(
        |spec| spec.receive(receiver, endpoint, mode == ReceiveMode::Blocking, reply),
        |it, on| {
            let (endpoint, reply) = it.caps(endpoint, reply);
            on.receive(it.thread(receiver), endpoint, mode, reply);
        },
    );
}

fn answer(world: &mut World, sender: Id, reply: Id) {
    world.both(|spec| spec.reply(sender, reply), |it, on| on.reply(it.thread(sender), it.reply(reply), Rights::WRITE));
}

fn wait(world: &mut World, thread: Id, notification: Id, mode: ReceiveMode) {
    world.both(
        |spec| spec.wait(thread, notification, mode == ReceiveMode::Blocking),
        |it, on| on.wait(it.thread(thread), it.notification(notification), mode),
    );
}

fn page_fault(world: &mut World, thread: Id) {
    let fault = Fault::vm(0xbad0 + thread as u64, 6);
    let message: Message = fault_message(world.real.thread(thread), fault);
    // Thread 1 has nobody who hears of its faults.
    let handler = (thread != 1).then_some((1, sending(FAULT_BADGE, true, false)));
    world.both(
        |spec| {
            spec.fault(thread, message, handler);
            handler.is_some()
        },
        |it, on| on.fault(it.thread(thread), fault),
    );
    assert_ne!(world.state(thread), State::RUNNING);
}
