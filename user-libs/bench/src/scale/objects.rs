//! What each core does to objects of its own, and which needs the kernel to itself: map and unmap a page, create and
//! destroy an endpoint, and the shortest such system call.

use super::Cast;
use super::crew::{Crew, Part};
use super::pairs::EVEN;
use super::post::{POSTS, count};
use core::sync::atomic::Ordering::Relaxed;
use root_task::RootError;
use root_task::objects::place;
use root_task::vspace::VSpace;
use sel4::{CapRights, Endpoint, Message, ObjectType, Page, Pml4, Untyped, VmAttributes, initial};

/// Where pages are mapped; each core has a page table of its own there.
const PAGES_AT: u64 = 0x7000_0000;

fn page_at(core: usize) -> u64 {
    PAGES_AT + ((core as u64) << abi::object::LARGE_PAGE_BITS)
}

/// `scale.map`: in address spaces that no core is in.
pub fn start_map(crew: &mut Crew) -> Result<Cast, RootError> {
    for (core, post) in POSTS.iter().enumerate().take(crew.cores()) {
        let mut space = VSpace::new(&mut crew.objects)?;
        post.other.store(space.root().cptr(), Relaxed);
        prepare_page(crew, core, Some(&mut space))?;
    }
    all(crew, map_often)
}

/// `scale.map.shared`: in the address space that all cores of the partition are in.
pub fn start_map_shared(crew: &mut Crew) -> Result<Cast, RootError> {
    for (core, post) in POSTS.iter().enumerate().take(crew.cores()) {
        post.other.store(initial::VSPACE.cptr(), Relaxed);
        prepare_page(crew, core, None)?;
    }
    all(crew, map_often)
}

/// A page that has been mapped and unmapped once, so that the tables are there.
fn prepare_page(crew: &mut Crew, core: usize, space: Option<&mut VSpace>) -> Result<(), RootError> {
    let page = crew.renew(&POSTS[core].object, ObjectType::Page4K)?;
    let (bits, rights, attributes) = (abi::object::PAGE_BITS, CapRights::READ_WRITE, VmAttributes::WRITE_BACK);
    space.unwrap_or(&mut crew.own).map(&mut crew.objects, page, bits, page_at(core), rights, attributes)?;
    crate::stage::step("unmap a page", Page::new(page).unmap())
}

extern "C" fn map_often(core: usize) -> ! {
    let (page, space) = (POSTS[core].object.load(Relaxed), POSTS[core].other.load(Relaxed));
    let (page, space, at) = (Page::new(page), Pml4::new(space), page_at(core));
    let sample = count(|| {
        page.map(space, at, CapRights::READ_WRITE, VmAttributes::WRITE_BACK).expect("mapped before");
        page.unmap().expect("just mapped");
    });
    POSTS[core].finish(sample)
}

/// `scale.create`: an endpoint from an untyped of its own, and revoke.
pub fn start_create(crew: &mut Crew) -> Result<Cast, RootError> {
    for post in &POSTS[..crew.cores()] {
        post.object.store(crew.objects.create(ObjectType::Untyped, abi::object::PAGE_BITS)?, Relaxed);
        post.other.store(crew.objects.slots(1)?, Relaxed);
    }
    all(crew, create_often)
}

extern "C" fn create_often(core: usize) -> ! {
    let (untyped, slot) = (POSTS[core].object.load(Relaxed), POSTS[core].other.load(Relaxed));
    let sample = count(|| {
        let made = Untyped::new(untyped).retype(ObjectType::Endpoint, 0, initial::CNODE.itself(), slot, 1);
        made.expect("the untyped is empty");
        place(untyped).revoke().expect("its own");
    });
    POSTS[core].finish(sample)
}

/// `scale.lock`: a send through an empty slot, which the kernel looks up on its slow path and then does nothing.
pub fn start_lock(crew: &mut Crew) -> Result<Cast, RootError> {
    all(crew, send_to_nobody)
}

extern "C" fn send_to_nobody(core: usize) -> ! {
    POSTS[core].finish(count(|| Endpoint::new(0).nb_send(Message::EMPTY)))
}

fn all(crew: &Crew, entry: super::crew::Entry) -> Result<Cast, RootError> {
    (0..crew.cores()).try_for_each(|core| crew.start(core, Part::Worker, EVEN, entry))?;
    Ok(Cast::counting(0..crew.cores()))
}
