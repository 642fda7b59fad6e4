//! Scheduling domains: which domain a thread is in, and the schedule of domains.

use crate::args::Args;
use crate::{Entry, Outcome, Refusal};
use abi::error::Error;
use abi::invocation::Invocation;
use capability::Kind;
use memory::Ref;
use thread::{DOMAIN_SLOTS, DomainSlot, Tcb};

impl Entry<'_> {
    pub(crate) fn invoke_domain(&mut self, invocation: Option<Invocation>, args: &Args) -> Outcome {
        match invocation {
            Some(Invocation::DomainSetSet) => self.set_domain(args),
            Some(Invocation::DomainScheduleConfigure) => self.configure_schedule(args),
            Some(Invocation::DomainScheduleSetStart) => {
                args.require(1, 0)?;
                let index = args.word(0);
                if index >= DOMAIN_SLOTS as u64 {
                    return Err(Refusal::range(0, DOMAIN_SLOTS as u64 - 1).into());
                }
                if self.domain_slot(index as usize).duration == 0 {
                    return Err(Refusal::argument(0).into());
                }
                self.will_succeed();
                self.start_schedule(index as usize);
                Ok(())
            }
            _ => Err(Refusal::plain(Error::IllegalOperation).into()),
        }
    }

    fn set_domain(&mut self, args: &Args) -> Outcome {
        args.require(1, 0)?;
        let domain = args.word(0);
        if domain >= self.kernel.domains {
            return Err(Refusal::argument(0).into());
        }
        args.require(1, 1)?;
        let cap = args.cap(0)?;
        if cap.kind() != Kind::Thread {
            return Err(Refusal::argument(1).into());
        }
        self.will_succeed();
        let thread: Ref<Tcb> = cap.object();
        self.take_back(thread);
        self.dequeue(thread);
        thread.domain.set(domain as u8);
        if thread.is_schedulable() {
            self.enqueue(thread);
        }
        // It may leave the domain that runs, or enter it as the most important thread (invariant T3).
        self.reschedule_home(thread);
        Ok(())
    }

    fn configure_schedule(&mut self, args: &Args) -> Outcome {
        args.require(3, 0)?;
        let (index, domain, duration) = (args.word(0), args.word(1), args.word(2));
        let last = DOMAIN_SLOTS as u64 - 2;
        if index > last {
            return Err(Refusal::range(0, last).into());
        }
        if domain >= self.kernel.domains {
            return Err(Refusal::range(0, self.kernel.domains - 1).into());
        }
        if duration > abi::sched::MAX_DOMAIN_DURATION {
            return Err(Refusal::argument(2).into());
        }
        if duration == 0 && domain != 0 {
            return Err(Refusal::argument(1).into());
        }
        if duration == 0 && index == self.schedule_start() as u64 {
            return Err(Refusal::argument(2).into());
        }
        self.will_succeed();
        self.set_domain_slot(index as usize, DomainSlot { domain: domain as u8, duration });
        Ok(())
    }
}
