//! I/O ports: issued only from the ranges this instance owns, each port to one capability at a time.

use crate::args::{Args, slot_at};
use crate::error::Side;
use crate::{Entry, Outcome, Refusal};
use abi::error::Error;
use abi::invocation::Invocation;
use capability::{Cap, Kind, Slot};
use memory::Ref;

impl Entry<'_> {
    pub(crate) fn invoke_io_port_control(
        &mut self,
        control: Ref<Slot>,
        invocation: Option<Invocation>,
        args: &Args,
    ) -> Outcome {
        if invocation != Some(Invocation::X86IOPortControlIssue) {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        args.require(4, 1)?;
        let (first, last) = (args.word(0) as u16, args.word(1) as u16);
        if last < first {
            return Err(Refusal::argument(1).into());
        }
        let owned = self.kernel.ports.iter().any(|&(from, to)| from <= first && last <= to);
        if !owned {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        if overlaps_issued(control, first, last) {
            return Err(Refusal::plain(Error::RevokeFirst).into());
        }
        let target = slot_at(args.cap(0)?, args.word(2), args.word(3), Side::Destination)?;
        self.ensure_empty(target)?;
        self.will_succeed();
        let _tree = self.derivation();
        Slot::insert_derived(control, target, Cap::io_port(first, last));
        Ok(())
    }

    pub(crate) fn invoke_io_port(&mut self, cap: Cap, invocation: Option<Invocation>, args: &Args) -> Outcome {
        use Invocation::*;
        let (width, words) = match invocation {
            Some(X86IOPortIn8) => (1, 1),
            Some(X86IOPortIn16) => (2, 1),
            Some(X86IOPortIn32) => (4, 1),
            Some(X86IOPortOut8) => (1, 2),
            Some(X86IOPortOut16) => (2, 2),
            Some(X86IOPortOut32) => (4, 2),
            _ => return Err(Refusal::plain(Error::IllegalOperation).into()),
        };
        args.require(words, 0)?;
        let (port, value) = (args.word(0) as u16, args.word(1));
        let (first, last) = cap.ports();
        let end = u32::from(port) + width - 1;
        if port < first || end > u32::from(last) {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        self.will_succeed();
        let machine = self.machine;
        let read = match invocation {
            Some(X86IOPortIn8) => u64::from(machine.in8(port)),
            Some(X86IOPortIn16) => u64::from(machine.in16(port)),
            Some(X86IOPortIn32) => u64::from(machine.in32(port)),
            Some(X86IOPortOut8) => {
                machine.out8(port, value as u8);
                return Ok(());
            }
            Some(X86IOPortOut16) => {
                machine.out16(port, value as u16);
                return Ok(());
            }
            _ => {
                machine.out32(port, value as u32);
                return Ok(());
            }
        };
        self.answer(args, &[read]);
        Ok(())
    }
}

/// Whether a capability that was issued from `control` covers one of the ports. The tree is the record: issued port
/// capabilities are `control`'s children, so nothing else has to be kept in step.
fn overlaps_issued(control: Ref<Slot>, first: u16, last: u16) -> bool {
    core::iter::successors(control.next(), |slot| slot.next())
        .take_while(|slot| capability::is_parent(&control, slot))
        .filter(|slot| slot.cap().kind() == Kind::IoPort)
        .any(|slot| {
            let (from, to) = slot.cap().ports();
            from <= last && first <= to
        })
}
