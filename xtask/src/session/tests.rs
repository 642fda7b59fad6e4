//! The verdict on a run, from what its consoles said.

use super::*;

fn member(name: &str, work: Work) -> Member {
    Member { name: name.into(), console: Some(ConsolePort::Uart(0x3f8)), work }
}

/// The state after each (partition, console line).
fn after(members: &[Member], said: &[(usize, &str)]) -> State {
    let mut state = State::new(members);
    for (partition, text) in said {
        for line in Lines::default().feed(format!("{text}\n").as_bytes()) {
            state.take(Some(*partition), line);
        }
    }
    state
}

fn report(state: State, end: End) -> Report {
    let State { partitions, refusal, strays } = state;
    Report { partitions, refusal, strays, end, status: None, elapsed: Duration::from_secs(3) }
}

#[test]
fn a_run_is_over_when_every_partition_with_work_is() {
    let members = [member("a", Work::Finite), member("b", Work::Finite), member("c", Work::Endless)];
    assert_eq!(after(&members, &[(0, "\x1edone 0")]).finished(&members), None);
    let state = after(&members, &[(0, "\x1edone 0"), (1, "\x1epark main.rs:3 boom")]);
    assert_eq!(state.finished(&members), Some(End::Finished));
}

#[test]
fn a_system_of_services_is_never_over() {
    let members = [member("a", Work::Endless)];
    assert_eq!(after(&members, &[(0, "\x1eready 1 1")]).finished(&members), None);
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
