/* Existence and the recall: no reader beside a writer; every reader, every writer and every recall gets its turn under weak
 * fairness. kernel/sync/src/smp/existence.rs and recall.rs; the gate is the ticket lock; each atomic operation is a step.
 * A core that waits, and a core in user mode, answers recalls; a core inside does not. */
#define N 3
#define TICKETS 4

byte next, serving;
bool line[N], asked[N];
byte readers, writers;
bool shares[N], shared[N], excludes[N], excluded[N];

inline wait_turn() {
  do
  :: serving == mine -> break
  :: asked[_pid] -> asked[_pid] = false
  od
}

active [N] proctype Core() {
  byte mine, seen, other;
  do
  :: asked[_pid] -> asked[_pid] = false /* the interrupt, in user mode */
  :: !asked[_pid] -> /* comes no more */
     do
     :: asked[_pid] -> asked[_pid] = false
     od
  :: !asked[_pid] -> shares[_pid] = true;
     line[_pid] = true;
     seen = next;
     if
     :: seen == serving
     :: else ->
        line[_pid] = false;
        atomic { mine = next; next = (next + 1) % TICKETS };
        wait_turn();
        line[_pid] = true;
        serving = (serving + 1) % TICKETS
     fi;
     atomic { readers++; shared[_pid] = true };
     assert(writers == 0);
     atomic { readers--; shared[_pid] = false; shares[_pid] = false; mine = 0; seen = 0 };
     line[_pid] = false
  :: !asked[_pid] ->
     atomic { mine = next; next = (next + 1) % TICKETS; excludes[_pid] = true };
     wait_turn();
     other = 0;
     do
     :: other < N && (other == _pid || !line[other]) -> other++
     :: other == N -> break
     od;
     atomic { writers++; excluded[_pid] = true };
     assert(writers == 1 && readers == 0);
     other = (_pid + 1) % N;
     asked[other] = true;
     !asked[other];
     atomic { writers--; excluded[_pid] = false; excludes[_pid] = false; mine = 0; other = 0 };
     serving = (serving + 1) % TICKETS
  od
}

ltl readers_get_in { [] (shares[0] -> <> shared[0]) }
ltl writers_get_in { [] (excludes[0] -> <> excluded[0]) }
ltl recalls_are_answered { [] (asked[0] -> <> !asked[0]) }
