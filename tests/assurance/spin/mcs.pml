/* The MCS lock: mutual exclusion and freedom from starvation under weak fairness. kernel/sync/src/smp/mcs.rs; each atomic
 * operation is a step, and names are core indices plus one. */
#define N 3
#define NOBODY 0

byte tail = NOBODY;
byte follows[N];
bool waits[N];
byte holders;
bool wants[N], inside[N];

active [N] proctype Core() {
  byte before, then;
  do
  :: true -> false /* comes no more */
  :: true ->
     follows[_pid] = NOBODY;
     atomic { before = tail; tail = _pid + 1; wants[_pid] = true };
     if
     :: before != NOBODY ->
        waits[_pid] = true;
        follows[before - 1] = _pid + 1;
        !waits[_pid]
     :: else
     fi;
     atomic { holders++; inside[_pid] = true };
     assert(holders == 1);
     atomic { holders--; inside[_pid] = false; wants[_pid] = false };
     if
     :: atomic { tail == _pid + 1 -> tail = NOBODY }
     :: atomic { else -> skip };
        follows[_pid] != NOBODY;
        then = follows[_pid];
        waits[then - 1] = false
     fi;
     before = NOBODY; then = NOBODY
  od
}

ltl starvation_free { [] (wants[0] -> <> inside[0]) }
