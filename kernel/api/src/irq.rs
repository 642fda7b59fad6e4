//! Interrupt control and handlers, and Skerry's doorbells, which are obtained the same way.

use crate::args::{Args, slot_at};
use crate::error::Side;
use crate::{Entry, Outcome, Refusal};
use abi::error::Error;
use abi::invocation::{Invocation, doorbell};
use abi::irq;
use capability::{Cap, Kind, Rights, Slot};
use interrupt::Grant;
use machine::{Polarity, Trigger};
use memory::Ref;

impl From<interrupt::Refusal> for Refusal {
    fn from(refusal: interrupt::Refusal) -> Self {
        match refusal {
            interrupt::Refusal::Active => Refusal::plain(Error::RevokeFirst),
            interrupt::Refusal::NotOwned => Refusal::plain(Error::IllegalOperation),
        }
    }
}

impl Entry<'_> {
    pub(crate) fn invoke_irq_control(
        &mut self,
        control: Ref<Slot>,
        invocation: Option<Invocation>,
        args: &Args,
    ) -> Outcome {
        let (vector, index, depth) = match invocation {
            Some(Invocation::X86IRQIssueIRQHandlerIOAPIC | Invocation::X86IRQIssueIRQHandlerMSI) => {
                args.require(7, 1)?;
                (user_vector(args.word(6))?, args.word(0), args.word(1))
            }
            Some(Invocation::SkerryHearDoorbell) => {
                args.require(doorbell::LENGTH, 1)?;
                let first = u64::from(ipi::DOORBELL_FIRST);
                let last = u64::from(ipi::DOORBELL_LAST);
                let vector = args.word(doorbell::VECTOR);
                if !(first..=last).contains(&vector) {
                    return Err(Refusal::range(first, last).into());
                }
                (vector as u8, args.word(doorbell::INDEX), args.word(doorbell::DEPTH))
            }
            Some(Invocation::SkerryIssueDoorbell) => return self.issue_doorbell(control, args),
            _ => return Err(Refusal::plain(Error::IllegalOperation).into()),
        };
        if self.interrupts().is_taken(vector) {
            return Err(Refusal::plain(Error::RevokeFirst).into());
        }
        let target = slot_at(args.cap(0)?, index, depth, Side::Destination)?;
        self.ensure_empty(target)?;
        let grant = match invocation {
            Some(Invocation::X86IRQIssueIRQHandlerIOAPIC) => pin_grant(args, vector)?,
            Some(Invocation::X86IRQIssueIRQHandlerMSI) => message_grant(args, vector)?,
            _ => Grant::Doorbell { vector },
        };
        self.interrupts().check(grant).map_err(Refusal::from)?;
        self.will_succeed();
        let machine = self.kernel.first_machine();
        self.interrupts().take(machine, grant);
        let _tree = self.derivation();
        Slot::insert_derived(control, target, Cap::control(Kind::IrqHandler, u64::from(vector)));
        Ok(())
    }

    fn issue_doorbell(&mut self, control: Ref<Slot>, args: &Args) -> Outcome {
        args.require(doorbell::LENGTH, 1)?;
        let route = args.word(doorbell::ROUTE);
        if !self.interrupts().has_route(route) {
            return Err(Refusal::argument(0).into());
        }
        let target = slot_at(args.cap(0)?, args.word(doorbell::INDEX), args.word(doorbell::DEPTH), Side::Destination)?;
        self.ensure_empty(target)?;
        self.will_succeed();
        let _tree = self.derivation();
        Slot::insert_derived(control, target, Cap::control(Kind::Doorbell, route));
        Ok(())
    }

    pub(crate) fn invoke_irq_handler(&mut self, cap: Cap, invocation: Option<Invocation>, args: &Args) -> Outcome {
        let vector = cap.index() as u8;
        match invocation {
            Some(Invocation::IRQAckIRQ) => {
                self.will_succeed();
                let machine = self.kernel.first_machine();
                self.interrupts().acknowledge(machine, vector);
                Ok(())
            }
            Some(Invocation::IRQSetIRQHandler) => {
                args.require(0, 1)?;
                let source = args.slot(0)?;
                let notification = source.cap();
                let usable = notification.kind() == Kind::Notification && notification.rights().allow(Rights::WRITE);
                if !usable {
                    return Err(Refusal::capability(0).into());
                }
                self.will_succeed();
                let place = self.interrupts().slot(vector);
                self.delete(place)?;
                // Deleting the last capability of the old notification cannot delete the new one's.
                let _tree = self.derivation();
                Slot::insert_derived(source, place, notification);
                Ok(())
            }
            Some(Invocation::IRQClearIRQHandler) => {
                self.will_succeed();
                let place = self.interrupts().slot(vector);
                self.delete(place)
            }
            _ => Err(Refusal::plain(Error::IllegalOperation).into()),
        }
    }
}

/// The CPU vector of user vector `number`.
fn user_vector(number: u64) -> Result<u8, Refusal> {
    if number > irq::VECTOR_MAX {
        return Err(Refusal::range(irq::VECTOR_MIN, irq::VECTOR_MAX));
    }
    Ok(ipi::USER_FIRST + number as u8)
}

fn pin_grant(args: &Args, vector: u8) -> Result<Grant, Refusal> {
    let (io_apic, pin, level, polarity) = (args.word(2), args.word(3), args.word(4), args.word(5));
    if io_apic != 0 {
        return Err(Refusal::range(0, 0));
    }
    let pin = u32::try_from(pin).ok().filter(|&pin| pin < 64).ok_or(Refusal::range(0, 63))?;
    if level > 1 || polarity > 1 {
        return Err(Refusal::range(0, 1));
    }
    let trigger = if level == irq::LEVEL_TRIGGERED { Trigger::Level } else { Trigger::Edge };
    let polarity = if polarity == irq::ACTIVE_LOW { Polarity::Low } else { Polarity::High };
    Ok(Grant::Pin { pin, vector, trigger, polarity })
}

fn message_grant(args: &Args, vector: u8) -> Result<Grant, Refusal> {
    for (word, most) in [(2, irq::PCI_BUS_MAX), (3, irq::PCI_DEV_MAX), (4, irq::PCI_FUNC_MAX)] {
        if args.word(word) > most {
            return Err(Refusal::range(0, most));
        }
    }
    Ok(Grant::Message { vector })
}
