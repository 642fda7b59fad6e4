//! Reading, writing and copying a thread's registers.

use crate::args::Args;
use crate::{Entry, Outcome, Refusal};
use abi::error::Error;
use abi::register::{CONTEXT_WORDS, FRAME_REGISTERS, UserRegister};
use machine::Register;
use memory::Ref;
use thread::registers::{place, write_user};
use thread::{State, Tcb};

impl Entry<'_> {
    pub(crate) fn read_registers(&mut self, thread: Ref<Tcb>, args: &Args) -> Outcome {
        args.require(2, 0)?;
        let (flags, count) = (args.word(0), args.word(1));
        let most = CONTEXT_WORDS as u64;
        if !(1..=most).contains(&count) {
            return Err(Refusal::range(1, most).into());
        }
        self.prepare(thread)?;
        self.will_succeed();
        if flags & 1 != 0 {
            self.suspend(thread);
        }
        let mut words = [0; CONTEXT_WORDS];
        for (word, &register) in words.iter_mut().zip(UserRegister::ALL) {
            *word = thread.context.get(place(register));
        }
        self.answer(args, words.get(..count as usize).unwrap_or(&[]));
        Ok(())
    }

    pub(crate) fn write_registers(&mut self, thread: Ref<Tcb>, args: &Args) -> Outcome {
        args.require(2, 0)?;
        let (flags, count) = (args.word(0), args.word(1));
        args.require((count as usize).saturating_add(2), 0)?;
        self.prepare(thread)?;
        self.will_succeed();
        for (index, &register) in UserRegister::ALL.iter().enumerate().take(count as usize) {
            write_user(&thread.context, register, args.word(2 + index));
        }
        thread.roots.forget();
        let context = &thread.context;
        context.set(Register::NextIp, context.get(Register::FaultIp));
        context.set(Register::Error, 0);
        if flags & 1 != 0 {
            self.resume(thread);
        }
        Ok(())
    }

    pub(crate) fn copy_registers(&mut self, target: Ref<Tcb>, args: &Args) -> Outcome {
        args.require(1, 1)?;
        let flags = args.word(0);
        let source = Self::thread_of(args.cap(0)?, 1)?;
        self.will_succeed();
        self.take_back(source);
        source.end_loan();
        target.end_loan();
        if flags & 1 != 0 {
            self.suspend(source);
        }
        if flags & 2 != 0 {
            self.resume(target);
        }
        let copy = |registers: &[UserRegister]| {
            for &register in registers {
                target.context.set(place(register), source.context.get(place(register)));
            }
        };
        let (frame, integer) = UserRegister::ALL.split_at(FRAME_REGISTERS);
        if flags & 4 != 0 {
            copy(frame);
            target.context.set(Register::NextIp, target.context.get(Register::FaultIp));
            target.context.set(Register::Error, 0);
        }
        if flags & 8 != 0 {
            copy(integer);
        }
        target.roots.forget();
        if target == self.core.current.get() {
            self.reschedule_required();
            self.set_state(target, State::RESTART);
        }
        Ok(())
    }

    /// Another thread, whose registers are as it left them.
    fn prepare(&self, thread: Ref<Tcb>) -> Outcome {
        if thread == self.core.current.get() {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        thread.end_loan();
        Ok(())
    }
}
