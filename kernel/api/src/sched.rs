//! Scheduling contexts and their control. Source: seL4 manual, "Scheduling contexts" (MCS).

use crate::args::Args;
use crate::{Entry, Outcome, Refusal};
use abi::error::Error;
use abi::invocation::Invocation;
use capability::Kind;
use ipc::Notification;
use memory::Ref;
use sync::CoreIndex;
use thread::{SchedContext, Tcb};

impl Entry<'_> {
    pub(crate) fn invoke_sched_control(
        &mut self,
        home: CoreIndex,
        invocation: Option<Invocation>,
        args: &Args,
    ) -> Outcome {
        if invocation != Some(Invocation::SchedControlConfigureFlags) {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        args.require(5, 1)?;
        let (budget_us, period_us, extra_refills) = (args.word(0), args.word(1), args.word(2));
        let (badge, flags) = (args.word(3), args.word(4));
        let clock = self.clock();
        let (least, most) = (clock.min_budget_us(), clock.max_period_us());
        let in_range = |us: u64| (least..=most).contains(&us);
        if !in_range(budget_us) || !in_range(period_us) {
            return Err(Refusal::range(least, most).into());
        }
        if budget_us > period_us {
            return Err(Refusal::range(least, period_us).into());
        }
        let cap = args.cap(0)?;
        if cap.kind() != Kind::SchedContext {
            return Err(Refusal::capability(1).into());
        }
        let most_extra = SchedContext::capacity(cap.size_bits()).saturating_sub(2);
        if extra_refills > most_extra {
            return Err(Refusal::range(0, most_extra).into());
        }
        self.will_succeed();
        let context: Ref<SchedContext> = cap.object();
        let refills = u32::try_from(extra_refills + 2).unwrap_or(u32::MAX);
        self.configure(context, home, clock.ticks(budget_us), clock.ticks(period_us), refills);
        context.badge.set(badge);
        context.sporadic.set((flags & abi::sched::sched_context_flags::SPORADIC) as u32);
        Ok(())
    }

    pub(crate) fn invoke_sched_context(
        &mut self,
        context: Ref<SchedContext>,
        invocation: Option<Invocation>,
        args: &Args,
    ) -> Outcome {
        let illegal = Refusal::plain(Error::IllegalOperation);
        match invocation {
            Some(Invocation::SchedContextConsumed) => {
                self.will_succeed();
                let consumed = self.take_consumed_us(context);
                self.answer(args, &[consumed]);
                Ok(())
            }
            Some(Invocation::SchedContextBind) => self.bind_context(context, args),
            Some(Invocation::SchedContextUnbindObject) => self.unbind_object(context, args),
            Some(Invocation::SchedContextUnbind) => {
                if context.thread.get() == Some(self.core.current.get()) {
                    return Err(illegal.into());
                }
                self.will_succeed();
                self.unbind(context);
                Notification::stop_lending_of(context);
                self.unbind_reply(context);
                Ok(())
            }
            Some(Invocation::SchedContextYieldTo) => self.yield_to(context, args),
            _ => Err(illegal.into()),
        }
    }

    fn bind_context(&mut self, context: Ref<SchedContext>, args: &Args) -> Outcome {
        args.require(0, 1)?;
        let illegal = Refusal::plain(Error::IllegalOperation);
        let cap = args.cap(0)?;
        match cap.kind() {
            Kind::Thread => {
                let thread: Ref<Tcb> = cap.object();
                if context.thread.get().is_some() || thread.sched_context.get().is_some() {
                    return Err(illegal.into());
                }
                if thread.state.get().is_blocked() && !self.has_time(context) {
                    return Err(illegal.into());
                }
                self.will_succeed();
                self.bind(context, thread);
                Ok(())
            }
            Kind::Notification => {
                let notification: Ref<Notification> = cap.object();
                if context.notification.get() != memory::Phys(0) || notification.lent().is_some() {
                    return Err(illegal.into());
                }
                self.will_succeed();
                Notification::lend(notification, context);
                Ok(())
            }
            _ => Err(Refusal::capability(1).into()),
        }
    }

    fn unbind_object(&mut self, context: Ref<SchedContext>, args: &Args) -> Outcome {
        args.require(0, 1)?;
        let illegal = Refusal::plain(Error::IllegalOperation);
        let cap = args.cap(0)?;
        match cap.kind() {
            Kind::Thread => {
                let thread: Ref<Tcb> = cap.object();
                if context.thread.get() != Some(thread) || thread == self.core.current.get() {
                    return Err(illegal.into());
                }
                self.will_succeed();
                self.unbind(context);
            }
            Kind::Notification => {
                if context.notification.get() != cap.phys() {
                    return Err(illegal.into());
                }
                self.will_succeed();
                Notification::stop_lending_of(context);
            }
            _ => return Err(Refusal::capability(1).into()),
        }
        Ok(())
    }

    fn yield_to(&mut self, context: Ref<SchedContext>, args: &Args) -> Outcome {
        let illegal = Refusal::plain(Error::IllegalOperation);
        let current = self.core.current.get();
        let Some(thread) = context.thread.get() else { return Err(illegal.into()) };
        if thread == current || thread.priority.get() > current.max_priority.get() || current.yield_to.get().is_some() {
            return Err(illegal.into());
        }
        self.will_succeed();
        if let Some(earlier) = context.yield_from.get() {
            self.complete_yield(earlier);
        }
        self.resume_context(context);
        self.take_back(thread);
        if thread.is_schedulable() && self.is_here(thread) && thread.priority.get() >= current.priority.get() {
            current.yield_to.set(Some(context));
            context.yield_from.set(Some(current));
            self.dequeue(thread);
            self.enqueue(current);
            self.enqueue(thread);
            self.reschedule_required();
            return Ok(());
        }
        if thread.is_schedulable() {
            self.dequeue(thread);
            self.enqueue(thread);
            if !self.is_here(thread) {
                self.reschedule_home(thread);
            }
        }
        let consumed = self.take_consumed_us(context);
        self.answer(args, &[consumed]);
        Ok(())
    }
}
