//! Interrupts between cores.

use crate::{any, check};
use ipi::route::{Command, Route, Summons};

/// What may stand in the low half: the vector and the assert bit. So delivery is fixed, the destination physical, the
/// trigger an edge, and there is no shorthand.
fn is_bounded(command: Command) -> bool {
    command.low() & !0xff == 1 << 14
}

/// Whatever is asked for, the interrupt command register gets a fixed, physical command for one core and a listed vector;
/// no route broadcasts. What one core of an
/// instance sends another is no doorbell.
pub fn commands_are_bounded() {
    let (apic_id, vector) = (any() as u32, any() as u32);
    let listed = (0xa0..=0xdf).contains(&vector) && apic_id != 0xff && apic_id != u32::MAX;
    match Route::new(apic_id, vector) {
        None => check(!listed),
        Some(route) => {
            let command = Command::ring(route);
            check(listed && is_bounded(command));
            check(command.low() & 0xff == vector && command.destination() == apic_id);
        }
    }
    for why in [Summons::Recall, Summons::Reschedule] {
        let command = Command::summon(apic_id, why);
        let vector = command.low() & 0xff;
        check(is_bounded(command) && command.destination() == apic_id);
        check(vector >= 32 && !(0xa0..=0xdf).contains(&vector));
    }
}
