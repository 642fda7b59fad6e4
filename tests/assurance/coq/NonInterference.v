(** * Partitions without a channel do not interfere

    The coarse automaton: any number of instances, each transition atomic and deterministic, reading the instance's own
    state and inbox and writing its own state and, for instances that the policy lets it reach, their inboxes. An inbox
    holds what any channel or doorbell could carry ([message] is any type). Time is not part of the state.

    Theorem (purge): what a closed set of instances sees is the same as if everybody outside it had never run. *)

Require Import List Bool.
Import ListNotations.

Section NonInterference.

Variable instance : Type.
Variable instance_dec : forall i j : instance, {i = j} + {i <> j}.
Variable local : Type.
Variable message : Type.

(** Who has a channel or doorbell to whom. *)
Variable reaches : instance -> instance -> bool.

(** The inbox of [j] has one cell for each sender. *)
Record state := State { own : instance -> local; inbox : instance -> instance -> message }.

(** What an instance does: from its own state and inbox, its next state and what to put where. *)
Variable behaviour : instance -> local -> (instance -> message) -> local * (instance -> option message) * (instance -> message).
(** It is a function of its inputs, cell by cell. *)
Hypothesis behaviour_reads : forall i l m n, (forall k, m k = n k) -> behaviour i l m = behaviour i l n.

Definition step (s : state) (i : instance) : state :=
  let '(l, sent, kept) := behaviour i (own s i) (inbox s i) in
  State
    (fun j => if instance_dec j i then l else own s j)
    (fun j k =>
       if instance_dec k i
       then match (if reaches i j then sent j else None) with
            | Some m => m
            | None => if instance_dec j i then kept k else inbox s j k
            end
       else if instance_dec j i then kept k else inbox s j k).

Definition run (s : state) (l : list instance) : state := fold_left step l s.

(** A set of instances that nobody outside reaches. *)
Variable inside : instance -> bool.
Hypothesis closed : forall i j, inside i = false -> inside j = true -> reaches i j = false.

(** What the set sees. *)
Definition looks_same (s t : state) : Prop :=
  (forall j, inside j = true -> own s j = own t j) /\
  (forall j k, inside j = true -> inbox s j k = inbox t j k).

Lemma outside_step : forall s i, inside i = false -> looks_same (step s i) s.
Proof.
  intros s i O. unfold step. destruct (behaviour i (own s i) (inbox s i)) as [[l sent] kept]. split; cbn.
  - intros j I. destruct (instance_dec j i); congruence.
  - intros j k I. rewrite (closed i j O I). destruct (instance_dec k i), (instance_dec j i); congruence.
Qed.

Lemma inside_step : forall s t i, inside i = true -> looks_same s t -> looks_same (step s i) (step t i).
Proof.
  intros s t i I [O B]. unfold step.
  rewrite (O i I), (behaviour_reads i (own t i) (inbox s i) (inbox t i)) by auto.
  destruct (behaviour i (own t i) (inbox t i)) as [[l sent] kept]. split; cbn.
  - intros j J. destruct (instance_dec j i); auto.
  - intros j k J. destruct (instance_dec k i), (instance_dec j i), (reaches i j); auto;
      destruct (sent j); auto.
Qed.

Lemma looks_same_trans : forall s t u, looks_same s t -> looks_same t u -> looks_same s u.
Proof.
  intros s t u [A B] [C D]. split; intros; [rewrite A, C | rewrite B, D]; auto.
Qed.

(** Whatever the others hold, however often and whenever they run. *)
Theorem non_interference : forall l s t,
  looks_same s t -> looks_same (run s l) (run t (filter inside l)).
Proof.
  induction l as [| i l IH]; intros s t E; cbn; auto.
  destruct (inside i) eqn:I; cbn.
  - apply IH, inside_step; auto.
  - apply IH. eapply looks_same_trans; [apply outside_step; auto | auto].
Qed.

(** Two runs that differ in the others' secrets and in when the others run look the same. *)
Corollary secrets_stay : forall l k s t,
  looks_same s t -> filter inside l = filter inside k -> looks_same (run s l) (run t k).
Proof.
  intros l k s t E F.
  pose proof (non_interference l s t E) as A. pose proof (non_interference k t t) as B.
  rewrite F in A. eapply looks_same_trans; [exact A |].
  destruct B as [B C]; [split; auto |]. split; intros; symmetry; auto.
Qed.

End NonInterference.

(** ** Not vacuous, and the policy is needed: a counter that sends itself to the other *)

Definition counter (i : bool) (l : nat) (m : bool -> nat) : nat * (bool -> option nat) * (bool -> nat) :=
  (S l + m true, fun j : bool => if j then None else Some l, m).
Definition with_secret (n : nat) : state bool nat nat :=
  State bool nat nat (fun i : bool => if i then n else 0) (fun _ _ => 0).
Definition bool_equal : forall a b : bool, {a = b} + {a <> b} := Bool.bool_dec.
Definition after (policy : bool -> bool -> bool) (n : nat) : nat :=
  own _ _ _ (run bool bool_equal nat nat policy counter (with_secret n) [true; false]) false.

Example without_a_channel : after (fun _ _ => false) 3 = after (fun _ _ => false) 8 /\ after (fun _ _ => false) 3 = 1.
Proof. split; reflexivity. Qed.
Lemma with_a_channel_secrets_flow : after (fun _ _ => true) 3 <> after (fun _ _ => true) 8.
Proof. discriminate. Qed.

Print Assumptions non_interference.
Print Assumptions secrets_stay.
