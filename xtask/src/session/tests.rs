//! The verdict on a run, from what its consoles said.

use super::*;
use std::sync::mpsc::channel;

fn member(name: &str, work: Work) -> Member {
    Member { name: name.into(), console: Some(ConsolePort::Uart(0x3f8)), work, jobs: None }
}

/// The report after each (partition, console line).
fn after(members: &[Member], said: &[(usize, &str)]) -> Report {
    let consoles: Vec<_> = (0..members.len()).map(Some).collect();
    let mut session = Session::new(members, &consoles);
    for (partition, text) in said {
        let lines = Lines::default().feed(format!("{text}\n").as_bytes());
        session.take(*partition, lines, &mut |_, _| {});
    }
    session.finish(|_, _| {})
}

fn report(report: Report, end: End) -> Report {
    Report { end, elapsed: Duration::from_secs(3), ..report }
}

#[test]
fn a_run_is_over_when_every_partition_with_work_is() {
    let members = [member("a", Work::Finite), member("b", Work::Finite), member("c", Work::Endless)];
    assert_eq!(after(&members, &[(0, "\x1edone 0")]).over(&members), None);
    let state = after(&members, &[(0, "\x1edone 0"), (1, "\x1epark main.rs:3 boom")]);
    assert_eq!(state.over(&members), Some(End::Finished));
}

#[test]
fn a_system_of_services_is_never_over() {
    let members = [member("a", Work::Endless)];
    assert_eq!(after(&members, &[(0, "\x1eready 1 1")]).over(&members), None);
    assert!(report(after(&members, &[]), End::Timeout).problems(&members).is_empty());
}

#[test]
fn success_has_no_problems() {
    let members = [member("a", Work::Finite)];
    let state = after(&members, &[(0, "hello"), (0, "\x1eready 2000 1000"), (0, "\x1eexit p 0"), (0, "\x1edone 0")]);
    let report = report(state, End::Finished);
    assert!(report.problems(&members).is_empty());
    assert_eq!(report.status_code(&members), 0);
    let partition = report.partition("a").unwrap();
    assert_eq!((partition.ready_us(), partition.lines.as_slice()), (Some(2.0), &["hello".to_owned()][..]));
}

#[test]
fn a_failing_program_a_panic_and_a_silence_are_each_named() {
    let members = ["a", "b", "c", "d"].map(|name| member(name, Work::Finite));
    let said = [(0, "\x1eexit p 7"), (0, "\x1edone 7"), (1, "\x1epark boom"), (2, "\x1eready 1 1")];
    let report = report(after(&members, &said), End::Timeout);
    assert_eq!(report.status_code(&members), 101);
    let problems = report.problems(&members);
    assert_eq!(
        problems,
        [
            "partition a: ended with code 7 (p 7)",
            "partition b: its kernel panicked (code 101): boom",
            "partition c: still at work at the end",
            "partition d: never became ready at the end",
            "time over after 3 s",
        ]
    );
}

#[test]
fn a_refusal_is_one_problem_on_however_many_consoles() {
    let members = [member("a", Work::Finite), member("b", Work::Finite)];
    let state =
        after(&members, &[(0, "\x1erefuse no-core core 3 is missing"), (1, "\x1erefuse no-core core 3 is missing")]);
    let report = report(state, End::Refused);
    assert_eq!(report.problems(&members), ["the loader refused to boot: no-core core 3 is missing"]);
    assert_eq!(report.refusal.unwrap().seen_on, ["a", "b"]);
}

#[test]
fn the_exit_status_is_the_first_code_that_is_not_zero_and_never_zero_for_a_failure() {
    let members = ["a", "b"].map(|name| member(name, Work::Finite));
    let status = |said: &[(usize, &str)]| report(after(&members, said), End::Finished).status_code(&members);
    assert_eq!(status(&[(0, "\x1edone 0"), (1, "\x1edone 7")]), 7);
    assert_eq!(status(&[(0, "\x1edone 256"), (1, "\x1edone 7")]), 1);
    assert_eq!(status(&[(0, "\x1erefuse x y")]), 1);
}

#[test]
fn merged_partitions_are_told_apart_on_the_console_they_share() {
    let merged = |name: &str, jobs: &[&str]| {
        let work = if jobs.is_empty() { Work::Endless } else { Work::Finite };
        Member { jobs: Some(jobs.iter().map(|job| (*job).to_owned()).collect()), ..member(name, work) }
    };
    let members = [merged("west", &["p", "q"]), merged("east", &["p"]), merged("south", &[])];
    let said =
        ["\x1eready 5 1", "west/p: one: 1", "east/p: two", "nobody: three", "\x1eexit west/p 0", "\x1eexit east/p 4"];
    let state = after(&members, &said.map(|line| (0, line)));
    assert_eq!(state.over(&members), None, "q of west is still at work");
    let lines: Vec<_> = state.partitions.iter().map(|partition| partition.lines.clone()).collect();
    assert_eq!(lines, [vec!["one: 1".to_owned(), "nobody: three".to_owned()], vec!["two".to_owned()], vec![]]);
    assert!(state.partitions.iter().all(|partition| partition.ready == Some((5, 1))));
    assert_eq!(state.partitions[1].done, Some(4));
    assert_eq!(state.partitions[1].exits, [("p".to_owned(), 4)]);

    let said = [said.as_slice(), &["\x1eexit west/q 0", "\x1edone 4"]].concat();
    let state = after(&members, &said.iter().map(|line| (0, *line)).collect::<Vec<_>>());
    assert_eq!(state.over(&members), Some(End::Finished));
    assert_eq!(state.partitions.iter().map(|it| it.done).collect::<Vec<_>>(), [Some(0), Some(4), None]);
    let report = report(state, End::Finished);
    assert_eq!(report.problems(&members), ["partition east: ended with code 4 (p 4)"]);
}

#[test]
fn a_kernel_that_parks_takes_all_its_members_with_it() {
    let members = ["west", "east"].map(|name| Member { jobs: Some(vec!["p".into()]), ..member(name, Work::Finite) });
    let state = after(&members, &[(0, "\x1epark lock.rs:1 order")]);
    assert!(state.partitions.iter().all(|partition| partition.parked.is_some()));
}

#[test]
fn a_line_may_come_in_two_pieces_of_the_session() {
    let (machine, events) = channel();
    let mut running = Running::pretended(events).unwrap();
    let members = [member("a", Work::Finite), member("b", Work::Finite)];
    let mut session = Session::new(&members, &[Some(0), Some(1)]);
    let mut said = |console: usize, text: &str, expected: End| {
        machine.send((console, text.as_bytes().to_vec())).unwrap();
        let piece = Duration::from_millis(10);
        assert_eq!(session.follow(&mut running, piece, Until::Finished, |_, _| {}).unwrap().end, expected, "{text}");
    };
    said(0, "hal", End::Timeout);
    said(1, "\x1edone 0\n", End::Timeout);
    said(0, "f\n\x1edo", End::Timeout);
    said(0, "ne 3\nla", End::Finished);
    let report = session.finish(|_, _| {});
    assert_eq!(report.partitions[0].lines, ["half", "la"]);
    assert_eq!(report.partitions.iter().map(|it| it.done).collect::<Vec<_>>(), [Some(3), Some(0)]);
}
