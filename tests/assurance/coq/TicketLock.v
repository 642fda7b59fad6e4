(** * The ticket lock with tickets of finite width

    Any number N of threads, tickets modulo M (2^w for w bits), wrap-around included: mutual exclusion as long as
    N <= M. With more threads than tickets it fails, shown below. Each step is atomic, as the two atomic operations of the
    code are; memory orderings and starvation freedom are not treated here. *)

Require Import List Arith Lia.
Import ListNotations.

Section TicketLock.

Variable M : nat.
Hypothesis M_positive : 0 < M.
Variable thread : Type.
Variable thread_dec : forall a b : thread, {a = b} + {a <> b}.
(** All threads, each once. *)
Variable threads : list thread.
Hypothesis once : NoDup threads.
Hypothesis all : forall a, In a threads.

Inductive local := Away | Waiting (ticket : nat) | Holding (ticket : nat).

(** The lock's two words, and where each thread is. *)
Record state := State { next : nat; serving : nat; at_ : thread -> local }.

Definition update {A} (f : thread -> A) (a : thread) (v : A) : thread -> A :=
  fun b => if thread_dec b a then v else f b.

Definition succ (n : nat) : nat := S n mod M.

Inductive step (s : state) : state -> Prop :=
| draw : forall a, at_ s a = Away ->
    step s (State (succ (next s)) (serving s) (update (at_ s) a (Waiting (next s))))
| enter : forall a t, at_ s a = Waiting t -> t = serving s ->
    step s (State (next s) (serving s) (update (at_ s) a (Holding t)))
| leave : forall a t, at_ s a = Holding t ->
    step s (State (next s) (succ (serving s)) (update (at_ s) a Away)).

Definition initial (s : state) : Prop := next s < M /\ serving s = next s /\ forall a, at_ s a = Away.

Inductive reachable : state -> Prop :=
| reach_initial : forall s, initial s -> reachable s
| reach_step : forall s s', reachable s -> step s s' -> reachable s'.

(** ** The same lock with tickets that never wrap: what the words mean *)

Definition ticket (l : local) : option nat :=
  match l with Away => None | Waiting t => Some t | Holding t => Some t end.
Definition wrap (l : local) : local :=
  match l with Away => Away | Waiting t => Waiting (t mod M) | Holding t => Holding (t mod M) end.
Definition out (l : local) : nat := match l with Away => 0 | _ => 1 end.

Fixpoint count (f : thread -> local) (l : list thread) : nat :=
  match l with [] => 0 | a :: l => out (f a) + count f l end.

Lemma count_bound : forall f l, count f l <= length l.
Proof. intros f. induction l as [| a l IH]; cbn; [lia |]. destruct (f a); cbn; lia. Qed.

Lemma count_absent : forall f a v l, ~ In a l -> count (update f a v) l = count f l.
Proof.
  intros f a v. induction l as [| b l IH]; intros N; cbn in *; auto.
  rewrite IH by tauto. unfold update. destruct (thread_dec b a); [subst; tauto | auto].
Qed.

Lemma count_update : forall f a v l, NoDup l -> In a l ->
  count (update f a v) l + out (f a) = count f l + out v.
Proof.
  intros f a v. induction l as [| b l IH]; intros N I; [destruct I |].
  apply NoDup_cons_iff in N as [B N]. cbn. destruct (thread_dec b a) as [-> | D].
  - rewrite count_absent by auto. unfold update. destruct (thread_dec a a); [lia | contradiction].
  - assert (In a l) by (destruct I; [contradiction | auto]).
    specialize (IH N H). unfold update at 1. destruct (thread_dec b a); [contradiction |]. lia.
Qed.

(** The invariant: behind the words there are tickets [n], [s] and [f] that never wrapped. *)
Record meaning (c : state) (n s : nat) (f : thread -> local) : Prop := {
  next_means : next c = n mod M;
  serving_means : serving c = s mod M;
  at_means : forall a, at_ c a = wrap (f a);
  in_order : s + count f threads = n;
  window : forall a t, ticket (f a) = Some t -> s <= t < n;
  different : forall a b t, ticket (f a) = Some t -> ticket (f b) = Some t -> a = b;
  holder_served : forall a t, f a = Holding t -> t = s
}.

Lemma succ_mod : forall n, succ (n mod M) = S n mod M.
Proof.
  intros n. unfold succ. rewrite <- (Nat.add_1_r (n mod M)), <- (Nat.add_1_r n).
  rewrite Nat.add_mod_idemp_l by lia. reflexivity.
Qed.

Lemma near_equal : forall s t u, s <= t -> s <= u -> t < s + M -> u < s + M -> t mod M = u mod M -> t = u.
Proof.
  intros s t u A B C D E.
  pose proof (Nat.div_mod t M ltac:(lia)). pose proof (Nat.div_mod u M ltac:(lia)).
  assert (t / M = u / M \/ t / M < u / M \/ u / M < t / M) as [Q | [Q | Q]] by lia; nia.
Qed.

Hypothesis enough : length threads <= M.

Lemma step_meaning : forall c c' n s f,
  meaning c n s f -> step c c' -> exists n' s' f', meaning c' n' s' f'.
Proof.
  intros c c' n s f I T. destruct I as [Hn Hs Ha Ho Hw Hd Hh].
  pose proof (count_bound f threads) as Bound.
  destruct T as [a A | a t A E | a t A].
  - (* draw: the new ticket is n *)
    exists (S n), s, (update f a (Waiting n)).
    assert (Fa : f a = Away) by (specialize (Ha a); rewrite A in Ha; destruct (f a); cbn in Ha; congruence).
    pose proof (count_update f a (Waiting n) threads once (all a)) as K. rewrite Fa in K. cbn in K.
    constructor; cbn.
    + rewrite Hn. apply succ_mod.
    + auto.
    + intros b. unfold update. destruct (thread_dec b a); cbn; congruence.
    + lia.
    + intros b u. unfold update. destruct (thread_dec b a); cbn; intros H.
      * injection H as <-. lia.
      * apply Hw in H. lia.
    + intros b d u. unfold update. destruct (thread_dec b a), (thread_dec d a); cbn; intros X Y; subst; auto.
      * injection X as <-. apply Hw in Y. lia.
      * injection Y as <-. apply Hw in X. lia.
      * eauto.
    + intros b u. unfold update. destruct (thread_dec b a); cbn; intros H; [discriminate | eauto].
  - (* enter: within the window, equal words mean equal tickets *)
    pose proof (Ha a) as Wa. rewrite A in Wa. destruct (f a) as [| u | u] eqn:Fa; cbn in Wa; try discriminate.
    injection Wa as ->. pose proof (Hw a u) as W. rewrite Fa in W. specialize (W eq_refl).
    assert (u = s) by (apply (near_equal s); try lia; rewrite E; auto). subst u.
    exists n, s, (update f a (Holding s)).
    pose proof (count_update f a (Holding s) threads once (all a)) as K. rewrite Fa in K. cbn in K.
    constructor; cbn; auto.
    + intros b. unfold update. destruct (thread_dec b a); cbn; auto.
    + lia.
    + intros b u. unfold update. destruct (thread_dec b a); cbn; intros H; [injection H as <-; lia | eauto].
    + intros b d u. unfold update. destruct (thread_dec b a), (thread_dec d a); cbn; intros X Y; subst; auto.
      * injection X as <-. apply (Hd a d s); [rewrite Fa; reflexivity | auto].
      * injection Y as <-. apply (Hd b a s); [auto | rewrite Fa; reflexivity].
      * eauto.
    + intros b u. unfold update. destruct (thread_dec b a); cbn; intros H; [injection H as <-; auto | eauto].
  - (* leave: the ticket served is gone, so everybody else's is later *)
    pose proof (Ha a) as Wa. rewrite A in Wa. destruct (f a) as [| u | u] eqn:Fa; cbn in Wa; try discriminate.
    assert (u = s) by eauto. subst u.
    exists n, (S s), (update f a Away).
    pose proof (count_update f a Away threads once (all a)) as K. rewrite Fa in K. cbn in K.
    assert (Later : forall b u, b <> a -> ticket (f b) = Some u -> S s <= u < n).
    { intros b u N H. pose proof (Hw b u H).
      assert (u <> s) by (intros ->; apply N, (Hd b a s); [auto | rewrite Fa; reflexivity]). lia. }
    constructor; cbn.
    + auto.
    + rewrite Hs. apply succ_mod.
    + intros b. unfold update. destruct (thread_dec b a); cbn; auto.
    + lia.
    + intros b u. unfold update. destruct (thread_dec b a); cbn; intros H; [discriminate | eauto].
    + intros b d u. unfold update. destruct (thread_dec b a), (thread_dec d a); cbn; intros X Y;
        try discriminate. eauto.
    + intros b u. unfold update. destruct (thread_dec b a) as [| N]; cbn; intros H; [discriminate |].
      pose proof (Hh b u H). assert (ticket (f b) = Some u) by (rewrite H; reflexivity).
      pose proof (Later b u N H1). lia.
Qed.

Lemma reachable_meaning : forall c, reachable c -> exists n s f, meaning c n s f.
Proof.
  intros c R. induction R as [c (L & S & A) | c c' R (n & s & f & I) T].
  - exists (next c), (next c), (fun _ => Away). constructor; cbn; try discriminate; auto.
    + rewrite Nat.mod_small; auto.
    + rewrite Nat.mod_small; auto.
    + assert (Z : forall l, count (fun _ => Away) l = 0) by (induction l; auto). rewrite Z. lia.
  - eauto using step_meaning.
Qed.

(** At most one thread holds the lock, for every N <= M, whatever M. *)
Theorem mutual_exclusion : forall c a b t u,
  reachable c -> at_ c a = Holding t -> at_ c b = Holding u -> a = b.
Proof.
  intros c a b t u R A B. destruct (reachable_meaning c R) as (n & s & f & [Hn Hs Ha Ho Hw Hd Hh]).
  rewrite Ha in A, B.
  destruct (f a) as [| | x] eqn:Fa; cbn in A; try discriminate.
  destruct (f b) as [| | y] eqn:Fb; cbn in B; try discriminate.
  apply (Hd a b s).
  - rewrite Fa. cbn. f_equal. eauto.
  - rewrite Fb. cbn. f_equal. eauto.
Qed.

(** First come, first served: who holds drew before everybody who waits (no later ticket overtakes). *)
Theorem holder_is_oldest : forall c a t,
  reachable c -> at_ c a = Holding t -> t = serving c.
Proof.
  intros c a t R A. destruct (reachable_meaning c R) as (n & s & f & [Hn Hs Ha Ho Hw Hd Hh]).
  rewrite Ha in A. destruct (f a) as [| | x] eqn:Fa; cbn in A; try discriminate.
  injection A as <-. rewrite (Hh a x Fa). auto.
Qed.

End TicketLock.

(** ** For tickets of w bits *)

Theorem mutual_exclusion_of_width : forall w (thread : Type) dec (threads : list thread),
  NoDup threads -> (forall a, In a threads) -> length threads <= 2 ^ w ->
  forall c a b t u, reachable (2 ^ w) thread dec c ->
  at_ thread c a = Holding t -> at_ thread c b = Holding u -> a = b.
Proof.
  intros w thread dec threads N A L c a b t u R. apply (mutual_exclusion (2 ^ w)) with (threads := threads) (thread_dec := dec); auto.
  assert (2 ^ w <> 0) by (apply Nat.pow_nonzero; lia). lia.
Qed.

(** ** Not vacuous, and the bound is sharp: two tickets are enough for two threads and not for three *)

Inductive three := X | Y | Z.
Definition three_dec : forall a b : three, {a = b} + {a <> b}.
Proof. decide equality. Defined.

Notation go := (reach_step 2 three three_dec).
Definition idle : state three := State three 0 0 (fun _ => Away).

Example the_lock_is_taken : exists c, reachable 2 three three_dec c /\ at_ three c X = Holding 0.
Proof.
  eexists. split.
  - eapply go. eapply go.
    + apply (reach_initial 2 three three_dec idle). repeat split; cbn; auto.
    + apply (draw 2 three three_dec _ X). reflexivity.
    + apply (enter 2 three three_dec _ X 0); reflexivity.
  - reflexivity.
Qed.

Theorem too_many_threads_break_it : exists c,
  reachable 2 three three_dec c /\ at_ three c X = Holding 0 /\ at_ three c Z = Holding 0.
Proof.
  eexists. split.
  - eapply go. eapply go. eapply go. eapply go. eapply go.
    + apply (reach_initial 2 three three_dec idle). repeat split; cbn; auto.
    + apply (draw 2 three three_dec _ X). reflexivity.
    + apply (draw 2 three three_dec _ Y). reflexivity.
    + apply (draw 2 three three_dec _ Z). reflexivity.
    + apply (enter 2 three three_dec _ X 0); reflexivity.
    + apply (enter 2 three three_dec _ Z 0); reflexivity.
  - split; reflexivity.
Qed.

Print Assumptions mutual_exclusion_of_width.
Print Assumptions too_many_threads_break_it.
