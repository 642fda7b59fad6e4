//! `scale.ipc.*`: at each core a client that calls a passive server of the same priority, both in this address space,
//! which have nothing to do with the pairs of other cores. Client and server think as long as each other.

use super::Cast;
use super::crew::{Crew, Part};
use super::post::{POSTS, ROUND, count};
use root_task::RootError;
use sel4::{Message, ObjectType};

/// Priority of everybody.
pub const EVEN: u8 = 100;

/// A pair at each core.
pub fn start(crew: &mut Crew) -> Result<Cast, RootError> {
    for (core, post) in POSTS.iter().enumerate().take(crew.cores()) {
        crew.renew(&post.endpoint, ObjectType::Endpoint)?;
        crew.renew(&post.reply, ObjectType::Reply)?;
        crew.start_passive(core, EVEN, serve)?;
    }
    for core in 0..crew.cores() {
        crew.start(core, Part::Worker, EVEN, call)?;
    }
    Ok(Cast::counting(0..crew.cores()))
}

/// Calls the server of its own core.
extern "C" fn call(core: usize) -> ! {
    let endpoint = POSTS[core].endpoint();
    let sample = count(|| {
        ROUND.think();
        endpoint.call(Message::EMPTY);
    });
    POSTS[core].finish(sample)
}

/// Answers; says that it is ready and receives in one step, so that it is asleep when its time is taken away.
extern "C" fn serve(core: usize) -> ! {
    let (endpoint, reply) = (POSTS[core].endpoint(), POSTS[core].reply());
    endpoint.nb_send_recv(ROUND.curtain(), Message::EMPTY, reply);
    loop {
        ROUND.think();
        endpoint.reply_recv(Message::EMPTY, reply);
    }
}
