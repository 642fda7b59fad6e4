//! Invocations of the hardware debug API: a thread's breakpoints and steps.
//!
//! As in seL4, with one difference: breakpoints on eight bytes are refused by seL4 on processors that are not in its list,
//! and exist on every x86-64 processor. Tests: `kernel/image/tests/instance/breakpoints.rs`.

use crate::args::Args;
use crate::{Entry, Outcome, Refusal};
use abi::breakpoint::{Access, COUNT, Kind};
use abi::error::Error;
use abi::invocation::Invocation;
use machine::breakpoints::{ACCESS, BYTES, Breakpoint, EXECUTE, LENGTH_SHIFT, WRITE};
use memory::Ref;
use thread::Tcb;

impl Entry<'_> {
    /// `invocation`, if it is one of these.
    pub(crate) fn debug_thread(&mut self, invocation: Invocation, thread: Ref<Tcb>, args: &Args) -> Outcome {
        match invocation {
            Invocation::TCBSetBreakpoint => {
                args.require(5, 0)?;
                let breakpoint = breakpoint(args)?;
                let number = number(args)?;
                self.will_succeed();
                thread.set_breakpoint(number, breakpoint);
            }
            Invocation::TCBGetBreakpoint => {
                args.require(1, 0)?;
                let found = thread.debug.breakpoint(number(args)?).unwrap_or_default();
                self.will_succeed();
                let (kind, access) = match found.condition & ACCESS {
                    EXECUTE => (Kind::Instruction, Access::Read),
                    WRITE => (Kind::Data, Access::Write),
                    _ => (Kind::Data, Access::ReadWrite),
                };
                let length = BYTES.get((found.condition >> LENGTH_SHIFT) as usize).copied().unwrap_or_default();
                let bytes = if kind == Kind::Instruction { 0 } else { length };
                self.answer(args, &[found.address, kind.word(), bytes, access.word(), found.is_enabled.into()]);
            }
            Invocation::TCBUnsetBreakpoint => {
                args.require(1, 0)?;
                let number = number(args)?;
                self.will_succeed();
                thread.set_breakpoint(number, Breakpoint::default());
            }
            Invocation::TCBConfigureSingleStepping => {
                args.require(2, 0)?;
                self.will_succeed();
                thread.step(args.word(1));
                // Steps need no breakpoint here, so none was used up.
                self.answer(args, &[0]);
            }
            _ => return Err(Refusal::plain(Error::IllegalOperation).into()),
        }
        Ok(())
    }
}

/// The breakpoint's number: 16 bits of word 0.
fn number(args: &Args) -> Result<usize, Refusal> {
    let number = u64::from(args.word(0) as u16);
    if number < COUNT { Ok(number as usize) } else { Err(Refusal::range(0, COUNT - 1)) }
}

/// The breakpoint that the words describe. Refusals name words by their number in the message.
fn breakpoint(args: &Args) -> Result<Breakpoint, Refusal> {
    let [address, kind, bytes, access] = [1, 2, 3, 4].map(|index| args.word(index));
    let length = BYTES.iter().position(|&it| it == bytes);
    let condition = match (Kind::from_word(kind), Access::from_word(access), length) {
        _ if address >= abi::vm::USER_TOP => return Err(Refusal::argument(1)),
        (Some(Kind::Instruction), Some(Access::Read), _) if bytes == 0 => EXECUTE,
        (Some(Kind::Instruction), _, _) => return Err(Refusal::argument(if bytes == 0 { 4 } else { 3 })),
        // As in seL4, which names the length for an access that does not exist, too.
        (Some(Kind::Data), None, _) | (Some(Kind::Data), _, None) => return Err(Refusal::argument(3)),
        (Some(Kind::Data), _, _) if !address.is_multiple_of(bytes) => {
            return Err(Refusal::plain(Error::AlignmentError));
        }
        (Some(Kind::Data), Some(access), Some(length)) => {
            (length as u64) << LENGTH_SHIFT | if access == Access::Write { WRITE } else { ACCESS }
        }
        _ => return Err(Refusal::argument(2)),
    };
    Ok(Breakpoint { address, condition, is_enabled: true })
}
