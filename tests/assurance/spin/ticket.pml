/* The ticket lock, tickets with wrap-around: mutual exclusion, and everybody who draws a ticket gets the lock, if every core
 * that can go on does go on at some time (weak fairness). kernel/sync/src/smp/ticket.rs; each atomic operation is a step. */
#define N 4
#define TICKETS 4

byte next, serving;
byte holders;
bool wants[N], inside[N];

active [N] proctype Core() {
  byte mine;
  do
  :: true -> false /* comes no more */
  :: true ->
     atomic { mine = next; next = (next + 1) % TICKETS; wants[_pid] = true };
     serving == mine;
     atomic { holders++; inside[_pid] = true };
     assert(holders == 1);
     atomic { holders--; inside[_pid] = false; wants[_pid] = false };
     serving = (serving + 1) % TICKETS
  od
}

ltl starvation_free { [] (wants[0] -> <> inside[0]) }
