//! The receiving half of system calls.

use crate::Entry;
use crate::entry::Receive;
use capability::{Cap, Kind, LookupFault, Rights, lookup_slot};
use ipc::Notification;
use machine::Register;
use memory::Ref;
use thread::{Fault, Phase, TcbSlot};

impl Entry<'_> {
    pub(crate) fn receive_syscall(&mut self, how: Receive) {
        let thread = self.core.current.get();
        // A first phase that cost the thread its ability to run ends here; it receives when it runs again.
        if !thread.state.get().is_runnable() {
            return;
        }
        let cptr = thread.context.get(Register::Rdi);
        if let Err((cptr, failure)) = self.receive_from(cptr, how) {
            self.report(thread, Fault::capability(cptr, Phase::Receive, failure));
        }
    }

    fn receive_from(&mut self, cptr: u64, how: Receive) -> Result<(), (u64, LookupFault)> {
        let thread = self.core.current.get();
        let root = thread.cap(TcbSlot::CSpace);
        let cap = lookup_slot(root, cptr).map_err(|failure| (cptr, failure))?.cap();
        let missing = LookupFault::MissingCapability { bits_left: 0 };
        match cap.kind() {
            Kind::Endpoint if cap.rights().allow(Rights::READ) => {
                let mut reply = Cap::NULL;
                if how.with_reply {
                    let reply_cptr = thread.context.get(Register::R12);
                    reply = lookup_slot(root, reply_cptr).map_err(|failure| (reply_cptr, failure))?.cap();
                    if reply.kind() != Kind::Reply {
                        return Err((reply_cptr, missing));
                    }
                }
                self.receive(thread, cap, how.mode, reply);
                Ok(())
            }
            Kind::Notification if cap.rights().allow(Rights::READ) => {
                let notification: Ref<Notification> = cap.object();
                if notification.bound().is_some_and(|bound| bound != thread) {
                    return Err((cptr, missing));
                }
                self.wait(thread, notification, how.mode);
                Ok(())
            }
            _ => Err((cptr, missing)),
        }
    }
}
