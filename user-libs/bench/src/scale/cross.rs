//! `scale.cross.*`: round trips between two cores, all pairs at once.
//!
//! Between partitions over a channel, whose ends look all the time (`channel`) or sleep until the doorbell (`doorbell`);
//! within one by `Call` through an endpoint (`endpoint`) or by two notifications (`notification`).

use super::Cast;
use super::crew::{Crew, Entry, Part};
use super::links::links;
use super::pairs::EVEN;
use super::post::{POSTS, ROUND, Sample, count};
use super::server::{ASK, STOP};
use channel::{Bell, Duplex, Side};
use root_task::RootError;
use sel4::{Message, ObjectType};

/// Between partitions, polled.
pub fn start_channel(crew: &mut Crew) -> Result<Cast, RootError> {
    over_pair(crew, ask_polled, answer_polled)
}

/// Between partitions, asleep until the doorbell.
pub fn start_doorbell(crew: &mut Crew) -> Result<Cast, RootError> {
    over_pair(crew, ask_sleeping, answer_sleeping)
}

fn over_pair(crew: &Crew, ask: Entry, answer: Entry) -> Result<Cast, RootError> {
    match links().pair.map(|link| link.side) {
        None => Ok(Cast::counting(0..0)),
        Some(Side::First) => {
            crew.start(0, Part::Worker, EVEN, ask)?;
            Ok(Cast::counting(0..1))
        }
        Some(Side::Second) => {
            crew.start(0, Part::Worker, EVEN, answer)?;
            Ok(Cast::serving(0..1))
        }
    }
}

extern "C" fn ask_polled(core: usize) -> ! {
    POSTS[core].finish(ask(links().pair.and_then(|link| link.polled(ROUND.page()).ok())))
}

extern "C" fn answer_polled(core: usize) -> ! {
    answer(links().pair.and_then(|link| link.polled(ROUND.page()).ok()));
    POSTS[core].finish(Sample::default())
}

extern "C" fn ask_sleeping(core: usize) -> ! {
    POSTS[core].finish(ask(links().pair.and_then(|link| link.sleeping(ROUND.page()).ok())))
}

extern "C" fn answer_sleeping(core: usize) -> ! {
    answer(links().pair.and_then(|link| link.sleeping(ROUND.page()).ok()));
    POSTS[core].finish(Sample::default())
}

fn ask<B: Bell + Clone>(end: Option<Duplex<'_, B>>) -> Sample {
    let mut end = end.expect("a page is large enough");
    let mut number: u64 = 0;
    let sample = count(|| {
        end.out.try_send_words(ASK, &[number]).expect("the peer is not broken");
        let back = end.inward.receive().expect("the peer is not broken").bytes.word(0);
        assert_eq!(back, Some(number), "another number came back");
        number += 1;
    });
    end.out.send(STOP, &[]).expect("the peer is not broken");
    sample
}

fn answer<B: Bell + Clone>(end: Option<Duplex<'_, B>>) {
    let mut end = end.expect("a page is large enough");
    loop {
        let message = end.inward.receive().expect("the peer is not broken");
        if message.kind == STOP {
            return;
        }
        let number = message.bytes.word(0).unwrap_or(0);
        end.out.try_send_words(ASK, &[number]).expect("the peer is not broken");
    }
}

/// Within a partition, by call.
pub fn start_endpoint(crew: &mut Crew) -> Result<Cast, RootError> {
    within(crew, ObjectType::Endpoint, call, serve)
}

/// Within a partition, by signals there and back.
pub fn start_notification(crew: &mut Crew) -> Result<Cast, RootError> {
    within(crew, ObjectType::Notification, signal, signal_back)
}

/// Core 2k asks core 2k + 1. Samples are of the even cores; the odd ones report nothing done.
fn within(crew: &mut Crew, kind: ObjectType, ask: Entry, answer: Entry) -> Result<Cast, RootError> {
    let pairs = crew.cores() / 2;
    for pair in 0..pairs {
        for post in &POSTS[2 * pair..2 * pair + 2] {
            let place = if kind == ObjectType::Endpoint { &post.endpoint } else { &post.notification };
            crew.renew(place, kind)?;
            crew.renew(&post.reply, ObjectType::Reply)?;
        }
        crew.start(2 * pair + 1, Part::Helper, EVEN, answer)?;
        crew.start(2 * pair, Part::Worker, EVEN, ask)?;
    }
    Ok(Cast { step: 2, ..Cast::counting(0..2 * pairs) })
}

extern "C" fn call(core: usize) -> ! {
    let endpoint = POSTS[core + 1].endpoint();
    let sample = count(|| {
        endpoint.call(Message::EMPTY);
    });
    POSTS[core].finish(sample)
}

extern "C" fn serve(core: usize) -> ! {
    let (endpoint, reply) = (POSTS[core].endpoint(), POSTS[core].reply());
    endpoint.recv(reply);
    loop {
        endpoint.reply_recv(Message::EMPTY, reply);
    }
}

extern "C" fn signal(core: usize) -> ! {
    let (there, back) = (POSTS[core + 1].notification(), POSTS[core].notification());
    let sample = count(|| {
        there.signal();
        back.wait();
    });
    POSTS[core].finish(sample)
}

extern "C" fn signal_back(core: usize) -> ! {
    let (own, back) = (POSTS[core].notification(), POSTS[core - 1].notification());
    loop {
        own.wait();
        back.signal();
    }
}
