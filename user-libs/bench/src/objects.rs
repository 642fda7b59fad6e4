//! What one thread measures by itself: the cheapest system calls, and invocations of kernel objects.

use crate::run::Out;
use crate::stage::{Stage, step};
use crate::timed::{Registers, system_call};
use crate::trace::{CLIENT, RUNS};
use abi::invocation::Invocation;
use abi::syscall::Syscall;
use root_task::RootError;
use root_task::objects::place;
use sel4::{CapRights, MessageInfo, ObjectType, Page, VmAttributes, buffer, initial};

/// Where a page is mapped: in the root task's address space, away from its image.
const PAGE_AT: u64 = 0x4000_0000;
/// Bits of the untyped that pages are made of: room for every run.
const UNTYPED_BITS: u32 = 20;

/// System calls that do nothing, or next to nothing.
pub fn null(out: &mut Out<'_>) {
    // An empty slot; a send that may not block does nothing with it.
    repeat(&Registers::plain(Syscall::NBSend, 0));
    out.runs("syscall.null", own);
    let block = sel4::thread::block() as u64;
    repeat(&Registers::plain(Syscall::SetTLSBase, block));
    out.runs("syscall.set_tls_base", own);
}

/// Map, unmap, create.
pub fn measure(stage: &mut Stage, out: &mut Out<'_>) -> Result<(), RootError> {
    let page = stage.objects.create(ObjectType::Page4K, 0)?;
    let (bits, rights, attributes) = (abi::object::PAGE_BITS, CapRights::READ_WRITE, VmAttributes::WRITE_BACK);
    // The first time makes the tables.
    stage.own.map(&mut stage.objects, page, bits, PAGE_AT, rights, attributes)?;
    step("unmap a page", Page::new(page).unmap())?;

    let words = [PAGE_AT, rights.word(), attributes.word(), 0];
    let map = invocation(page, Invocation::X86PageMap, 1, 3, words);
    for run in 0..RUNS {
        buffer::set_cap(0, initial::VSPACE.cptr());
        CLIENT.set(run, system_call(&map).0);
        step("unmap a page", Page::new(page).unmap())?;
    }
    out.runs("map.page", own);

    let unmap = invocation(page, Invocation::X86PageUnmap, 0, 0, [0; 4]);
    for run in 0..RUNS {
        step("map a page", Page::new(page).map(initial::VSPACE, PAGE_AT, rights, attributes))?;
        CLIENT.set(run, system_call(&unmap).0);
    }
    out.runs("unmap.page", own);

    for (kind, id) in [(ObjectType::Page4K, "retype.page"), (ObjectType::Endpoint, "retype.endpoint")] {
        let untyped = stage.objects.create(ObjectType::Untyped, UNTYPED_BITS)?;
        let slots = stage.objects.slots(RUNS as u64)?;
        for run in 0..RUNS {
            buffer::set_cap(0, initial::CNODE.cptr());
            // Words 4 and 5: the first slot and how many.
            buffer::set_word(4, slots + run as u64);
            buffer::set_word(5, 1);
            let retype = invocation(untyped, Invocation::UntypedRetype, 1, 6, [kind.word(), 0, 0, 0]);
            CLIENT.set(run, system_call(&retype).0);
        }
        out.runs(id, own);
        step("delete objects", place(untyped).revoke())?;
    }
    Ok(())
}

fn invocation(capability: u64, label: Invocation, caps: u64, length: u64, words: [u64; 4]) -> Registers {
    let info = MessageInfo::new(label.word(), 0, caps, length);
    Registers { number: Syscall::Call, capability, info, words, reply: 0 }
}

fn repeat(registers: &Registers) {
    for run in 0..RUNS {
        CLIENT.set(run, system_call(registers).0);
    }
}

/// A call's ticks from its beginning to its own end.
fn own(run: usize) -> u64 {
    CLIENT.end(run) - CLIENT.start(run)
}
