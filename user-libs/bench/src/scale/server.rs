//! `scale.server`: one server, asked for a number by everybody else, from cores of their own.
//!
//! Within a partition it is a thread at the first core, called through one endpoint. Between partitions it is the leader,
//! which polls a ring from each of the others and answers over the ring back; clients poll for the answer.

use super::Cast;
use super::crew::{Crew, Part};
use super::links::links;
use super::pairs::{self, EVEN};
use super::post::{POSTS, ROUND, Sample, count};
use alloc::vec::Vec;
use root_task::RootError;
use sel4::{Message, MessageInfo, ObjectType};

/// Kind of a message that asks, or answers.
pub const ASK: u32 = 0;
/// Kind of a client's last message.
pub const STOP: u32 = 1;

/// One server, and a client at every other core. A single core has both.
pub fn start(crew: &mut Crew) -> Result<Cast, RootError> {
    match (crew.cores(), links().star.len()) {
        (1, 0) => pairs::start(crew),
        (1, _) if links().leads() => {
            crew.start(0, Part::Worker, EVEN, serve_links)?;
            Ok(Cast::serving(0..1))
        }
        (1, _) => {
            crew.start(0, Part::Worker, EVEN, ask_link)?;
            Ok(Cast::counting(0..1))
        }
        (cores, _) => {
            crew.renew(&POSTS[0].endpoint, ObjectType::Endpoint)?;
            crew.renew(&POSTS[0].reply, ObjectType::Reply)?;
            crew.start(0, Part::Helper, EVEN, serve)?;
            (1..cores).try_for_each(|core| crew.start(core, Part::Worker, EVEN, ask))?;
            Ok(Cast::counting(1..cores))
        }
    }
}

/// What the server does with a number.
fn answer(number: u64) -> u64 {
    number.wrapping_add(1)
}

fn message(number: u64) -> Message {
    Message { info: MessageInfo::new(0, 0, 0, 1), words: [number, 0, 0, 0] }
}

extern "C" fn ask(core: usize) -> ! {
    let endpoint = POSTS[0].endpoint();
    let mut number = 0;
    let sample = count(|| {
        let answered = endpoint.call(message(number)).words[0];
        assert_eq!(answered, answer(number), "a wrong answer");
        number = answered;
    });
    POSTS[core].finish(sample)
}

extern "C" fn serve(core: usize) -> ! {
    let (endpoint, reply) = (POSTS[core].endpoint(), POSTS[core].reply());
    let mut received = endpoint.recv(reply);
    loop {
        received = endpoint.reply_recv(message(answer(received.message.words[0])), reply);
    }
}

extern "C" fn ask_link(core: usize) -> ! {
    let mut end = links().star[0].polled(ROUND.page()).expect("a page is large enough");
    let mut number: u64 = 0;
    let sample = count(|| {
        end.out.try_send_words(ASK, &[number]).expect("the server is not broken");
        let answered = end.inward.receive().expect("the server is not broken").bytes.word(0);
        assert_eq!(answered, Some(answer(number)), "a wrong answer");
        number = answer(number);
    });
    end.out.send(STOP, &[]).expect("the server is not broken");
    POSTS[core].finish(sample)
}

extern "C" fn serve_links(core: usize) -> ! {
    let page = ROUND.page();
    let mut ends: Vec<_> = links().star.iter().map(|link| link.polled(page).expect("a page is large enough")).collect();
    let mut clients = ends.len();
    while clients > 0 {
        for end in &mut ends {
            let Some(message) = end.inward.try_receive().expect("no client is broken") else { continue };
            if message.kind == STOP {
                clients -= 1;
                continue;
            }
            let number = message.bytes.word(0).unwrap_or(0);
            end.out.try_send_words(ASK, &[answer(number)]).expect("no client is broken");
        }
    }
    POSTS[core].finish(Sample::default())
}
