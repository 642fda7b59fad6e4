//! Replies: finishing a Call or a fault through a reply object.

use crate::Ipc;
use crate::transfer::{Grant, message_info, transfer};
use abi::fault::FaultType;
use capability::{Kind, Rights};
use memory::Ref;
use thread::{Reply, State, Tcb, TcbSlot};

impl Ipc<'_> {
    /// `sender` replies through `reply`; without a waiting caller nothing happens.
    pub fn reply(&self, sender: Ref<Tcb>, reply: Ref<Reply>, rights: Rights) {
        let Some(caller) = reply.thread.get() else { return };
        if caller.state.get() != State::BLOCKED_ON_REPLY {
            return;
        }
        self.remove_reply(reply, caller);
        self.unblock_sporadic(caller);
        let fault = caller.fault.get();
        if fault.is_none() {
            transfer(sender, caller, None, 0, Grant::when(rights.allow(Rights::GRANT)));
            self.set_state(caller, State::RUNNING);
        } else {
            let restart = self.answer_fault(caller, sender, message_info(sender));
            caller.fault.clear();
            self.set_state(caller, if restart { State::RESTART } else { State::INACTIVE });
        }
        let Some(context) = caller.sched_context.get() else { return };
        if !caller.state.get().is_runnable() {
            return;
        }
        if self.has_time(context) {
            self.possible_switch_to(caller);
        } else if caller.cap(TcbSlot::TimeoutHandler).kind() == Kind::Endpoint && fault.kind() != FaultType::Timeout {
            self.timeout(caller);
        } else {
            self.postpone(context);
        }
    }
}
