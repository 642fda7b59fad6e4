(** * Doorbells lose nothing that they promise to keep

    A doorbell holds at most one pending ring. What it promises: after a ring, the receiver's next wait sees it, however
    many rings, deliveries and other doorbells come between; and a receiver never sees more rings than were made.

    The way of a ring, as the code has it: the sender's ICR write sets the vector in the target's IRR; the target's
    kernel acknowledges (IRR to ISR), signals the bound notification, and a thread waits on that. Each arrow is a step of
    its own, so rings may come between any two. Any number of doorbells; senders are not told apart. *)

Require Import List Arith Lia Bool.
Import ListNotations.

Section Doorbell.

Variable bell : Type.
Variable bell_dec : forall a b : bell, {a = b} + {a <> b}.

(** One doorbell: where a ring may be, and the two counts. *)
Record box := Box { irr : bool; isr : bool; note : bool; rung : nat; taken : nat }.
Definition empty : box := Box false false false 0 0.

Inductive act := Ring | Acknowledge | Signal | Wait.

Definition on_box (a : act) (b : box) : box :=
  match a with
  | Ring => Box true (isr b) (note b) (S (rung b)) (taken b)
  | Acknowledge =>
      (* A second vector of the same number is not delivered while the first is in service. *)
      if irr b && negb (isr b) then Box false true (note b) (rung b) (taken b) else b
  | Signal => if isr b then Box (irr b) false true (rung b) (taken b) else b
  | Wait => if note b then Box (irr b) (isr b) false (rung b) (S (taken b)) else b
  end.

Definition system : Type := bell -> box.
Definition step (s : system) (e : bell * act) : system :=
  fun b => if bell_dec b (fst e) then on_box (snd e) (s b) else s b.
Definition run (s : system) (l : list (bell * act)) : system := fold_left step l s.

Definition pending (b : box) : bool := irr b || isr b || note b.
Definition weight (b : box) : nat := Nat.b2n (irr b) + Nat.b2n (isr b) + Nat.b2n (note b).

(** ** Counts reconcile *)

Definition counted (b : box) : Prop := taken b + weight b <= rung b.

Lemma on_box_counted : forall a b, counted b -> counted (on_box a b).
Proof.
  unfold counted, weight. intros a [[] [] [] r t] C; destruct a; cbn in *; lia.
Qed.

Theorem counts_reconcile : forall l s b,
  (forall b, counted (s b)) -> taken (run s l b) <= rung (run s l b).
Proof.
  intros l s b C. enough (counted (run s l b)) by (unfold counted in *; lia).
  revert s C. induction l as [| e l IH]; intros s C; cbn; auto.
  apply IH. intros c. unfold step. destruct (bell_dec c (fst e)); auto using on_box_counted.
Qed.

(** ** Nothing is lost *)

(** No successful wait on [b]: the only step that consumes. *)
Fixpoint untaken (b : bell) (s : system) (l : list (bell * act)) : Prop :=
  match l with
  | [] => True
  | e :: l => taken (step s e b) = taken (s b) /\ untaken b (step s e) l
  end.

Lemma kept : forall a b, pending b = true -> taken (on_box a b) = taken b -> pending (on_box a b) = true.
Proof.
  unfold pending. intros a [[] [] [] r t] P T; destruct a; cbn in *; auto; try discriminate; try lia.
Qed.

Lemma ring_pends : forall s b, pending (step s (b, Ring) b) = true.
Proof. intros. unfold step; cbn. destruct (bell_dec b b); [reflexivity | contradiction]. Qed.

(** From a ring until it is taken, the doorbell is pending. *)
Theorem not_lost : forall l s b,
  untaken b (step s (b, Ring)) l -> pending (run s ((b, Ring) :: l) b) = true.
Proof.
  intros l s b U. cbn. pose proof (ring_pends s b) as P. revert U P.
  generalize (step s (b, Ring)). clear s. induction l as [| e l IH]; intros s U P; cbn; auto.
  destruct U as [T U]. apply IH; auto.
  unfold step in *. destruct (bell_dec b (fst e)); auto using kept.
Qed.

Definition settle (b : bell) : list (bell * act) := [(b, Signal); (b, Acknowledge); (b, Signal)].

(** A pending doorbell whose kernel gets to run is seen by the next wait: exactly one more is taken. *)
Theorem seen : forall s b,
  pending (s b) = true -> taken (run s (settle b ++ [(b, Wait)]) b) = S (taken (s b)).
Proof.
  intros s b P. unfold run, settle, step; cbn. destruct (bell_dec b b) as [_ | N]; [| contradiction].
  destruct (s b) as [[] [] [] r t]; cbn in *; auto; discriminate.
Qed.

(** Both together: after a ring, whatever happened, either a wait has seen it or the next one will. *)
Theorem no_lost_ring : forall l s b,
  untaken b (step s (b, Ring)) l ->
  taken (run s ((b, Ring) :: l ++ settle b ++ [(b, Wait)]) b) = S (taken (run s ((b, Ring) :: l) b)).
Proof.
  intros l s b U. pose proof (not_lost l s b U) as P. unfold run in *.
  change ((b, Ring) :: l ++ settle b ++ [(b, Wait)]) with (((b, Ring) :: l) ++ settle b ++ [(b, Wait)]).
  rewrite fold_left_app. apply (seen _ b P).
Qed.

(** Doorbells do not disturb each other. *)
Theorem independent : forall s e b, b <> fst e -> step s e b = s b.
Proof. intros s e b N. unfold step. destruct (bell_dec b (fst e)); congruence. Qed.

End Doorbell.

(** ** Not vacuous: a ring, taken; three rings, taken once or twice *)

Definition one := run unit (fun a b => match a, b with tt, tt => left eq_refl end).
Example taken_once :
  taken (one (fun _ => empty) [(tt, Ring); (tt, Ring); (tt, Acknowledge); (tt, Signal); (tt, Wait)] tt) = 1.
Proof. reflexivity. Qed.
Example ring_during_service_is_kept :
  taken (one (fun _ => empty) [(tt, Ring); (tt, Acknowledge); (tt, Ring); (tt, Signal); (tt, Wait);
                               (tt, Acknowledge); (tt, Signal); (tt, Wait)] tt) = 2.
Proof. reflexivity. Qed.

(** ** The order matters: signalling first and clearing the request afterwards loses a ring *)

Definition signal_first (b : box) : box := if irr b then Box (irr b) (isr b) true (rung b) (taken b) else b.
Definition clear_after (b : box) : box := Box false (isr b) (note b) (rung b) (taken b).

Lemma clearing_afterwards_loses_a_ring :
  let seen_first := on_box Wait (signal_first (on_box Ring empty)) in
  let rung_again := on_box Ring seen_first in
  let b := clear_after rung_again in
  taken b = 1 /\ taken rung_again = taken b /\ pending b = false /\ rung b = 2.
Proof. repeat split. Qed.

Print Assumptions no_lost_ring.
Print Assumptions counts_reconcile.
