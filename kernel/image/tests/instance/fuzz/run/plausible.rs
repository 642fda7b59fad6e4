//! Invocations that have a chance: for each kind of capability, labels that it knows with arguments of the right shape.

use super::{POOL, Run};
use crate::harness::slot;
use abi::invocation::Invocation::{self, *};
use abi::object::ObjectType;
use capability::Kind;

impl Run {
    /// A likely invocation of `cptr`: label, words, capabilities.
    pub(super) fn plausible(&mut self, cptr: u64) -> (u64, Vec<u64>, Vec<u64>) {
        let kind = if cptr < 8192 { self.system.cap(cptr).kind() } else { Kind::Null };
        let root = slot::CNODE;
        let thread = &[Kind::Thread][..];
        let (what, words, caps): (Invocation, Vec<u64>, Vec<u64>) = match kind {
            Kind::Untyped => {
                let kind = self.random.pick(ObjectType::ALL) as u64;
                let size = self.random.pick(&[4, 5, 7, 8, 1, 2, 12, 9]);
                let count = if self.random.one_in(4) { 1 + self.random.below(4) } else { 1 };
                (UntypedRetype, vec![kind, size, 0, 0, self.empty(), count], vec![root])
            }
            Kind::CNode => {
                let radix = u64::from(self.system.cap(cptr).radix());
                let node = radix < 13;
                let (target, depth) = if node { (self.random.below(1 << radix), radix) } else { (self.empty(), 64) };
                let source = self.full();
                let rights = self.random.pick(&[15, 15, 15, 3, 1, 2, 14]);
                let data = self.random.pick(&[0, 1, 2, 3, 0xbad, 1 << 6 | 1, 61]);
                let what = self.random.pick(&[
                    CNodeCopy,
                    CNodeMint,
                    CNodeMove,
                    CNodeMutate,
                    CNodeCopy,
                    CNodeMint,
                    CNodeMove,
                    CNodeRotate,
                    CNodeDelete,
                    CNodeRevoke,
                    CNodeCancelBadgedSends,
                ]);
                match what {
                    CNodeCopy => (what, vec![target, depth, source, 64, rights], vec![root]),
                    CNodeMint => (what, vec![target, depth, source, 64, rights, data], vec![root]),
                    CNodeMove => (what, vec![target, depth, source, 64], vec![root]),
                    CNodeMutate => (what, vec![target, depth, source, 64, data], vec![root]),
                    CNodeRotate => {
                        let pivot = self.full();
                        let target = if self.random.one_in(2) { source } else { target };
                        (what, vec![target, 64, 0, pivot, 64, 0, source, 64], vec![root, root])
                    }
                    _ => {
                        let rare = self.random.one_in(8);
                        let victim = if rare {
                            self.first + self.random.below(POOL)
                        } else {
                            self.first + 60 + self.random.below(POOL - 60)
                        };
                        (what, vec![if node { target } else { victim }, depth], vec![])
                    }
                }
            }
            Kind::Thread => {
                let endpoint = self.of_kind(&[Kind::Endpoint, Kind::Null]);
                match self.random.below(17) {
                    0 => (TCBReadRegisters, vec![self.random.below(2), 20], vec![]),
                    1 => (TCBWriteRegisters, vec![self.random.below(2), 2, self.word(), self.word()], vec![]),
                    2 => (TCBCopyRegisters, vec![self.random.below(16)], vec![self.of_kind(thread)]),
                    3 => {
                        let caps = vec![
                            self.of_kind(&[Kind::CNode]),
                            self.of_kind(&[Kind::Pml4]),
                            self.of_kind(&[Kind::Frame]),
                        ];
                        (TCBConfigure, vec![0, 0, self.vaddr()], caps)
                    }
                    4 => (TCBSetSpace, vec![0, 0], vec![endpoint, root, slot::VSPACE]),
                    5 => (TCBSetPriority, vec![self.random.below(40)], vec![slot::TCB]),
                    6 => (TCBSetMCPriority, vec![200 + self.random.below(60)], vec![slot::TCB]),
                    7 | 8 => {
                        let context = self.of_kind(&[Kind::SchedContext, Kind::Null]);
                        (TCBSetSchedParams, vec![255, self.random.below(40)], vec![slot::TCB, context, endpoint])
                    }
                    9 => (TCBSetTimeoutEndpoint, vec![], vec![endpoint]),
                    10 => (TCBSetIPCBuffer, vec![self.vaddr()], vec![self.of_kind(&[Kind::Frame])]),
                    11 => (TCBSuspend, vec![], vec![]),
                    12 => (TCBBindNotification, vec![], vec![self.of_kind(&[Kind::Notification])]),
                    13 => (TCBUnbindNotification, vec![], vec![]),
                    14 => (TCBSetFlags, vec![self.random.below(2), self.random.below(2)], vec![]),
                    _ => (TCBResume, vec![], vec![]),
                }
            }
            Kind::SchedControl => {
                let budget = self.random.pick(&[20, 100, 1000, 5000]);
                let period = budget * self.random.pick(&[1, 1, 2, 3, 10]);
                let flags = self.random.below(2);
                let extra = self.random.below(9);
                (
                    SchedControlConfigureFlags,
                    vec![budget, period, extra, 7, flags],
                    vec![self.of_kind(&[Kind::SchedContext])],
                )
            }
            Kind::SchedContext => {
                let object = self.of_kind(&[Kind::Thread, Kind::Notification]);
                let what = self.random.pick(&[
                    SchedContextConsumed,
                    SchedContextBind,
                    SchedContextBind,
                    SchedContextUnbindObject,
                    SchedContextUnbind,
                    SchedContextYieldTo,
                ]);
                (what, vec![], vec![object])
            }
            Kind::Domain => {
                let what = self.random.pick(&[DomainSetSet, DomainScheduleConfigure, DomainScheduleSetStart]);
                let words = match what {
                    DomainScheduleConfigure => {
                        vec![self.random.below(4), self.random.below(2), self.random.pick(&[0, 100_000, 5_000_000, 1])]
                    }
                    DomainSetSet => vec![u64::from(self.random.one_in(4))],
                    _ => vec![self.random.below(4)],
                };
                (what, words, vec![self.of_kind(thread)])
            }
            Kind::IrqControl => match self.random.below(4) {
                0 => (
                    X86IRQIssueIRQHandlerIOAPIC,
                    vec![self.empty(), 64, 0, self.random.pick(&[4, 9, 5]), 0, 1, self.random.below(5)],
                    vec![root],
                ),
                1 => (
                    X86IRQIssueIRQHandlerMSI,
                    vec![self.empty(), 64, 0, 0, 0, 0, self.random.pick(&[7, 67, 9])],
                    vec![root],
                ),
                2 => (SkerryIssueDoorbell, vec![self.random.below(4), self.empty(), 64], vec![root]),
                _ => (
                    SkerryHearDoorbell,
                    vec![self.random.pick(&[0xa0, 0xa3, 0xa1, 0x30]), self.empty(), 64],
                    vec![root],
                ),
            },
            Kind::IrqHandler => {
                let what = self.random.pick(&[IRQAckIRQ, IRQSetIRQHandler, IRQSetIRQHandler, IRQClearIRQHandler]);
                (what, vec![], vec![self.of_kind(&[Kind::Notification])])
            }
            Kind::Frame => {
                let what = self.random.pick(&[X86PageMap, X86PageMap, X86PageUnmap, X86PageGetAddress]);
                (
                    what,
                    vec![self.vaddr(), self.random.below(16), self.random.below(8)],
                    vec![self.of_kind(&[Kind::Pml4])],
                )
            }
            Kind::PageTable => self.table(X86PageTableMap, X86PageTableUnmap),
            Kind::PageDirectory => self.table(X86PageDirectoryMap, X86PageDirectoryUnmap),
            Kind::Pdpt => self.table(X86PDPTMap, X86PDPTUnmap),
            Kind::AsidControl => {
                (X86ASIDControlMakePool, vec![self.empty(), 64], vec![self.of_kind(&[Kind::Untyped]), root])
            }
            Kind::AsidPool => (X86ASIDPoolAssign, vec![], vec![self.of_kind(&[Kind::Pml4])]),
            Kind::IoPortControl => {
                let first = 0x3f6 + self.random.below(10);
                (X86IOPortControlIssue, vec![first, first + self.random.below(3), self.empty(), 64], vec![root])
            }
            Kind::IoPort => (
                self.random.pick(&[X86IOPortIn8, X86IOPortOut32, X86IOPortIn16]),
                vec![0x3f6 + self.random.below(12), 5],
                vec![],
            ),
            _ => {
                let words = (0..self.random.pick(&[0, 1, 3, 4, 5, 19, 120])).map(|_| self.random.below(9)).collect();
                let caps = (0..self.random.below(4)).map(|_| self.cptr()).collect();
                return (self.random.below(3), words, caps);
            }
        };
        (what as u64, words, caps)
    }
}
