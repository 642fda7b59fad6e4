//! Host only: checks invariants D1 and D2 of `docs/invariants.md`: the table agrees with the capabilities and the
//! handoff.

use crate::{Allowed, InterruptTable, Source, VECTORS};
use ipi::{Vector, classify};

/// Checks `table` against `handlers`, the vectors to which handler capabilities exist, and what the handoff gave.
pub fn check(table: &InterruptTable, handlers: &[u8], allowed: &Allowed) -> Result<(), String> {
    for vector in 0..VECTORS as u16 {
        let vector = vector as u8;
        let source = table.source_of(vector);
        if (source != Source::None) != handlers.contains(&vector) {
            return Err(format!("D1: vector {vector:#x} is {source:?}, capabilities say otherwise"));
        }
        if source == Source::None && !table.slot(vector).is_empty() {
            return Err(format!("D1: vector {vector:#x} signals, but belongs to nobody"));
        }
        let owned = match (source, classify(vector)) {
            (Source::None, _) => true,
            (Source::Pin(pin), Vector::User(_)) => pin < 64 && allowed.pins >> pin & 1 != 0,
            (Source::Message, Vector::User(n)) => allowed.messages[usize::from(n) / 64] >> (n % 64) & 1 != 0,
            (Source::Doorbell, Vector::Doorbell(n)) => allowed.doorbells >> n & 1 != 0,
            _ => false,
        };
        if !owned {
            return Err(format!("D2: vector {vector:#x} has source {source:?}, which this instance does not own"));
        }
    }
    Ok(())
}
