//! What a thread is doing.

/// State of a thread; one byte, any value readable.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State(u8);

impl State {
    /// Not running, and nothing will wake it.
    pub const INACTIVE: State = State(0);
    /// May run; its next instruction is `NextIp`.
    pub const RUNNING: State = State(1);
    /// May run; it repeats the instruction at `FaultIp`.
    pub const RESTART: State = State(2);
    /// Waits in an endpoint's queue for a sender.
    pub const BLOCKED_ON_RECEIVE: State = State(3);
    /// Waits in an endpoint's queue for a receiver.
    pub const BLOCKED_ON_SEND: State = State(4);
    /// Waits for a reply object to be invoked.
    pub const BLOCKED_ON_REPLY: State = State(5);
    /// Waits in a notification's queue.
    pub const BLOCKED_ON_NOTIFICATION: State = State(6);
    /// The idle thread.
    pub const IDLE: State = State(7);

    /// Whether the thread could run if it had time.
    #[inline(always)]
    pub const fn is_runnable(self) -> bool {
        self.0 == State::RUNNING.0 || self.0 == State::RESTART.0
    }

    /// Whether `Resume` has something to do.
    pub const fn is_stopped(self) -> bool {
        matches!(
            self,
            State::INACTIVE
                | State::BLOCKED_ON_RECEIVE
                | State::BLOCKED_ON_SEND
                | State::BLOCKED_ON_REPLY
                | State::BLOCKED_ON_NOTIFICATION
        )
    }

    /// Whether the thread waits for somebody else.
    pub const fn is_blocked(self) -> bool {
        matches!(
            self,
            State::BLOCKED_ON_RECEIVE
                | State::BLOCKED_ON_SEND
                | State::BLOCKED_ON_REPLY
                | State::BLOCKED_ON_NOTIFICATION
        )
    }
}
