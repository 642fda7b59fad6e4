//! CNode invocations. Source: seL4 manual, "Capability spaces"; labels in `abi::invocation`.

use crate::args::{Args, slot_at};
use crate::error::Side;
use crate::{Entry, Outcome, Refusal, Stop};
use abi::error::Error;
use abi::invocation::Invocation;
use capability::{Cap, Kind, LookupFault, Rights, Slot, derive, mask_rights, update_data};
use ipc::{Endpoint, Progress};
use memory::Ref;

impl Entry<'_> {
    pub(crate) fn invoke_cnode(&mut self, cap: Cap, invocation: Option<Invocation>, args: &Args) -> Outcome {
        use Invocation::*;
        let illegal = Refusal::plain(Error::IllegalOperation);
        let Some(invocation) = invocation else { return Err(illegal.into()) };
        if !matches!(
            invocation,
            CNodeRevoke
                | CNodeDelete
                | CNodeCancelBadgedSends
                | CNodeCopy
                | CNodeMint
                | CNodeMove
                | CNodeMutate
                | CNodeRotate
        ) {
            return Err(illegal.into());
        }
        args.require(2, 0)?;
        let target = slot_at(cap, args.word(0), args.word(1), Side::Destination)?;
        match invocation {
            CNodeCopy | CNodeMint | CNodeMove | CNodeMutate => self.transfer_cap(invocation, target, args),
            CNodeRevoke => {
                self.will_succeed();
                self.revoke(target)
            }
            CNodeDelete => {
                self.will_succeed();
                self.delete(target)
            }
            CNodeCancelBadgedSends => {
                let cap = target.cap();
                if cap.kind() != Kind::Endpoint || cap.rights() != Rights::ALL {
                    return Err(illegal.into());
                }
                self.will_succeed();
                if cap.badge() == 0 {
                    return Ok(());
                }
                let endpoint: Ref<Endpoint> = cap.object();
                match self.cancel_badged(endpoint, cap.badge(), || self.preemption_point().is_ok()) {
                    Progress::Done => Ok(()),
                    Progress::Preempted => Err(Stop::Preempted),
                }
            }
            _ => self.rotate(target, args),
        }
    }

    fn transfer_cap(&mut self, invocation: Invocation, target: Ref<Slot>, args: &Args) -> Outcome {
        args.require(4, 1)?;
        let depth = args.word(3);
        self.ensure_empty(target)?;
        let source = slot_at(args.cap(0)?, args.word(2), depth, Side::Source)?;
        let cap = source.cap();
        if cap.is_null() {
            return Err(missing(Side::Source, depth).into());
        }
        let (new, moves) = match invocation {
            Invocation::CNodeCopy => {
                args.require(5, 1)?;
                (derive(mask_rights(cap, Rights::from_word(args.word(4))), source.has_children())?, false)
            }
            Invocation::CNodeMint => {
                args.require(6, 1)?;
                let masked = mask_rights(cap, Rights::from_word(args.word(4)));
                (derive(update_data(masked, args.word(5), false), source.has_children())?, false)
            }
            Invocation::CNodeMove => (cap, true),
            _ => {
                args.require(5, 1)?;
                (update_data(cap, args.word(4), true), true)
            }
        };
        if new.is_null() {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        self.will_succeed();
        let _tree = self.derivation();
        if moves {
            Slot::move_to(source, target, new);
        } else {
            Slot::insert_derived(source, target, new);
        }
        Ok(())
    }

    fn rotate(&mut self, target: Ref<Slot>, args: &Args) -> Outcome {
        args.require(8, 2)?;
        let illegal = Refusal::plain(Error::IllegalOperation);
        let (pivot_data, pivot_depth) = (args.word(2), args.word(4));
        let (source_data, source_depth) = (args.word(5), args.word(7));
        let source = slot_at(args.cap(1)?, args.word(6), source_depth, Side::Source)?;
        let pivot = slot_at(args.cap(0)?, args.word(3), pivot_depth, Side::Source)?;
        if pivot == source || pivot == target {
            return Err(illegal.into());
        }
        if source != target {
            self.ensure_empty(target)?;
        }
        if source.is_empty() {
            return Err(missing(Side::Source, source_depth).into());
        }
        if pivot.is_empty() {
            return Err(missing(Side::Destination, pivot_depth).into());
        }
        let new_source = update_data(source.cap(), source_data, true);
        let new_pivot = update_data(pivot.cap(), pivot_data, true);
        if new_source.is_null() || new_pivot.is_null() {
            return Err(illegal.into());
        }
        self.will_succeed();
        let _tree = self.derivation();
        if source == target {
            Slot::swap(source, new_source, pivot, new_pivot);
        } else {
            Slot::move_to(pivot, target, new_pivot);
            Slot::move_to(source, pivot, new_source);
        }
        Ok(())
    }
}

fn missing(side: Side, depth: u64) -> Refusal {
    Refusal::lookup(side, LookupFault::MissingCapability { bits_left: depth as u32 })
}
